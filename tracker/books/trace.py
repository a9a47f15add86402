"""One row of a statement, followed back: which numbers of which hours it is made of, and how it was rounded.

Everything is exact: a column is a sum of products of integers over one denominator (``core/weights.py``), and what is
printed is its floor or one more (largest remainder, ``core/footing.py``). Whoever has the table below can do the
arithmetic again with pencil and paper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracker.books.dimensions import OF_ROWS, Wanted
from tracker.books.statement import MonthQuery
from tracker.books.sums import RowSums
from tracker.core.statement import Amounts, Period
from tracker.core.weights import DEVICE_MH, EMBODIED_G, FACILITY_WH, HUNDREDTH, WH, G


@dataclass(frozen=True, slots=True)
class Column:
    """``amount`` of ``Amounts`` is the sum ``exact`` of ``core`` sums over ``denominator``, in ``unit``s; ``formula``
    says of what."""

    amount: str
    sums: str
    denominator: int
    unit: str
    formula: str


COLUMNS = (
    Column("energy_it_wh", "it_uj", WH, "Wh", "energy_uj"),
    Column("energy_facility_wh", "facility_nj", FACILITY_WH, "Wh", "energy_uj x pue_permille"),
    Column("measured_wh", "measured_uj", WH, "Wh", "energy_uj that a sensor measured"),
    Column("modelled_wh", "modelled_uj", WH, "Wh", "energy_uj that was modelled"),
    Column("simulated_wh", "simulated_uj", WH, "Wh", "energy_uj of simulated nodes"),
    Column("energy_overhead_wh", "overhead_nj", FACILITY_WH, "Wh", "energy_uj x (pue_permille - 1000)"),
    Column("idle_wh", "idle_uj", WH, "Wh", "idle_uj"),
    Column("device_mh", "held_ms", DEVICE_MH, "device-mh", "held_ms"),
    Column("location_annual_g", "annual", G, "g", "energy_uj x pue_permille x ng_per_kwh"),
    Column("location_hourly_g", "hourly", G, "g", "energy_uj x pue_permille x ng_per_kwh"),
    Column("market_g", "market", G, "g", "energy_uj x pue_permille x ng_per_kwh"),
    Column("upstream_g", "upstream", G, "g", "energy_uj x pue_permille x ng_per_kwh"),
    Column("embodied_g", "embodied", EMBODIED_G, "g", "held_ms x fg_per_ms"),
    Column("cost_hundredths", "cost", HUNDREDTH, "hundredths", "energy_uj x pue_permille x price_micro_per_kwh"),
)


#: Columns that are sums of printed columns, and of which.
SUMS_OF_PRINTED = {
    "energy_it_wh": ("measured_wh", "modelled_wh", "simulated_wh"),
    "energy_facility_wh": ("energy_it_wh", "energy_overhead_wh"),
}


@dataclass(frozen=True, slots=True)
class Rounded:
    """A printed amount: ``exact`` / ``denominator`` = ``whole`` + ``remainder`` / ``denominator``, and ``printed`` =
    ``whole`` + ``step``. Of the column's ``rows``, ``left`` got one more, those of the largest remainders; this row is
    number ``rank`` among them (1: the largest). ``step`` is 0 or 1, except where a column beside this one bounds it,
    and in the columns that are printed as the sum of others (``SUMS_OF_PRINTED``)."""

    column: Column
    exact: int
    whole: int
    remainder: int
    step: int
    printed: int
    left: int
    rank: int
    rows: int


def rounded(column: Column, rows: Sequence[RowSums], at: int, printed: Sequence[Amounts]) -> Rounded | None:
    """Of the row number ``at``; None: not known, and not printed."""
    exact: int | None = getattr(rows[at].sums, column.sums)
    shown: int | None = getattr(printed[at], column.amount)
    if exact is None or shown is None:
        return None
    known = [n for n, row in enumerate(rows) if getattr(row.sums, column.sums) is not None]
    parts = {n: divmod(getattr(rows[n].sums, column.sums), column.denominator) for n in known}
    left = sum(getattr(printed[n], column.amount) - parts[n][0] for n in known)
    whole, remainder = parts[at]
    rank = 1 + sum(parts[n][1] > remainder or (parts[n][1] == remainder and n < at) for n in known)
    return Rounded(column, exact, whole, remainder, shown - whole, shown, left, rank, len(known))


@dataclass(frozen=True, slots=True)
class HourSum:
    """The row's energy at a place in an hour, and what weighs it (None: not known). ``held_ms`` is held by devices
    with a figure for their making and without. Where a building's own use is booked apart (``Place.overhead_scope``),
    ``pue_permille`` is 1000 for the computers, and what the PUE adds to that for the building: of the same energy."""

    hour_s: int
    site: str
    zone_written: str
    zone: str
    energy_uj: int
    idle_uj: int
    held_ms: int
    pue_permille: int
    annual_ng: int | None
    hourly_ng: int | None
    market_ng: int | None
    upstream_ng: int | None
    price_micro: int | None


@dataclass(frozen=True, slots=True)
class EntrySum:
    """Rows of the lake: a device's energy for a workload. ``hour_s`` None: of all hours together, ``hours`` many."""

    hour_s: int | None
    hours: int
    hostname: str
    component: str
    device: str
    device_model: str
    workload: str
    workload_name: str
    method: str
    energy_uj: int
    idle_uj: int
    held_ms: int


@dataclass(frozen=True, slots=True)
class NodeSum:
    """What nodes booked themselves for the row's workloads, at the factor that they knew then."""

    factor_id: str
    pue_permille: int
    hours: int
    emissions_ug: int


@dataclass(frozen=True, slots=True)
class Making:
    """Held time of devices of one figure for their making; ``fg_per_ms`` None: nobody published one."""

    component: str
    made: str
    held_ms: int
    fg_per_ms: int | None


_BOOKED = """
    CREATE OR REPLACE TEMP TABLE row_booked AS
    SELECT factor_id, pue_permille, count(DISTINCT hour_s) AS hours, sum(emissions_ug)::HUGEINT AS ug
    FROM {files} SEMI JOIN row_work USING (ledger, hour_s, workload, team, project)
    WHERE basis = 'location' GROUP BY factor_id, pue_permille
"""
_WHOLE = """
    CREATE OR REPLACE TEMP TABLE row_whole AS
    SELECT hour_s, coalesce(site, '') AS site, coalesce(grid_zone, '') AS zone_written,
           sum(energy_uj)::HUGEINT AS it, sum(idle_uj)::HUGEINT AS idle, sum(held_ms)::HUGEINT AS held
    FROM {files} SEMI JOIN row_work USING (ledger, hour_s, workload, team, project)
    GROUP BY 1, 2, 3
"""


class RowQuery:
    """Asks a ``MonthQuery`` whose entries are read and weighed about one row. ``row``: its key and scope."""

    def __init__(self, query: MonthQuery, wanted: Wanted, row: RowSums, period: Period) -> None:
        self._query, self._wanted, self._row, self._period = query, wanted, row, period

    def _of_row(self) -> tuple[str, list[str]]:
        """The row in the view ``weighed``."""
        names = [*(f"k_{name}" for name in self._wanted.group_by), "scope", "category"]
        return " AND ".join(f"{name} = ?" for name in names), [*self._row.key, self._row.scope, self._row.category]

    def hours(self) -> list[HourSum]:
        condition, values = self._of_row()
        weights = "pue_permille, annual_ng, hourly_ng, market_ng, upstream_ng, price_micro"
        sql = f"""
            SELECT hour_s, site, zone_written, zone, sum(base)::HUGEINT, sum(idle)::HUGEINT, sum(held)::HUGEINT,
                   {weights}
            FROM weighed WHERE {condition} GROUP BY hour_s, site, zone_written, zone, {weights} ORDER BY ALL
        """  # noqa: S608 - names are ours
        return [HourSum(*row) for row in self._query.execute(sql, values).fetchall()]

    def makings(self) -> list[Making]:
        condition, values = self._of_row()
        sql = (
            "SELECT component, '', sum(held)::HUGEINT, making_fg FROM weighed"  # noqa: S608 - as above
            f" WHERE component IN ('gpu', 'cpu') AND {condition} GROUP BY component, making_fg ORDER BY ALL"
        )
        return [Making(*row) for row in self._query.execute(sql, values).fetchall()]

    def entries(self, paths: Sequence[Path], places: Iterable[tuple[str, str]], *, each_hour: bool) -> list[EntrySum]:
        """From the files themselves. ``places``: (site, grid zone as written) of the row."""
        self._keep_row(paths, places)
        hour = "hour_s, 1" if each_hour else "NULL, count(DISTINCT hour_s)"
        by = "hour_s, " if each_hour else ""
        columns = "hostname, component, device, coalesce(device_model, ''), workload, coalesce(name, ''), method"
        sql = f"""
            SELECT {hour}, {columns}, sum(energy_uj)::HUGEINT, sum(idle_uj)::HUGEINT, sum(held_ms)::HUGEINT
            FROM of_row GROUP BY {by}{columns} ORDER BY ALL
        """  # noqa: S608 - names are ours
        return [EntrySum(*row) for row in self._query.execute(sql).fetchall()]

    def _keep_row(self, paths: Sequence[Path], places: Iterable[tuple[str, str]]) -> None:
        """The row's entries into the table ``of_row``."""
        conditions, values = self._wanted.condition(OF_ROWS)
        for name, value in zip(self._wanted.group_by, self._row.key, strict=True):
            if name in OF_ROWS:
                conditions += f" AND ({OF_ROWS[name]}) = ?"
                values.append(value)
        pairs = list(places)
        self._query.execute("CREATE OR REPLACE TEMP TABLE row_places (p_site VARCHAR, p_zone VARCHAR)")
        self._query.execute(
            "INSERT INTO row_places SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[])",
            [[site for site, _ in pairs], [zone for _, zone in pairs]],
        )
        sql = f"""
            CREATE OR REPLACE TEMP TABLE of_row AS SELECT * FROM {{files}}
            JOIN row_places ON coalesce(site, '') = p_site AND coalesce(grid_zone, '') = p_zone
            WHERE hour_s >= ? AND hour_s < ? AND {conditions}
        """  # noqa: S608 - columns are ours, values are parameters
        self._query.scan(sql, [self._period.start_s, self._period.end_s, *values], "entries", paths)

    def booked(self, entries: Sequence[Path], emissions: Sequence[Path]) -> tuple[list[NodeSum], list[HourSum]]:
        """What nodes booked for the row's workloads in its hours (of all their components), and the whole energy of
        these workloads with the weights of its places. After ``entries``."""
        self._query.execute(
            "CREATE OR REPLACE TEMP TABLE row_work AS"
            " SELECT DISTINCT ledger, hour_s, workload, team, project FROM of_row"
        )
        self._query.scan(_BOOKED, [], "emissions", emissions)
        self._query.scan(_WHOLE, [], "entries", entries)
        booked = self._query.execute("SELECT * FROM row_booked ORDER BY ALL").fetchall()
        whole = self._query.execute(
            "SELECT hour_s, site, zone_written, zone, it, idle, held, pue_permille, annual_ng_per_kwh,"
            " hourly_ng_per_kwh, market_ng_per_kwh, upstream_ng_per_kwh, price_micro_per_kwh"
            " FROM row_whole JOIN places USING (site, zone_written) JOIN weights USING (site, zone_written, hour_s)"
            " ORDER BY ALL"
        ).fetchall()
        return [NodeSum(*row) for row in booked], [HourSum(*row) for row in whole]


@dataclass(frozen=True, slots=True)
class Product:
    """Hours that are weighed alike: ``energy_uj`` x ``pue_permille`` x ``rate`` = ``product``. ``rate`` None: not
    known, and the energy is in no sum. ``source``: names of what the rate is from."""

    site: str
    zone: str
    hours_s: tuple[int, ...]
    energy_uj: int
    pue_permille: int
    rate: int | None
    source: tuple[str, ...]

    @property
    def product(self) -> int | None:
        return None if self.rate is None else self.energy_uj * self.pue_permille * self.rate


def products(
    hours: Iterable[HourSum], rate_of: Callable[[HourSum], int | None], source_of: Callable[[HourSum], tuple[str, ...]]
) -> tuple[Product, ...]:
    """In the order of time, with hours of the same place, PUE, rate and source together."""
    groups: dict[tuple[Any, ...], list[HourSum]] = {}
    for each in hours:
        key = (each.site, each.zone, each.pue_permille, rate_of(each), source_of(each))
        groups.setdefault(key, []).append(each)
    return tuple(
        Product(
            site,
            zone,
            tuple(sorted({each.hour_s for each in group})),
            sum(each.energy_uj for each in group),
            pue_permille,
            rate,
            source,
        )
        for (site, zone, pue_permille, rate, source), group in groups.items()
    )
