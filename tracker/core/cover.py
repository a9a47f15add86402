"""No joule twice (P4): of sensors that contain one another, one is booked and the others are only shown.

A sensor covers parts of the node, written as paths. ``node`` contains ``node/cpu``, that contains ``node/cpu/0``, that
contains ``node/cpu/0/core``. A sensor may cover several parts (psys: CPU and DRAM; a Grace-Hopper module: GPU, CPU
and DRAM).
Two sensors overlap when a part of one contains, or is, a part of the other.
"""

from __future__ import annotations

from collections.abc import Iterable

from tracker.core.model import Sensor


def overlap(a: Sensor, b: Sensor) -> bool:
    """Whether booking both could count a joule twice."""
    return any(_nested(x, y) for x in a.scopes for y in b.scopes)


def _nested(x: str, y: str) -> bool:
    return x == y or x.startswith(y + "/") or y.startswith(x + "/")


def choose(sensors: Iterable[Sensor]) -> frozenset[str]:
    """The keys of the sensors to book: pairwise without overlap, preferred ones first, and no sensor could be added.

    Deterministic: equal preference is decided by key. The finest useful sensors carry the highest preference (GPU,
    package, DRAM), so a coarser one (psys, BMC, a model) is booked only where nothing finer exists.
    """
    chosen: list[Sensor] = []
    for sensor in sorted(sensors, key=lambda s: (-s.preference, s.key)):
        if not any(overlap(sensor, taken) for taken in chosen):
            chosen.append(sensor)
    return frozenset(sensor.key for sensor in chosen)
