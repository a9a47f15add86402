"""Literal statements of October 2026, for everything that renders, seals or serves one.

``STATEMENT`` has what makes trouble: several teams, idle energy, a cloud site in scope 3, a row without a factor,
modelled energy, corrections below zero, labels that a spreadsheet would run, and a year of months before it.
``CLOSED`` is the same after closing, ``FULL`` fills every field there is, ``EMPTY`` has no row, ``many_rows`` is as
long as you like. Every total is the sum of its rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

from tracker.core.statement import (
    DEFAULT_GROUP,
    Amounts,
    Check,
    Correction,
    CoverageLine,
    Day,
    FactorUse,
    Input,
    Line,
    Period,
    Ratios,
    Reconciled,
    SiteUse,
    Statement,
    Status,
)

PERIOD = Period("2026-10", "Europe/Paris", 1790805600, 1793487600)
#: Text that a spreadsheet takes for a formula, or that breaks a file which does not quote.
NASTY_LABELS = (
    '=HYPERLINK("http://evil.example";"pay")',
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\tTAB first",
    "\rCR first",
    "\nLF first",
    "\x00NUL first",
    "\uff1d1\uff0b1",
    "\uff0b1",
    "\uff0d1",
    "\uff20SUM",
    'say "hi", then; leave\r\nnow',
    "</script><script>alert(1)</script>",
    "été 北京 🚀 \u202eright-to-left",
    "  spaces  ",
    "00123",
    "1e5",
    "TOTAL",
    "",
)


def row_id(key: Sequence[str], month: str = PERIOD.month) -> str:
    return hashlib.sha256("\x1f".join((month, *key)).encode()).hexdigest()[:16]


def added(amounts: Iterable[Amounts]) -> Amounts:
    """The sum of each column; of what is not known, the known part."""
    sums: dict[str, int | None] = {}
    listed = list(amounts)
    for name in (each.name for each in fields(Amounts)):
        known = [value for each in listed if (value := getattr(each, name)) is not None]
        sums[name] = sum(known) if known or name in {"energy_it_wh", "unweighed_wh", "unpriced_wh"} else None
    zero = dict.fromkeys((each.name for each in fields(Amounts)[:6]), 0)
    return Amounts(**{**sums, **{name: value for name, value in zero.items() if sums[name] is None}})  # type: ignore[arg-type]  # names are the fields


def ratios(amounts: Amounts, coverage_ppm: int | None = 987_654) -> Ratios:
    weighed_wh = amounts.energy_facility_wh - amounts.unweighed_wh
    known = amounts.location_g is not None and weighed_wh > 0
    intensity = (amounts.location_g or 0) * 1_000_000 // weighed_wh if known else None
    return Ratios(intensity, 125_000 if amounts.modelled_wh else 0, coverage_ppm)


def amounts(
    it_wh: int,
    *,
    pue_permille: int = 1210,
    g_per_kwh: int | None = 44,
    market_g_per_kwh: int | None = 0,
    modelled_wh: int = 0,
    idle_wh: int = 0,
    device_mh: int = 0,
    cost_hundredths_per_kwh: int | None = 18,
) -> Amounts:
    """Of a row, rounded by simple division. ``g_per_kwh`` None: a zone without a factor."""
    facility_wh = it_wh * pue_permille // 1000
    return Amounts(
        energy_it_wh=it_wh,
        energy_facility_wh=facility_wh,
        measured_wh=it_wh - modelled_wh,
        simulated_wh=0,
        idle_wh=idle_wh,
        device_mh=device_mh,
        location_g=None if g_per_kwh is None else facility_wh * g_per_kwh // 1000,
        location_annual_g=None if g_per_kwh is None else facility_wh * g_per_kwh // 1000,
        location_hourly_g=None if g_per_kwh is None else facility_wh * (g_per_kwh + 3) // 1000,
        market_g=None if market_g_per_kwh is None else facility_wh * market_g_per_kwh // 1000,
        upstream_g=None if g_per_kwh is None else facility_wh * 12 // 1000,
        embodied_g=device_mh * 4 // 1000,
        unweighed_wh=facility_wh if g_per_kwh is None else 0,
        cost_hundredths=None if cost_hundredths_per_kwh is None else facility_wh * cost_hundredths_per_kwh // 1000,
        unpriced_wh=facility_wh if cost_hundredths_per_kwh is None else 0,
    )


def line(key: Sequence[str], of: Amounts, *, scope: str = "2", category: str = "", month: str = PERIOD.month) -> Line:
    return Line(row_id(key, month), tuple(key), of, ratios(of), scope, category)


ROWS = tuple(
    sorted(
        (
            line(
                ("CC-1042", "nlp", "llama-ft", "training", "par1", "gpu"), amounts(812_345_678, device_mh=1_190_400_000)
            ),
            line(
                ("CC-1042", "nlp", "llama-ft", "training", "par1", "cpu"),
                amounts(91_234_567, modelled_wh=1_234_567, device_mh=297_600_000),
            ),
            line(("CC-1042", "nlp", "search", "inference", "par1", "gpu"), amounts(203_000_001, idle_wh=88_000_000)),
            line(
                ("CC-2001", "vision", "detector", "training", "fra1", "gpu"),
                amounts(455_512_003, pue_permille=1350, g_per_kwh=344, market_g_per_kwh=498, device_mh=600_000_000),
            ),
            line(
                ("CC-2001", "vision", "detector", "inference", "fra1", "gpu"),
                amounts(45_000_333, pue_permille=1350, g_per_kwh=344, market_g_per_kwh=498, idle_wh=12_345_678),
            ),
            line(
                ("CC-3007", "robotics", "sim", "", "use1", "gpu"),
                amounts(120_000_007, pue_permille=1150, g_per_kwh=268, market_g_per_kwh=268, device_mh=160_000_000),
                scope="3",
                category="1",
            ),
            line(
                ("CC-3007", "robotics", "field-trial", "inference", "nowhere", "gpu"),
                amounts(1_234_567, g_per_kwh=None, market_g_per_kwh=None, cost_hundredths_per_kwh=None),
            ),
            line(("", "", "", "", "par1", "gpu"), amounts(150_000_000, idle_wh=150_000_000, device_mh=446_400_000)),
            line(("", "", "", "", "fra1", "gpu"), amounts(1, pue_permille=1000, g_per_kwh=344, market_g_per_kwh=498)),
            line(("", "", "", "", "par1", "dram"), amounts(33_000_000, modelled_wh=33_000_000)),
            *(
                line(("CC-9", label, "labels", "", "par1", "gpu"), amounts(1_000_003 + number, device_mh=number))
                for number, label in enumerate(NASTY_LABELS)
            ),
        ),
        key=lambda each: each.key,
    )
)

_LATE = ("CC-1042", "nlp", "llama-ft", "training", "par1", "gpu")
_REVISED = ("CC-2001", "vision", "detector", "training", "fra1", "gpu")
_WRONG = ("CC-9", "-2+3", "labels", "", "par1", "gpu")
_ZERO = Amounts(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
CORRECTIONS = (
    Correction("2026-08", "error", line(_WRONG, replace(_ZERO, market_g=-1, cost_hundredths=0), month="2026-08")),
    Correction("2026-09", "energy_late", line(_LATE, amounts(1_000_000, device_mh=1_500_000), month="2026-09")),
    Correction(
        "2026-09",
        "factor_final",
        line(
            _REVISED,
            replace(_ZERO, location_g=-1_234_567, location_annual_g=-1_234_567, location_hourly_g=None),
            month="2026-09",
        ),
    ),
)

FACTORS = (
    FactorUse(
        basis="location_annual",
        zone="DE",
        factor_id="uba:DE:2024",
        value="344",
        unit="g/kWh",
        value_g_per_kwh=Decimal(344),
        factor_type="direct",
        gases="CO2",
        gwp_set="AR5",
        tier=4,
        edition="Climate Change 2025",
        data_year="2024",
        publisher="Umweltbundesamt",
        source="Umweltbundesamt, Climate Change 2025, table 1",
        url="https://www.umweltbundesamt.de/",
        licence="dl-de/by-2-0",
        attribution="Umweltbundesamt 2025",
        recorded_at_s=1790000000,
        raw_sha256="",
        energy_wh=675_691_653,
    ),
    FactorUse(
        basis="location_annual",
        zone="FR",
        factor_id="rte:FR:2025",
        value="0.044",
        unit="kg/kWh",
        value_g_per_kwh=Decimal("44.000"),
        factor_type="lifecycle",
        gases="CO2e",
        gwp_set="AR6",
        tier=4,
        edition="Bilan 2025",
        data_year="2025",
        publisher="RTE",
        source="RTE éCO2mix, bilan 2025",
        url="https://www.rte-france.com/eco2mix",
        licence="Licence Ouverte 2.0",
        attribution="RTE, éCO2mix",
        recorded_at_s=1790000001,
        raw_sha256="0f" * 32,
        energy_wh=1_584_000_000,
        flags=("It is a life-cycle value: it counts fuel supply and construction, which Scope 2 leaves out.",),
    ),
    FactorUse(
        basis="market",
        zone="FR",
        factor_id="contract:wind-par1",
        value="0",
        unit="g/kWh",
        value_g_per_kwh=Decimal(0),
        factor_type="direct",
        gases="CO2",
        gwp_set="unspecified",
        tier=1,
        edition="GO 2026",
        data_year="2026",
        publisher="=cmd|' /C calc'!A0",
        source="guarantees of origin, retired for the entity",
        url="",
        licence="none stated",
        attribution="",
        recorded_at_s=1790000002,
        raw_sha256="",
        energy_wh=1_584_000_000,
    ),
)

COVERAGE = (
    CoverageLine("fra1", "gpu-101", 745, 745, 999_871, (("driver_lost", 344),)),
    CoverageLine(
        "par1",
        "gpu-017",
        745,
        733,
        981_120,
        (("restart", 61), ("stale", 5_400)),
        ("2026-10-03T04:00Z +3 h", "2026-10-19T22:00Z +9 h"),
    ),
    CoverageLine("use1", "=gpu-201", 300, 0, None, (), ("2026-10-01T00:00Z +300 h",)),
)

SITES = (
    SiteUse("fra1", "DE", False, "colo", 1350, "operator, 2026", False, 745, 500_512_337, "DEU"),
    SiteUse("nowhere", "", True, "owned", 1210, "=nobody", True, 20, 1_234_567),
    SiteUse("par1", "FR", False, "owned", 1210, "meter, 2026-Q3", False, 745, 1_309_580_496, "FRA"),
)

METHOD = (
    ("Boundary", "GPUs, CPU packages and memory of the nodes that shipped; network and storage are left out."),
    ("Scope 2", "Location-based with annual factors, market-based with contracts; both are always stated."),
    ("Embodied", "Amortised over five years by reserved time; a performance figure that is never added to scope 2."),
    ("Limits", "=Memory of par1 is modelled.\nFactors of FR are life-cycle values."),
)


def _month(number: int) -> tuple[str, Amounts]:
    year, month = divmod(2025 * 12 + 9 + number, 12)
    it_wh = 1_100_000_000 + 37_000_000 * ((number * 5) % 7)
    cleaner = 160 - 4 * number
    return f"{year}-{month + 1:02}", amounts(
        it_wh, g_per_kwh=cleaner, market_g_per_kwh=cleaner - 40, idle_wh=it_wh * (9 + number % 4) // 100
    )


MONTHS = tuple(_month(number) for number in range(12))


def _days(total: Amounts) -> tuple[Day, ...]:
    """The total over 31 days; the last one takes the rest."""
    names = [each.name for each in fields(Amounts)]
    values: dict[str, Any] = {n: getattr(total, n) for n in names}
    part: dict[str, Any] = {n: None if v is None else v // 31 for n, v in values.items()}
    rest: dict[str, Any] = {n: None if v is None else v - 30 * (v // 31) for n, v in values.items()}
    return (
        *(Day(f"2026-10-{day:02}", Amounts(**part)) for day in range(1, 31)),
        Day("2026-10-31", Amounts(**rest)),
    )


def _total(rows: Sequence[Line]) -> Line:
    summed = added(each.amounts for each in rows)
    return Line("total", ("",) * len(DEFAULT_GROUP), summed, ratios(summed, 991_234), "", "")


_TOTAL = _total(ROWS)
STATEMENT = Statement(
    period=PERIOD,
    status=Status.DRAFT,
    version=0,
    statement_id="2026-10-draft-5f1d0c3a9b7e2468",
    software="0.1.0",
    entity="Example SA",
    currency="EUR",
    group_by=DEFAULT_GROUP,
    filters=(("cluster", "paris-1"),),
    location_method="annual",
    as_of_s=1793600000,
    rows=ROWS,
    total=_TOTAL,
    days=_days(_TOTAL.amounts),
    corrections=CORRECTIONS,
    factors=FACTORS,
    coverage=COVERAGE,
    reconciliation=(
        Reconciled("Prometheus", _TOTAL.amounts.energy_it_wh, _TOTAL.amounts.energy_it_wh - 1_234, "two scrapes lost"),
        Reconciled("meter of par1", None, None, "not read"),
    ),
    checks=(
        Check("coverage", passed=True, message="99.1 % of the expected device time is covered."),
        Check("unweighed", passed=False, message="1.493 MWh have no factor.", remedy="Set the zone of nowhere."),
        Check(
            "tier", passed=False, message="6 % of tier 5.", remedy="Fetch factors.", waived="=no better table exists"
        ),
    ),
    method=METHOD,
    inputs=(
        Input("entries/month=2026-10/day=01/gpu-017-0a1b2c3d-day-00112233445566aa.parquet", "ab" * 32, 48_211),
        Input("entries/month=2026-10/day=02/gpu-017-0a1b2c3d-day-00112233445566bb.parquet", "cd" * 32, 47_900),
    ),
    months=MONTHS,
)
CLOSED = replace(
    STATEMENT,
    status=Status.CLOSED,
    version=1,
    statement_id="2026-10-v1-5f1d0c3a9b7e2468",
    preparer="a.martin",
    approver="b.durand",
)
EMPTY = replace(
    STATEMENT,
    rows=(),
    total=_total(()),
    days=(),
    corrections=(),
    factors=(),
    coverage=(),
    reconciliation=(),
    checks=(),
    method=(),
    inputs=(),
    months=(),
    filters=(),
    currency="",
)


def _handed_on() -> Statement:
    """``CLOSED`` with idle energy of nobody handed on to two teams (rows that net to zero), and with its sites."""
    given = amounts(90_000_000)
    taken: dict[str, Any] = {name: getattr(given, name) for name in Amounts.__slots__}
    nobody: dict[str, Any] = {name: None if value is None else -value for name, value in taken.items()}
    half = amounts(45_000_000)
    moved = [
        (("", "", "", "", "par1", "gpu"), Amounts(**nobody)),
        (("CC-1042", "nlp", "llama-ft", "training", "par1", "gpu"), half),
        (("CC-1042", "nlp", "search", "inference", "par1", "gpu"), half),
    ]
    rows = [replace(line(key, of), row_id=row_id((*key, "allocation")), kind="allocation") for key, of in moved]
    unknown_wh = tuple((basis, 1_493_826) for basis in ("annual", "market", "upstream"))
    return replace(CLOSED, rows=(*CLOSED.rows, *rows), sites=SITES, unknown_wh=unknown_wh)


FULL = _handed_on()


def many_rows(number: int) -> Statement:
    """As ``STATEMENT`` with this many rows, each of its own project."""
    rows = tuple(
        line(
            (f"CC-{each % 40}", f"team-{each % 200:03}", f"project-{each:07}", "training", "par1", "gpu"),
            amounts(1_000_000 + each * 37 % 900_001, device_mh=each),
        )
        for each in range(number)
    )
    return replace(STATEMENT, rows=rows, total=_total(rows), days=())
