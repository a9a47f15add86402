"""A fault that persists is logged when it begins, then once an hour with a count, and when it ends: never per tick.

A fault that comes and goes (a loose cable) is held to one pair of lines in ten minutes. Time is passed in: seconds of a
clock that does not step (``Moment.mono_ns`` / 1e9). Memory is bounded: faults beyond the limit share one entry.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracker.log import Event, Severity

REPEAT_S = 3600.0
FLAPPING_S = 600.0
LIMIT = 256
_REST = "\x00rest"  # the key under which faults beyond the limit are counted together


@dataclass(slots=True)
class _Fault:
    began_s: float
    told_s: float  # when a line about it was last written
    last_s: float  # when it last failed
    count: int = 1  # failures since that line
    open: bool = True
    told: bool = True  # whether this outbreak was announced: only then is its end


class Faults:
    """Remembers which faults are known. ``key`` is what fails ("source/nvml"): one fault per key. One thread only."""

    def __init__(self, event: Event, *, repeat_s: float = REPEAT_S, limit: int = LIMIT) -> None:
        self._event = event
        self._repeat_s = repeat_s
        self._limit = limit
        self._known: dict[str, _Fault] = {}

    def failed(
        self,
        key: str,
        now_s: float,
        name: str,
        message: str,
        /,
        *,
        severity: Severity = Severity.WARNING,
        **fields: object,
    ) -> None:
        """It failed, again or for the first time."""
        if key not in self._known and not self._room(now_s):
            key, name, message, fields = _REST, "more_faults", "Too many things fail to name each.", {}
        fault = self._known.get(key)
        if fault is None or (not fault.open and now_s - fault.told_s >= FLAPPING_S):
            self._known[key] = _Fault(now_s, now_s, now_s)
            self._event(severity, name, message, **fields)
            return
        if not fault.open:
            fault.began_s, fault.open, fault.told, fault.count = now_s, True, False, 0
        fault.count += 1
        fault.last_s = now_s
        if now_s - fault.told_s >= (self._repeat_s if fault.told else FLAPPING_S):
            lasting_s = round(now_s - fault.began_s)
            self._event(severity, name, message, **fields, failures=fault.count, lasting_s=lasting_s)
            fault.told_s, fault.told, fault.count = now_s, True, 0

    def recovered(self, key: str, now_s: float, name: str, message: str, /, **fields: object) -> None:
        """It works. Cheap and silent when it never failed, so it may be called on every success."""
        fault = self._known.get(key)
        if fault is None or not fault.open:
            return
        fault.open = False
        if fault.told:
            self._event(Severity.INFO, name, message, **fields, lasted_s=round(now_s - fault.began_s))

    def _room(self, now_s: float) -> bool:
        """Whether one more key may be remembered. When full, forgets what ended, and what nobody speaks of any more."""
        if len(self._known) >= self._limit:
            kept = {True: self._repeat_s, False: FLAPPING_S}
            self._known = {k: f for k, f in self._known.items() if now_s - f.last_s < kept[f.open]}
        return len(self._known) < self._limit
