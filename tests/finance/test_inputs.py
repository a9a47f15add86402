"""What a month is made from: nothing that came later, and nothing that is not understood."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.finance.months import CONFIG, GPU_2, MONTH, NOW_S, SECOND, close, fill, review
from tracker.books.interface import BooksDamaged, BooksRefused
from tracker.books.names import day_start_s
from tracker.books.reconcile import hourly_energy
from tracker.books.store import open_store
from tracker.books.versions import claim_of, versions
from tracker.finance.audit import audit_closed
from tracker.finance.compose import compose

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


@pytest.mark.parametrize("kind", ["entries", "coverage"])
@pytest.mark.parametrize("day", [29, 30, 31])
def test_a_file_of_a_newer_schema_is_refused_wherever_it_lies(tmp_path: Path, kind: str, day: int) -> None:
    """Also one of a node that was upgraded and rolled back, so that its last file is as it was."""
    store = open_store(str(tmp_path / "books"), create=True)
    fill(store, MONTH, (29, 31))
    (name,) = (name for name, _ in store.names(f"{kind}/month={MONTH}/day={day}/"))
    path = tmp_path / "books" / name
    path.write_bytes(path.read_bytes().replace(f"{kind}/1".encode(), f"{kind}/2".encode()))
    told = f"{re.escape(str(path))} has schema 2 of {kind}; this wattledger knows schemas up to 1"
    with pytest.raises(BooksRefused, match=told):
        compose(CONFIG, store, MONTH, as_of_s=NOW_S)
    if kind == "entries":
        with pytest.raises(BooksRefused, match=told):
            hourly_energy(store, day_start_s("2026-10-29"), NOW_S)


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "books"), create=True)
    fill(store, MONTH, (30, 31))
    (name,) = (name for name, _ in store.names(f"coverage/month={MONTH}/day=31/"))
    path = tmp_path / "books" / name
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(BooksDamaged, match=re.escape(str(path))):
        compose(CONFIG, store, MONTH, as_of_s=NOW_S)
