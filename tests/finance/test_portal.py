"""The portal over real books: which months, which bytes, what is composed and what is not, and what goes wrong."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.fakes.statements import PERIOD, STATEMENT
from tests.finance import portal_books
from tests.finance.portal_books import NOW_S
from tests.web.serving import wait_for
from tracker.books.interface import BookStore
from tracker.books.store import open_store
from tracker.core.errors import WattledgerError
from tracker.core.statement import Status
from tracker.exports.as_json import JsonExporter
from tracker.finance.portal import BooksOffice
from tracker.finance.portal_drafts import MOST_KEPT, MOST_WAITING, TTL_S, Drafts
from tracker.finance.portal_months import key_of
from tracker.registry import EXPORTS
from tracker.web.portal.interface import Busy, Figures, Missing, Overview, Unavailable, Wanted

TOTAL = STATEMENT.total
FIGURES = Figures(
    TOTAL.amounts.energy_facility_wh, TOTAL.amounts.location_g, TOTAL.amounts.market_g, TOTAL.ratios.coverage_ppm
)


@dataclass
class Bench:
    """An office whose drafts are the fixture's statement, with a clock and a gate before composing."""

    store: BookStore
    folder: Path
    mono_s: float = 0.0
    composed: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    error: WattledgerError | None = None
    wait_s: float = 10.0

    def __post_init__(self) -> None:
        self.gate.set()
        self.drafts = Drafts(
            self.folder, self._compose, lambda month: key_of(self.store, month), lambda: self.mono_s, self.wait_s
        )
        self.office = BooksOffice(
            self.store,
            self.drafts,
            EXPORTS,
            entity="Example SA",
            timezone="UTC",
            place="books",
            now_s=lambda: NOW_S,
            mono_s=lambda: self.mono_s,
        )

    def _compose(self, month: str, folder: Path) -> None:
        assert self.gate.wait(10)
        self.composed.append(month)
        if self.error is not None:
            raise self.error
        statement = replace(STATEMENT, period=replace(PERIOD, month=month))
        for name in EXPORTS:
            (folder / name).write_text(f"{name} {len(self.composed)}", encoding="utf-8")
        with (folder / "json").open("wb") as out:
            JsonExporter().render(statement, out)

    def complete(self) -> Overview:
        """The overview once nothing of it is under way."""
        seen: list[Overview] = []

        def there() -> bool:
            seen.append(self.office.overview())
            return not seen[-1].pending

        wait_for(there, "every figure was there")
        return seen[-1]


@pytest.fixture
def books(tmp_path: Path) -> BookStore:
    return portal_books.make(tmp_path / "books")


@pytest.fixture
def bench(books: BookStore, tmp_path: Path) -> Bench:
    return Bench(books, tmp_path / "drafts")


def test_an_open_month_is_composed_in_the_background_and_a_page_never_waits_for_it(bench: Bench) -> None:
    bench.gate.clear()
    overview = bench.office.overview()
    assert overview.pending
    (month,) = overview.months
    assert (month.month, month.status, month.figures) == ("2026-10", Status.DRAFT, None)
    assert month.note == "Its figures are being put together."
    bench.gate.set()
    (month,) = bench.complete().months
    assert (month.figures, month.as_of_s, month.note) == (FIGURES, STATEMENT.as_of_s, "")
    assert bench.composed == ["2026-10"]


def test_a_draft_is_one_statement_in_every_format(bench: Bench) -> None:
    """And is composed once for all of them, whoever asks first."""
    documents = [bench.office.document("2026-10", name, Wanted.LATEST) for name in EXPORTS]
    assert bench.composed == ["2026-10"]
    for name, document in zip(EXPORTS, documents, strict=True):
        content = document.read()
        assert document.name == f"wattledger-2026-10-draft.{EXPORTS[name].extension}"
        assert (document.sha256, document.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
        assert (document.status, document.version) == (Status.DRAFT, None)
        assert document.media_type == EXPORTS[name].media_type


def test_a_draft_is_composed_anew_when_the_books_change_or_time_has_passed(bench: Bench) -> None:
    """Not when somebody merely asks again."""
    first = bench.office.document("2026-10", "csv", Wanted.DRAFT)
    bench.mono_s = 60
    assert bench.office.document("2026-10", "csv", Wanted.DRAFT).sha256 == first.sha256
    assert len(bench.composed) == 1
    bench.mono_s = 120
    portal_books.fill(bench.store, "2026-10", first=10, days=1)
    second = bench.office.document("2026-10", "csv", Wanted.DRAFT)
    assert (len(bench.composed), second.read()) == (2, b"csv 2")
    with pytest.raises(Busy):  # the file of the first is gone; whoever holds it asks again
        first.read()
    bench.mono_s = 120 + TTL_S
    bench.office.document("2026-10", "csv", Wanted.DRAFT)
    assert len(bench.composed) == 3
    assert len(list(bench.folder.iterdir())) == 1


def test_who_waits_too_long_or_in_too_long_a_queue_comes_again(books: BookStore, tmp_path: Path) -> None:
    """A heavy month never takes all of the server's connections."""
    bench = Bench(books, tmp_path / "drafts", wait_s=0.01)
    bench.gate.clear()
    with pytest.raises(Busy, match="2026-10 is being put together"):
        bench.office.document("2026-10", "csv", Wanted.LATEST)
    bench.gate.set()
    patient = Bench(books, tmp_path / "patient")
    patient.gate.clear()
    got: list[str] = []

    def ask() -> None:
        try:
            got.append(patient.office.document("2026-10", "csv", Wanted.LATEST).name)
        except Busy as error:
            got.append(error.sentence)

    threads = [threading.Thread(target=ask) for _ in range(MOST_WAITING + 2)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(got) == 2, "two were sent away")
    patient.gate.set()
    for thread in threads:
        thread.join(10)
    assert sorted(got) == [*["Too many wait for drafts already."] * 2, *["wattledger-2026-10-draft.csv"] * MOST_WAITING]


def test_drafts_do_not_fill_the_disk(bench: Bench) -> None:
    """The month that was asked for longest ago goes."""
    for number in range(MOST_KEPT + 5):
        year, month = divmod(2024 * 12 + number, 12)
        bench.office.document(f"{year}-{month + 1:02}", "csv", Wanted.DRAFT)
    assert len(list(bench.folder.iterdir())) == MOST_KEPT


def test_what_composing_says_is_said(bench: Bench) -> None:
    """And stands in the month's line, with the figures of nobody."""
    bench.error = WattledgerError("Contract 7 claims more than was used.", "Lower it.")
    with pytest.raises(WattledgerError, match="Contract 7"):
        bench.office.document("2026-10", "csv", Wanted.LATEST)
    (month,) = bench.complete().months
    assert (month.figures, month.note) == (None, "Contract 7 claims more than was used. Lower it.")
    assert list(bench.folder.iterdir()) == []


@pytest.fixture
def sealed(bench: Bench) -> Bench:
    """October is closed."""
    portal_books.close(bench.store)
    return bench


def test_a_closed_month_is_what_was_sealed_and_is_never_composed(sealed: Bench) -> None:
    """Every format, byte for byte."""
    folder = Path(sealed.store.url) / "statements" / "2026-10" / "v1"
    (month,) = sealed.complete().months
    assert month.status is Status.CLOSED
    assert month.figures == FIGURES
    assert [(each.number, each.preparer, each.approver) for each in month.editions] == [(1, "alice", "bob")]
    assert sorted(month.editions[0].formats) == sorted(EXPORTS)
    for name in EXPORTS:
        for version in (Wanted.LATEST, 1):
            document = sealed.office.document("2026-10", name, version)
            content = document.read()
            assert content == (folder / f"statement.{EXPORTS[name].extension}").read_bytes()
            assert (document.sha256, document.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
            assert document.name == f"wattledger-2026-10-v1.{EXPORTS[name].extension}"
            assert (document.status, document.version) == (Status.CLOSED, 1)
    assert sealed.composed == []


def test_what_a_closed_month_would_say_now_can_be_asked_for(sealed: Bench) -> None:
    assert sealed.office.document("2026-10", "csv", Wanted.DRAFT).read() == b"csv 1"


def test_a_sealed_file_that_was_altered_is_not_served(sealed: Bench) -> None:
    """Nor are its figures shown; the page goes on."""
    folder = Path(sealed.store.url) / "statements" / "2026-10" / "v1"
    for name in ("statement.csv", "statement.json"):
        path = folder / name
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content.replace(b"2026", b"2027"))
    document = sealed.office.document("2026-10", "csv", 1)
    with pytest.raises(WattledgerError, match=r"statement\.csv was altered since it was sealed"):
        document.read()
    (month,) = sealed.complete().months
    assert month.figures is None
    assert "was altered" in month.note


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda office: office.document("2026-10", "csv", 7), r"no closed version 7 of 2026-10\. Closed versions: 1\."),
        (lambda office: office.document("2027-01", "csv", Wanted.LATEST), r"nothing of 2027-01 yet"),
    ],
)
def test_what_there_is_not(sealed: Bench, ask: Callable[[BooksOffice], object], said: str) -> None:
    with pytest.raises(Missing, match=said):
        ask(sealed.office)
    assert sealed.composed == []


def test_a_month_that_is_closed_meanwhile_is_served_as_closed_at_once(bench: Bench) -> None:
    """The list follows within half a minute."""
    bench.complete()
    portal_books.close(bench.store)
    assert bench.office.document("2026-10", "csv", Wanted.LATEST).version == 1
    bench.mono_s = 31

    def shown() -> bool:
        return bench.office.overview().months[0].status is Status.CLOSED

    wait_for(shown, "the list followed")


def test_a_review_is_shown_as_one(bench: Bench) -> None:
    portal_books.review(bench.store)
    (month,) = bench.complete().months
    assert month.status is Status.REVIEWED
    assert bench.office.document("2026-10", "csv", Wanted.LATEST).status is Status.REVIEWED


def test_books_that_cannot_be_reached_are_neither_empty_nor_a_traceback(bench: Bench) -> None:
    bench.complete()
    shutil.rmtree(bench.store.url)
    bench.mono_s = 31

    def told() -> bool:
        try:
            bench.office.overview()
        except Unavailable as error:
            return "Mount it" in error.remedy or "try again" in error.remedy
        return False

    wait_for(told, "it was said")
    with pytest.raises(Unavailable):
        bench.office.document("2026-10", "csv", Wanted.LATEST)


def test_empty_books_have_no_months(tmp_path: Path) -> None:
    bench = Bench(open_store(str(tmp_path / "empty"), create=True), tmp_path / "drafts")
    assert bench.complete().months == ()


def test_older_open_months_show_what_the_newest_says_of_them(bench: Bench) -> None:
    """Only the two newest are composed, and what these say nothing of."""
    for month in ("2026-08", "2026-09", "2025-06"):
        portal_books.fill(bench.store, month, days=1)
    shown = {month.month: month for month in bench.complete().months}
    assert list(shown) == ["2026-10", "2026-09", "2026-08", "2025-06"]
    assert sorted(bench.composed) == ["2025-06", "2026-09", "2026-10"]
    trend = dict(STATEMENT.months)["2026-08"]
    assert shown["2026-08"].figures == Figures(trend.energy_facility_wh, trend.location_g, trend.market_g)
    assert shown["2026-08"].as_of_s is None
