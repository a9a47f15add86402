"""The months before, as a sealed month shows them: which ones is recorded, and never guessed from clocks again."""

from __future__ import annotations

from tests.finance.months import CONFIG, MONTH, NEXT, NOW_S, close, fill, review
from tracker.books.interface import BookStore
from tracker.books.names import day_start_s
from tracker.books.versions import claim_of, statement_of, versions
from tracker.core.closing import Claim, parse_waivers
from tracker.core.conditions import CONDITIONS
from tracker.finance import closing, sealing
from tracker.finance.audit import audit_closed

LATER_S = day_start_s("2026-12-05")
WAIVE = ("coverage=a test", "unshipped=a test")


def claimed(store: BookStore, month: str, now_s: int) -> Claim:
    """Somebody closes a month and is killed right after the claim."""
    review(store, month=month, now_s=now_s, waive=WAIVE)
    prospect = closing.to_close(CONFIG, store, month, "bob", parse_waivers(WAIVE, "bob", CONDITIONS), now_s=now_s)
    return closing.close(store, prospect, "bob", now_s=now_s)


def trend(store: BookStore, month: str) -> list[str]:
    (version,) = versions(store, month)
    return [before for before, _ in statement_of(store, version).months]


def test_a_month_that_is_finished_after_a_later_one_was_closed_alarms_nobody(store: BookStore) -> None:
    fill(store, NEXT, days=(1, 30))
    october = claimed(store, MONTH, NOW_S)
    review(store, month=NEXT, now_s=LATER_S, waive=WAIVE)
    close(store, month=NEXT, now_s=LATER_S, waive=WAIVE)
    sealing.finish(CONFIG, store, october)
    assert trend(store, NEXT) == []
    assert audit_closed(CONFIG, store).findings == ()


def test_a_month_that_is_finished_between_review_and_close_changes_nothing_of_the_later_one(store: BookStore) -> None:
    fill(store, NEXT, days=(1, 30))
    october = claimed(store, MONTH, NOW_S)
    review(store, month=NEXT, now_s=LATER_S, waive=WAIVE)
    sealing.finish(CONFIG, store, october)
    close(store, month=NEXT, now_s=LATER_S + 60, waive=WAIVE)
    assert trend(store, NEXT) == []
    assert audit_closed(CONFIG, store).findings == ()


def test_what_the_trend_was_read_from_is_an_input(closed: BookStore) -> None:
    fill(closed, NEXT, days=(1, 30))
    review(closed, month=NEXT, now_s=LATER_S, waive=WAIVE)
    close(closed, month=NEXT, now_s=LATER_S, waive=WAIVE)
    (october,), (november,) = versions(closed, MONTH), versions(closed, NEXT)
    assert october.manifest is not None
    of_trend = [each for each in claim_of(closed, november).inputs if each.name.startswith("statements/")]
    name = f"statements/{MONTH}/v1/{october.manifest.statement.name}"
    assert [(each.name, each.sha256) for each in of_trend] == [(name, october.manifest.statement.sha256)]
    assert trend(closed, NEXT) == [MONTH]
    assert audit_closed(CONFIG, closed).findings == ()
    (path,) = closed.local([name])
    path.write_bytes(path.read_bytes().replace(b"Example SA", b"Example SE"))
    checks = {(each.check, each.subject) for each in audit_closed(CONFIG, closed).findings}
    assert checks == {("sealed_file", f"{MONTH} v1"), ("sealed_input", f"{NEXT} v1")}
