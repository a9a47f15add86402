"""Lightning: ``Trainer(callbacks=[WattledgerCallback(project="nlp")])``, by its new and its old package name."""

from __future__ import annotations

import functools
from typing import Any

from tracker.declare.run import quiet
from tracker.integrations.training import EVALUATION, INFERENCE, TRAINING, Training


class Hooks:
    """The events of ``lightning.pytorch.Callback``. The first process of the job alone counts what is the job's."""

    def __init__(self, **labels: Any) -> None:
        self.training = Training(**labels)
        self._fitting = False
        self._steps = 0

    @quiet
    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:  # noqa: ARG002 - the hook's
        self._fitting = stage == "fit"
        self._steps = int(trainer.global_step)
        self.training.begin({"fit": TRAINING, "predict": INFERENCE}.get(stage, EVALUATION))

    @quiet
    def on_train_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002 - the hook's
        self._steps = int(trainer.global_step)  # of the checkpoint that is resumed
        self.training.switch(TRAINING)

    @quiet
    def on_train_batch_end(self, trainer: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the hook's
        if trainer.is_global_zero:
            before, self._steps = self._steps, int(trainer.global_step)
            self.training.count(steps=self._steps - before)

    @quiet
    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002 - the hook's
        if trainer.is_global_zero:
            self.training.count(epochs=1)

    @quiet
    def on_validation_start(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002 - the hook's
        self.training.switch(EVALUATION)

    @quiet
    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:  # noqa: ARG002 - the hook's
        if self._fitting:
            self.training.switch(TRAINING)

    @quiet
    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:  # noqa: ARG002 - the hook's
        self.training.end()

    @quiet
    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:  # noqa: ARG002 - the hook's
        self.training.end()


@functools.cache
def _callback() -> type:
    try:
        from lightning.pytorch import Callback  # type: ignore[import-not-found] # theirs  # noqa: PLC0415 - the user's own
    except ImportError:
        from pytorch_lightning import Callback  # type: ignore[import-not-found] # theirs  # noqa: PLC0415 - its older name
    return type("WattledgerCallback", (Hooks, Callback), {"__doc__": __doc__, "__module__": __name__})


def __getattr__(name: str) -> Any:
    """``WattledgerCallback`` is made when it is asked for: only then Lightning is imported."""
    if name == "WattledgerCallback":
        return _callback()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
