"""Files of the lake: the same rows for ever, and a sentence for what is none."""

from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import pytest

from tests.books.shipments import FIRST, Node
from tests.conftest import REPO
from tracker.books.folder import FolderStore
from tracker.books.interface import BooksDamaged, BooksRefused, BooksUnavailable
from tracker.books.lake import about, file_for, read_rows, refuse_newer, rows_in, scan, to_parquet
from tracker.books.schema import SCHEMAS, Row, content_sha256
from tracker.books.shipping import rows_of
from tracker.core.hours import HOUR_S

FIXTURE = REPO / "tests" / "fixtures" / "lake-1"
#: What the names of the files of version 1 say of their rows; no later version may find anything else in them.
VERSION_1 = {"coverage": "6f454275229a3184", "emissions": "e172989a97484247", "entries": "31604b4e5fa250d2"}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(FolderStore(tmp_path / "books", create=True))
    node.run(3)
    return node


def rows(node: Node, kind: str = "entries") -> list[Row]:
    return rows_of(node.facts, node.read(FIRST, node.closed_s))[kind]


def written(node: Node, kind: str = "entries") -> bytes:
    content = rows(node, kind)
    return to_parquet(kind, node.facts, content, content_sha256(kind, content))


def saved(folder: Path, content: bytes) -> Path:
    path = folder / "some.parquet"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", list(SCHEMAS))
def test_rows_are_read_as_they_were_written(node: Node, kind: str) -> None:
    assert rows_in(kind, written(node, kind), "x") == sorted(rows(node, kind))


def test_the_order_of_rows_does_not_matter(node: Node) -> None:
    backwards = rows(node)[::-1]
    assert content_sha256("entries", backwards) == content_sha256("entries", rows(node))
    assert to_parquet("entries", node.facts, backwards, "0") == to_parquet("entries", node.facts, rows(node), "0")


def test_numbers_are_whole_to_the_last_digit(node: Node) -> None:
    """Beyond what a double holds, and text that no encoding likes."""
    row = list(rows(node)[0])
    row[4], row[-3] = "'; DROP TABLE x; -- \N{SNOWMAN}\x00\n=1+1", 2**63 - 1
    content = to_parquet("entries", node.facts, [tuple(row)], "0")
    assert rows_in("entries", content, "x") == [tuple(row)]


def test_an_empty_file_says_that_there_was_nothing(node: Node) -> None:
    assert rows_in("emissions", to_parquet("emissions", node.facts, [], "0"), "x") == []


def test_a_file_says_who_wrote_it(node: Node, tmp_path: Path) -> None:
    assert about(saved(tmp_path, written(node))) == {
        "wattledger.schema": "entries/1",
        "wattledger.software": "0.1.0",
        "wattledger.hostname": "gpu-017",
        "wattledger.ledger": node.facts.ledger,
        "wattledger.rows_sha256": content_sha256("entries", rows(node)),
    }


def test_hours_of_a_day_are_named_by_it(node: Node) -> None:
    assert file_for("entries", node.facts, FIRST, FIRST + 24 * HOUR_S, "f" * 64).whole
    piece = file_for("entries", node.facts, FIRST + 7 * HOUR_S, FIRST + 11 * HOUR_S, "f" * 64)
    assert (piece.date, piece.from_h, piece.to_h, piece.whole) == ("2026-10-03", 7, 11, False)


@pytest.mark.parametrize("kind", list(SCHEMAS))
def test_files_of_version_1_stay_readable(kind: str) -> None:
    """These bytes are of the first released schema. They are never written again."""
    (path,) = FIXTURE.glob(f"{kind}-*.parquet")
    found = read_rows(kind, path)
    assert content_sha256(kind, found)[:16] == VERSION_1[kind]
    assert path.stem == f"{kind}-{VERSION_1[kind]}"


def test_a_column_that_an_older_file_lacks_is_empty(node: Node, tmp_path: Path) -> None:
    path, older = saved(tmp_path, written(node)), tmp_path / "older.parquet"
    with duckdb.connect() as db:
        db.execute(
            f"COPY (SELECT * EXCLUDE (phase, idle_uj) FROM '{path}') TO '{older}'"
            " (FORMAT parquet, KV_METADATA {'wattledger.schema': 'entries/1'})"
        )
        mixed = db.execute(f"SELECT count(*), count(phase), sum(energy_uj) FROM {scan('entries', [path, older])}")
        assert mixed.fetchall() == [(12, 6, 2 * node.total_uj)]
    names = [name for name, _ in SCHEMAS["entries"]]
    for row in read_rows("entries", older):
        assert (row[names.index("phase")], row[names.index("idle_uj")]) == ("", None)


def test_a_newer_schema_is_refused_with_a_sentence(node: Node, tmp_path: Path) -> None:
    path, newer = saved(tmp_path, written(node)), tmp_path / "newer.parquet"
    with duckdb.connect() as db:
        db.execute(
            f"COPY (FROM '{path}') TO '{newer}' (FORMAT parquet, KV_METADATA {{'wattledger.schema': 'entries/2'}})"
        )
    with pytest.raises(
        BooksRefused, match=r"newer\.parquet has schema 2 of entries; this wattledger knows schemas up to 1"
    ):
        read_rows("entries", newer)
    with pytest.raises(BooksRefused, match=r"^entries/x has schema 2 .* Upgrade wattledger\.$"):
        rows_in("entries", newer.read_bytes(), "entries/x")
    refuse_newer([path])
    refuse_newer([])
    with pytest.raises(BooksRefused, match=r"newer\.parquet has schema 2"):
        refuse_newer([path, newer, path])


@pytest.mark.parametrize("length", [0, 3, 100, -1])
def test_a_truncated_file_is_told_by_its_name(node: Node, length: int) -> None:
    with pytest.raises(BooksDamaged, match=r"^entries/x cannot be read: .*ship its hours again"):
        rows_in("entries", written(node)[:length], "entries/x")


def test_somebody_elses_parquet_is_no_file_of_the_books(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    with duckdb.connect() as db:
        db.execute(f"COPY (SELECT 1 AS one) TO '{path}' (FORMAT parquet)")
    with pytest.raises(BooksDamaged, match="is no file of these books"):
        read_rows("entries", path)


def test_no_files_are_an_empty_table() -> None:
    with duckdb.connect() as db:
        assert db.execute(f"SELECT count(*), sum(energy_uj) FROM {scan('entries', [])}").fetchall() == [(0, None)]


def test_a_file_is_found_whatever_it_is_called(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "it's [a] *.parquet"
    path.write_bytes(written(node))
    assert len(read_rows("entries", path)) == 6


def test_no_room_for_temporary_files_is_a_sentence(node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = written(node)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(BooksUnavailable, match=r"A file of the books cannot be made: .*TMPDIR"):
        written(node)
    with pytest.raises(BooksUnavailable, match=r"A file of the books cannot be made: .*TMPDIR"):
        rows_in("entries", content, "x")
