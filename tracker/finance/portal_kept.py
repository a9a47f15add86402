"""A value that takes long to make: made by one thread at a time, and kept for a while."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from tracker.core.errors import WattledgerError
from tracker.web.portal.interface import Busy

T = TypeVar("T")
#: How long a failure is told again before it is tried anew: many clients make one attempt.
ERROR_S = 5.0


class Kept(Generic[T]):
    """``make`` runs in a thread of its own, so that nobody's patience ends it; what it raises is raised to those who
    ask. ``sentence`` is said to those who waited in vain."""

    def __init__(
        self, make: Callable[[], T], *, keep_s: float, mono_s: Callable[[], float], sentence: str, retry_after_s: int
    ) -> None:
        self._make, self._keep_s, self._mono_s = make, keep_s, mono_s
        self._sentence, self._retry_after_s = sentence, retry_after_s
        self._changed = threading.Condition()
        self._made: tuple[T] | None = None
        self._error: WattledgerError | None = None
        self._until_s: float | None = None  # what is known is told until then; None: nothing was made yet
        self.making = False

    def get(self, wait_s: float, *, stale: bool = False) -> T:
        """The value. While it is made anew: what was known before, also a failure, if ``stale`` allows it. Raises what
        making it raised, or Busy when it takes longer than ``wait_s``."""
        with self._changed:
            self._nudge()
            if not (stale and (self._made is not None or self._error is not None)):
                self._changed.wait_for(lambda: not self.making, wait_s)
            if self._error is not None and (stale or not self.making):
                raise self._error
            if self._made is not None and (stale or not self.making):
                return self._made[0]
            raise Busy(self._sentence, "Ask again in a moment.", retry_after_s=self._retry_after_s)

    def fresh(self) -> T | None:
        """The value, if it needs not be made anew."""
        with self._changed:
            known = self._made is not None and self._error is None and not self.making
            return self._made[0] if known and self._made and not self._expired() else None

    def _expired(self) -> bool:
        return self._until_s is None or self._mono_s() >= self._until_s

    def _nudge(self) -> None:
        if self.making or not self._expired():
            return
        self.making = True
        threading.Thread(target=self._run, name="wattledger-portal", daemon=True).start()

    def _run(self) -> None:
        made: tuple[T] | None = None
        error: WattledgerError | None = None
        try:
            made = (self._make(),)
        except WattledgerError as known:
            error = known
        except Exception as unknown:  # noqa: BLE001 - a thread has nobody to raise it to; who asks is told
            error = WattledgerError(f"It failed: {type(unknown).__name__}: {unknown}.", "This is a bug; report it.")
        with self._changed:
            self._made, self._error = made or self._made, error
            self._until_s = self._mono_s() + (self._keep_s if error is None else ERROR_S)
            self.making = False
            self._changed.notify_all()
