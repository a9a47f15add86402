"""Hugging Face Transformers: ``Trainer(callbacks=[WattledgerCallback(project="nlp")])``.

Tokens are counted if the trainer counts them: ``TrainingArguments(include_num_input_tokens_seen="non_padding")``.
"""

from __future__ import annotations

import functools
from typing import Any

from tracker.declare.run import quiet
from tracker.integrations.training import EVALUATION, TRAINING, Training


class Hooks:
    """The events of ``transformers.TrainerCallback``. The first process of the job alone counts what is the job's."""

    def __init__(self, **labels: Any) -> None:
        self.training = Training(**labels)
        self._in_training = False
        self._tokens = 0

    @quiet
    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the hook's
        self._tokens = _tokens_seen(state)  # of an earlier part, when a checkpoint is resumed
        self._in_training = True
        self.training.begin()

    @quiet
    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the hook's
        if state.is_world_process_zero:
            before, self._tokens = self._tokens, _tokens_seen(state)
            self.training.count(steps=1, tokens=self._tokens - before)

    @quiet
    def on_epoch_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the hook's
        if state.is_world_process_zero:
            self.training.count(epochs=1)

    @quiet
    def on_prediction_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the hook's
        self.training.switch(EVALUATION)  # there is no event for its beginning

    @quiet
    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the hook's
        self._back()

    @quiet
    def on_predict(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the hook's
        self._back()

    @quiet
    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:  # noqa: ARG002 - the hook's
        self._in_training = False
        self.training.end()

    def _back(self) -> None:
        if self._in_training:
            self.training.switch(TRAINING)
        else:
            self.training.end()  # evaluated by itself


def _tokens_seen(state: Any) -> int:
    return int(getattr(state, "num_input_tokens_seen", 0) or 0)


@functools.cache
def _callback() -> type:
    from transformers import TrainerCallback  # type: ignore[import-not-found] # theirs  # noqa: PLC0415 - the user's own

    return type("WattledgerCallback", (Hooks, TrainerCallback), {"__doc__": __doc__, "__module__": __name__})


def __getattr__(name: str) -> Any:
    """``WattledgerCallback`` is made when it is asked for: only then transformers is imported."""
    if name == "WattledgerCallback":
        return _callback()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
