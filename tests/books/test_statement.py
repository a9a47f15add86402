"""A month over the lake: exact sums of real Parquet files, by whatever rows and filters somebody wants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.books.small_lake import GPU, TRAIN, Hours, day, put
from tracker.books.dimensions import Wanted
from tracker.books.interface import BooksDamaged, BookStore, BooksUnavailable
from tracker.books.names import day_start_s
from tracker.books.statement import Making, MonthQuery
from tracker.books.store import open_store
from tracker.books.sums import RowSums, Sums
from tracker.core.errors import UsageError
from tracker.core.hours import HOUR_S, HourEntry
from tracker.core.model import IDLE, SYSTEM, Component, Kind, Method, Workload
from tracker.core.period import days_of, period_of
from tracker.core.statement import Period
from tracker.core.weights import Place, Weight

OCTOBER = period_of("2026-10", "UTC", UTC)
NLP, VISION = TRAIN, Workload("pod/2", Kind.POD, "detect", team="vision", project="detector", cost_centre="CC-2")
_AS_SHIPPED = "FORMAT parquet, KV_METADATA {'wattledger.schema': 'entries/1'}"


@pytest.fixture
def store(tmp_path: Path) -> BookStore:
    return open_store(str(tmp_path / "books"), create=True)


def _paths(store: BookStore, kind: str = "entries") -> list[Path]:
    return store.local([name for name, _ in store.names(f"{kind}/")])


def _asked(
    store: BookStore,
    group_by: Sequence[str] = ("team",),
    filters: Iterable[tuple[str, str]] = (),
    period: Period = OCTOBER,
    weight: dict[str, int | None] | None = None,
    makings: Sequence[Making] = (),
) -> tuple[list[RowSums], list[tuple[str, Sums]]]:
    """Rows and days, weighed by one made-up rate at PUE 1.21."""
    wanted = Wanted(tuple(group_by), tuple(filters))
    rates = {"annual_ng_per_kwh": 44, **(weight or {})}
    folder = Path(store.url.removeprefix("file://"))
    with MonthQuery(folder / "spill", 200) as query:
        query.read_entries(_paths(store), period, wanted)
        cells = query.cells()
        places = {(cell.site, cell.zone_written) for cell in cells}
        query.weigh(
            [Place(site, zone, zone or "WORLD", not zone, "owned", "2", "") for site, zone in places],
            [Weight(cell.site, cell.zone_written, cell.hour_s, 1210, **rates) for cell in cells],  # type: ignore[arg-type]  # names are the fields
            makings,
            days_of(period, ZoneInfo(period.timezone)),
            wanted,
            "Example SA",
        )
        return list(query.rows(wanted)), query.days()


def _one_day(*entries: HourEntry) -> Hours:
    return Hours(entries=list(entries))


def _entry(hour: int, workload: Workload, energy_uj: int, **how: object) -> HourEntry:
    told = {"device": GPU, "component": Component.GPU, "model": "H100", "method": Method.MEASURED, "idle_uj": 0}
    told |= {"held_ms": 1000, **how}
    at_s = day_start_s("2026-10-03") + hour * HOUR_S
    return HourEntry(hour_s=at_s, workload=workload, energy_uj=energy_uj, **told)  # type: ignore[arg-type]  # names are the fields


ENTRIES = st.lists(
    st.builds(
        _entry,
        st.integers(0, 23),
        st.sampled_from([NLP, VISION, IDLE, SYSTEM]),
        st.integers(0, 10**12),
        method=st.sampled_from(Method),
        idle_uj=st.integers(0, 10**9),
        held_ms=st.integers(0, 3_600_000),
        device=st.sampled_from([GPU, "GPU-2"]),
    ),
    min_size=1,
    max_size=30,
)


@given(ENTRIES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_sums_are_those_of_python_to_the_last_microjoule(
    tmp_path_factory: pytest.TempPathFactory, entries: list[HourEntry]
) -> None:
    store = open_store(str(tmp_path_factory.mktemp("lake") / "books"), create=True)
    put(store, "2026-10-03", _one_day(*entries))
    rows, days = _asked(store, ("team", "project"))
    assert sum(row.sums.it_uj for row in rows) == sum(entry.energy_uj for entry in entries)
    assert sum(row.sums.held_ms for row in rows) == sum(entry.held_ms for entry in entries)
    for method, name in ((Method.MEASURED, "measured_uj"), (Method.SIMULATED, "simulated_uj")):
        of_method = sum(entry.energy_uj for entry in entries if entry.method is method)
        assert sum(getattr(row.sums, name) for row in rows) == of_method
    assert sum(row.sums.annual or 0 for row in rows) == sum(entry.energy_uj for entry in entries) * 1210 * 44
    assert [(name, of_day.it_uj) for name, of_day in days] == [("2026-10-03", sum(e.energy_uj for e in entries))]


def test_energy_of_no_workload_is_a_row_of_its_own(store: BookStore) -> None:
    """Never smeared over teams, and never under an empty name."""
    put(store, "2026-10-03", _one_day(_entry(1, NLP, 100), _entry(1, IDLE, 40), _entry(2, SYSTEM, 2)))
    rows, _ = _asked(store, ("cost_centre", "team", "project"))
    assert [(row.key, row.remainder, row.sums.it_uj) for row in rows] == [
        (("CC-1", "nlp", "llama"), False, 100),
        (("__idle__", "__idle__", "__idle__"), True, 40),
        (("__system__", "__system__", "__system__"), True, 2),
    ]


def test_rows_are_sorted_by_any_dimension(store: BookStore) -> None:
    put(store, "2026-10-03", _one_day(_entry(1, VISION, 3), _entry(1, NLP, 1), _entry(5, NLP, 10)))
    rows, _ = _asked(store, ("entity", "site", "grid_zone", "control", "hostname", "workload_kind", "name"))
    assert [(row.key, row.sums.it_uj) for row in rows] == [
        (("Example SA", "par1", "FR", "owned", "gpu-1", "pod", "detect"), 3),
        (("Example SA", "par1", "FR", "owned", "gpu-1", "pod", "train"), 11),
    ]


@pytest.mark.parametrize(
    ("filters", "it_uj"),
    [
        ([("team", "nlp")], 1),
        ([("team", "nlp"), ("team", "vision")], 4),
        ([("team", "*")], 9),
        ([("team", "n*"), ("project", "det*")], 0),
        ([("project", "__idle__")], 5),
        ([("site", "par?")], 9),
        ([("site", "fra1")], 0),
        ([("grid_zone", "FR"), ("team", "vision")], 3),
        ([("entity", "Ex*")], 9),
        ([("control", "cloud")], 0),
        ([("device_model", "H1*")], 9),
        ([("team", "nlp'; DROP TABLE hourly; --")], 0),
    ],
)
def test_filters_keep_what_fits(store: BookStore, filters: list[tuple[str, str]], it_uj: int) -> None:
    put(store, "2026-10-03", _one_day(_entry(1, VISION, 3), _entry(1, NLP, 1), _entry(5, IDLE, 5)))
    rows, days = _asked(store, ("team",), filters)
    assert sum(row.sums.it_uj for row in rows) == it_uj
    assert sum(of_day.it_uj for _, of_day in days) == it_uj


def test_a_filter_does_not_change_what_weights_are_chosen_from(store: BookStore) -> None:
    """Contracts cover the energy of everybody, whoever asks."""
    put(store, "2026-10-03", _one_day(_entry(1, VISION, 3), _entry(1, NLP, 1)))
    with MonthQuery(Path(), 200) as query:
        query.read_entries(_paths(store), OCTOBER, Wanted(("team",), (("team", "nlp"),)))
        assert [(cell.site, cell.zone_written, cell.it_uj) for cell in query.cells()] == [("par1", "FR", 4)]


def test_hours_outside_the_month_are_left_out(store: BookStore) -> None:
    """The files of a UTC day hold hours of two months where clocks differ."""
    put(store, "2026-09-30", day("2026-09-30", energy_uj=4))
    put(store, "2026-10-01", day("2026-10-01", energy_uj=4))
    assert sum(row.sums.it_uj for row in _asked(store)[0]) == 24 * 4
    paris = period_of("2026-10", "Europe/Paris", ZoneInfo("Europe/Paris"))
    rows, days = _asked(store, period=paris)
    assert sum(row.sums.it_uj for row in rows) == 26 * 4
    assert [(name, of_day.it_uj) for name, of_day in days] == [("2026-10-01", 96), ("2026-10-02", 8)]


def test_what_has_no_rate_is_not_known_and_told_apart(store: BookStore) -> None:
    put(store, "2026-10-03", _one_day(_entry(1, NLP, 100)))
    (row,), _ = _asked(store, weight={"annual_ng_per_kwh": None, "price_micro_per_kwh": 5})
    assert (row.sums.annual, row.sums.annual_unknown_nj) == (None, 121_000)
    assert (row.sums.cost, row.sums.cost_unknown_nj) == (605_000, 0)
    assert (row.sums.hourly, row.sums.market) == (None, None)


def test_hardware_weighs_by_model_and_held_time(store: BookStore) -> None:
    put(store, "2026-10-03", _one_day(_entry(1, NLP, 1), _entry(1, VISION, 1, model="A100")))
    rows, _ = _asked(store, makings=[Making("gpu", "H100", 7)])
    assert [(row.key, row.sums.embodied, row.sums.embodied_unknown_ms) for row in rows] == [
        (("nlp",), 7000, 0),
        (("vision",), None, 1000),
    ]


def test_sums_beyond_64_bits_do_not_overflow(store: BookStore) -> None:
    """A terawatt-hour at 1 kg/kWh."""
    put(store, "2026-10-03", _one_day(*(_entry(hour, NLP, 9 * 10**18) for hour in range(3))))
    (row,), _ = _asked(store, weight={"annual_ng_per_kwh": 10**12})
    assert row.sums.annual == 27 * 10**18 * 1210 * 10**12


def test_a_truncated_file_is_named(store: BookStore) -> None:
    names = put(store, "2026-10-03", day("2026-10-03"))
    put(store, "2026-10-04", day("2026-10-04"))
    (path,) = store.local([names["entries"]])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(BooksDamaged, match=path.name):
        _asked(store)


@pytest.mark.parametrize("older_first", [True, False])
def test_files_that_lack_a_column_are_read_beside_those_that_have_it(store: BookStore, *, older_first: bool) -> None:
    """Columns are only ever added: an older file has fewer, and its rows are not lost, nor those of the others cut."""
    put(store, "2026-10-03", _one_day(_entry(1, NLP, 100)))
    put(
        store,
        "2026-10-04",
        Hours(
            entries=[
                HourEntry(OCTOBER.start_s + 80 * HOUR_S, GPU, Component.GPU, "H100", NLP, Method.MEASURED, 7, 0, 1)
            ]
        ),
    )
    path = _paths(store)[0 if older_first else 1]
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE old AS SELECT * EXCLUDE (phase, cluster) FROM read_parquet('{path}')")
        connection.execute(f"COPY old TO '{path}' ({_AS_SHIPPED})")
    rows, _ = _asked(store, ("team", "phase"))
    assert sum(row.sums.it_uj for row in rows) == 107
    assert {row.key for row in rows} == {("nlp", ""), ("nlp", "training")}


@pytest.mark.parametrize(
    ("group_by", "sentence"),
    [
        (("temas",), "'temas' is nothing to group or filter by"),
        ((), "need a dimension"),
        (("team", "team"), "each only once"),
    ],
)
def test_what_is_no_dimension_is_refused(group_by: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        Wanted(group_by)


def _many(store: BookStore, projects: int) -> Path:
    """A day with so many projects in each hour."""
    names = put(store, "2026-10-03", day("2026-10-03"))
    (path,) = store.local([names["entries"]])
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE many AS SELECT * REPLACE ('project-' || r AS project, 1 AS energy_uj) "
            f"FROM read_parquet('{path}'), range({projects}) n(r)"
        )
        connection.execute(f"COPY many TO '{path}' ({_AS_SHIPPED})")
    return path


def test_beyond_its_memory_a_month_spills_to_disk(store: BookStore, tmp_path: Path) -> None:
    """Half a million groups with texts of their own; the sums stay what they are."""
    path = _many(store, 10_000)
    with MonthQuery(tmp_path / "spill", 128, threads=1) as query:
        query.read_entries([path], OCTOBER, Wanted(("project",)))
        assert sum(cell.it_uj for cell in query.cells()) == 48 * 10_000


def test_a_month_that_fits_nowhere_says_what_to_raise(store: BookStore, tmp_path: Path) -> None:
    path = _many(store, 5000)
    with MonthQuery(tmp_path / "spill", 20, threads=1) as query, pytest.raises(BooksUnavailable, match="20 MiB"):
        query.read_entries([path], OCTOBER, Wanted(("project",)))
