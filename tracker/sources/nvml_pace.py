"""When the slower things are due: looks at the processes, enumerations."""

from __future__ import annotations

from tracker.core.units import NS_PER_S


class Due:
    """Something done every ``period_s``, on the boot clock. What was missed is skipped, never made up for."""

    __slots__ = ("_at_ns", "_period_ns")

    def __init__(self, period_s: float) -> None:
        self._period_ns = round(period_s * NS_PER_S)
        self._at_ns = 0

    def now(self, boot_ns: int, slack_ns: int = 0) -> bool:
        """Whether it is due (``slack_ns`` too early counts); if so, the next time is one period on."""
        if boot_ns + slack_ns < self._at_ns:
            return False
        self._at_ns += self._period_ns
        if self._at_ns <= boot_ns:
            self._at_ns = boot_ns + self._period_ns
        return True
