"""What the daemon says in its log: each fault once when it begins, hourly while it lasts, and once when it ends."""

from __future__ import annotations

import threading

from tracker.core.model import Method, Moment
from tracker.core.snapshot import Snapshot
from tracker.core.units import NS_PER_S
from tracker.faults import Faults
from tracker.log import Log, Severity

#: The ledger's last slot is so far ahead of the clock that somebody should know.
FAR_AHEAD_S = 3600
_BEHIND = (
    "The clock is {hours:.1f} h behind the ledger: energy goes into its last slot until the clock has caught up. If the"
    " clock was wrong before, stop the daemon, move the ledger aside and start it again."
)


class Reporter:
    """The fault log, for any thread, and what a look at a snapshot tells it."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._faults = Faults(log.event)
        self._lock = threading.Lock()

    def failed(self, key: str, now: Moment, name: str, message: str, place: str = "node") -> None:
        """It failed, again or for the first time."""
        with self._lock:
            self._faults.failed(key, now.mono_ns / NS_PER_S, name, message, place=place)

    def recovered(self, key: str, now: Moment, name: str, message: str, place: str = "node") -> None:
        """It works."""
        with self._lock:
            self._faults.recovered(key, now.mono_ns / NS_PER_S, name, message, place=place)

    def tick(self, now: Moment, snapshot: Snapshot, clock_step_ns: int, booked_until_s: float) -> None:
        """Look at what a tick has published."""
        self._devices(now, snapshot)
        self._sources(now, snapshot)
        self._measured(now, snapshot)
        if clock_step_ns:
            step = f"The wall clock stepped by {clock_step_ns / NS_PER_S:+.1f} s; slots only go forward."
            self._log.event(Severity.WARNING, "clock_step", step)
        ahead_s = booked_until_s - now.wall_ns / NS_PER_S
        if ahead_s > FAR_AHEAD_S:
            self.failed("clock", now, "clock_behind", _BEHIND.format(hours=ahead_s / 3600))
        else:
            self.recovered("clock", now, "clock_caught_up", "The clock has caught up with the ledger.")

    def _devices(self, now: Moment, snapshot: Snapshot) -> None:
        for device in snapshot.devices:
            name = device.sensor.key
            if device.booked and device.gap is not None:
                self.failed(f"device/{name}", now, "device_gap", f"The device has no reading: {device.gap}.", name)
            elif device.power_mw is not None:
                self.recovered(f"device/{name}", now, "device_reads", "The device is read again.", name)

    def _sources(self, now: Moment, snapshot: Snapshot) -> None:
        for source in snapshot.sources:
            if source.up:
                self.recovered(f"stale/{source.name}", now, "source_answers", "The source answers.", source.name)
            elif source.last_success_wall_s is not None:
                self.failed(f"stale/{source.name}", now, "source_stale", "The source does not answer.", source.name)

    def _measured(self, now: Moment, snapshot: Snapshot) -> None:
        methods = {device.sensor.method for device in snapshot.devices if device.booked}
        if not methods:
            message = "Nothing is measured or modelled here. Ask: wattledger check"
        elif methods == {Method.MODELLED}:
            message = "Nothing is measured here, everything is modelled. Ask: wattledger check"
        else:
            self.recovered("measured", now, "measured", "Energy is measured.")
            return
        self.failed("measured", now, "nothing_measured", message)
