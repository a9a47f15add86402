"""The real clocks. Only ``app.py`` and the commands hand ``now`` to the parts; tests hand a script."""

from __future__ import annotations

import time

from tracker.core.model import Moment


def now() -> Moment:
    """The current instant. The three reads are microseconds apart."""
    return Moment(
        time.clock_gettime_ns(time.CLOCK_MONOTONIC),
        time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        time.time_ns(),
    )
