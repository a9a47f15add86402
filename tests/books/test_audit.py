"""An audit of the lake: everything that would make a statement wrong is found, named and comes with a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.books.small_lake import GPU, HOUR_MS, NODE, Hours, J, day, put, put_rows
from tests.fakes.s3 import s3_server
from tracker.books.audit import LakeAudit, audit_lake
from tracker.books.finding import BooksFinding
from tracker.books.folder import FolderStore
from tracker.books.interface import BookStore, BooksUnavailable
from tracker.books.lake import to_parquet
from tracker.books.names import day_start_s
from tracker.books.schema import coverage_rows, entry_rows
from tracker.books.store import open_store
from tracker.core.hours import HOUR_S
from tracker.core.model import Component, Level, Method

DATE = "2026-10-03"
DAY_S = day_start_s(DATE)
NOW_S = DAY_S + 24 * HOUR_S
TWIN = replace(NODE, ledger="ffffffff" * 4)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "books", create=True)


def audited(store: BookStore, as_of_s: int = NOW_S, **options: int) -> LakeAudit:
    return audit_lake(store, as_of_s=as_of_s, start_s=options.get("start_s"), end_s=options.get("end_s"))


def found(store: BookStore, as_of_s: int = NOW_S) -> dict[str, list[BooksFinding]]:
    by_check: dict[str, list[BooksFinding]] = {}
    for each in audited(store, as_of_s).findings:
        assert each.message.endswith(".")
        assert each.remedy, each
        by_check.setdefault(each.check, []).append(each)
    return by_check


def path_of(store: BookStore, name: str) -> Path:
    return store.local([name])[0]


def test_sound_books_have_no_finding(store: FolderStore) -> None:
    put(store, DATE, day(DATE))
    audit = audited(store)
    assert audit.findings == ()
    assert audit.ok
    assert (audit.files, audit.node_hours) == (3, 24)


def test_coverage_without_its_energy_is_a_failure(store: FolderStore) -> None:
    """Those hours look measured and would be nought: a day, and the end of one."""
    files = put(store, DATE, day(DATE))
    put(store, DATE, day(DATE), node=replace(NODE, hostname="gpu-2", ledger="22222222" * 4))
    store.remove(files["entries"])
    (lost,) = found(store)["entries"]
    assert (lost.level, lost.subject) == (Level.FAIL, "gpu-1")
    assert "2026-10-03T00:00Z +24 h and no energy" in lost.message
    assert "wattledger ship" in lost.remedy
    put(store, DATE, day(DATE, hours=range(20)), span_h=(0, 20))
    (lost,) = found(store)["entries"]
    assert "2026-10-03T20:00Z +4 h and no energy" in lost.message
    put(store, DATE, Hours(), span_h=(20, 24))
    assert "entries" not in found(store), "a node that was off ships files without rows"


class ShippingMeanwhile(FolderStore):
    """A node ships between the listing of entries and that of coverage."""

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        yield from super().names(prefix)
        if prefix == "entries/":
            put(FolderStore(Path(self.url)), DATE, day(DATE))


def test_what_is_shipped_while_it_is_verified_is_not_lost(store: FolderStore) -> None:
    audit = audited(ShippingMeanwhile(Path(store.url)))
    assert [each for each in audit.findings if each.check == "entries"] == []


def test_empty_books_have_no_finding(store: FolderStore) -> None:
    assert audited(store).findings == ()


def test_a_truncated_file_is_found_and_hides_no_other(store: FolderStore) -> None:
    first = put(store, DATE, day(DATE))["entries"]
    second = put(store, "2026-10-02", day("2026-10-02"))["entries"]
    for name in (first, second):
        path = path_of(store, name)
        path.write_bytes(path.read_bytes()[:-100])
    damaged = found(store)["damaged"]
    assert {each.subject for each in damaged} == {first, second}
    assert all("truncated" in each.message and "wattledger ship" in each.remedy for each in damaged)
    assert all("/part.parquet" not in each.message for each in damaged)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not a parquet file at all, but long enough to be one PAR1"])
def test_what_is_no_parquet_file_is_found(store: FolderStore, content: bytes) -> None:
    name = put(store, DATE, day(DATE))["coverage"]
    path_of(store, name).write_bytes(content)
    assert [each.subject for each in found(store)["damaged"]] == [name]


def test_a_changed_microjoule_is_found_though_the_file_is_whole(store: FolderStore) -> None:
    """Somebody wrote the file anew, with the old hash inside and the old name."""
    hours = day(DATE)
    name = put(store, DATE, hours)["entries"]
    sha256 = "00" * 32
    hours.entries[7] = replace(hours.entries[7], energy_uj=hours.entries[7].energy_uj + 1)
    path_of(store, name).write_bytes(to_parquet("entries", NODE, entry_rows(NODE, hours.entries), sha256))
    altered = found(store)["altered"]
    assert [each.subject for each in altered] == [name]
    assert "altered after shipping" in altered[0].message


def test_a_file_under_the_name_of_another_is_found(store: FolderStore) -> None:
    one = put(store, DATE, day(DATE))["entries"]
    other = put(store, "2026-10-02", day("2026-10-02"))["entries"]
    path_of(store, one).write_bytes(path_of(store, other).read_bytes())
    checks = found(store)
    assert [each.subject for each in checks["renamed"]] == [one]
    assert "2026-10-02T00:00Z" in checks["hours"][0].message


def test_rows_of_another_node_are_found(store: FolderStore) -> None:
    rows = entry_rows(replace(NODE, hostname="gpu-2"), day(DATE).entries)
    name = put_rows(store, "entries", DATE, rows)
    assert "gpu-2" in found(store)["node"][0].message
    assert found(store)["node"][0].subject == name


def test_a_quantity_below_zero_is_found(store: FolderStore) -> None:
    put(store, DATE, Hours().add(DAY_S, -1))
    assert "below 0" in found(store)["quantities"][0].message


def test_a_file_of_a_newer_schema_is_not_called_damaged(store: FolderStore) -> None:
    name = put(store, DATE, day(DATE))["entries"]
    path = path_of(store, name)
    path.write_bytes(path.read_bytes().replace(b"entries/1", b"entries/9"))
    schema = found(store)["schema"]
    assert [each.subject for each in schema] == [name]
    assert "newer wattledger" in schema[0].remedy


def test_energy_without_coverage_is_found(store: FolderStore) -> None:
    hours = day(DATE)
    hours.states = [state for state in hours.states if state.hour_s != DAY_S + 5 * HOUR_S]
    put(store, DATE, hours)
    uncovered = found(store)["uncovered"]
    assert [each.subject for each in uncovered] == ["gpu-1"]
    assert "2026-10-03T05:00Z +1 h" in uncovered[0].message


def test_more_coverage_than_an_hour_has_is_found(store: FolderStore) -> None:
    put(store, DATE, Hours().add(DAY_S, 1, covered_ms=HOUR_MS + 1))
    assert "3600001 ms" in found(store)["coverage"][0].message


def test_the_same_row_twice_is_found(store: FolderStore) -> None:
    put(store, DATE, Hours().add(DAY_S, 5).add(DAY_S, 7, covered_ms=None))
    assert "more than once" in found(store)["duplicate"][0].message


def test_two_ledgers_of_one_hostname_in_the_same_hours_are_found(store: FolderStore) -> None:
    put(store, DATE, day(DATE))
    put(store, DATE, day(DATE, hours=range(3, 6), device="GPU-2"), node=TWIN)
    namesake = found(store)["namesake"]
    assert [each.subject for each in namesake] == ["gpu-1"]
    assert "2026-10-03T03:00Z +3 h" in namesake[0].message
    assert "0a1b2c3d, ffffffff" in namesake[0].message


def test_history_of_another_component_is_no_namesake(store: FolderStore) -> None:
    """A node measured its GPU; its CPU was read from Prometheus, which is a ledger of its own."""
    put(store, DATE, day(DATE))
    history = Hours()
    for hour in range(24):
        history.add(DAY_S + hour * HOUR_S, 5 * J, device="cpu", component=Component.CPU)
    put(store, DATE, history, node=TWIN)
    assert found(store) == {}


def test_one_name_in_two_clusters_is_told_and_is_no_failure(store: FolderStore) -> None:
    put(store, DATE, day(DATE))
    put(store, DATE, day(DATE, device="GPU-2"), node=replace(TWIN, cluster="paris-2"))
    audit = audited(store)
    assert audit.ok
    assert "Nodes of paris-1, paris-2 share this name" in audit.findings[0].message


def test_a_node_that_was_set_up_anew_is_no_namesake(store: FolderStore) -> None:
    """Its new ledger begins where the old one ended."""
    put(store, DATE, day(DATE, hours=range(12)), span_h=(0, 12))
    put(store, DATE, day(DATE, hours=range(12, 24)), node=TWIN, span_h=(12, 24))
    assert found(store) == {}


def test_a_gpu_that_two_nodes_book_whole_is_told(store: FolderStore) -> None:
    put(store, DATE, day(DATE))
    put(store, DATE, day(DATE), node=replace(TWIN, hostname="sidecar-7"))
    shared = found(store)["shared_device"]
    assert [each.level for each in shared] == [Level.FAIL], "a month is not closed on energy that is in it twice"
    assert GPU in shared[0].message


def test_hours_in_the_future_are_found(store: FolderStore) -> None:
    put(store, DATE, day(DATE))
    clock = found(store, as_of_s=DAY_S + 20 * HOUR_S)["clock"]
    assert [each.subject for each in clock] == ["gpu-1"]
    assert "2026-10-03T20:00Z +4 h" in clock[0].message


def test_power_that_no_device_draws_is_found(store: FolderStore) -> None:
    put(store, DATE, Hours().add(DAY_S, 7_000 * 3600 * J))
    assert "7000 W" in found(store)["power"][0].message


def test_modelled_energy_is_not_held_against_a_device(store: FolderStore) -> None:
    put(store, DATE, Hours().add(DAY_S, 9_000 * 3600 * J, method=Method.MODELLED, component=Component.CPU))
    assert found(store) == {}


def test_missing_node_hours_are_listed_and_are_no_failure(store: FolderStore) -> None:
    put(store, DATE, day(DATE, hours=[*range(4), *range(7, 24)]))
    audit = audited(store)
    assert audit.ok
    assert [(each.check, each.subject) for each in audit.findings] == [("missing", "gpu-1")]
    assert "2026-10-03T04:00Z +3 h" in audit.findings[0].message


def test_a_node_that_fell_silent_is_told_unless_it_is_retired(store: FolderStore) -> None:
    put(store, DATE, day(DATE))
    later_s = NOW_S + 72 * HOUR_S
    assert [each.subject for each in found(store, as_of_s=later_s)["silent"]] == ["gpu-1"]
    retired = audit_lake(store, as_of_s=later_s, retired={"gpu-1": NOW_S})
    assert retired.findings == ()


def test_two_pieces_of_the_same_hours_are_found(store: FolderStore) -> None:
    put(store, DATE, day(DATE, hours=range(4)), span_h=(0, 4))
    late = put(store, DATE, day(DATE, hours=range(2, 6)), span_h=(2, 6))
    assert late["entries"] in [each.subject for each in found(store)["overlap"]]


def test_a_piece_that_its_day_file_has_is_only_untidy(store: FolderStore) -> None:
    put(store, DATE, day(DATE))
    put(store, DATE, day(DATE, hours=range(4)), span_h=(0, 4))
    audit = audited(store)
    assert audit.ok
    assert {each.check for each in audit.findings} == {"left_over"}


def test_a_piece_that_disagrees_with_its_day_file_is_found(store: FolderStore) -> None:
    put(store, DATE, day(DATE))
    piece = put(store, DATE, day(DATE, hours=range(4), energy_uj=40 * J), span_h=(0, 4))
    assert [each.subject for each in found(store)["piece"]] == [piece["entries"]]


def test_what_was_set_aside_as_a_conflict_is_found(store: FolderStore) -> None:
    name = put(store, DATE, day(DATE))["entries"]
    assert store.create(f"conflicts/{name}", b"PAR1")
    assert [each.subject for each in found(store)["conflict"]] == [f"conflicts/{name}"]


def test_strange_files_are_told(store: FolderStore) -> None:
    assert store.create("entries/month=2026-10/day=03/notes.txt", b"hello")
    assert store.create("factors/notes.txt", b"hello")
    assert {each.subject for each in found(store)["stranger"]} == {
        "entries/month=2026-10/day=03/notes.txt",
        "factors/notes.txt",
    }


def test_altered_factors_are_found(store: FolderStore) -> None:
    assert store.create("factors/0011223344556677.json", b"{}")
    assert [each.subject for each in found(store)["altered"]] == ["factors/0011223344556677.json"]


def test_a_month_is_audited_by_itself(store: FolderStore) -> None:
    put(store, DATE, day(DATE))
    name = put(store, "2026-09-30", day("2026-09-30"))["entries"]
    path_of(store, name).write_bytes(b"")
    assert store.create(f"conflicts/{name}", b"")
    october_s = day_start_s("2026-10-01")
    audit = audited(store, start_s=october_s, end_s=day_start_s("2026-11-01"))
    assert audit.findings == ()
    assert not audited(store).ok


def test_of_many_findings_the_first_are_shown_and_counted(store: FolderStore) -> None:
    for number in range(25):
        assert store.create(f"conflicts/{number:02}", b"")
    conflicts = found(store)["conflict"]
    assert len(conflicts) == 21
    assert conflicts[-1].message == "There are 5 more of these."


def test_progress_is_told_to_the_end(store: FolderStore) -> None:
    put(store, DATE, day(DATE))
    told: list[tuple[int, int]] = []
    audit_lake(store, as_of_s=NOW_S, tell=lambda done, total, _what: told.append((done, total)))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


class Failing(BookStore):
    """A folder in which some files cannot be read."""

    def __init__(self, store: BookStore, bad: set[str]) -> None:
        self.url, self._store, self._bad = store.url, store, bad

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        return self._store.names(prefix)

    def read(self, name: str) -> bytes | None:
        if name in self._bad:
            raise BooksUnavailable(f"{name} cannot be read: Input/output error.", "Check the disk.")
        return self._store.read(name)

    def create(self, name: str, content: bytes) -> bool:
        return self._store.create(name, content)

    def remove(self, name: str) -> None:
        self._store.remove(name)

    def local(self, names: Sequence[str]) -> list[Path]:
        return self._store.local(names)


def test_a_bad_sector_is_a_finding_and_a_store_that_is_gone_an_error(store: FolderStore) -> None:
    names = put(store, DATE, day(DATE))
    put(store, "2026-10-02", day("2026-10-02"))
    assert [each.subject for each in found(Failing(store, {names["entries"]}))["unreadable"]] == [names["entries"]]
    with pytest.raises(BooksUnavailable):
        audited(Failing(store, {name for name, _ in store.names()}))


def test_hostnames_with_dashes_dots_and_slashes_are_told_apart(store: FolderStore) -> None:
    node = replace(NODE, hostname="rack-7/node.a-b")
    put(store, DATE, day(DATE), node=node)
    states = coverage_rows(node, day(DATE).states)
    assert states[0][1] == "rack-7/node.a-b"
    assert audited(store).findings == ()


def test_an_object_that_was_altered_in_a_bucket_is_found_beside_a_good_copy_in_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with s3_server() as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        store = open_store(server.bucket("books"), tmp_path / "cache")
        name = put(store, DATE, day(DATE))["entries"]
        assert audited(store).findings == ()
        (copy,) = store.local([name])
        store.remove(name)
        assert store.create(name, copy.read_bytes()[:-50])
        assert [each.subject for each in found(store)["damaged"]] == [name]


def test_one_bad_file_among_many_is_found_and_the_others_are_still_summed(store: FolderStore) -> None:
    """Files are looked at together; what is wrong with one of them is told as if it were alone."""
    for number in range(70):
        node = replace(NODE, hostname=f"gpu-{number}", ledger=f"{number:08x}" * 4)
        names = put(store, DATE, day(DATE, device=f"GPU-{number}", hours=range(2)), node=node)
    good, bad = path_of(store, names["entries"]), path_of(store, names["coverage"])
    bad.write_bytes(good.read_bytes())
    audit = audited(store)
    assert (audit.files, audit.node_hours) == (210, 140)
    failed = [each for each in audit.findings if each.level is Level.FAIL]
    assert {each.subject for each in failed} == {names["coverage"], "gpu-69"}
