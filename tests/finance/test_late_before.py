"""What arrives for the month before a closed one changes nothing of the closed one, and no audit calls it broken."""

from __future__ import annotations

from pathlib import Path

from tests.finance.months import CONFIG, GPU_2, MONTH, SECOND, close, fill, review
from tracker.books.store import open_store
from tracker.books.versions import claim_of, versions
from tracker.finance.audit import audit_closed

WAIVE = ("coverage=it is off", "unshipped=it is off")


def test_a_node_of_the_month_before_is_an_input_and_a_late_one_breaks_no_audit(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "books"), create=True)
    fill(store, "2026-09", (30, 30), node=SECOND, device=GPU_2)
    fill(store, MONTH, (1, 31))
    review(store, waive=WAIVE)
    close(store, waive=WAIVE)
    (version,) = versions(store, MONTH)
    before = [each for each in claim_of(store, version).inputs if "month=2026-09" in each.name]
    assert [each.name.split("/")[0] for each in before] == ["coverage"]
    fill(store, "2026-09", (30, 30))  # another node ships its last of September after all
    assert audit_closed(CONFIG, store).findings == ()
