"""P9 over whole statements: rows, days and totals foot in every column, and no printed difference is negative."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.books.allocation import allocate_idle
from tracker.books.rows import added, lines_of, merged, print_columns, row_id
from tracker.books.sums import RowSums, Sums
from tracker.core.errors import UsageError
from tracker.core.statement import Amounts, Line
from tracker.core.weights import FACILITY_WH, WH, G

ENERGY = st.integers(0, 10**13)
NG = st.none() | st.integers(0, 10**12)
COLUMNS = tuple(field.name for field in fields(Amounts))


@st.composite
def sums(draw: st.DrawFn) -> Sums:
    """As a query would give them: parts of a whole, weighed by one rate each, or unknown."""
    measured, modelled, simulated = draw(ENERGY), draw(ENERGY), draw(st.just(0) | ENERGY)
    it_uj = measured + modelled + simulated
    facility_nj = it_uj * draw(st.integers(1000, 3000))
    rates = {name: draw(NG) for name in ("annual", "hourly", "market", "upstream", "cost")}
    weighed = {name: None if rate is None else facility_nj * rate for name, rate in rates.items()}
    unknown = {f"{name}_unknown_nj": facility_nj if rate is None else 0 for name, rate in rates.items()}
    return Sums(
        it_uj=it_uj,
        facility_nj=facility_nj,
        measured_uj=measured,
        simulated_uj=simulated,
        idle_uj=draw(st.integers(0, it_uj)),
        held_ms=draw(st.integers(0, 10**12)),
        embodied=draw(st.none() | st.integers(0, 10**25)),
        embodied_unknown_ms=0,
        annual_estimated_nj=draw(st.integers(0, facility_nj)),
        hourly_estimated_nj=0,
        **weighed,  # type: ignore[arg-type]  # names are the fields
        **unknown,
    )


@st.composite
def small_sums(draw: st.DrawFn) -> Sums:
    """Fractions of a watt-hour, often of one kind alone: where rounding has the least room."""
    kinds = [draw(st.just(0) | st.integers(0, 2 * WH)) for _ in range(3)]
    it_uj, pue_permille = sum(kinds), draw(st.just(1000) | st.integers(1000, 2000))
    facility_nj, known = it_uj * pue_permille, draw(st.booleans())
    weighed = facility_nj * draw(st.integers(0, 10**12)) if known else None
    return Sums(
        it_uj=it_uj,
        facility_nj=facility_nj,
        measured_uj=kinds[0],
        simulated_uj=kinds[1],
        idle_uj=draw(st.sampled_from((0, it_uj)) | st.integers(0, it_uj)),
        held_ms=draw(st.just(0) | st.integers(0, 10**4)),
        annual=weighed,
        hourly=weighed,
        market=0,
        upstream=None,
        cost=weighed,
        embodied=0,
        annual_unknown_nj=0 if known else facility_nj,
        hourly_unknown_nj=0 if known else facility_nj,
        market_unknown_nj=0,
        upstream_unknown_nj=facility_nj,
        cost_unknown_nj=0 if known else facility_nj,
        embodied_unknown_ms=0,
        annual_estimated_nj=0,
        hourly_estimated_nj=0,
    )


def _foots(rows: list[Amounts], total: Amounts) -> None:
    for name in COLUMNS:
        known = [value for row in rows if (value := getattr(row, name)) is not None]
        of_total = getattr(total, name)
        assert sum(known) == (of_total or 0), name
        assert (of_total is None) == (not known) or not rows, name


def _is_within_its_bounds(of: Amounts) -> None:
    """No printed difference of two columns is below zero."""
    assert of.energy_overhead_wh >= 0
    assert of.modelled_wh >= 0
    assert 0 <= of.idle_wh <= of.energy_it_wh
    assert 0 <= of.unweighed_wh <= of.energy_facility_wh
    assert 0 <= of.unpriced_wh <= of.energy_facility_wh


#: What is printed -> what it is printed of.
PRINTED_OF = {
    "energy_it_wh": "it_uj",
    "energy_facility_wh": "facility_nj",
    "energy_overhead_wh": "overhead_nj",
    "measured_wh": "measured_uj",
    "simulated_wh": "simulated_uj",
    "modelled_wh": "modelled_uj",
    "idle_wh": "idle_uj",
    "device_mh": "held_ms",
    "location_annual_g": "annual",
    "location_hourly_g": "hourly",
    "market_g": "market",
    "upstream_g": "upstream",
    "embodied_g": "embodied",
    "cost_hundredths": "cost",
}


@given(st.lists(sums() | small_sums(), max_size=12), st.sampled_from(["annual", "hourly"]))
def test_p9_every_total_is_the_sum_of_its_rows(parts: list[Sums], method: str) -> None:
    printed = print_columns(parts, method)
    _foots(printed.rows, printed.total)
    for row in (*printed.rows, printed.total):
        _is_within_its_bounds(row)
        assert row.location_g == (row.location_annual_g if method == "annual" else row.location_hourly_g)
    for row, exact in zip(printed.rows, parts, strict=True):
        if getattr(exact, method) is None:
            assert (row.location_g, row.unweighed_wh) == (None, row.energy_facility_wh), "not known is never 0"
        if exact.cost is None:
            assert (row.cost_hundredths, row.unpriced_wh) == (None, row.energy_facility_wh)


@given(st.lists(sums() | small_sums(), max_size=12), st.sampled_from(["annual", "hourly"]))
def test_nothing_is_printed_where_nothing_is(parts: list[Sums], method: str) -> None:
    """Energy that is wholly modelled never shows as measured, nor the other way round; all that has a factor shows none
    that has not; a PUE of 1 has no overhead."""
    for row, exact in zip(print_columns(parts, method).rows, parts, strict=True):
        missing = {"unweighed_wh": f"{method}_unknown_nj", "unpriced_wh": "cost_unknown_nj"}
        for amount, of in {**PRINTED_OF, **missing}.items():
            assert getattr(exact, of) != 0 or getattr(row, amount) == 0, amount


@given(st.lists(sums() | small_sums(), min_size=1, max_size=12), st.sampled_from(["annual", "hourly"]))
def test_what_energy_is_made_of_is_printed_within_a_unit(parts: list[Sums], method: str) -> None:
    """IT energy is the sum of three of them and facility energy of four, so that rows foot across."""
    printed = print_columns(parts, method)
    for row, exact in zip((*printed.rows, printed.total), (*parts, added(parts)), strict=True):
        for amount, of in PRINTED_OF.items():
            if amount in {"measured_wh", "simulated_wh", "modelled_wh"}:
                assert abs(Fraction(getattr(exact, of), WH) - getattr(row, amount)) < 1
        assert abs(Fraction(exact.overhead_nj, FACILITY_WH) - row.energy_overhead_wh) <= 1


@given(st.lists(sums(), min_size=1, max_size=12))
def test_totals_are_rounded_once_from_the_exact_sum(parts: list[Sums]) -> None:
    total, exact = print_columns(parts, "annual").total, added(parts)
    assert abs(Fraction(exact.it_uj, WH) - total.energy_it_wh) <= Fraction(1, 2)
    assert abs(Fraction(exact.facility_nj, FACILITY_WH) - total.energy_facility_wh) <= Fraction(1, 2)
    if exact.annual is not None:
        assert abs(Fraction(exact.annual, G) - (total.location_annual_g or 0)) <= Fraction(1, 2)


@given(st.lists(st.lists(sums() | small_sums(), min_size=3, max_size=3), min_size=1, max_size=6))
def test_p9_days_and_rows_foot_to_the_one_printed_total(month: list[list[Sums]]) -> None:
    """The same energy cut twice: each line is a row, each column a day, and some of both have no factor at all."""
    rows, days = [added(row) for row in month], [added(day) for day in zip(*month, strict=True)]
    by_row = print_columns(rows, "annual")
    by_day = print_columns(days, "annual", by_row.total)
    assert by_day.total == by_row.total
    for printed in (by_row, by_day):
        _foots(printed.rows, by_row.total)
        for each in printed.rows:
            _is_within_its_bounds(each)
    for day, exact in zip(by_day.rows, days, strict=True):
        for amount, of in PRINTED_OF.items():
            assert getattr(exact, of) != 0 or getattr(day, amount) == 0 or amount == "idle_wh", amount


def _some_month(dice: Random) -> list[list[Sums]]:
    """Rows of 31 days in kilowatt-hours; a tariff begins on one of them, and does not hold for some rows."""
    begins = dice.randrange(1, 31)
    rows = []
    for _ in range(dice.randrange(1, 8)):
        priced = dice.random() < 0.7
        days = (with_factor(dice.uniform(0, 2500)) for _ in range(31))
        rows.append(
            [
                replace(of, facility_nj=of.it_uj * 1350, cost=None, cost_unknown_nj=of.it_uj * 1350)
                if not priced or n < begins
                else replace(of, facility_nj=of.it_uj * 1350, cost=of.it_uj)
                for n, of in enumerate(days)
            ]
        )
    return rows


def test_in_rows_nothing_is_nothing_and_a_day_is_off_by_a_watt_hour_at_most() -> None:
    """Where a tariff begins in the middle of the month: the total is that of the rows, and days must add up to it."""
    dice, off = Random(4), set()
    for _ in range(100):
        month = _some_month(dice)
        rows, days = [added(row) for row in month], [added(day) for day in zip(*month, strict=True)]
        by_row = print_columns(rows, "annual")
        by_day = print_columns(days, "annual", by_row.total)
        for printed, exact in ((by_row, rows), (by_day, days)):
            _foots(printed.rows, by_row.total)
            for each, of in zip(printed.rows, exact, strict=True):
                wanted = 0 if of.cost_unknown_nj == 0 else each.energy_facility_wh if of.cost is None else None
                if wanted is not None and each.unpriced_wh != wanted:
                    assert printed is by_day
                    off.add(abs(each.unpriced_wh - wanted))
    assert off == {1}, "and no more"


def test_a_day_without_any_factor_does_not_move_a_total_that_is_printed() -> None:
    """Germany has no factor on two days, France has one on the third, and half watt-hours are everywhere."""
    unknown, known = no_factor(1000.6), with_factor(1000.3)
    by_row = print_columns([added([unknown, unknown]), known], "annual")
    by_day = print_columns([unknown, unknown, known], "annual", by_row.total)
    assert [row.unweighed_wh for row in by_row.rows] == [2001, 0]
    assert sum(day.unweighed_wh for day in by_day.rows) == by_row.total.unweighed_wh == 2001
    assert by_day.rows[2].unweighed_wh == 0


def test_energy_that_no_sensor_measured_is_never_printed_as_measured() -> None:
    """Of three rows the modelled one has the largest remainder of IT energy."""
    printed = print_columns([with_factor(0.4), with_factor(0.4), replace(with_factor(0.45), measured_uj=0)], "annual")
    assert [(row.measured_wh, row.modelled_wh) for row in printed.rows] == [(1, 0), (0, 0), (0, 0)]
    assert (printed.total.measured_wh, printed.total.modelled_wh, printed.total.energy_it_wh) == (1, 0, 1)


def with_factor(wh: float) -> Sums:
    """All measured, at 100 g/kWh and a PUE of 1.0."""
    it_uj = round(wh * WH)
    return replace(
        ONE_KWH,
        it_uj=it_uj,
        facility_nj=it_uj * 1000,
        measured_uj=it_uj,
        idle_uj=0,
        annual=it_uj * 1000 * 100 * 10**9,
        hourly_unknown_nj=it_uj * 1000,
        upstream_unknown_nj=it_uj * 1000,
    )


def no_factor(wh: float) -> Sums:
    of = with_factor(wh)
    return replace(of, annual=None, annual_unknown_nj=of.facility_nj)


def _row(key: tuple[str, ...], of: Sums, *, remainder: bool = False, scope: str = "2") -> RowSums:
    return RowSums(key, scope, "", remainder, of)


ONE_KWH = Sums(
    it_uj=3_600_000_000_000,
    facility_nj=4_356_000_000_000_000,
    measured_uj=3_600_000_000_000,
    simulated_uj=0,
    idle_uj=900_000_000_000,
    held_ms=3_600_000,
    annual=4_356_000_000_000_000 * 44 * 10**9,
    hourly=None,
    market=0,
    upstream=None,
    cost=4_356_000_000_000_000 * 180_000,
    embodied=3744 * 10**12,
    annual_unknown_nj=0,
    hourly_unknown_nj=4_356_000_000_000_000,
    market_unknown_nj=0,
    upstream_unknown_nj=4_356_000_000_000_000,
    cost_unknown_nj=0,
    embodied_unknown_ms=0,
    annual_estimated_nj=1_089_000_000_000_000,
    hourly_estimated_nj=0,
)


def test_a_kilowatt_hour_is_printed_as_anybody_would_work_it_out() -> None:
    (line,), total = lines_of("2026-10", [_row(("nlp",), ONE_KWH)], "annual", lambda key: 990_000 if key else 980_000)
    assert line.amounts == Amounts(
        energy_it_wh=1000,
        energy_facility_wh=1210,
        measured_wh=1000,
        simulated_wh=0,
        idle_wh=250,
        device_mh=1000,
        location_g=53,
        location_annual_g=53,
        location_hourly_g=None,
        market_g=0,
        upstream_g=None,
        embodied_g=4,
        unweighed_wh=0,
        cost_hundredths=22,
    )
    assert line.amounts.energy_overhead_wh == 210
    assert (line.ratios.intensity_mg_per_kwh, line.ratios.estimated_factor_ppm) == (44_000, 250_000)
    assert (line.ratios.coverage_ppm, total.ratios.coverage_ppm) == (990_000, 980_000)
    assert (total.amounts, total.row_id, total.key) == (line.amounts, "total", ("",))


def test_a_row_keeps_its_name_whatever_its_amounts_are() -> None:
    """What trace, corrections and a reader's own notes refer to."""
    first = lines_of("2026-10", [_row(("nlp",), ONE_KWH)], "annual", lambda _: None)[0][0]
    second = lines_of("2026-10", [_row(("nlp",), replace(ONE_KWH, it_uj=7))], "annual", lambda _: None)[0][0]
    assert first.row_id == second.row_id
    assert row_id("2026-10", ("a", "b"), "2", "") != row_id("2026-10", ("a,b", ""), "2", "")
    assert row_id("2026-10", ("a",), "2", "") != row_id("2026-10", ("a",), "3", "1")


def test_rows_that_nothing_in_their_key_tells_apart_are_one() -> None:
    (row,) = merged([_row(("par1",), ONE_KWH), _row(("par1",), ONE_KWH, remainder=True)])
    assert (row.sums.it_uj, row.sums.upstream, row.remainder) == (2 * ONE_KWH.it_uj, None, False)
    assert len(merged([_row(("par1",), ONE_KWH), _row(("par1",), ONE_KWH, scope="3")])) == 2


def test_a_statement_without_rows_is_all_zero_and_unknown() -> None:
    lines, total = lines_of("2026-10", [], "annual", lambda _: None)
    assert lines == ()
    assert (total.amounts.energy_it_wh, total.amounts.location_g) == (0, None)


# --- idle energy handed on -------------------------------------------------------------------------------------------

GROUP = ("team", "site", "component")


def _lines(*rows: tuple[str, str, str, int]) -> tuple[Line, ...]:
    made = [
        _row((team, site, component), replace(ONE_KWH, it_uj=ONE_KWH.it_uj * kwh))
        for team, site, component, kwh in rows
    ]
    return lines_of("2026-10", made, "annual", lambda _: None)[0]


def test_idle_energy_goes_to_those_who_work_there_and_nets_to_zero() -> None:
    rows = _lines(
        ("__idle__", "par1", "gpu", 1),
        ("nlp", "par1", "gpu", 3),
        ("vision", "par1", "gpu", 1),
        ("nlp", "fra1", "gpu", 5),
    )
    added_rows = allocate_idle("2026-10", GROUP, rows)
    assert [(line.key[0], line.amounts.energy_it_wh, line.kind) for line in added_rows] == [
        ("__idle__", -1000, "allocation"),
        ("nlp", 750, "allocation"),
        ("vision", 250, "allocation"),
    ]
    for name in COLUMNS:
        assert sum(getattr(line.amounts, name) or 0 for line in added_rows) == 0, name
    assert not {line.row_id for line in rows} & {line.row_id for line in added_rows}


def test_where_nobody_works_idle_energy_stays_what_it_is() -> None:
    assert allocate_idle("2026-10", GROUP, _lines(("__idle__", "par1", "gpu", 1), ("nlp", "par1", "cpu", 3))) == ()


def test_idle_energy_cannot_be_handed_to_nobody() -> None:
    with pytest.raises(UsageError, match="handed on to somebody"):
        allocate_idle("2026-10", ("site",), ())


@given(
    st.lists(st.tuples(st.sampled_from(["__idle__", "__system__", "a", "b", "c"]), sums() | small_sums()), max_size=10)
)
def test_allocation_rows_net_to_zero_in_every_column(parts: list[tuple[str, Sums]]) -> None:
    """And what nobody handed on, nobody gets: no measured energy out of modelled."""
    rows = lines_of("2026-10", [_row((team, "par1"), of) for team, of in parts], "annual", lambda _: None)[0]
    added_rows = allocate_idle("2026-10", ("team", "site"), rows)
    for name in (*COLUMNS, "modelled_wh", "energy_overhead_wh"):
        values = [getattr(line.amounts, name) or 0 for line in added_rows]
        assert sum(values) == 0, name
        assert any(value < 0 for value in values) or not any(values), name
    for line in added_rows:
        if not line.key[0].startswith("__"):
            assert all(
                (getattr(line.amounts, name) or 0) >= 0 for name in (*COLUMNS, "modelled_wh", "energy_overhead_wh")
            )
