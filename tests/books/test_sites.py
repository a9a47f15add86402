"""What a site was said to be, and when: nothing that was said is lost, and contradictions are not hidden."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tests.books.shipments import everything
from tracker.books.folder import FolderStore
from tracker.books.sites import SiteFacts, read_sites, record_site
from tracker.core.accounting import Pue

OCTOBER = 1_790_812_800
PAR1 = SiteFacts(
    site="par1",
    zone="FR",
    timezone="Europe/Paris",
    control="colo",
    colo_overhead="scope3-8",
    pue=(Pue(1560, "assumed: industry average", assumed=True), Pue(1210, "operator, 2026-Q3", OCTOBER)),
    hostname="gpu-017",
    ledger="ab12cd34" * 4,
    recorded_at_s=OCTOBER,
)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def said(facts: SiteFacts, at_s: int, **changes: object) -> SiteFacts:
    return msgspec.structs.replace(facts, recorded_at_s=at_s, **changes)


def test_what_a_node_says_is_read_back(store: FolderStore) -> None:
    name = record_site(store, PAR1)
    assert name is not None
    assert name.startswith("sites/par1/")
    assert len(Path(name).stem) == 16
    assert read_sites(store).facts == {"par1": PAR1}


def test_it_is_written_once_while_it_says_the_same(store: FolderStore, tmp_path: Path) -> None:
    record_site(store, PAR1)
    before = everything(tmp_path)
    assert record_site(store, said(PAR1, OCTOBER + 3600)) is None
    assert everything(tmp_path) == before


def test_a_change_is_a_new_file_and_the_past_stays(store: FolderStore) -> None:
    """Also a change back to what was said before."""
    record_site(store, PAR1)
    record_site(store, said(PAR1, OCTOBER + 100, zone="DE"))
    assert record_site(store, said(PAR1, OCTOBER + 200)) is not None

    def zone(as_of_s: int | None) -> list[str]:
        return [facts.zone for facts in read_sites(store, as_of_s).facts.values()]

    assert zone(OCTOBER - 1) == []
    assert zone(OCTOBER) == ["FR"]
    assert zone(OCTOBER + 199) == ["DE"]
    assert zone(None) == ["FR"]


def test_a_clock_that_was_set_back_does_not_hide_the_news(store: FolderStore) -> None:
    record_site(store, PAR1)
    record_site(store, said(PAR1, OCTOBER - 5000, zone="DE"))
    assert read_sites(store).facts["par1"].zone == "DE"


def test_nodes_that_say_the_same_are_no_contradiction(store: FolderStore) -> None:
    record_site(store, PAR1)
    record_site(store, said(PAR1, OCTOBER + 50, hostname="gpu-018", ledger="99" * 16))
    found = read_sites(store)
    assert found.contradictions == ()
    assert len(found.facts) == 1


def test_nodes_of_one_site_that_contradict_each_other_are_told(store: FolderStore) -> None:
    record_site(store, PAR1)
    record_site(store, said(PAR1, OCTOBER + 50, hostname="gpu-018", ledger="99" * 16, zone="DE", pue=()))
    found = read_sites(store)
    assert found.facts["par1"].hostname == "gpu-018", "the newest counts"
    assert len(found.contradictions) == 1
    assert "the site par1 differently: gpu-017 against gpu-018, in zone, pue." in found.contradictions[0]
    assert read_sites(store, OCTOBER).contradictions == (), "as it was known then"


@pytest.mark.parametrize("name", ["", "..", "a/b", "上海", "x" * 60])
def test_any_name_is_a_site(store: FolderStore, name: str, tmp_path: Path) -> None:
    record_site(store, said(PAR1, OCTOBER, site=name))
    assert list(read_sites(store).facts) == [name]
    assert all(path.startswith("sites/") and path.count("/") == 2 for path, _ in store.names())


def test_a_damaged_file_is_told_and_the_others_count(store: FolderStore, tmp_path: Path) -> None:
    record_site(store, PAR1)
    store.create("sites/par1/0000000000000000.json", b'{"site": ')
    store.create("sites/par1/1111111111111111.json", b'{"format": "something else"}')
    store.create("sites/par1/2222222222222222.json", b'{"version": 2}')
    found = read_sites(store)
    assert found.facts == {"par1": PAR1}
    assert [sentence.split(" ")[0] for sentence in found.damaged] == [
        f"sites/par1/{digit * 16}.json" for digit in "012"
    ]


def test_a_field_of_a_later_version_is_passed_over(store: FolderStore, tmp_path: Path) -> None:
    name = record_site(store, PAR1)
    path = tmp_path / str(name)
    document = msgspec.json.decode(path.read_bytes()) | {"water": 1.8}
    path.write_bytes(msgspec.json.encode(document))
    assert read_sites(store).facts == {"par1": PAR1}
