"""Keras: ``model.fit(..., callbacks=[WattledgerCallback(project="nlp")])``; also for ``evaluate`` and ``predict``."""

from __future__ import annotations

import functools
from typing import Any

from tracker.declare.run import quiet
from tracker.integrations.training import EVALUATION, INFERENCE, TRAINING, Training


class Hooks:
    """The events of ``keras.callbacks.Callback``."""

    def __init__(self, **labels: Any) -> None:
        super().__init__()
        self.training = Training(**labels)
        self._fitting = False

    @quiet
    def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - the hook's
        self._fitting = True
        self.training.begin()

    @quiet
    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:  # noqa: ARG002 - the hook's
        self.training.count(steps=1)

    @quiet
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002 - the hook's
        self.training.count(epochs=1)

    @quiet
    def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002 - the hook's
        self._fitting = False
        self.training.end()

    @quiet
    def on_test_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - the hook's
        self.training.switch(EVALUATION)

    @quiet
    def on_test_end(self, logs: Any = None) -> None:  # noqa: ARG002 - the hook's
        self._back()

    @quiet
    def on_predict_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - the hook's
        self.training.switch(INFERENCE)

    @quiet
    def on_predict_end(self, logs: Any = None) -> None:  # noqa: ARG002 - the hook's
        self._back()

    def _back(self) -> None:
        if self._fitting:
            self.training.switch(TRAINING)
        else:
            self.training.end()


@functools.cache
def _callback() -> type:
    from keras.callbacks import Callback  # type: ignore[import-not-found] # theirs  # noqa: PLC0415 - the user's own

    return type("WattledgerCallback", (Hooks, Callback), {"__doc__": __doc__, "__module__": __name__})


def __getattr__(name: str) -> Any:
    """``WattledgerCallback`` is made when it is asked for: only then Keras is imported."""
    if name == "WattledgerCallback":
        return _callback()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
