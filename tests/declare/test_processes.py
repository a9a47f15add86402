"""What real programs do: fork, spawn, exit without a word, run for longer than the daemon does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.declare.daemon import J_PER_CPU_S, SmallDaemon, daemon_process
from tests.declare.programs import BURN, REPO, env, program, started
from tests.e2e.daemon import until
from tracker.declare import Energy, attached, current, declare
from tracker.declare import run as client
from tracker.declare.energy import energy_of
from tracker.declare.wire import ask

STANDARD = """
import sys
assert not any("site-packages" in place for place in sys.path)
from tracker.declare import declare, current
with declare("run-42", project="nlp") as run:
    run.add(tokens=1)
    with run.phase("evaluation"):
        pass
    print(run.energy())
foreign = [name for name in sys.modules if not name.startswith("tracker")
           and name.partition(".")[0] not in sys.stdlib_module_names and not name.startswith("__")]
print(foreign, sorted(name for name in sys.modules if name.startswith("tracker")))
"""


def test_it_needs_the_standard_library_only_and_no_daemon(tmp_path: Path) -> None:
    """In the environment of a training image nothing else of ours may be there."""
    found = subprocess.run(
        [sys.executable, "-S", "-E", "-W", "error", "-c", f"import sys; sys.path.append({str(REPO)!r})\n{STANDARD}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert found.stderr == ""
    names = ["tracker", "tracker.declare", *(f"tracker.declare.{part}" for part in ("energy", "link", "run", "wire"))]
    assert found.stdout.splitlines() == ["None", f"[] {names}"]


def test_a_program_that_ends_without_a_word_has_ended_its_run(daemon: SmallDaemon) -> None:
    """No ``with``, no ``end``: what it counted is told at its exit, and the run is over."""
    done = program(
        "from tracker.declare import declare\nrun = declare('run-42')\nrun.start()\nrun.add(tokens=9)\nburn(.1)"
    )
    assert (done.returncode, done.stderr) == (0, "")
    until(lambda: daemon.units("run-42") == {"tokens": 9}, "the tokens are booked")
    assert sum(daemon.run("run-42").values()) == pytest.approx(0.1 * J_PER_CPU_S * 1e6, rel=0.6)
    until(lambda: daemon.runs.stored() == (), "the run is over")


def test_a_program_that_is_killed_has_ended_its_run(daemon: SmallDaemon) -> None:
    with started("from tracker.declare import declare\ndeclare('run-42').start()\nprint()\ninput()") as process:
        assert process.stdout is not None
        process.stdout.readline()
        until(lambda: len(daemon.runs.stored()) == 1, "it is declared")
        process.kill()
    until(lambda: daemon.runs.stored() == (), "the run is over")


FORKS = """
import os
from tracker.declare import declare
with declare("run-42") as run:
    run.add(tokens=1)
    run.add(tokens=10)          # not told yet when the child is forked
    pid = os.fork()
    if pid == 0:
        burn(0.2)
        run.add(tokens=100)
        if {unwinds}:
            raise SystemExit(0)  # out of the with block, through atexit
        os._exit(0)
    os.waitpid(pid, 0)
    run.add(tokens=1000)
    burn(0.1)
"""


@pytest.mark.parametrize("unwinds", [False, True])
def test_a_forked_worker_adds_and_neither_doubles_nor_ends_the_run(daemon: SmallDaemon, unwinds: bool) -> None:
    """A DataLoader's worker is a fork in the middle of the run: its CPU time and what it adds count, once."""
    done = program(FORKS.replace("{unwinds}", str(unwinds)))
    assert (done.returncode, done.stderr) == (0, "")
    until(lambda: daemon.units("run-42").get("tokens", 0) >= 1111, "everything is booked")
    assert daemon.units("run-42") == {"tokens": 1111}
    assert sum(daemon.run("run-42").values()) == pytest.approx(0.3 * J_PER_CPU_S * 1e6, rel=0.25)


RANKS = """
import os
from tracker.declare import declare
run = declare("run-42")          # made by the launcher, begun by the ranks it forks
for rank in range(2):
    if os.fork() == 0:
        run.start()
        run.add(tokens=10 ** rank)
        burn(0.1)
        run.end(wait_s=10)       # a process that is gone before its end is heard takes its last bit with it
        with declare(f"own-{rank}") as own:
            own.add(tokens=5)
        os._exit(0)
for _ in range(2):
    os.wait()
"""


def test_ranks_that_begin_a_run_after_the_fork_are_members_of_it(daemon: SmallDaemon) -> None:
    done = program(RANKS)
    assert (done.returncode, done.stderr) == (0, "")
    until(lambda: daemon.units("run-42") == {"tokens": 11}, "both ranks are booked")
    until(lambda: daemon.units("own-1") == {"tokens": 5}, "a run of its own, too")
    assert sum(daemon.run("run-42").values()) == pytest.approx(0.2 * J_PER_CPU_S * 1e6, rel=0.4)


SPAWNS = """
import multiprocessing, sys
from tracker.declare import declare, current

def burn_and_add(run, amount):
    burn(0.1)
    with run.phase("evaluation" if amount == 100 else "training"):
        run.add(tokens=amount)
    assert run.energy() is None or run.energy().joules >= 0

if __name__ == "__main__":
    with declare("run-42", phase="training") as run:
        for method in sys.argv[1:]:
            context = multiprocessing.get_context(method)
            workers = [context.Process(target=burn_and_add, args=(run, amount)) for amount in (1, 100)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
                assert worker.exitcode == 0
        run.add(tokens=10000)
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_workers_of_every_kind_add_to_the_run_they_were_given(daemon: SmallDaemon, tmp_path: Path, method: str) -> None:
    """torch.multiprocessing spawns: the run is sent there as an argument, and the process is in it anyway."""
    script = tmp_path / "train.py"  # a real file: spawn imports it again
    script.write_text(BURN + SPAWNS)
    command = [sys.executable, "-W", "error", str(script), method]
    done = subprocess.run(command, env=env(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    until(lambda: daemon.units("run-42").get("tokens", 0) >= 10101, "everything is booked")
    assert daemon.units("run-42") == {"tokens": 10101}
    assert sum(daemon.run("run-42").values()) >= 0.15 * J_PER_CPU_S * 1e6


def test_a_program_inside_exec_finds_the_run_around_it(daemon: SmallDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    assert current() is None
    with declare("outer", phase="training") as outer:
        for name, value in ((client.ENV_RUN, "outer"), (client.ENV_TOKEN, outer.token), (client.ENV_PHASE, "training")):
            monkeypatch.setenv(name, value)
        done = program(
            "from tracker.declare import current\nrun = current()\nassert run is current()\nrun.add(tokens=5)\n"
            "with run.phase('evaluation'):\n    run.add(tokens=2)"
        )
        assert done.stderr == ""
        until(lambda: daemon.units("outer") == {"tokens": 7}, "the tokens are booked")
        assert [each.phase for each in daemon.runs.stored()] == ["training"]
        assert attached("outer", outer.token) is outer


# -- the daemon comes and goes -----------------------------------------------------------------------------------------

LONG = """
import sys
from tracker.declare import declare
from tracker.declare import run as client
with declare("run-42", phase="training") as run:
    print("declared", flush=True)
    for line in sys.stdin:
        command, _, amount = line.strip().partition(" ")
        if command == "add":
            client._link._next_try_s = client._link._synced_s = 0.0     # some seconds have passed
            run.add(tokens=int(amount))
        elif command == "burn":
            burn(float(amount))
        print("ok", flush=True)
"""


class Long:
    """A training job that lives longer than a daemon."""

    def __init__(self) -> None:
        self.process = started(LONG)
        self.answer()

    def answer(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline()

    def __call__(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        self.answer()

    def end(self) -> None:
        _, _ = self.process.communicate()
        assert self.process.returncode == 0


def test_a_run_goes_on_over_a_restart_of_the_daemon_and_counts_everything(tmp_path: Path) -> None:
    """Stopped in good order, down for a while, started again: one run, no token twice, none lost."""
    with SmallDaemon(tmp_path) as first:
        long = Long()
        long("add 1")
        long("burn 0.1")
        until(lambda: first.units("run-42") == {"tokens": 1}, "the first token is booked")
    before = sum(first.run("run-42").values())
    assert before > 0
    long("add 10")
    long("burn 0.1")
    with SmallDaemon(tmp_path) as second:
        assert [each.run for each in second.runs.stored()] == ["run-42"], "known before it says a word"
        long("burn 0.2")
        until(lambda: sum(second.run("run-42").values()) > before, "it is charged again")
        long("add 100")
        until(lambda: second.units("run-42") == {"tokens": 111}, "all tokens are booked")
        assert set(second.run("run-42")) == {"training"}
        long.end()
        until(lambda: second.runs.stored() == (), "the run is over")


def energy(run: str) -> Energy:
    return energy_of(ask({"op": "energy", "run": run}, 2)) or Energy()


def test_a_killed_daemon_costs_no_booked_joule_and_the_run_goes_on(tmp_path: Path) -> None:
    with daemon_process(tmp_path) as first:
        long = Long()
        long("add 5")
        long("burn 0.2")
        until(lambda: energy("run-42").joules > 0 and energy("run-42").units, "it is charged")
        booked = energy("run-42")
        first.kill()
        first.wait(10)
        long("add 7")
    with daemon_process(tmp_path):
        long("burn 0.2")
        long("add 0")
        until(lambda: energy("run-42").joules > booked.joules, "it is charged again")
        until(lambda: energy("run-42").units == {"tokens": 12}, "all tokens are booked")
        long.end()


def test_a_daemon_that_stands_still_holds_nobody_up(tmp_path: Path) -> None:
    """Its process is stopped for a while (a debugger, a frozen cgroup): the loop goes on, and nothing is lost."""
    with daemon_process(tmp_path) as stopped, declare("run-42") as run:
        until(lambda: ask({"op": "energy", "run": "x"}, 2), "it answers")
        os.kill(stopped.pid, signal.SIGSTOP)
        try:
            for number in range(20_000):
                run.add(steps=1)
                if number % 10 == 0:
                    run.set_phase(f"p{number % 3}")
            assert run.energy(timeout_s=0.05) is None
            assert len(client._link._out) < 32 * 1024
        finally:
            os.kill(stopped.pid, signal.SIGCONT)

        def told() -> bool:
            client._link.sync()
            return energy("run-42").units.get("steps", 0) == 20_000

        until(told, "all steps are booked")
