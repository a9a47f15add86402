"""What the callbacks have in common: one run from the beginning of a training to its end. Standard library only."""

from __future__ import annotations

import os
import sys
from typing import Any

from tracker.declare import Run, current, declare

TRAINING, EVALUATION, INFERENCE = "training", "evaluation", "inference"


class Training:
    """A run as a framework's events drive it. ``callback.run`` is the run, to add what the framework does not know."""

    def __init__(self, **labels: Any) -> None:
        self._labels = labels
        self._mine = False  # this callback began it, so it ends it
        self._before = ""
        self.run: Run | None = None

    def begin(self, phase: str = TRAINING) -> None:
        """Begin, unless that was done."""
        if self.run is not None:
            return
        around = current()
        if around is None:
            labels = {"run": job_id(), **self._labels}
            self.run, self._mine = declare(**labels, phase=phase), True
            self.run.start()
        else:
            self.run, self._mine = around, False
            self._before = around.current_phase
            self.run.set_phase(phase)

    def switch(self, phase: str) -> None:
        """Now it evaluates, or trains again. Begins if nothing has begun."""
        if self.run is None:
            self.begin(phase)
        elif self.run.current_phase != phase:
            self.run.set_phase(phase)

    def count(self, **units: int) -> None:
        """Something was done."""
        if self.run is not None:
            self.run.add(**{unit: amount for unit, amount in units.items() if amount > 0})

    def end(self) -> None:
        """End what was begun here; a run that was there before goes on."""
        run, self.run = self.run, None
        if run is None:
            return
        if self._mine:
            run.end()
        else:
            run.set_phase(self._before)


def job_id() -> str | None:
    """One id for all processes of a job, so that its ranks are one run: Slurm's or torchrun's job, else the launcher
    that started the ranks of this node. None: this process is alone and gets an id of its own."""
    environ = os.environ
    program = os.path.splitext(os.path.basename(sys.argv[0] if sys.argv else ""))[0] or "train"  # noqa: PTH119, PTH122 - light
    if environ.get("SLURM_JOB_ID"):
        return f"{program}-{environ['SLURM_JOB_ID']}"
    if "LOCAL_RANK" not in environ:
        return None
    launch = environ.get("TORCHELASTIC_RUN_ID", "none")
    return f"{program}-{launch if launch != 'none' else os.getppid()}"
