"""The factor store keeps every value it was ever told, exactly, and says what was known when."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.grid.hours import HOUR_S, NOON_S, hour
from tracker.core.factors import Basis, FactorRow, FactorType, Origin, Scheme
from tracker.core.forecast import Expected, Forecast
from tracker.core.known import best_known
from tracker.grid.shipped import read_factors
from tracker.grid.store import Appended, FactorReader, FactorStore, ProviderStatus, StoreError
from tracker.grid.store_records import FORECASTS_KEPT_S


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "factors.db"


@pytest.fixture
def store(path: Path) -> Iterator[FactorStore]:
    with FactorStore(path) as opened:
        yield opened


def values(store: FactorStore | FactorReader, start: int, end: int, as_of_s: int | None = None) -> list[str]:
    """Printed values of the hours from the start-th to before the end-th."""
    found = store.records(["FR"], NOON_S + start * HOUR_S, NOON_S + end * HOUR_S, as_of_s)
    return [record.row.value_printed for record in found]


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_every_field_comes_back_as_it_was(store: FactorStore) -> None:
    """One column for each: a finance export can be followed back to the answer of the service."""
    row = hour(0)
    assert all(getattr(row.origin, field.name) not in {None, ""} for field in fields(Origin))
    assert all(getattr(row, field.name) not in {None, ""} for field in fields(FactorRow))
    store.append([row], NOON_S)
    (record,) = store.records(["FR"], NOON_S, NOON_S + 1)
    assert (record.row, record.recorded_at_s, record.number, record.supersedes) == (row, NOON_S, 1, None)
    columns = {name for _, name, *_ in store._opened().execute("PRAGMA table_info(factor)")}
    names = {field.name for kind in (FactorRow, Origin) for field in fields(kind)} - {"origin"}
    assert columns == names | {"number", "recorded_at_s", "supersedes"}


def test_the_shipped_tables_would_come_back_too(store: FactorStore) -> None:
    """Everything that is said and everything that is not: no value, no period, losses in, out and not stated."""
    rows = tuple(read_factors())
    assert store.append(rows, NOON_S) == Appended(new=len(rows))
    kept = {record.row.factor_id: record.row for record in store.records(store.zones(), 0, NOON_S)}
    asked = {row.factor_id: row for row in rows if row.valid_from_s < NOON_S}
    assert kept == asked
    assert store.append(rows, NOON_S + 1) == Appended(same=len(rows))


def test_values_are_exact(store: FactorStore) -> None:
    printed = ["0.1", "56.120", "1E+2", "0", "123.45678901234567890123456789"]
    store.append([hour(number, value) for number, value in enumerate(printed)], NOON_S)
    assert values(store, 0, 9) == printed
    assert store.records(["FR"], NOON_S, NOON_S + 1)[0].row.value_g_per_kwh == Decimal("0.1")


Texts = st.text(st.characters(codec=None), max_size=8) | st.sampled_from(
    ["a\x00b", "\x00", "\ud800", "é\udfff", "'; --"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(note=Texts, ending=Texts)
def test_no_text_breaks_it(store: FactorStore, note: str, ending: str) -> None:
    """What cannot be printed becomes U+FFFD, and reading the same thing again is still no news."""
    row = hour(0, factor_id=f"x:{ending}", note=note)
    store.append([row], NOON_S)
    assert store.append([row], NOON_S + 1) == Appended(same=1)
    (record,) = store.history(f"x:{ending}")[-1:]
    assert record.row.note.isprintable()
    assert len(record.row.note) == len(note)
    assert all(kept in {letter, " ", "\ufffd"} for kept, letter in zip(record.row.note, note, strict=True))


# --- what was known when ---------------------------------------------------------------------------------------------


def test_a_correction_supersedes_and_the_old_value_is_still_told(store: FactorStore) -> None:
    assert store.append([hour(0, "60"), hour(1, "61")], 1000) == Appended(new=2)
    assert store.append([hour(0, "60"), hour(1, "59"), hour(2, "62")], 2000) == Appended(new=1, changed=1, same=1)
    assert values(store, 0, 9) == ["60", "59", "62"]
    assert values(store, 0, 9, as_of_s=1999) == ["60", "61"]
    assert values(store, 0, 9, as_of_s=999) == []
    history = store.history(hour(1).factor_id)
    assert [(each.row.value_printed, each.recorded_at_s, each.supersedes) for each in history] == [
        ("61", 1000, None),
        ("59", 2000, history[0].number),
    ]
    assert store.history("nobody") == ()


def test_yearly_factors_are_found_whatever_year_they_are_of(store: FactorStore) -> None:
    """The last one before a month weighs it where there is none of its own."""
    official = hour(0, "402", factor_id="ema", quality_tier=4, valid_from_s=1, valid_to_s=365 * 86_400)
    undated = hour(0, "1", factor_id="undated", quality_tier=5, valid_from_s=0, valid_to_s=0)
    store.append([hour(0), official, undated, replace(official, factor_id="de", zone="DE")], 1000)
    store.append([replace(official, value_printed="401")], 2000)

    def known(*zones: str, as_of_s: int | None = None) -> list[str]:
        return [record.row.value_printed for record in store.yearly(zones, as_of_s)]

    assert known("FR") == ["1", "401"]
    assert known("FR", as_of_s=1999) == ["1", "402"]
    assert known("FR", as_of_s=999) == []
    assert known("DE", "FR", "DE") == ["402", "1", "401"]


def test_a_clock_that_stepped_back_does_not_hide_a_correction(store: FactorStore) -> None:
    store.append([hour(0, "60")], 2000)
    store.append([hour(0, "61")], 1000)
    assert [each.recorded_at_s for each in store.history(hour(0).factor_id)] == [2000, 2000]
    assert values(store, 0, 1) == values(store, 0, 1, as_of_s=2000) == ["61"]
    assert values(store, 0, 1, as_of_s=1999) == []


def test_intervals_that_meet_the_range_and_undated_rows(store: FactorStore) -> None:
    """The end is exclusive on both sides. A correction that moves an interval is looked for where it is now."""
    undated = hour(0, "1", factor_id="undated", quality_tier=5, valid_from_s=0, valid_to_s=0)
    store.append([hour(0, "10"), hour(1, "11"), hour(2, "12"), undated, hour(1, "99", factor_id="de", zone="DE")], 1000)
    assert values(store, 1, 2) == ["1", "11"]
    assert [r.row.value_printed for r in store.records(["FR"], NOON_S + HOUR_S - 1, NOON_S + HOUR_S + 1)] == [
        "1",
        "10",
        "11",
    ]
    moved = replace(hour(2, "12"), valid_from_s=NOON_S + 9 * HOUR_S, valid_to_s=NOON_S + 10 * HOUR_S)
    store.append([moved], 2000)
    assert values(store, 2, 3) == ["1"]
    assert values(store, 2, 3, as_of_s=1000) == ["1", "12"]
    assert values(store, 9, 10) == ["1", "12"]
    assert store.zones() == ("DE", "FR")
    both = store.records(("DE", "FR", "DE"), NOON_S + HOUR_S, NOON_S + 2 * HOUR_S)
    assert [(each.row.zone, each.row.value_printed) for each in both] == [("DE", "99"), ("FR", "1"), ("FR", "11")]
    assert store.records((), 0, NOON_S) == ()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    readings=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["50", "51", "52"]), st.integers(0, 9)), min_size=1, max_size=12
    ),
    start=st.integers(0, 4),
    length=st.integers(0, 4),
    as_of_s=st.none() | st.integers(0, 10),
)
def test_it_answers_as_the_whole_history_would(
    tmp_path_factory: pytest.TempPathFactory,
    readings: list[tuple[int, str, int]],
    start: int,
    length: int,
    as_of_s: int | None,
) -> None:
    with FactorStore(tmp_path_factory.mktemp("s") / "factors.db") as store:
        for number, value, at_s in readings:
            store.append([hour(number, value)], at_s)
        everything = [record for number in range(4) for record in store.history(hour(number).factor_id)]
        start_s, end_s = NOON_S + start * HOUR_S, NOON_S + (start + length) * HOUR_S
        known = [
            record
            for record in best_known(everything, as_of_s)
            if record.row.valid_to_s > start_s and record.row.valid_from_s < end_s
        ]
        assert list(store.records(["FR"], start_s, end_s, as_of_s)) == known
        numbers = sorted(record.number for record in everything)
        assert numbers == [*range(1, len(numbers) + 1)]


def test_an_old_file_does_not_undo_what_was_learnt_since(store: FactorStore) -> None:
    """The rows of a bundle that was written before a correction, imported after it."""
    store.append([hour(0, "60")], 1000)
    store.append([hour(0, "61")], 2000)
    assert store.append([hour(0, "60"), hour(1, "62")], 3000, from_elsewhere=True) == Appended(
        new=1, older=(hour(0).factor_id,)
    )
    assert values(store, 0, 2) == ["61", "62"]
    assert len(store.history(hour(0).factor_id)) == 2


def test_the_same_value_read_later_elsewhere_is_as_known_and_holds_longer(store: FactorStore) -> None:
    """What was read in between is old from then on."""

    def read(value: str, later_s: int) -> FactorRow:
        return replace(hour(0, value), origin=replace(hour(0).origin, fetched_at_s=NOON_S + later_s))

    store.append([read("60", 10)], 1000)
    assert store.append([read("60", 30)], 2000, from_elsewhere=True) == Appended(same=1)
    assert store.append([read("61", 20)], 3000, from_elsewhere=True) == Appended(older=(hour(0).factor_id,))
    assert values(store, 0, 1) == ["60"]


YEAR = hour(0, factor_id="own2025", quality_tier=4, valid_from_s=NOON_S - 365 * 86_400, valid_to_s=NOON_S)


@pytest.mark.parametrize(
    "other",
    [
        {"zone": "MY"},
        {"factor_type": FactorType.LIFECYCLE},
        {"basis": Basis.RESIDUAL},
        {"valid_from_s": NOON_S - 366 * 86_400},
        {"valid_to_s": NOON_S + 86_400},
    ],
    ids=str,
)
def test_a_file_takes_no_other_factor_away_by_its_id(store: FactorStore, other: dict[str, Any]) -> None:
    store.append([YEAR], 1000, from_elsewhere=True)
    with pytest.raises(StoreError, match=r"own2025 is the id of a factor of FR \(direct, consumption, 2025-09-21 to"):
        store.append([hour(1), replace(YEAR, value_printed="600", **other)], 2000, from_elsewhere=True)
    assert [record.row for record in store.yearly(("FR", "MY"))] == [YEAR]
    assert values(store, 0, 2) == [], "all of a file or nothing"


# --- nothing is changed, removed or half added -----------------------------------------------------------------------


_COPY = "CREATE TEMP TABLE copy AS SELECT * FROM factor WHERE number = 1; UPDATE copy SET number = 3"


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("UPDATE factor SET value_printed = '1'", "never changed"),
        ("UPDATE OR REPLACE factor SET number = 2 WHERE number = 1", "never changed"),
        ("DELETE FROM factor", "never removed"),
        ("INSERT OR REPLACE INTO factor SELECT * FROM factor WHERE number = 1", "follows the newest"),
        (f"{_COPY}; INSERT INTO factor SELECT * FROM copy", "follows the newest"),  # as if it superseded nothing
        (f"{_COPY}, supersedes = 2; INSERT INTO factor SELECT * FROM copy", "follows the newest"),
        (f"{_COPY}, supersedes = 1, recorded_at_s = 9; INSERT INTO factor SELECT * FROM copy", "follows the newest"),
        (f"{_COPY}, factor_id = 'x', number = 7; INSERT INTO factor SELECT * FROM copy", "follows the newest"),
    ],
)
def test_sqlite_itself_refuses_to_change_a_factor(store: FactorStore, path: Path, script: str, said: str) -> None:
    """Whatever program is used."""
    store.append([hour(0, "60"), hour(1, "61")], 1000)
    with closing(sqlite3.connect(path)) as other, pytest.raises(sqlite3.IntegrityError, match=said):
        other.executescript(script)
    assert values(store, 0, 9) == ["60", "61"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (hour(1, "NaN"), "which no grid has"),
        (hour(1, "Infinity"), "which no grid has"),
        (hour(1, "-0.1"), "which no grid has"),
        (hour(1, "2000.1"), "which no grid has"),
        (hour(1, "1e999999"), "which no grid has"),
        (hour(1, "fifty"), "which cannot be read"),
        (hour(1, unit_printed="lb/GWh"), "which cannot be read"),
        (hour(1, "1" * 70, unit_printed="lb/MWh"), "which cannot be read"),
        (hour(1, valid_to_s=NOON_S), "ends before it begins"),
        (hour(1, valid_to_s=2**80), "lies in no usable year"),
        (hour(1, quality_tier=0), "the tier 0"),
        (hour(1, origin=Origin(fetched_at_s=2**80)), "refused an addition"),
    ],
)
def test_a_row_that_nobody_could_use_keeps_all_of_it_out(store: FactorStore, bad: FactorRow, said: str) -> None:
    """It would fail whoever reads the hour, for ever."""
    with pytest.raises(StoreError, match=said):
        store.append([hour(0), bad, hour(2)], 1000)
    assert values(store, 0, 9) == []
    assert store.append([hour(0)], 1000) == Appended(new=1)


# --- forecasts, status, schedule -------------------------------------------------------------------------------------


def forecast(generated_at_s: int, *values: str, **other: object) -> Forecast:
    points = tuple(
        Expected(generated_at_s + number * 300, generated_at_s + (number + 1) * 300, Decimal(value))
        for number, value in enumerate(values)
    )
    plain = Forecast("FR", "watttime", Scheme.AVERAGE, FactorType.DIRECT, "CO2e", generated_at_s, points, "own", "aa")
    return replace(plain, **other)  # type: ignore[arg-type] # fields of Forecast


def test_the_newest_forecast_of_each_kind(store: FactorStore) -> None:
    """The margin and the average are two kinds; as of an earlier time the earlier one is told."""
    old, new = forecast(NOON_S, "50.0", "1E+1"), forecast(NOON_S + 300, "51")
    margin = forecast(NOON_S, "400", scheme=Scheme.OPERATING_MARGIN)
    for each, at_s in ((old, 1000), (margin, 1000), (new, 2000)):
        assert store.append_forecast(each, at_s)
    assert store.forecasts("FR") == (new, margin)
    assert store.forecasts("FR", as_of_s=1999) == (old, margin)
    assert store.forecasts("FR", as_of_s=999) == store.forecasts("DE") == ()
    assert not store.append_forecast(replace(new, raw_sha256="bb"), 3000)
    with pytest.raises(StoreError, match="no numbers"):
        store.append_forecast(forecast(NOON_S, "NaN"), 3000)


def test_forecasts_do_not_fill_the_disk(store: FactorStore) -> None:
    """Those of a month ago are removed with their points; the only one of another kind stays."""
    store.append_forecast(forecast(NOON_S, "400", scheme=Scheme.OPERATING_MARGIN), NOON_S)
    for number in range(4):
        at_s = NOON_S + number * FORECASTS_KEPT_S
        store.append_forecast(forecast(at_s, "50", "51"), at_s)
    assert [each.generated_at_s for each in store.forecasts("FR")] == [NOON_S + 3 * FORECASTS_KEPT_S, NOON_S]
    assert store._opened().execute("SELECT count(*) FROM forecast_point").fetchone() == (5,)


def test_status_and_schedule_are_overwritten(store: FactorStore) -> None:
    assert store.status("rte") == ProviderStatus("rte", 0, 0, None, "", "")
    bad = ProviderStatus("rte", 3, NOON_S + 300, NOON_S, "RTE did not answer.\ud800", "Unreachable")
    store.put_status(bad)
    assert store.status("rte") == replace(bad, last_error="RTE did not answer.\ufffd")
    store.put_status(ProviderStatus("rte", last_ok_s=NOON_S + 600))
    store.put_status(ProviderStatus("neso", failures=1))
    assert store.statuses() == (ProviderStatus("neso", failures=1), ProviderStatus("rte", last_ok_s=NOON_S + 600))
    assert store.last_read("rte", "FR", "hourly") is None
    store.mark_read("rte", "FR", "hourly", NOON_S)
    store.mark_read("rte", "FR", "hourly", NOON_S + 3600)
    store.mark_read("rte", "FR", "daily", NOON_S)
    assert store.last_read("rte", "FR", "hourly") == NOON_S + 3600
    assert store.last_read("rte", "DE", "hourly") is None
