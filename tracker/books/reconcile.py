"""Our energy beside somebody else's: Prometheus's counters, a platform's meter. The difference is explained as far as
it can be, and never corrected.

``Hourly`` is what the books have, by site, node and hour; both comparisons are made of the same one scan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tracker.books.counters import Counted
from tracker.books.engine import connect
from tracker.books.finding import some
from tracker.books.interface import BookStore
from tracker.books.lake import damaged, refuse_newer, scan
from tracker.books.meter import MeterReading
from tracker.books.names import LakeFile, parse_name, prefixes, select
from tracker.core.accounting import PERMILLE
from tracker.core.footing import half_even
from tracker.core.hours import HOUR_S
from tracker.core.statement import Period, Reconciled
from tracker.core.weights import WH
from tracker.core.words import counted

#: Facility energy per IT energy x 1000 of a site in an hour.
PueAt = Callable[[str, int], int]
#: Differences below this share of ours are rounding and the edges of scrapes.
_ALIKE_PPM = 1_000


@dataclass(frozen=True, slots=True)
class Hourly:
    """IT energy in µJ of a node in an hour, and the part of it that no sensor measured."""

    site: str
    hostname: str
    hour_s: int
    energy_uj: int
    unmeasured_uj: int = 0


def hourly_energy(store: BookStore, start_s: int, end_s: int) -> tuple[Hourly, ...]:
    """What the lake has of [start_s, end_s). Raises BooksUnavailable, BooksDamaged, BooksRefused."""
    import duckdb  # noqa: PLC0415 - 60 MB that only commands of the books need

    listed = [each for top in prefixes("entries", start_s, end_s) for each in store.names(top)]
    files: list[LakeFile] = [file for name, size in listed if (file := parse_name(name, size)) is not None]
    wanted = select(file for file in files if file.start_s < end_s and start_s < file.end_s).files
    paths = store.local([file.name for file in wanted])
    refuse_newer(paths)
    query = (
        "SELECT coalesce(site, ''), hostname, hour_s, sum(energy_uj)::HUGEINT,"  # noqa: S608 - quoted by scan
        " coalesce(sum(energy_uj) FILTER (method <> 'measured'), 0)::HUGEINT"
        f" FROM {scan('entries', paths)} WHERE hour_s >= ? AND hour_s < ? GROUP BY ALL ORDER BY ALL"
    )
    with connect() as connection:
        try:
            rows = connection.execute(query, [start_s, end_s]).fetchall()
        except duckdb.Error as error:
            raise damaged("A file of the books", error) from error
    return tuple(Hourly(site, hostname, hour_s, int(uj), int(part)) for site, hostname, hour_s, uj, part in rows)


def with_prometheus(name: str, ours: Iterable[Hourly], theirs: Counted) -> Reconciled:
    """The total of the books beside that of the counters."""
    by_hour: dict[tuple[str, int], int] = {}
    for each in ours:
        by_hour[each.hostname, each.hour_s] = by_hour.get((each.hostname, each.hour_s), 0) + each.energy_uj
    ours_uj, theirs_uj = sum(by_hour.values()), sum(theirs.energy_uj.values())
    only_ours = sorted({host for host, _ in by_hour} - {host for host, _ in theirs.energy_uj})
    lacking = {place: uj for place, uj in theirs.energy_uj.items() if place not in by_hour}
    said = [_difference(ours_uj, theirs_uj)]
    if lacking:
        hosts, uj = some(sorted({host for host, _ in lacking})), sum(lacking.values())
        said.append(f"{_kwh(uj)} of theirs are in {len(lacking)} node-hours that the books lack ({hosts}).")
    if only_ours:
        uj = sum(uj for (host, _), uj in by_hour.items() if host in only_ours)
        said.append(f"{_kwh(uj)} of ours are of nodes that Prometheus does not know ({some(only_ours)}).")
    if theirs.late:
        said.append(f"Series of {some(theirs.late)} begin inside the month: what was before is not in theirs.")
    if theirs.resets:
        said.append(f"{theirs.resets} counters began anew; what they counted between two scrapes is not in theirs.")
    return Reconciled(f"Prometheus ({name})", _wh(ours_uj), _wh(theirs_uj), " ".join(said))


def with_meter(
    ours: Sequence[Hourly], readings: Iterable[MeterReading], period: Period, pue_at: PueAt
) -> tuple[Reconciled, ...]:
    """One line for each site and level, of the hours that the meter covers and the period has."""
    groups: dict[tuple[str, str], list[MeterReading]] = {}
    for each in readings:
        groups.setdefault((each.site, each.level), []).append(each)
    return tuple(_metered(site, level, groups[site, level], ours, period, pue_at) for site, level in sorted(groups))


def _metered(
    site: str, level: str, readings: Sequence[MeterReading], ours: Sequence[Hourly], period: Period, pue_at: PueAt
) -> Reconciled:
    what = f"Meter of {site or 'all sites'} ({level})"
    used = [each for each in readings if each.start_s >= period.start_s and each.end_s <= period.end_s]
    beyond = counted(len(readings) - len(used), "reading")
    said = [f"Left out because of reaching beyond the month: {beyond}."] if used != readings else []
    if not used:
        return Reconciled(what, None, None, " ".join(said))
    hours = {at for each in used for at in range(-(-each.start_s // HOUR_S) * HOUR_S, each.end_s, HOUR_S)}
    those = [each for each in ours if each.hour_s in hours and site in ("", each.site)]
    it_uj, theirs_uj = sum(each.energy_uj for each in those), sum(each.energy_uj for each in used)
    facility_uj = half_even(sum(each.energy_uj * pue_at(each.site, each.hour_s) for each in those), PERMILLE)
    ours_uj = facility_uj if level == "facility" else it_uj
    said.insert(0, _difference(ours_uj, theirs_uj))
    covered_s = sum(each.end_s - each.start_s for each in used)
    if covered_s < period.end_s - period.start_s:
        said.append(
            f"The meter covers {covered_s // HOUR_S} h of the month's {(period.end_s - period.start_s) // HOUR_S} h."
        )
    said += _why(those, len(hours), it_uj, facility_uj, theirs_uj if level == "facility" else None)
    return Reconciled(what, _wh(ours_uj), _wh(theirs_uj), " ".join(said))


def _why(those: Sequence[Hourly], hours: int, it_uj: int, facility_uj: int, metered_uj: int | None) -> Iterable[str]:
    hosts = sorted({each.hostname for each in those})
    present = len({(each.hostname, each.hour_s) for each in those})
    lacking = len(hosts) * hours - present
    if lacking:
        yield f"{lacking} of {len(hosts) * hours} node-hours are missing in the books."
    if metered_uj is not None and it_uj:
        stated, implied = (half_even(uj * PERMILLE, it_uj) for uj in (facility_uj, metered_uj))
        yield f"Ours is IT energy at a PUE of {_permille(stated)}; the meter would make it {_permille(implied)}."
    unmeasured_uj = sum(each.unmeasured_uj for each in those)
    if unmeasured_uj:
        yield f"{_percent(unmeasured_uj, it_uj)} of ours is not measured but modelled or simulated."
    yield f"In the books: {some(hosts)}." if hosts else "The books have nothing of it."
    yield "What else hangs on the meter (other nodes, network, storage) is not in ours."


def _difference(ours_uj: int, theirs_uj: int) -> str:
    gap_uj = ours_uj - theirs_uj
    if abs(gap_uj) * 1_000_000 <= _ALIKE_PPM * max(ours_uj, theirs_uj):
        return "Both agree." if gap_uj == 0 else f"Both agree within {_kwh(abs(gap_uj))}."
    share = f" ({_percent(abs(gap_uj), theirs_uj)})" if theirs_uj else ""
    return f"Ours is {_kwh(abs(gap_uj))}{share} {'above' if gap_uj > 0 else 'below'} theirs."


def _wh(energy_uj: int) -> int:
    return half_even(energy_uj, WH)


def _kwh(energy_uj: int) -> str:
    whole, rest = divmod(_wh(energy_uj), 1000)
    return f"{whole}.{rest:03} kWh"


def _permille(value: int) -> str:
    return f"{value // 1000}.{value % 1000:03}"


def _percent(part_uj: int, whole_uj: int) -> str:
    permille = half_even(part_uj * 1000, whole_uj)
    return f"{permille // 10}.{permille % 10} %"
