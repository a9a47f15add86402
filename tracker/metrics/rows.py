"""How the series of each metric are read out of a ``Snapshot``: one function per metric.

Each yields ``(label values, amount)``. Amounts are integers in the snapshot's own unit; rows with the same labels are
summed by the caller. What is not known yields no row, never a zero (P3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tracker.core.model import Factor, Workload
from tracker.core.snapshot import Snapshot, Tally, WorkloadState

#: Label values in the order of the family's labels, and the amount in the snapshot's own unit.
Row = tuple[tuple[str, ...], int | float]
Rows = Callable[[Snapshot], Iterator[Row]]


# ---- devices and sensors


def device_energy(snapshot: Snapshot) -> Iterator[Row]:
    for state in snapshot.devices:
        if state.booked:
            sensor = state.sensor
            yield (snapshot.hostname, sensor.component, sensor.key, sensor.method), state.energy_uj


def device_power(snapshot: Snapshot) -> Iterator[Row]:
    for state in snapshot.devices:
        if state.booked and state.power_mw is not None:
            yield (snapshot.hostname, state.sensor.component, state.sensor.key), state.power_mw


def device_info(snapshot: Snapshot) -> Iterator[Row]:
    for state in snapshot.devices:
        if state.booked:
            s = state.sensor
            yield (snapshot.hostname, s.component, s.key, s.index, s.vendor, s.model, s.sensor), 1


def sensor_energy(snapshot: Snapshot) -> Iterator[Row]:
    """Sensors that overlap a booked one: their energy is in it already (P4), so it has another name."""
    for state in snapshot.devices:
        if not state.booked:
            yield (snapshot.hostname, state.sensor.sensor, state.sensor.key), state.energy_uj


def sensor_crosscheck(snapshot: Snapshot) -> Iterator[Row]:
    for device, permille in (snapshot.crosscheck_permille or {}).items():
        yield (device,), permille


def gaps(snapshot: Snapshot) -> Iterator[Row]:
    for gap in snapshot.gaps:
        yield (gap.component, gap.device, gap.reason), gap.duration_ms


# ---- workloads


def workload_energy(snapshot: Snapshot) -> Iterator[Row]:
    for work, tally in _tallies(snapshot):
        yield _charged(snapshot.hostname, work, tally), tally.energy_uj


def workload_idle_energy(snapshot: Snapshot) -> Iterator[Row]:
    for work, tally in _tallies(snapshot):
        yield _charged(snapshot.hostname, work, tally), tally.idle_uj


def workload_held(snapshot: Snapshot) -> Iterator[Row]:
    for work, tally in _tallies(snapshot):
        yield _charged(snapshot.hostname, work, tally)[:-1], tally.held_ms


def workload_emissions(snapshot: Snapshot) -> Iterator[Row]:
    for state in snapshot.workloads:
        work = state.workload
        for basis, emissions_ug in state.emissions_ug.items():
            labels = (snapshot.hostname, work.key, work.kind, work.team, work.project, work.phase, basis)
            yield labels, emissions_ug


def workload_units(snapshot: Snapshot) -> Iterator[Row]:
    for state in snapshot.workloads:
        for unit, amount in state.units.items():
            yield (snapshot.hostname, state.workload.key, unit), amount


def workload_info(snapshot: Snapshot) -> Iterator[Row]:
    """One row per workload and kind. A join needs it to be unique, so of several label sets the live one speaks."""
    chosen: dict[tuple[str, str], WorkloadState] = {}
    for state in snapshot.workloads:
        identity = (state.workload.key, state.workload.kind)
        if identity not in chosen or state.live:
            chosen[identity] = state
    for state in chosen.values():
        w = state.workload
        names = (w.name, w.namespace, w.pod, w.container, w.user, w.job, w.queue, w.cost_centre, w.run)
        yield (snapshot.hostname, w.key, w.kind, *names), 1


def _tallies(snapshot: Snapshot) -> Iterator[tuple[Workload, Tally]]:
    for state in snapshot.workloads:
        for tally in state.tallies:
            yield state.workload, tally


def _charged(hostname: str, work: Workload, tally: Tally) -> tuple[str, ...]:
    return (hostname, tally.component, work.key, work.kind, work.team, work.project, work.phase, tally.method)


# ---- what a joule weighs


def grid_intensity(snapshot: Snapshot) -> Iterator[Row]:
    for factor, intensity_mg_per_kwh in _factors(snapshot):
        yield _weighed(factor), intensity_mg_per_kwh


def grid_timestamp(snapshot: Snapshot) -> Iterator[Row]:
    for factor, _ in _factors(snapshot):
        yield _weighed(factor), factor.valid_from_s


def _factors(snapshot: Snapshot) -> Iterator[tuple[Factor, int]]:
    """The factors in use, if they have a value at all: no factor is no series, never 0 g (P11)."""
    for factor in (snapshot.factor, snapshot.market):
        if factor is not None and factor.intensity_mg_per_kwh is not None:
            yield factor, factor.intensity_mg_per_kwh


def _weighed(factor: Factor) -> tuple[str, ...]:
    return (factor.zone, factor.basis, factor.factor_type, str(factor.tier), factor.provider)


def pue(snapshot: Snapshot) -> Iterator[Row]:
    yield (snapshot.site,), snapshot.pue_permille


def pue_info(snapshot: Snapshot) -> Iterator[Row]:
    yield (snapshot.site, snapshot.pue_source, "true" if snapshot.pue_assumed else "false"), 1


def provider_up(snapshot: Snapshot) -> Iterator[Row]:
    for provider in snapshot.providers:
        yield (provider.name,), int(provider.up)


def provider_last_success(snapshot: Snapshot) -> Iterator[Row]:
    for provider in snapshot.providers:
        if provider.last_ok_wall_s is not None:
            yield (provider.name,), provider.last_ok_wall_s


def ship_up(snapshot: Snapshot) -> Iterator[Row]:
    if snapshot.shipping is not None:
        yield (), int(snapshot.shipping.up)


def ship_last_success(snapshot: Snapshot) -> Iterator[Row]:
    if snapshot.shipping is not None and snapshot.shipping.last_ok_wall_s is not None:
        yield (), snapshot.shipping.last_ok_wall_s


# ---- the daemon itself


def conservation_error(snapshot: Snapshot) -> Iterator[Row]:
    yield (snapshot.hostname,), snapshot.conservation_error_uj


def gpu_processes(snapshot: Snapshot) -> Iterator[Row]:
    yield ("true",), snapshot.joined_processes
    yield ("false",), snapshot.unjoined_processes


def source_up(snapshot: Snapshot) -> Iterator[Row]:
    for source in snapshot.sources:
        yield (source.name,), int(source.up)


def source_errors(snapshot: Snapshot) -> Iterator[Row]:
    for source in snapshot.sources:
        for kind, count in source.errors.items():
            yield (source.name, kind), count


def source_last_success(snapshot: Snapshot) -> Iterator[Row]:
    for source in snapshot.sources:
        if source.last_success_wall_s is not None:
            yield (source.name,), source.last_success_wall_s


def source_read(snapshot: Snapshot) -> Iterator[Row]:
    for source in snapshot.sources:
        if source.last_success_wall_s is not None:  # before the first success there was no read to time
            yield (source.name,), source.read_s


def tick_timestamp(snapshot: Snapshot) -> Iterator[Row]:
    if snapshot.tick_wall_s > 0:  # 0: there was none yet
        yield (), snapshot.tick_wall_s


def ticks_missed(snapshot: Snapshot) -> Iterator[Row]:
    yield (), snapshot.ticks_missed


def ledger_commit(snapshot: Snapshot) -> Iterator[Row]:
    if snapshot.ledger.commit_wall_s is not None:
        yield (), snapshot.ledger.commit_wall_s


def ledger_size(snapshot: Snapshot) -> Iterator[Row]:
    yield (), snapshot.ledger.size_bytes


def build_info(snapshot: Snapshot) -> Iterator[Row]:
    yield (snapshot.version,), 1
