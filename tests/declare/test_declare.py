"""A training loop that declares itself: charged by the real agent, over the real socket."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from pathlib import Path

import pytest

from tests.declare.daemon import J_PER_CPU_S, SmallDaemon
from tests.e2e.daemon import until
from tracker.declare import Energy, Run, begin_window, current, declare, end_window
from tracker.declare import run as client


def burn(seconds: float) -> None:
    """A child uses CPU time: in this process it would take it from the daemon's threads."""
    pid = os.fork()
    if pid == 0:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass
        os._exit(0)
    os.waitpid(pid, 0)


def test_a_run_gets_its_energy_its_grams_and_its_tokens(daemon: SmallDaemon) -> None:
    with declare("run-42", project="nlp", phase="training") as run:
        for _ in range(4):
            burn(0.05)
            run.add(tokens=4096, steps=1)
    energy = run.end(wait_s=12)
    assert energy is not None
    assert energy.booked
    # The children's CPU time, less a scheduler tick each; what this process itself used meanwhile comes on top.
    assert 0.15 * J_PER_CPU_S <= energy.joules <= 2 * J_PER_CPU_S
    assert energy.units == {"tokens": 16384, "steps": 4}
    assert energy.grams == pytest.approx(energy.kwh * 50 * 1.2, abs=2e-6)
    assert energy.measured_share == 1.0
    assert energy.per("tokens") == energy.joules / 16384
    assert energy.per("images") is None
    states = [s for s in daemon.agent.snapshot.workloads if s.workload.key == "run/run-42"]
    assert [(s.workload.project, s.workload.phase, s.workload.kind) for s in states] == [("nlp", "training", "run")]


def test_energy_so_far_grows_while_the_run_goes_on(daemon: SmallDaemon) -> None:
    with declare("run-42") as run:
        burn(0.1)
        until(lambda: run.energy() is not None, "something is booked")
        first = run.energy()
        burn(0.2)
        until(lambda: (run.energy() or Energy()).joules > (first or Energy()).joules, "more is booked")


def test_phases_nest_and_come_back(daemon: SmallDaemon) -> None:
    with declare("run-42", phase="training") as run:
        burn(0.1)
        with run.phase("evaluation"):
            burn(0.1)
            with run.phase("inference"):
                burn(0.1)
                run.add(tokens=7)
            assert run.current_phase == "evaluation"
        burn(0.1)
    run.end(wait_s=12)
    assert set(daemon.run("run-42")) == {"training", "evaluation", "inference"}
    assert all(energy_uj > 0 for energy_uj in daemon.run("run-42").values())


def test_a_run_in_a_run_is_charged_once_and_told_twice(daemon: SmallDaemon) -> None:
    """Its own series, and in what the outer one's owner is told; the node's sum holds."""
    with declare("outer") as outer:
        burn(0.1)
        with declare("inner") as inner:
            assert current() is inner
            burn(0.2)
        assert current() is outer
        burn(0.1)
    told = outer.end(wait_s=12)
    charged = {run: sum(daemon.run(run).values()) / 1e6 for run in ("outer", "inner")}
    assert told is not None
    assert charged["inner"] > 0
    assert told.joules == pytest.approx(charged["outer"] + charged["inner"])
    assert daemon.agent.snapshot.conservation_error_uj == 0


def test_a_run_beyond_the_limit_of_series_is_told_its_own_energy(tmp_path: Path) -> None:
    """On ``/metrics`` it shares ``other``; its owner is told what the ledger has of it."""
    with SmallDaemon(tmp_path, max_series=1) as daemon:
        told = []
        for number in range(3):
            with declare(f"run-{number}") as run:
                burn(0.1)
            told.append(run.end(wait_s=12))
        assert sum(1 for state in daemon.agent.snapshot.workloads if state.workload.kind == "run") <= 1
    assert [energy is not None and energy.joules > 0.03 * J_PER_CPU_S for energy in told] == [True] * 3


def test_a_decorated_function_is_a_run_at_every_call(daemon: SmallDaemon) -> None:
    @declare(project="nlp")
    def sweep(seconds: float) -> float:
        """Says what it did."""
        run = current()
        assert run is not None
        seen.append(run.id)
        burn(seconds)
        return seconds

    seen: list[str] = []
    assert (sweep(0.05), sweep(0.06)) == (0.05, 0.06)
    assert sweep.__doc__ == "Says what it did."
    assert len(set(seen)) == 2
    assert all(run.startswith("sweep-") for run in seen)
    until(lambda: all(daemon.run(run) for run in seen), "both are charged")


def test_a_decorated_function_with_an_id_is_one_run_and_may_raise(daemon: SmallDaemon) -> None:
    @declare("nightly")
    def fails() -> None:
        burn(0.05)
        raise ValueError("mine")

    for _ in range(2):
        with pytest.raises(ValueError, match="mine"):
            fails()
    assert current() is None
    until(lambda: daemon.run("nightly"), "it is charged")


def test_a_decorated_coroutine_is_a_run_until_it_is_done(daemon: SmallDaemon) -> None:
    @declare("served")
    async def serve() -> str:
        await asyncio.sleep(0)
        assert current() is not None
        burn(0.1)
        return "done"

    assert asyncio.run(serve()) == "done"
    assert current() is None
    until(lambda: daemon.run("served"), "it is charged")


def test_threads_add_together_exactly(daemon: SmallDaemon) -> None:
    with declare("run-42") as run:

        def work() -> None:
            for _ in range(500):
                run.add(steps=1, tokens=3)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    run.end(wait_s=12)
    assert daemon.units("run-42") == {"steps": 4000, "tokens": 12000}


def test_labels_may_be_anything_and_numbers_come_from_anywhere(daemon: SmallDaemon) -> None:
    """Paths, None and numpy integers are what people have at hand."""
    import numpy as np

    with declare("a/b c", project=None, team=3, name="") as run:  # type: ignore[arg-type] # what people do
        run.add(tokens=np.int64(5), steps=2.0, bad="x")  # type: ignore[arg-type] # the same
        run.add(tokens=np.int64(5), steps=2.0)  # type: ignore[arg-type] # the same
        run.add(tokens=-5)
        burn(0.05)
    run.end(wait_s=12)
    assert daemon.units("a/b c") == {"tokens": 5, "steps": 2}


def test_a_refusal_is_logged_once_and_raises_nothing(daemon: SmallDaemon, caplog: pytest.LogCaptureFixture) -> None:
    daemon.runs._max_runs = 0
    with caplog.at_level(logging.WARNING, "wattledger"):
        for _ in range(3):
            with declare("x" * 10_000, project="\N{SNOWMAN}" * 10_000) as run:
                run.add(**{"Not A Unit": 1})
                until(lambda: refused(run), "the refusal has come")
    assert [record.getMessage() for record in caplog.records] == ["wattledger: There are too many runs (0 of 0)."]


def refused(run: Run) -> bool:
    """Whether the client has heard of it; it listens when it speaks."""
    client._link.sync()
    return run._state.refused


# -- without a daemon --------------------------------------------------------------------------------------------------


def test_without_a_daemon_everything_works_and_nothing_is_measured(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        with declare("run-42") as run, run.phase("evaluation"):
            run.add(tokens=1)
            run.begin_window("w")
            assert run.energy() is None
            assert run.end_window("w") is None
        assert run.end(wait_s=0.1) is None
        assert declare()(lambda: 5)() == 5
    assert caplog.records == [], "no news is no reason to print anything"


def test_a_daemon_that_starts_later_is_told_what_it_missed(tmp_path: Path) -> None:
    with declare("run-42", phase="training") as run:
        run.add(tokens=5)
        with run.phase("evaluation"):
            run.add(tokens=7)
            with SmallDaemon(tmp_path) as daemon:
                client._link._next_try_s = 0.0  # five seconds have passed
                run.add(tokens=0)
                client._link.sync()
                burn(0.1)
                until(lambda: daemon.units("run-42") == {"tokens": 12}, "the tokens are booked")
                phases = {s.workload.phase: dict(s.units) for s in daemon.agent.snapshot.workloads if s.units}
                assert phases == {"training": {"tokens": 5}, "evaluation": {"tokens": 7}}


# -- windows -----------------------------------------------------------------------------------------------------------


def test_a_window_tells_joules_and_how_exact_they_are(daemon: SmallDaemon) -> None:
    with declare("run-42") as run:
        burn(0.1)
        until(lambda: run.energy() is not None, "something is booked")
        run.begin_window("epoch")
        burn(0.5)
        window = run.end_window("epoch")
    assert window is not None
    assert window.total_energy is not None
    assert window.covered_seconds is not None
    assert window.total_energy == window.cpu_energy
    assert 0 < window.total_energy < 100 * window.covered_seconds
    assert (window.gpu_energy, window.too_short, window.resolution_seconds) == (None, False, 0.2)
    assert window.time >= 0.5


def test_a_window_that_saw_no_commit_is_unknown_and_not_zero(daemon: SmallDaemon) -> None:
    with declare("run-42") as run:
        burn(0.1)
        until(lambda: run.energy() is not None, "something is booked")
        for _ in range(20):  # one of them lies between two commits
            run.begin_window()
            window = run.end_window()
            if window is not None and window.too_short:
                break
    assert window is not None
    assert window.too_short
    assert window.total_energy is None
    assert run.end_window("never begun") is None


def test_a_window_without_a_run_makes_this_process_one(daemon: SmallDaemon) -> None:
    """As in Zeus: two calls around an epoch, nothing else. Windows overlap."""
    assert end_window("nothing") is None
    begin_window("epoch")
    run = current()
    assert run is not None
    burn(0.1)
    until(lambda: run.energy() is not None, "something is booked")
    begin_window("step")
    assert current() is run
    burn(0.3)
    step, epoch = end_window("step"), end_window("epoch")
    assert step is not None
    assert epoch is not None
    assert (epoch.total_energy or 0) > (step.total_energy or 0) > 0
