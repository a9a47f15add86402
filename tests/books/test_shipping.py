"""Hours get into the books once and whole, whatever happens to the node that ships them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.books.shipments import DAY_S, FIRST, TRAIN, Node, column, everything, lake_files, read_lake, spans, sums
from tracker.books.folder import FolderStore
from tracker.books.names import KINDS, parse_name
from tracker.books.shipping import ship
from tracker.core.hours import HOUR_S, HourState
from tracker.core.model import Component, Method


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "books", create=True)


def files(store: FolderStore) -> dict[str, bytes]:
    return everything(Path(store.url))


def test_days_become_files_and_the_hours_of_today_a_piece(store: FolderStore) -> None:
    node = Node(store)
    node.run(24 + 24 + 5)
    done = node.ship()
    assert done.ok
    assert done.until_s == node.closed_s
    assert spans(store) == {kind: ["03 day", "04 day", "05 h00_05"] for kind in KINDS}
    assert sums(store) == {
        "energy_uj": node.total_uj,
        "held_ms": 53 * 3_600_000,
        "duration_ms": 53 * 3_600_000,
    }
    entry = lake_files(store, "entries")[0].name
    assert entry.startswith("entries/month=2026-10/day=03/gpu-017-ab12cd34-day-")


def test_a_row_says_everything_that_a_statement_groups_by(store: FolderStore) -> None:
    node = Node(store)
    node.run(1, energy_uj=5_000)
    node.ship()
    train = next(row for row in read_lake(store, "entries") if TRAIN.key in row)
    energy_uj = 4_900 + FIRST // HOUR_S
    assert train == (
        *(FIRST, "gpu-017", node.facts.ledger, "paris-1", "par1", "FR", "gpu", "GPU-0", "H100"),
        *("pod/1234", "pod", "train", "nlp", "", "", "", "", "", "", "", "nlp", "llm", "training"),
        *("measured", energy_uj, 0, 3_000_000),
    )


def test_shipping_again_changes_nothing(store: FolderStore) -> None:
    node = Node(store)
    node.run(30)
    node.ship()
    before, node.reads = files(store), []
    assert node.ship().created == []
    assert node.reads == [], "what is there needs no reading of the ledger"
    assert node.ship(check_from_s=0).created == [], "compared with the ledger, it is the same"
    assert files(store) == before


def test_only_new_hours_are_read_and_shipped(store: FolderStore) -> None:
    node = Node(store)
    node.run(5)
    node.ship()
    node.run(2)
    node.reads = []
    node.ship()
    assert node.reads == [(FIRST + 5 * HOUR_S, FIRST + 7 * HOUR_S)]
    assert spans(store)["entries"] == ["03 h00_05", "03 h05_07"]
    assert sums(store)["energy_uj"] == node.total_uj


def test_the_day_file_takes_the_place_of_its_pieces(store: FolderStore) -> None:
    node = Node(store)
    for _ in range(6):
        node.run(4)
        node.ship()
    done = node.ship()
    assert spans(store) == {kind: ["03 day"] for kind in KINDS}
    assert done.created == []
    assert sums(store)["energy_uj"] == node.total_uj
    other = FolderStore(Path(store.url).parent / "once", create=True)
    once = Node(other)
    once.run(24)
    once.ship()
    assert files(store) == files(other), "as if it had been shipped in one go"


def test_a_node_that_was_off_for_a_week_catches_up(store: FolderStore) -> None:
    node = Node(store)
    node.run(10)
    node.ship()
    node.off(7 * 24)
    node.run(3)
    node.ship()
    assert spans(store)["entries"] == ["03 day", "10 h00_13"], "no file of a day of which nothing is known"
    assert sums(store)["energy_uj"] == node.total_uj


def test_a_node_that_lost_its_state_and_name_finds_what_it_shipped(store: FolderStore) -> None:
    """Nothing but the books and the ledger says what was shipped; a new hostname must not count energy twice."""
    node = Node(store)
    node.run(30)
    node.ship()
    renamed = Node(store, hostname="gpu-renamed")
    renamed.energy_uj, renamed.closed_s = dict(node.energy_uj), node.closed_s
    assert renamed.ship().created == []
    renamed.run(24)
    done = renamed.ship()
    assert done.ok
    assert done.notes == []
    assert sums(store)["energy_uj"] == renamed.total_uj
    assert set(column("entries", "hostname", read_lake(store, "entries"))) == {"gpu-017", "gpu-renamed"}


def test_a_place_that_is_told_later_does_not_rewrite_what_was_shipped(store: FolderStore) -> None:
    node = Node(store)
    node.run(10)
    node.ship()
    moved = Node(store, site="par2")
    moved.energy_uj, moved.closed_s = node.energy_uj, node.closed_s
    moved.run(14)
    assert moved.ship(check_from_s=0).ok, "another site is no contradiction of what was measured"
    assert spans(store)["entries"] == ["03 day"]
    assert column("entries", "site", read_lake(store, "entries")) == ["par1"] * 20 + ["par2"] * 28


def test_other_content_for_the_same_hours_is_refused_and_both_are_kept(store: FolderStore) -> None:
    node = Node(store)
    node.run(24)
    node.ship()
    before = files(store)
    node.energy_uj[FIRST] += 1
    done = node.ship(check_from_s=0)
    assert not done.ok
    assert len(done.conflicts) == 1
    kept = [name for name in files(store) if name not in before]
    assert done.created == kept
    assert kept[0].startswith("conflicts/entries/month=2026-10/day=03/gpu-017-ab12cd34-day-")
    assert parse_name(kept[0]) is None, "no statement reads it"
    assert before.items() <= files(store).items()
    assert kept[0] in done.conflicts[0]
    assert node.ship(check_from_s=0).conflicts == done.conflicts, "told until somebody decides"
    assert files(store).keys() == before.keys() | set(kept)


def test_a_day_whose_pieces_contradict_the_ledger_stays_in_pieces(store: FolderStore) -> None:
    """The hours that nobody disputes are not missing from the statement."""
    node = Node(store)
    node.run(5)
    node.ship()
    shipped_uj = node.total_uj
    node.energy_uj[FIRST] += 1
    node.run(20)
    done = node.ship()
    assert len(done.conflicts) == 1
    assert spans(store)["entries"] == ["03 h00_05", "03 h05_24", "04 h00_01"]
    assert spans(store)["coverage"] == ["03 day", "04 h00_01"], "nobody disputes the time"
    assert sums(store)["energy_uj"] == node.total_uj - 1
    assert shipped_uj < node.total_uj


def test_two_nodes_with_one_hostname_are_both_kept_and_told(store: FolderStore) -> None:
    one, two = Node(store), Node(store, ledger="99" * 16)
    one.run(24)
    two.run(24, energy_uj=7_000)
    assert one.ship().notes == []
    done = two.ship()
    assert done.ok
    assert len(done.notes) == 1
    assert "ab12cd34" in done.notes[0]
    assert "gpu-017" in done.notes[0]
    assert sums(store)["energy_uj"] == one.total_uj + two.total_uj


def test_eight_equal_digits_do_not_make_two_ledgers_one(store: FolderStore) -> None:
    one, two = Node(store), Node(store, hostname="gpu-018", ledger="ab12cd34" + "f" * 24)
    one.run(24)
    two.run(24)
    one.ship()
    assert len(two.ship().created) == 3


@pytest.mark.parametrize("kind", ["coverage", "emissions", "entries"])
def test_a_damaged_file_is_told_and_the_rest_is_shipped(store: FolderStore, kind: str) -> None:
    node = Node(store)
    node.run(3)
    node.ship()
    name = lake_files(store, kind)[0].name
    path = Path(store.url) / name
    path.write_bytes(path.read_bytes()[:-20])
    node.run(24)
    done = node.ship()
    assert len(done.damaged) == 1
    assert name in done.damaged[0]
    assert "Move it aside" in done.damaged[0]
    path.unlink()
    assert node.ship().ok
    assert sums(store)["energy_uj"] == node.total_uj


def test_an_altered_file_is_told(store: FolderStore) -> None:
    """Its rows are sound, they only are not those that were shipped."""
    node = Node(store)
    node.run(24)
    node.ship()
    name = lake_files(store, "entries")[0].name
    other = Node(FolderStore(Path(store.url).parent / "other", create=True))
    other.run(24, energy_uj=9_999)
    other.ship()
    forged = other.store.read(lake_files(other.store, "entries")[0].name)
    (Path(store.url) / name).write_bytes(forged or b"")
    done = node.ship(check_from_s=0)
    sentence, remedy = "its rows are not those that its name was made of.", "Move it aside and ship its hours again"
    assert done.damaged == [f"{name} was altered: {sentence} {remedy}: wattledger ship"]


def test_a_piece_with_rows_that_the_day_lacks_is_never_removed(store: FolderStore) -> None:
    node = Node(store)
    node.run(24)
    node.ship()
    aside = Node(FolderStore(Path(store.url).parent / "aside", create=True))
    aside.run(2, energy_uj=77)
    aside.ship()
    for name, content in everything(Path(aside.store.url)).items():
        store.create(name, content)
    done = node.ship()
    assert not done.ok
    assert done.removed == [name for name in done.removed if name.startswith(("coverage/", "emissions/"))]
    assert "03 h00_02" in spans(store)["entries"]
    assert sums(store)["energy_uj"] == node.total_uj, "the day file alone counts"


def test_two_runs_that_did_not_know_of_each_other_are_one_day_in_the_end(store: FolderStore) -> None:
    """Their pieces overlap; meanwhile nothing counts twice."""
    one, two = Node(store), Node(FolderStore(Path(store.url).parent / "two", create=True))
    for node in (one, two):
        node.run(5)
    one.ship()
    two.run(1)
    two.ship()
    for name, content in everything(Path(two.store.url)).items():
        store.create(name, content)
    assert spans(store)["entries"] == ["03 h00_05", "03 h00_06"]
    assert sums(store)["energy_uj"] == one.total_uj
    one.run(20)
    assert one.ship().ok
    assert spans(store)["entries"] == ["03 day", "04 h00_01"]
    assert sums(store)["energy_uj"] == one.total_uj


def test_hours_in_which_nothing_was_booked_have_their_coverage(store: FolderStore) -> None:
    """A node whose devices could not be read is known to have run."""
    node = Node(store)
    node.run(2)
    lost = [HourState(FIRST + hour * HOUR_S, "GPU-0", Component.GPU, "lost", 3_600_000) for hour in range(2)]
    ship(store, node.facts, [FIRST], node.closed_s, lambda _start, _end: ((), lost, ()))
    assert column("coverage", "state", read_lake(store, "coverage")) == ["lost", "lost"]
    assert read_lake(store, "entries") == []


def test_time_that_is_explained_later_contradicts_nothing(store: FolderStore) -> None:
    """A device that was away for days says why when it is back; hours that were shipped without it stay as they are."""
    node = Node(store)
    node.run(24)
    node.ship()
    before = files(store)
    entries, states, emissions = node.read(FIRST, node.closed_s)
    later = [*states, HourState(FIRST, "GPU-1", Component.GPU, "lost", 3_600_000)]
    assert ship(store, node.facts, [FIRST], node.closed_s, lambda _start, _end: (entries, later, emissions)).ok
    assert files(store) == before
    done = ship(store, node.facts, [FIRST], node.closed_s, lambda _start, _end: (entries, [*states][1:], emissions))
    assert len(done.conflicts) == 1, "less than was shipped is another matter"


def test_simulated_energy_ships_and_says_so(store: FolderStore) -> None:
    node = Node(store)
    node.run(1)
    entries, states, emissions = node.read(FIRST, FIRST + HOUR_S)
    simulated = [replace(each, method=Method.SIMULATED) for each in entries]
    ship(store, node.facts, [FIRST], FIRST + HOUR_S, lambda _start, _end: (simulated, states, emissions))
    assert column("entries", "method", read_lake(store, "entries")) == ["simulated", "simulated"]


def test_progress_is_told_by_day(store: FolderStore) -> None:
    node, told = Node(store), list[tuple[int, int]]()
    node.run(72)
    days = [FIRST, FIRST + DAY_S, FIRST + 2 * DAY_S]
    ship(store, node.facts, days, node.closed_s, node.read, tell=lambda *step: told.append(step))
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
