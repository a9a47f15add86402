"""A month of a real lake is reviewed, closed, and restated; what was sealed stays, and nothing is posted twice."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import BinaryIO

import msgspec
import pytest

from tests.books.small_lake import NODE, Hours, day, put, put_rows
from tests.finance.months import (
    CONFIG,
    GPU_2,
    HOUR_UJ,
    MONTH,
    NEXT,
    NOW_S,
    SECOND,
    close,
    copied,
    fill,
    late,
    restate,
    review,
    with_books,
    with_pue,
)
from tracker.books.interface import BooksRefused, BookStore
from tracker.books.names import day_start_s
from tracker.books.schema import entry_rows
from tracker.books.sealed_inputs import SealedInputs
from tracker.books.versions import claim_of, read_output, statement_of, versions
from tracker.config.schema import Grid
from tracker.core.closing import NotClosable
from tracker.core.errors import UsageError
from tracker.core.model import IDLE, Method
from tracker.core.restating import Outcome
from tracker.core.statement import Statement, Status
from tracker.exports.as_csv import CsvExporter
from tracker.finance import closing, sealing
from tracker.finance.compose import NoData, compose
from tracker.registry import EXPORTS


def content(store: BookStore, below: str = "") -> dict[str, bytes | None]:
    return {name: store.read(name) for name, _ in store.names(below)}


def test_a_closed_month_has_every_format_and_both_names(closed: BookStore) -> None:
    (version,) = versions(closed, MONTH)
    assert version.formats == tuple(EXPORTS)
    statement = statement_of(closed, version)
    assert (statement.status, statement.version) == (Status.CLOSED, 1)
    assert (statement.preparer, statement.approver) == ("alice", "bob")
    assert all(check.passed for check in statement.checks)
    assert statement.total.amounts.energy_it_wh == 3 * 24 * 700
    for name in EXPORTS:
        assert read_output(closed, version, name)
    assert b"alice" in (read_output(closed, version, "json") or b"")


def test_every_input_is_sealed_with_the_hash_of_its_bytes(closed: BookStore) -> None:
    (version,) = versions(closed, MONTH)
    inputs = claim_of(closed, version).inputs
    lake = [each for each in inputs if each.name.startswith(("entries/", "coverage/"))]
    assert len(lake) == 6
    assert all(len(each.sha256) == 64 for each in inputs)


class Narrow(CsvExporter):
    """A format that holds few rows, as a sheet does."""

    name = extension = "narrow"

    def render(self, statement: Statement, out: BinaryIO) -> None:
        if len(statement.rows) > 1:
            raise UsageError(f"It holds 1 row and the statement has {len(statement.rows)}.")
        super().render(statement, out)


def test_a_month_that_a_format_cannot_hold_is_refused_at_its_review(
    store: BookStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And after what the sentence says is done, it can be closed: nothing was claimed."""
    monkeypatch.setitem(EXPORTS, "narrow", Narrow)
    idle = Hours().add(day_start_s("2026-10-30"), HOUR_UJ, workload=IDLE, device=GPU_2)
    put(store, "2026-10-30", idle, node=SECOND)
    waive = ("coverage=tried", "unshipped=tried")
    before = content(store)
    with pytest.raises(NotClosable, match=r"2026-10 cannot be sealed as narrow.*books\.group_by"):
        review(store, waive=waive)
    assert content(store) == before
    fewer = with_books(group_by=("site",))
    review(store, config=fewer, waive=waive)
    close(store, config=fewer)
    assert versions(store, MONTH)[0].formats == tuple(EXPORTS)


def test_who_prepared_does_not_approve_unless_the_books_allow_it_and_say_so(store: BookStore) -> None:
    review(store)
    with pytest.raises(NotClosable, match="alice prepared 2026-10 and cannot approve it too"):
        close(store, "alice")
    allowed = with_books(same_person=True)
    review(store, config=allowed)
    close(store, "alice", allowed)
    (version,) = versions(store, MONTH)
    assert claim_of(store, version).same_person
    assert "One person did both" in statement_of(store, version).method[-1][1]


def test_a_month_that_was_not_reviewed_is_not_closed(store: BookStore) -> None:
    with pytest.raises(NotClosable, match="was not reviewed yet"):
        close(store)


def test_what_arrives_between_review_and_closing_is_reviewed_again(store: BookStore) -> None:
    review(store)
    late(store, HOUR_UJ)
    with pytest.raises(NotClosable, match="The inputs of 2026-10 changed since alice reviewed it"):
        close(store)
    assert versions(store, MONTH)[0].closing is None
    review(store, waive=("unshipped=it is off", "coverage=as well"))
    assert close(store).preparer == "alice"


def test_another_configuration_between_review_and_closing_is_reviewed_again(store: BookStore) -> None:
    review(store)
    with pytest.raises(NotClosable, match="This configuration is not the one that alice reviewed"):
        close(store, config=with_pue(1.3))


def test_a_month_that_is_not_over_or_not_covered_is_refused_by_name(store: BookStore) -> None:
    with pytest.raises(NoData):
        review(store, month=NEXT)
    fill(store, NEXT, (1, 9))
    with pytest.raises(NotClosable, match="2026-11 does not meet: over, coverage, unshipped"):
        review(store, month=NEXT, now_s=NOW_S)
    assert versions(store, NEXT) == ()


def test_simulated_energy_is_refused_and_a_waiver_is_sealed_with_its_reason(store: BookStore) -> None:
    for number in range(29, 32):
        hours = day(f"2026-10-{number}", device=GPU_2)
        hours.entries = [replace(each, method=Method.SIMULATED) for each in hours.entries]
        put(store, f"2026-10-{number}", hours, node=SECOND)
    with pytest.raises(NotClosable, match="2026-10 does not meet: simulated"):
        review(store)
    review(store, waive=("simulated=a rehearsal",))
    close(store)
    (version,) = versions(store, MONTH)
    checks = {check.name: check for check in statement_of(store, version).checks}
    assert (checks["simulated"].passed, checks["simulated"].waived) == (False, "a rehearsal (alice)")
    assert "alice waived simulated: a rehearsal." in statement_of(store, version).method[-1][1]
    assert b"a rehearsal" in (read_output(store, version, "json") or b"")


def test_a_retired_node_is_not_waited_for(store: BookStore) -> None:
    fill(store, days=(29, 29), node=SECOND, device=GPU_2)
    with pytest.raises(NotClosable, match="unshipped"):
        review(store)
    config = with_books(retired={"gpu-2": date(2026, 10, 30)})
    review(store, config=config)
    close(store, config=config)


def test_an_altered_file_is_found_before_it_is_sealed(store: BookStore, tmp_path: Path) -> None:
    name = next(name for name, _ in store.names("emissions/"))
    path = tmp_path / "books" / name
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(NotClosable, match="2026-10 does not meet: verify"):
        review(store)


def test_what_a_node_could_not_ship_stands_in_the_way_of_its_own_month_alone(store: BookStore) -> None:
    name = next(name for name, _ in store.names("entries/"))
    store.create("conflicts/" + name.replace("2026-10", "2026-09"), b"other")
    review(store)
    store.create("conflicts/" + name, b"other")
    with pytest.raises(NotClosable, match="2026-10 does not meet: overlap"):
        review(store)


def test_files_that_overlap_are_refused(store: BookStore) -> None:
    put_rows(store, "entries", "2026-10-30", entry_rows(NODE, day("2026-10-30", energy_uj=HOUR_UJ - 8).entries))
    with pytest.raises(NotClosable, match="overlap"):
        review(store)


def test_a_closing_that_was_broken_off_is_finished_as_it_was_begun(october: Path, tmp_path: Path) -> None:
    """Whatever came into the lake or the configuration meanwhile."""
    clean, broken = copied(october, tmp_path / "clean"), copied(october, tmp_path / "broken")
    review(clean)
    close(clean)
    review(broken)
    prospect = closing.to_close(CONFIG, broken, MONTH, "bob", (), now_s=NOW_S)
    closing.close(broken, prospect, "bob", now_s=NOW_S)
    late(broken, HOUR_UJ)
    with pytest.raises(NotClosable, match="bob is closing 2026-10 v1"):
        close(broken, "dave")
    with pytest.raises(NotClosable, match="bob is closing 2026-10 v1"):
        review(broken, "dave")
    close(broken, "bob", with_books(csv_bom=True))
    assert content(broken, "statements/") == content(clean, "statements/")


def test_closing_a_closed_month_is_refused_to_others(closed: BookStore) -> None:
    with pytest.raises(NotClosable, match=r"2026-10 is closed already by bob \(v1\)") as caught:
        review(closed)
    assert caught.value.remedy == "To restate it: wattledger restate 2026-10"
    assert closing.closed_by(versions(closed, MONTH), "bob") is not None
    assert closing.closed_by(versions(closed, MONTH), "dave") is None


def test_p8_a_closed_statement_is_derived_again_from_its_sealed_inputs(closed: BookStore) -> None:
    late(closed, HOUR_UJ)
    (version,) = versions(closed, MONTH)
    claim = claim_of(closed, version)
    again = compose(
        sealing.with_options(CONFIG, claim),
        SealedInputs(closed, claim),
        MONTH,
        as_of_s=claim.as_of_s,
        group_by=claim.group_by,
        filters=claim.filters,
        version=claim.version,
        status=Status.CLOSED,
        hash_inputs=True,
    )
    reported = statement_of(closed, version)
    assert (again.rows, again.total, again.inputs) == (reported.rows, reported.total, reported.inputs)


def test_pieces_of_an_unfinished_day_are_kept_for_ever(store: BookStore) -> None:
    """October of New York ends at 04:00 UTC of the first of November, a day that was not over for the lake."""
    config = with_books(timezone="America/New_York")
    names = put(store, "2026-11-01", day("2026-11-01", hours=range(6)), span_h=(0, 6))
    review(store, config=config)
    close(store, config=config)
    (version,) = versions(store, MONTH)
    claim = claim_of(store, version)
    assert claim.kept == (names["coverage"], names["entries"])
    put(store, "2026-11-01", day("2026-11-01"))
    for name in names.values():
        store.remove(name)
    with tempfile.TemporaryDirectory() as folder:
        again = compose(
            sealing.with_options(CONFIG, claim, Path(folder)),
            SealedInputs(store, claim),
            MONTH,
            as_of_s=claim.as_of_s,
            group_by=claim.group_by,
            hash_inputs=True,
        )
    reported = statement_of(store, version)
    assert (again.rows, again.inputs) == (reported.rows, reported.inputs)
    assert restate(store, config)[0].decision.outcome is Outcome.NOTHING


def test_options_of_a_claim_have_no_address_and_no_secret() -> None:
    grid = Grid(token="s3cr3t", token_file="/run/secret")
    secret = msgspec.structs.replace(with_books(url="s3://private/books"), grid=grid)
    text = repr(sealing.options_of(secret))
    assert "s3cr3t" not in text
    assert "/run/secret" not in text
    assert "private" not in text


def test_contracts_are_sealed_with_their_text(closed: BookStore, tmp_path: Path) -> None:
    path = tmp_path / "contracts.csv"
    path.write_text("key,…\n", "utf-8")
    accounting = msgspec.structs.replace(CONFIG.accounting, instruments_file=str(path))
    config = msgspec.structs.replace(CONFIG, accounting=accounting)
    claim = replace(claim_of(closed, versions(closed, MONTH)[0]), options=sealing.options_of(config))
    path.write_text("changed", "utf-8")
    (tmp_path / "again").mkdir()
    then = sealing.with_options(CONFIG, claim, tmp_path / "again")
    assert Path(then.accounting.instruments_file).read_text("utf-8") == "key,…\n"
    path.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        sealing.options_of(config)


class Careless(BookStore):
    """A server that passes over ``If-None-Match``: what is there is written over."""

    def __init__(self, store: BookStore) -> None:
        self.url, self._store, self.put = store.url, store, dict[str, bytes]()

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        yield from self._store.names(prefix)

    def read(self, name: str) -> bytes | None:
        return self.put.get(name, self._store.read(name))

    def create(self, name: str, content: bytes) -> bool:
        self.put[name] = content
        return True

    def remove(self, name: str) -> None:
        self.put.pop(name, None)

    def local(self, names: Sequence[str]) -> list[Path]:
        return self._store.local(names)


def test_nothing_is_sealed_or_posted_where_files_are_written_over(store: BookStore, closed: BookStore) -> None:
    review(store)
    careless = Careless(store)
    with pytest.raises(BooksRefused, match="nothing can be sealed in it"):
        close(careless)
    assert careless.put == {}
    late(closed, HOUR_UJ)
    careless = Careless(closed)
    with pytest.raises(BooksRefused, match="nothing can be sealed in it"):
        restate(careless)
    assert careless.put == {}
