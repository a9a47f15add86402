"""What a smoke test has observed, and the rows that follow from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.benchmarks.gpu_samples import (
    WINDOWS_S,
    Sample,
    between,
    counted_uj,
    integrated_uj,
    steps,
    window_ratios,
)
from tests.benchmarks.rows import Row, median, percentile
from tracker.ledger.interface import Opening
from tracker.workloads.interface import Identity

#: ``/api/v1/snapshot``, field "snapshot" (tracker/web/api.py).
Snapshot = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Phase:
    """A load and what the daemon said before and after. ``identity``: the workload that its process belongs to."""

    name: str
    start_ns: int
    end_ns: int
    before: Snapshot
    after: Snapshot
    identity: Identity | None
    cgroup: str


@dataclass(frozen=True, slots=True)
class Observed:
    """The GPU with this UUID, the phases in order, and the ledger at both ends."""

    uuid: str
    samples: Sequence[Sample]
    phases: Sequence[Phase]
    first: Opening
    last: Opening
    cpu_s_per_min: float
    peak_rss_mib: float
    exit_code: int


def rows_of(seen: Observed) -> Iterator[Row]:
    for phase in seen.phases:
        yield from _energy(phase, between(seen.samples, phase.start_ns, phase.end_ns))
    yield _booked(seen)
    for phase in seen.phases:
        part = between(seen.samples, phase.start_ns, phase.end_ns)
        yield _step(phase, part)
        yield from _windows(phase, part)
    for phase in seen.phases:
        if phase.identity is not None:
            yield _joined(seen.uuid, phase, phase.identity)
    yield Row("daemon", "CPU", seen.cpu_s_per_min, "CPU-s/min", 0.05, f"through all phases; exit code {seen.exit_code}")
    yield Row("daemon", "peak RSS", seen.peak_rss_mib, "MiB", 36.0, "VmHWM")


def _energy(phase: Phase, samples: Sequence[Sample]) -> Iterator[Row]:
    """The counter against integrated power."""
    counted = counted_uj(samples)
    seconds = (phase.end_ns - phase.start_ns) / 1e9
    for what, instant in (("mean power", False), ("instantaneous power", True)):
        metric = f"{phase.name}: counter / integrated {what}"
        integrated = integrated_uj(samples, instant=instant)
        if counted is None or not integrated:
            yield Row("energy", metric, None, "", how="the GPU does not offer both")
            continue
        how = (
            f"{counted / 1e6:.1f} J by counter, {integrated / 1e6:.1f} J by {len(samples)} readings in {seconds:.0f} s"
        )
        yield Row("energy", metric, counted / integrated, "ratio", None, how)


def _booked(seen: Observed) -> Row:
    """Booked by the daemon against integrated power, between the positions that two bookings reached."""
    metric = "booked / integrated power, all phases"
    ends = [opening.cursors.get(seen.uuid) for opening in (seen.first, seen.last)]
    if ends[0] is None or ends[1] is None:
        return Row("energy", metric, None, "", how="the daemon booked nothing for this GPU")
    booked = seen.last.devices[seen.uuid].energy_uj - seen.first.devices[seen.uuid].energy_uj
    part = between(seen.samples, ends[0].boot_ns, ends[1].boot_ns)
    integrated = integrated_uj(part, instant=True) or integrated_uj(part, instant=False)
    counted = counted_uj(part) or 0
    if not integrated:
        return Row("energy", metric, None, "", how="the GPU offers no power")
    how = f"{booked / 1e6:.1f} J booked, {counted / 1e6:.1f} J by counter, {integrated / 1e6:.1f} J integrated"
    return Row("energy", metric, booked / integrated, "ratio", None, how)


def _step(phase: Phase, samples: Sequence[Sample]) -> Row:
    """How often the counter moves, and by how much."""
    metric = f"{phase.name}: time between two steps of the counter, p50"
    moves = list(steps(samples))[1:]  # the first begins somewhere within a step
    if not moves:
        return Row("counter", metric, None, "", how="it did not move, or is not offered")
    times_ms = [ms for ms, _ in moves]
    size_mj = median([uj for _, uj in moves]) / 1000
    how = f"p99 {percentile(times_ms, 99):.0f} ms, {size_mj:.0f} mJ each (p50), {len(moves)} steps"
    return Row("counter", metric, median(times_ms), "ms", None, how)


def _windows(phase: Phase, samples: Sequence[Sample]) -> Iterator[Row]:
    """What a short window loses to the counter's lag."""
    for window_s in WINDOWS_S:
        metric = f"{phase.name}: counter / integrated power over {window_s:g} s, p50"
        ratios = window_ratios(samples, window_s)
        if not ratios:
            yield Row("counter", metric, None, "", how="too short, or not offered")
            continue
        how = f"{percentile(ratios, 5):.3f} to {percentile(ratios, 95):.3f} in 90 % of {len(ratios)} windows"
        yield Row("counter", metric, median(ratios), "ratio", None, how)


def _joined(uuid: str, phase: Phase, identity: Identity) -> Row:
    """The part of the GPU's energy that went to the workload of the load's process."""
    charged = _charged_uj(phase.after, identity.key) - _charged_uj(phase.before, identity.key)
    device = _device_uj(phase.after, uuid) - _device_uj(phase.before, uuid)
    joined, unjoined = phase.after["joined_processes"], phase.after["unjoined_processes"]
    how = (
        f"its process is in {phase.cgroup.splitlines()[-1]}, so the workload is {identity.key}; "
        f"{joined} processes joined, {unjoined} not (at the end of the phase)"
    )
    metric = f"{phase.name}: GPU energy charged to the load's workload"
    return Row("processes", metric, charged * 100 / device if device else None, "%", None, how)


def _charged_uj(snapshot: Snapshot, key: str) -> int:
    return sum(
        int(tally["energy_uj"])
        for state in snapshot["workloads"]
        if state["workload"]["key"] == key
        for tally in state["tallies"]
        if tally["component"] == "gpu"
    )


def _device_uj(snapshot: Snapshot, uuid: str) -> int:
    return sum(int(state["energy_uj"]) for state in snapshot["devices"] if state["sensor"]["key"] == uuid)
