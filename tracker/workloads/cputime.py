"""Whose the CPU time of a tick is, from the counters of the tree.

A cgroup's counter contains its descendants', also those that are gone. So what a parent used and its living children
did not is the time of children that vanished since the last tick: short work keeps its share. It goes

1. to the children that we knew, by what they used in the tick before (equally if that is unknown);
2. else to the workload that the parent belongs to;
3. else, below a folder made for workloads, to ``unattributed``: somebody's work, born and gone between two ticks;
4. else to the operating system.

Where services live next to workloads (``system.slice``), the rest also contains the services' own time. There the
rest of the last tick in which nothing vanished is taken as theirs, and only what exceeds it is given to the vanished.

Counters are not read at one instant: a parent is read after its children, so its rest wavers around the truth by what
ran meanwhile. A negative rest is carried into the next tick, so that the wavering never adds up to joules.
"""

from __future__ import annotations

from collections.abc import Iterator

from tracker.core.rounding import apportion
from tracker.core.units import US_PER_S
from tracker.workloads.cgroups import Tree
from tracker.workloads.groups import Group
from tracker.workloads.interface import Identity
from tracker.workloads.paths import RELATIVE

MAX_CARRY_US = US_PER_S  # more than wavering: hierarchies that disagree about where a process is

Times = dict[str, tuple[Identity, int]]  # by workload key: µs


def measure(tree: Tree) -> None:
    """Read every counter. A cgroup that is seen for the first time but is older than the last tick has no delta; where
    a counter cannot be read, the children's stand for it."""
    done = tree.order
    gone = [group for group in done if not _measured(tree, group)]
    if not gone:
        return
    # Something went unnoticed by refresh, so something may also have come in its place: it is due in this tick.
    tree.refresh(full=False)
    before = set(done)
    for group in tree.order:
        if group not in before:
            _measured(tree, group)


def _measured(tree: Tree, group: Group) -> bool:
    """Read one counter. False: the cgroup is gone."""
    if not group.alive:
        return False
    try:
        value = group.parse_cpu(group.cpu.read()) if group.cpu is not None else None
    except (OSError, ValueError):
        if tree.drop_if_gone(group):
            return False
        value = None
    last, group.cpu_us = group.cpu_us, value
    if value is not None and last is not None:
        if value < last:  # the cgroup was made anew: what it shows is since its birth
            last, group.born = 0, True
        group.delta_us = value - last
        group.measured = True
    else:
        group.delta_us = sum([child.delta_us for child in group.counted])
        group.measured = False
        if group.lost and group.parent is not None:
            group.parent.lost.extend(group.lost)
            group.lost = []
    return True


def charge(tree: Tree, elapsed_us: int) -> Times:
    """CPU time by workload in the tick that ``measure`` ended, the operating system's left out. ``elapsed_us`` > 0."""
    times: Times = {}
    for group in reversed(tree.order):  # parents first: they bound their newborn children
        group.born = False
        if group.alive and group.measured:
            _charge_rest(group, elapsed_us, times)
        group.lost = []
    return times


def _charge_rest(group: Group, elapsed_us: int, times: Times) -> None:
    """Charge what a group used beyond its counted children."""
    rest_us = group.delta_us + group.carry_us - _claimed(group)
    group.carry_us = 0
    if rest_us < 0:
        group.carry_us = max(rest_us, -MAX_CARRY_US)
        rest_us = 0
    if group.top:
        group.rate_us = 0
    if group.lost:
        for identity, part_us in _bequeath(group, rest_us, elapsed_us):
            _add(times, identity, part_us)
            rest_us -= part_us
    else:
        group.background = (rest_us, elapsed_us)
    owner = group.owner
    if owner is not None:
        owner.rate_us = (owner.rate_us or 0) + rest_us
        _add(times, owner.identity, rest_us)
    elif group.nursery:
        _add(times, RELATIVE, rest_us)


def _claimed(group: Group) -> int:
    """What the children used. One that is new has its whole life in this tick, unless it was found late; it cannot
    have used more than its parent did. The root bounds nothing: the kernel samples the root's time
    (``root_cgroup_cputime``), which is too coarse for that."""
    claimed_us = sum([child.delta_us for child in group.counted])
    if claimed_us <= group.delta_us or group.parent is None:
        return claimed_us
    newborn = [child for child in group.counted if child.born]
    deltas = [child.delta_us for child in newborn]
    room_us = max(0, group.delta_us - (claimed_us - sum(deltas)))
    if room_us >= sum(deltas):
        return claimed_us
    for child, part_us in zip(newborn, apportion(room_us, deltas), strict=True):
        child.delta_us = part_us
    return claimed_us - sum(deltas) + room_us


def _bequeath(group: Group, rest_us: int, elapsed_us: int) -> Iterator[tuple[Identity, int]]:
    """Give the time of vanished children to those that we knew."""
    if not group.nursery:
        usual_us, usual_elapsed_us = group.background
        rest_us = max(0, rest_us - usual_us * elapsed_us // usual_elapsed_us)
    known = [lost.rate_us for lost in group.lost if lost.rate_us is not None]
    mean_us = sum(known) // len(known) if known else 1
    weights = [mean_us if lost.rate_us is None else lost.rate_us for lost in group.lost]
    if not any(weights):
        weights = [1] * len(weights)
    for lost, part_us in zip(group.lost, apportion(rest_us, weights), strict=True):
        yield lost.identity, part_us


def _add(times: Times, identity: Identity, time_us: int) -> None:
    if time_us:
        _, before_us = times.get(identity.key, (identity, 0))
        times[identity.key] = (identity, before_us + time_us)
