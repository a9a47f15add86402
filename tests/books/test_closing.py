"""A month is sealed whole, once, by one closer, and never overwritten: also when a closer is killed or not alone."""

from __future__ import annotations

import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.books.closing_child import MONTH, RENDERERS, claim_for, review
from tests.fakes.s3 import S3, s3_server
from tests.fakes.statements import CORRECTIONS, STATEMENT
from tracker.books.closing import (
    Renderer,
    claim,
    draft_of,
    keep_pieces,
    open_month,
    open_version,
    post,
    prove,
    reviewed_name,
    seal,
)
from tracker.books.interface import BooksDamaged, BookStore
from tracker.books.sealed_inputs import SealedInputs
from tracker.books.store import open_store
from tracker.books.versions import (
    claim_of,
    corrections_in,
    encoded,
    latest_closed,
    months,
    postings,
    read_output,
    sha256,
    statement_of,
    versions,
    working,
)
from tracker.core.closing import Manifest, NotClosable, Output
from tracker.core.errors import UsageError
from tracker.core.restating import Posting, Reason, Restated
from tracker.core.statement import Input, Statement, Status

REPO = Path(__file__).parents[2]
V1 = "statements/2026-10/v1"


@pytest.fixture
def store(tmp_path: Path) -> BookStore:
    return open_store(str(tmp_path / "books"), create=True)


def close(store: BookStore, who: str = "bob") -> Manifest:
    review(store)
    return seal(store, claim(store, claim_for(store, who)), RENDERERS)


def content(store: BookStore) -> dict[str, bytes | None]:
    return {name: store.read(name) for name, _ in store.names()}


def child(url: str, who: str, *kill_after: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.books.closing_child", url, who, *kill_after]
    return subprocess.Popen(command, cwd=REPO, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_month_goes_from_draft_over_reviewed_to_closed(store: BookStore) -> None:
    assert (months(store), versions(store, MONTH), working(())) == ((), (), 1)
    review(store)
    (found,) = versions(store, MONTH)
    assert (found.status, found.review and found.review.preparer, found.formats) == (Status.REVIEWED, "alice", ())
    assert working([found]) == 1
    mine = claim(store, claim_for(store, "bob"))
    (found,) = versions(store, MONTH)
    assert found.status is Status.REVIEWED
    assert found.closing == mine
    seal(store, mine, RENDERERS)
    (found,) = versions(store, MONTH)
    assert (found.status, found.closing, found.formats) == (Status.CLOSED, None, ("csv", "json", "html"))
    assert (months(store), working([found])) == ((MONTH,), None)
    assert latest_closed([found]) == found


def test_what_was_sealed_is_read_back_byte_for_byte(store: BookStore) -> None:
    close(store)
    (found,) = versions(store, MONTH)
    assert read_output(store, found, "csv") == store.read(f"{V1}/statement.csv")
    assert (read_output(store, found, "csv") or b"").startswith(b"csv\n2026-10-v1-")
    assert read_output(store, found, "xlsx") is None
    closed = statement_of(store, found)
    assert (closed.status, closed.version, closed.preparer, closed.approver) == (Status.CLOSED, 1, "alice", "bob")
    assert (closed.rows, closed.total, closed.factors) == (STATEMENT.rows, STATEMENT.total, STATEMENT.factors)
    assert (closed.corrections, closed.months, closed.days) == (CORRECTIONS, STATEMENT.months, STATEMENT.days)
    assert claim_of(store, found).inputs == STATEMENT.inputs


def test_the_manifest_has_the_hash_of_every_file_it_seals(store: BookStore) -> None:
    manifest = close(store)
    for each in (manifest.inputs, manifest.statement, *manifest.outputs):
        there = store.read(f"{V1}/{each.name}") or b""
        assert (sha256(there), len(there)) == (each.sha256, each.size_bytes)


def read_all(store: BookStore) -> None:
    (found,) = versions(store, MONTH)
    read_output(store, found, "csv")
    statement_of(store, found)


@pytest.mark.parametrize("name", ["statement.csv", "inputs.json", "manifest.json"])
def test_a_sealed_file_that_was_altered_is_never_served(store: BookStore, tmp_path: Path, name: str) -> None:
    close(store)
    path = tmp_path / "books" / V1 / name
    path.write_bytes(path.read_bytes()[:-9] + b"X")
    with pytest.raises(BooksDamaged):
        read_all(store)


@pytest.mark.parametrize("name", ["statement.csv", "inputs.json"])
def test_a_sealed_file_that_is_lost_is_named_with_its_hash(store: BookStore, tmp_path: Path, name: str) -> None:
    manifest = close(store)
    (tmp_path / "books" / V1 / name).unlink()
    with pytest.raises(BooksDamaged, match=f"{name} is missing") as caught:
        read_all(store)
    hashes = {each.name: each.sha256 for each in (manifest.inputs, *manifest.outputs)}
    assert hashes[name] in caught.value.remedy


def test_what_one_format_cannot_hold_is_told_before_anything_is_written(store: BookStore) -> None:
    """A claim names its formats for good: nothing could be done about it any more."""

    def render(_statement: Statement, _out: BinaryIO) -> None:
        raise UsageError("A sheet holds 3 rows and the statement has 7.", "Use the formats csv or parquet.")

    with pytest.raises(NotClosable) as caught:
        prove(STATEMENT, [*RENDERERS, Renderer("xlsx", "xlsx", "", render)])
    assert caught.value.sentence == "2026-10 cannot be sealed as xlsx. A sheet holds 3 rows and the statement has 7."
    assert "books.group_by" in caught.value.remedy
    prove(STATEMENT, RENDERERS)
    assert content(store) == {}


def test_closing_again_changes_nothing(store: BookStore) -> None:
    close(store)
    before = content(store)
    seal(store, claim(store, claim_for(store, "bob")), RENDERERS)
    assert content(store) == before


def test_a_file_with_other_content_is_reported_and_kept(store: BookStore) -> None:
    review(store)
    store.create(f"{V1}/statement.json", b"somebody else's")
    with pytest.raises(BooksDamaged, match=r"statement\.json is there with other content"):
        seal(store, claim(store, claim_for(store, "bob")), RENDERERS)
    assert store.read(f"{V1}/statement.json") == b"somebody else's"
    assert store.read(f"{V1}/manifest.json") is None


def test_a_review_that_was_altered_is_not_sealed(store: BookStore, tmp_path: Path) -> None:
    review(store)
    mine = claim(store, claim_for(store, "bob"))
    path = tmp_path / "books" / V1 / reviewed_name(mine.statement_sha256)
    path.write_bytes(path.read_bytes().replace(b"nlp", b"NLP"))
    with pytest.raises(BooksDamaged, match="is not what was reviewed"):
        seal(store, mine, RENDERERS)


def test_the_last_review_counts_and_the_first_is_kept(store: BookStore) -> None:
    assert review(store).number == 1
    later = replace(STATEMENT, as_of_s=STATEMENT.as_of_s + 60)
    assert review(store, later, "carol").number == 2
    (found,) = versions(store, MONTH)
    assert found.review is not None
    assert (found.review.preparer, found.review.as_of_s) == ("carol", later.as_of_s)
    assert store.read(f"{V1}/review-001.json") is not None


def test_a_draft_does_not_depend_on_who_looks_at_it() -> None:
    other = replace(STATEMENT, status=Status.REVIEWED, preparer="x", approver="y", statement_id="z", checks=())
    assert draft_of(other) == draft_of(STATEMENT)
    assert draft_of(replace(STATEMENT, inputs=())).inputs_sha256 != draft_of(STATEMENT).inputs_sha256


def test_the_second_closer_is_told_who_was_first(store: BookStore) -> None:
    review(store)
    claim(store, claim_for(store, "bob"))
    with pytest.raises(NotClosable, match="bob is closing 2026-10 v1") as caught:
        claim(store, claim_for(store, "carol"))
    assert caught.value.remedy.endswith("wattledger close 2026-10 --as bob")


def test_pieces_are_kept_because_a_day_file_will_replace_them(store: BookStore) -> None:
    piece = "entries/month=2026-11/day=01/gpu-017-0a1b2c3d-h00_05-00112233445566aa.parquet"
    day = "entries/month=2026-10/day=01/gpu-017-0a1b2c3d-day-00112233445566aa.parquet"
    store.create(piece, b"piece")
    store.create(day, b"day")
    inputs = (Input(day, sha256(b"day"), 3), Input(piece, sha256(b"piece"), 5))
    statement = replace(STATEMENT, inputs=inputs)
    review(store, statement)
    mine = claim(store, claim_for(store, "bob", statement))
    assert mine.kept == (piece,)
    store.remove(piece)
    store.create("entries/month=2026-10/day=02/late-0a1b2c3d-day-00112233445566aa.parquet", b"late")
    view = SealedInputs(store, mine)
    assert list(view.names()) == [(day, 3), (piece, 5)]
    assert list(view.names("entries/month=2026-11/")) == [(piece, 5)]
    assert (view.read(piece), view.read(day), view.read("entries/other")) == (b"piece", b"day", None)
    assert [path.read_bytes() for path in view.local([piece, day])] == [b"piece", b"day"]
    with pytest.raises(NotClosable, match="changed while 2026-10 was closed"):
        keep_pieces(store, MONTH, 2, [Input(piece, sha256(b"other"), 5)])


def test_a_killed_closer_leaves_no_closed_month_and_the_next_one_finishes_it(tmp_path: Path) -> None:
    """SIGKILL after every single file; each rerun gives the bytes of an undisturbed run."""
    clean = open_store(str(tmp_path / "clean"), create=True)
    close(clean)
    expected = content(clean)
    for after in range(len(expected)):
        url = str(tmp_path / f"killed-{after}")
        store = open_store(url, create=True)
        with child(url, "bob", str(after)) as killed:
            assert killed.wait(60) == -signal.SIGKILL
        there = content(store)
        assert len(there) == after
        assert there.items() <= expected.items()
        assert f"{V1}/manifest.json" not in there
        with child(url, "bob") as again:
            assert again.communicate(timeout=60)[0] == "closed\n"
        assert content(store) == expected


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with s3_server() as server:
        yield server


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "folder":
        open_store(str(tmp_path / "books"), create=True)
        return str(tmp_path / "books")
    server: S3 = request.getfixturevalue("s3")
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return server.bucket(f"b{uuid.uuid4().hex}")


def test_of_several_closers_one_wins_and_the_others_say_who(place: str) -> None:
    store = open_store(place)
    review(store)
    people = ["bob", "carol", "dave"]
    closers = [child(place, who) for who in people]
    said = {who: closer.communicate(timeout=120) for who, closer in zip(people, closers, strict=True)}
    (winner,) = [who for who, (out, _) in said.items() if out == "closed\n"]
    for who in people:
        if who != winner:
            assert said[who][0].startswith(f"{winner} is closing 2026-10 v1."), said[who]
    (found,) = versions(store, MONTH)
    assert found.manifest is not None
    assert found.manifest.approver == winner
    assert statement_of(store, found).approver == winner


def posting(number: int, into: str = "2026-11", **changed: object) -> Posting:
    made = Posting(MONTH, 1, number, into, "alice", 1, 1, STATEMENT.group_by, CORRECTIONS)
    return replace(made, **changed)  # type: ignore[arg-type] # fields by name


def test_corrections_are_posted_once_in_the_month_that_is_open(store: BookStore) -> None:
    close(store)
    assert open_month(store, MONTH) == "2026-11"
    name = post(store, posting(1))
    assert name == "statements/2026-11/corrections/2026-10-v1-001.json"
    assert post(store, posting(1, by="carol", posted_at_s=2)) == name, "the same corrections are there already"
    assert postings(store) == {name: posting(1)}
    with pytest.raises(NotClosable, match="alice restated 2026-10 at the same time"):
        post(store, posting(1, corrections=CORRECTIONS[:1]))
    assert corrections_in(store, "2026-10") == {}
    assert list(corrections_in(store, "2026-11")) == [name]
    assert months(store) == (MONTH,), "a month with corrections alone has no version"


def test_a_posting_that_was_altered_is_refused(store: BookStore) -> None:
    """It is in no manifest until its month is closed; a number changed meanwhile would be sealed."""
    name = post(store, posting(1, note="späte Energie, 200 kWh\t\u2028"))
    assert postings(store)[name].note == "späte Energie, 200 kWh\t\u2028"
    (path,) = store.local([name])
    sound = path.read_bytes()
    for other in (sound.replace(b"200 kWh", b"900 kWh"), sound.replace(b'"sha256": "', b'"sha256": "0'), b"{}", b""):
        assert other != sound
        path.write_bytes(other)
        with pytest.raises(BooksDamaged, match=r"2026-10-v1-001\.json is not what was "):
            corrections_in(store, "2026-11")
    path.write_bytes(sound.replace(b"\n", b"\r\n").replace(b'": ', b'":   '))
    assert len(postings(store)) == 1, "how it is laid out says nothing"


@pytest.mark.parametrize("copy", ["2026-11/corrections/2026-10-v1-002", "2026-12/corrections/2026-10-v1-001"])
def test_a_copy_of_a_posting_does_not_count_twice(store: BookStore, copy: str) -> None:
    name = post(store, posting(1))
    store.create(f"statements/{copy}.json", store.read(name) or b"")
    with pytest.raises(BooksDamaged, match=f"{copy}.json is not what was posted"):
        postings(store)


def test_corrections_that_a_month_closed_without_go_into_the_next(store: BookStore) -> None:
    first, late = post(store, posting(1)), post(store, posting(2))
    manifest = replace(_manifest(), month="2026-11", corrections=(first,))
    store.create("statements/2026-11/v1/manifest.json", encoded(manifest))
    assert list(corrections_in(store, "2026-12")) == [late]
    assert list(corrections_in(store, "2026-11")) == [first, late], "another version of it has them too"
    assert open_month(store, MONTH) == "2026-12"
    store.create(
        "statements/2026-12/v1/manifest.json", encoded(replace(manifest, month="2026-12", corrections=(late,)))
    )
    assert corrections_in(store, "2027-01") == {}
    assert list(corrections_in(store, "2026-11")) == [first]
    assert open_month(store, MONTH) == "2027-01"


def _manifest() -> Manifest:
    nothing = Output("", "", "", "", 0)
    return Manifest("2026-10", 1, Status.CLOSED, "", "alice", "bob", 0, "0.1.0", nothing, nothing, ())


def test_a_second_version_replaces_the_first_only_when_it_is_closed(store: BookStore) -> None:
    close(store)
    mine = Restated(MONTH, 2, 1, Reason.ERROR, "alice", 1, 1, ())
    assert open_version(store, mine) == mine
    assert open_version(store, replace(mine, by="carol")) == mine, "who was first"
    first, second = versions(store, MONTH)
    assert (first.superseded_by, second.status, second.restated) == (None, Status.DRAFT, mine)
    assert working([first, second]) == 2
    assert latest_closed([first, second]) == first
    store.create("statements/2026-10/v2/manifest.json", encoded(replace(_manifest(), version=2)))
    first, second = versions(store, MONTH)
    assert (first.superseded_by, first.status, second.superseded_by) == (2, Status.CLOSED, None)
    assert latest_closed([first, second]) == second
    assert read_output(store, first, "csv") == store.read(f"{V1}/statement.csv"), "both stay"


def test_strange_names_among_statements_are_no_versions(store: BookStore) -> None:
    for name in ("2026-10/v0/x", "2026-10/vx/manifest.json", "notes.txt", "2026-10/corrections/x.json", "2026-1/v1/x"):
        store.create(f"statements/{name}", b"{}")
    assert (months(store), versions(store, MONTH), postings(store)) == ((), (), {})
