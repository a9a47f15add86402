"""Doing something again and again, at fixed times, until a signal asks for the end."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Self

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def ends() -> tuple[signal.Signals, ...]:
    """The signals that ask a long-running command to end in good order. SIGHUP comes when the terminal or the ssh
    session it was started from is closed; under nohup, which has it ignored, it stays so."""
    return tuple(number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN)


class Turns:
    """A turn now, one at every multiple of the period after it, and a last one when a signal asks for the end. A turn
    that takes long does not move the others. A second signal ends at once."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._stop = threading.Event()
        self._before: dict[int, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        self._before = {number: signal.signal(number, self._asked) for number in ends()}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _asked(self, _number: int, _frame: FrameType | None) -> None:
        if self._stop.is_set():
            raise KeyboardInterrupt
        self._stop.set()

    def __iter__(self) -> Iterator[None]:
        start_s, turn = time.monotonic(), 0
        while True:
            last = self._stop.is_set()
            yield
            if last:
                return
            turn = max(turn + 1, int((time.monotonic() - start_s) // self._period_s))
            self._stop.wait(max(0.0, start_s + turn * self._period_s - time.monotonic()))
