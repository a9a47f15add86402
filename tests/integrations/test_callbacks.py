"""The callbacks under loops that send the frameworks' events in their order, charged by a real daemon.

Phases last longer than 0.1 s, below which they are not measured one by one. The frameworks themselves are stubs: a base
class each. The orders are those of transformers 5.24, Lightning 2 and Keras
3.15.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.declare.conftest import daemon, fresh_client
from tests.declare.daemon import SmallDaemon
from tests.declare.programs import program
from tests.declare.test_declare import burn
from tests.e2e.daemon import until
from tracker.declare import current, declare
from tracker.integrations import huggingface, keras, lightning
from tracker.integrations.training import job_id

__all__ = ["daemon", "fresh_client"]

STUBS = {
    "transformers/__init__.py": "class TrainerCallback: pass",
    "lightning/__init__.py": "",
    "lightning/pytorch.py": "class Callback: pass",
    "keras/__init__.py": "",
    "keras/callbacks.py": "class Callback: pass",
}


@pytest.fixture(autouse=True)
def frameworks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, text in STUBS.items():
        path = tmp_path / "stubs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "stubs"))
    for name in ("SLURM_JOB_ID", "LOCAL_RANK", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] in {"transformers", "lightning", "keras"}]:
        del sys.modules[name]
    for module in (huggingface, lightning, keras):
        module._callback.cache_clear()


class Trainer:
    """Hugging Face's, as far as callbacks see it."""

    def __init__(self, callback: Any, *, first: bool = True) -> None:
        self.callback = callback
        self.state = SimpleNamespace(is_world_process_zero=first, num_input_tokens_seen=0)

    def send(self, event: str, **kwargs: object) -> None:
        getattr(self.callback, f"on_{event}")(SimpleNamespace(), self.state, SimpleNamespace(), **kwargs)

    def train(self) -> None:
        self.send("train_begin", model=None)
        for _ in range(2):
            for _ in range(3):
                burn(0.05)
                self.state.num_input_tokens_seen += 512
                self.send("step_end", model=None)
            self.evaluate()
            self.send("epoch_end")
        self.send("train_end")

    def evaluate(self) -> None:
        for _ in range(2):
            burn(0.05)
            self.send("prediction_step")
        burn(0.1)
        self.send("evaluate", metrics={})


class Fit:
    """Lightning's trainer."""

    def __init__(self, callback: Any, *, first: bool = True) -> None:
        self.callback = callback
        self.trainer = SimpleNamespace(global_step=0, is_global_zero=first)

    def send(self, event: str, *args: object, **kwargs: object) -> None:
        getattr(self.callback, event)(self.trainer, None, *args, **kwargs)

    def train(self) -> None:
        self.send("setup", stage="fit")
        self.send("on_validation_start")  # the sanity check
        self.send("on_validation_end")
        self.send("on_train_start")
        for _ in range(2):
            for batch in range(6):  # two batches to a step
                burn(0.03)
                self.trainer.global_step += batch % 2
                self.send("on_train_batch_end", {}, None, batch)
            self.send("on_validation_start")
            burn(0.1)
            self.send("on_validation_end")
            self.send("on_train_epoch_end")
        self.send("teardown", stage="fit")

    def evaluate(self) -> None:
        self.send("setup", stage="test")
        burn(0.2)
        self.send("teardown", stage="test")


class Model:
    """Keras's."""

    def __init__(self, callback: Any, *, first: bool = True) -> None:
        self.callback = callback

    def train(self) -> None:
        self.callback.on_train_begin()
        for epoch in range(2):
            for batch in range(3):
                burn(0.05)
                self.callback.on_train_batch_end(batch, {"loss": 1.0})
            self.evaluate()
            self.callback.on_epoch_end(epoch, {})
        self.callback.on_train_end()

    def evaluate(self) -> None:
        self.callback.on_test_begin()
        burn(0.2)
        self.callback.on_test_end()


KINDS = [(huggingface, Trainer), (lightning, Fit), (keras, Model)]
Loop = Callable[..., Any]


@pytest.mark.parametrize(("module", "loop"), KINDS)
def test_steps_epochs_and_phases_of_a_training(daemon: SmallDaemon, module: Any, loop: Loop) -> None:
    loop(module.WattledgerCallback(run="run-42", project="nlp")).train()
    units = {"steps": 6, "epochs": 2} | ({"tokens": 3072} if module is huggingface else {})
    until(lambda: daemon.units("run-42") == units, "everything is booked")
    until(lambda: set(daemon.run("run-42")) == {"training", "evaluation"}, "both phases are charged")
    assert all(energy_uj > 0 for energy_uj in daemon.run("run-42").values())
    assert current() is None, "the run is over"
    assert {s.workload.project for s in daemon.agent.snapshot.workloads if s.workload.run} == {"nlp"}


@pytest.mark.parametrize(("module", "loop"), KINDS)
def test_an_evaluation_by_itself_is_a_run_too(daemon: SmallDaemon, module: Any, loop: Loop) -> None:
    loop(module.WattledgerCallback(run="eval")).evaluate()
    until(lambda: set(daemon.run("eval")) == {"evaluation"}, "it is charged")
    assert current() is None


@pytest.mark.parametrize(("module", "loop"), KINDS)
def test_a_run_that_is_there_already_is_used_and_left_alone(daemon: SmallDaemon, module: Any, loop: Loop) -> None:
    """Under ``wattledger exec``, or in somebody's own ``with declare(...)``."""
    with declare("outer", phase="other") as run:
        loop(module.WattledgerCallback(run="ignored")).train()
        assert current() is run
        assert run.current_phase == "other"
        until(lambda: daemon.units("outer").get("steps") == 6, "everything is booked")
    assert daemon.run("ignored") == {}


@pytest.mark.parametrize(("module", "loop"), KINDS[:2])
def test_other_ranks_count_nothing_twice(daemon: SmallDaemon, module: Any, loop: Loop) -> None:
    loop(module.WattledgerCallback(run="run-42"), first=False).train()
    until(lambda: set(daemon.run("run-42")) == {"training", "evaluation"}, "it is charged")
    assert daemon.units("run-42") == {}


@pytest.mark.parametrize(("module", "loop"), KINDS)
def test_without_a_daemon_nothing_happens(module: Any, loop: Loop) -> None:
    loop(module.WattledgerCallback()).train()
    assert current() is None


def test_a_training_that_fails_ends_its_run(daemon: SmallDaemon) -> None:
    callback = lightning.WattledgerCallback(run="run-42")
    fit = Fit(callback)
    fit.send("setup", stage="fit")
    assert current() is not None
    fit.send("on_exception", RuntimeError("out of memory"))
    fit.send("teardown", stage="fit")
    assert current() is None


def test_what_a_framework_changes_cannot_end_a_training(daemon: SmallDaemon) -> None:
    """A field that is gone in the next release costs a count, not the training."""
    callback = huggingface.WattledgerCallback(run="run-42")
    callback.on_train_begin(None, SimpleNamespace(), None)
    callback.on_step_end(None, SimpleNamespace(), None)
    callback.on_train_end(None, SimpleNamespace(), None)
    assert current() is None


def test_importing_a_callback_imports_no_framework() -> None:
    """A project that uses one of them must not need the others."""
    done = program(
        "import sys\nfrom tracker.integrations import huggingface, keras, lightning\n"
        "print([name for name in ('transformers', 'lightning', 'keras', 'torch') if name in sys.modules])\n"
        "for module in (huggingface, keras, lightning):\n"
        "    try:\n        module.WattledgerCallback\n    except ImportError as error:\n        print(error)\n"
        "    try:\n        module.other\n    except AttributeError as error:\n        print(error)"
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0] == "[]"
    assert [line for line in lines if "No module named" in line] == [
        "No module named 'transformers'",
        "No module named 'keras'",
        "No module named 'pytorch_lightning'",
    ]
    assert sum("has no attribute 'other'" in line for line in lines) == 3


@pytest.mark.parametrize(
    ("environ", "ending"),
    [
        ({}, None),
        ({"SLURM_JOB_ID": "211", "LOCAL_RANK": "3"}, "-211"),
        ({"LOCAL_RANK": "0", "TORCHELASTIC_RUN_ID": "job7"}, "-job7"),
    ],
)
def test_ranks_of_a_job_are_one_run(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], ending: str | None
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    found = job_id()
    assert found is None if ending is None else (found or "").endswith(ending)


def test_ranks_that_nobody_named_share_their_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    assert (job_id() or "").endswith(f"-{os.getppid()}")
