"""codecarbon's decorators."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, Protocol, Self, TypeVar, overload

from tracker.codecarbon_compat.tracker import EmissionsTracker, OfflineEmissionsTracker

P = ParamSpec("P")
R = TypeVar("R")


class Decorator(Protocol):
    """What the decorators make of their arguments."""

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]: ...


@overload
def track_emissions(fn: Callable[P, R]) -> Callable[P, R]: ...
@overload
def track_emissions(fn: None = None, *args: object, offline: bool = False, **kwargs: object) -> Decorator: ...
def track_emissions(fn: Any = None, *args: object, offline: bool = False, **kwargs: object) -> Any:
    """Every call of the function is tracked by a tracker of its own, with these arguments. With or without arguments,
    as codecarbon's."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def tracked(*called_with: P.args, **named: P.kwargs) -> R:
            with (OfflineEmissionsTracker if offline else EmissionsTracker)(*args, **kwargs):
                return function(*called_with, **named)

        return tracked

    return decorate if fn is None else decorate(fn)


@overload
def track_task_emissions(fn: Callable[P, R]) -> Callable[P, R]: ...
@overload
def track_task_emissions(
    fn: None = None, tracker: EmissionsTracker | None = None, task_name: str = ""
) -> Decorator: ...
def track_task_emissions(fn: Any = None, tracker: EmissionsTracker | None = None, task_name: str = "") -> Any:
    """Every call of the function is a task of the tracker; without one, of a tracker of its own."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def tracked(*args: P.args, **kwargs: P.kwargs) -> R:
            with TaskEmissionsTracker(task_name, tracker):
                return function(*args, **kwargs)

        return tracked

    return decorate if fn is None else decorate(fn)


class TaskEmissionsTracker:
    """A task as a block."""

    def __init__(self, task_name: str, tracker: EmissionsTracker | None = None) -> None:
        self.is_default_tracker = tracker is None
        self.tracker = EmissionsTracker() if tracker is None else tracker
        self.task_name = task_name

    def __enter__(self) -> Self:
        self.tracker.start_task(self.task_name or None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.tracker.stop_task()
        if self.is_default_tracker:
            self.tracker.stop()
