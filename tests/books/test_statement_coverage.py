"""How much of a month the books have: absence is listed and counted, never zero and never whole."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.books.small_lake import GPU, NODE, Hours, day, put
from tracker.books.coverage import Coverage, Expected, Part, Presence, last_sites, missing_ranges, read_presence
from tracker.books.folder import FolderStore
from tracker.books.interface import BooksDamaged, BookStore
from tracker.books.names import LakeFile, parse_name
from tracker.books.statement import MonthQuery
from tracker.core.hours import HOUR_S, HourState, NodeFacts
from tracker.core.model import Component, GapReason
from tracker.core.period import period_of
from tracker.core.statement import Period

HOUR_MS = 3_600_000
OCTOBER = period_of("2026-10", "UTC", UTC)
START_S = OCTOBER.start_s
TWIN = NodeFacts("gpu-1", "ff" * 16, site="par1", zone="FR")


@pytest.fixture
def store(tmp_path: Path) -> BookStore:
    return FolderStore(tmp_path / "books", create=True)


@pytest.fixture
def query(tmp_path: Path) -> Iterator[MonthQuery]:
    with MonthQuery(tmp_path / "spill", 200) as made:
        yield made


def _files(store: BookStore) -> list[LakeFile]:
    return [file for name, size in store.names("coverage/") if (file := parse_name(name, size)) is not None]


def _presence(query: MonthQuery, store: BookStore, period: Period = OCTOBER) -> Presence:
    files = _files(store)
    return read_presence(query, files, store.local([file.name for file in files]), period)


def _state(hour: int, state: str, ms: int, device: str = GPU, component: Component = Component.GPU) -> HourState:
    return HourState(START_S + hour * HOUR_S, device, component, state, ms)


def test_covered_time_and_gaps_by_reason(query: MonthQuery, store: BookStore) -> None:
    states = [
        _state(0, "covered", HOUR_MS),
        _state(3, "covered", HOUR_MS // 4),
        _state(3, GapReason.HANG, HOUR_MS // 4),
        _state(3, GapReason.DOWNTIME, HOUR_MS // 2),
        _state(5, GapReason.DOWNTIME, HOUR_MS),
    ]
    put(store, "2026-10-01", Hours(states=states))
    found = _presence(query, store)
    assert found.parts == (Part("gpu-1", "par1", "gpu", HOUR_MS * 5 // 4, 3 * HOUR_MS),)
    assert found.gaps_ms == {"gpu-1": (("downtime", HOUR_MS * 3 // 2), ("hang", HOUR_MS // 4))}
    assert found.hours == {"gpu-1": tuple(START_S + hour * HOUR_S for hour in (0, 3, 5))}


def test_hours_are_those_of_the_month_alone(query: MonthQuery, store: BookStore) -> None:
    put(store, "2026-09-30", day("2026-09-30"))
    put(store, "2026-10-01", day("2026-10-01"))
    kathmandu = period_of("2026-10", "Asia/Kathmandu", ZoneInfo("Asia/Kathmandu"))
    hours = _presence(query, store, kathmandu).hours["gpu-1"]
    assert hours[0] == START_S - 5 * HOUR_S, "19:00 UTC is the first hour that starts after midnight (18:15 UTC)"
    assert len(hours) == 29


def test_the_last_hour_of_a_month_is_one_of_its_hours(query: MonthQuery, store: BookStore) -> None:
    put(store, "2026-10-31", day("2026-10-31", hours=[23]))
    assert _presence(query, store).hours == {"gpu-1": (OCTOBER.end_s - HOUR_S,)}


def test_an_hour_whose_energy_did_not_come_is_not_there(query: MonthQuery, store: BookStore) -> None:
    """By ledger: the other one of that name has its energy. Its gaps are not known either."""
    put(store, "2026-10-01", day("2026-10-01", hours=range(6)))
    put(store, "2026-10-01", day("2026-10-01", hours=range(4, 8)), node=TWIN)
    files = _files(store)
    hours_s = [START_S + hour * HOUR_S for hour in range(24)]
    lost = {("gpu-1", "0a1b2c3d"): hours_s[2:6]}
    found = read_presence(query, files, store.local([file.name for file in files]), OCTOBER, lost=lost)
    assert found.hours == {"gpu-1": (*hours_s[:2], *hours_s[4:8])}
    assert found.lost == {"gpu-1": (*hours_s[2:4],)}
    assert found.parts == (Part("gpu-1", "par1", "gpu", 6 * HOUR_MS, 6 * HOUR_MS),)
    assert _presence(query, store).lost == {}


def test_packages_are_those_that_a_host_has_at_once(query: MonthQuery, store: BookStore) -> None:
    states = [_state(hour, "covered", HOUR_MS, f"package-{n}", Component.CPU) for hour in (0, 1) for n in (0, 1)]
    put(store, "2026-10-01", Hours(states=states))
    _presence(query, store)
    assert query.execute("SELECT hostname, count FROM packages").fetchall() == [("gpu-1", 2)]


def test_hours_of_two_ledgers_of_one_hostname_are_counted(query: MonthQuery, store: BookStore) -> None:
    put(store, "2026-10-01", day("2026-10-01", hours=range(12)))
    put(store, "2026-10-01", day("2026-10-01", hours=range(10, 24)), node=TWIN)
    assert _presence(query, store).doubles == {"gpu-1": 2}


def test_a_node_that_is_gone_is_expected_where_it_was_last(query: MonthQuery, store: BookStore) -> None:
    put(store, "2026-09-29", day("2026-09-29"), node=NODE)
    assert last_sites(query, store.local([file.name for file in _files(store)])) == {"gpu-1": "par1"}


def test_a_truncated_file_is_named(query: MonthQuery, store: BookStore) -> None:
    put(store, "2026-10-01", day("2026-10-01"))
    (path,) = store.local([file.name for file in _files(store)])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BooksDamaged, match=path.name):
        _presence(query, store)


# --- expected beside there -------------------------------------------------------------------------------------------


def _made(*parts: Part, hours: dict[str, int]) -> Presence:
    there = {name: tuple(START_S + n * HOUR_S for n in range(count)) for name, count in hours.items()}
    return Presence(parts, {}, there, {})


def _expected(hostname: str, hours: int, site: str = "") -> Expected:
    return Expected(hostname, START_S, START_S + hours * HOUR_S, site)


def test_a_missing_hour_is_due_as_much_as_one_that_is_there() -> None:
    presence = _made(Part("a", "par1", "gpu", 8 * HOUR_MS, 8 * HOUR_MS), hours={"a": 1})
    coverage = Coverage(presence, [_expected("a", 4)])
    assert coverage.of() == 250_000
    (line,) = coverage.lines()
    assert (line.expected_h, line.present_h, line.covered_ppm) == (4, 1, 250_000)
    assert line.missing == ("2026-10-01T01:00Z +3 h",)


def test_an_absent_node_weighs_as_much_as_its_neighbours() -> None:
    presence = _made(
        Part("a", "par1", "gpu", 8 * HOUR_MS, 8 * HOUR_MS),
        Part("b", "fra1", "gpu", HOUR_MS, HOUR_MS),
        hours={"a": 1, "b": 1},
    )
    coverage = Coverage(presence, [_expected("a", 1), _expected("b", 1), _expected("gone", 1, "par1")])
    assert coverage.of(site="par1") == 500_000
    assert coverage.of(site="fra1") == 1_000_000
    assert coverage.of(hostname="gone") == 0
    assert coverage.of(component="cpu") is None, "nothing of it was expected"


def test_coverage_is_told_by_site_component_and_node() -> None:
    presence = _made(
        Part("a", "par1", "cpu", HOUR_MS // 4, HOUR_MS),
        Part("a", "par1", "gpu", HOUR_MS, HOUR_MS),
        hours={"a": 1},
    )
    coverage = Coverage(presence, [_expected("a", 1)])
    assert [coverage.of(component=name) for name in ("cpu", "gpu", None)] == [250_000, 1_000_000, 625_000]


def test_nobody_expected_is_not_known() -> None:
    assert Coverage(_made(hours={}), []).of() is None


def test_missing_hours_are_ranges_for_people() -> None:
    expected = range(START_S, START_S + 6 * HOUR_S, HOUR_S)
    there = [START_S + hour * HOUR_S for hour in (0, 3)]
    assert missing_ranges(expected, there) == ("2026-10-01T01:00Z +2 h", "2026-10-01T04:00Z +2 h")
    assert missing_ranges(expected, list(expected)) == ()
