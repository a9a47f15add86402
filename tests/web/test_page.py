"""The page as text: well-formed, small, within its own content policy, and honest about what is unknown."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.fakes import snapshots
from tests.web.rows import today
from tracker.core.model import Method
from tracker.core.snapshot import Snapshot
from tracker.web.node import page

SINCE = "since 00:00 UTC"
ALL = [
    snapshots.eight_gpus,
    snapshots.virtual_machine,
    snapshots.in_trouble,
    snapshots.nasty_labels,
    snapshots.starting,
    snapshots.crowded,
]


def render(snapshot: Snapshot, later_s: float = 1.0) -> str:
    return page.render(snapshot, today(snapshot), snapshot.tick_wall_s + later_s, SINCE).decode("utf-8")


class Structure(HTMLParser):
    """Counts ids and attributes, and checks that every element is closed in order."""

    VOID = frozenset({"meta", "link", "br", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.tags: Counter[str] = Counter()
        self.attributes: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes.update(name for name, _ in attrs)
        self.ids.update(value for name, value in attrs if name == "id" and value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("make", ALL)
def test_every_page_is_well_formed(make: Callable[[], Snapshot]) -> None:
    """Closed elements, unique ids, no attribute the content policy would refuse, whatever the labels are."""
    structure = Structure()
    structure.feed(render(make()))
    assert structure.open == []
    assert [key for key, count in structure.ids.items() if count > 1] == []
    assert [name for name in structure.attributes if name == "style" or name.startswith("on")] == []
    assert (structure.tags["script"], structure.tags["img"], structure.tags["h1"]) == (1, 0, 1)


@pytest.mark.parametrize("make", ALL)
def test_every_page_is_small(make: Callable[[], Snapshot]) -> None:
    """Also with 500 workloads and labels of 10 kB."""
    assert len(render(make()).encode()) < 80_000


def test_the_policy_names_the_inlined_style_and_script() -> None:
    """Anything else that got into the page would not run."""
    html = render(snapshots.eight_gpus())
    policy = page.HEADERS["Content-Security-Policy"]
    for tag in ("style", "script"):
        found = re.search(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
        assert found
        digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy
    assert "http://" not in html.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in html


def test_a_healthy_node_asks_for_nothing() -> None:
    """Calm when all is well: no warning anywhere."""
    html = render(snapshots.eight_gpus())
    assert "3.88\u00a0kW" in html
    assert 'class="attention"' not in html
    assert 'class="warn' not in html
    assert 'class="bad"' not in html
    assert "badge bad" not in html


def test_trouble_is_said_in_words_with_the_fix() -> None:
    """Every kind of fault has its sentence, and the remedy is there to copy."""
    html = render(snapshots.in_trouble())
    for sentence in (
        "The disk of /var/lib/wattledger is full",
        "3 µJ do not add up",
        "The source <bdi>nvml</bdi> is down",
        "Emissions are unknown, not zero",
        "no table has a value for zone AQ",
        "not measured: the device or its sensor vanished",
        "from 10 of 12 devices",
        "no factor",
        "sudo setcap cap_dac_read_search+ep /usr/bin/wattledger\nsudo systemctl restart wattledger",
    ):
        assert sentence in html
    assert '<td class="num">0\u00a0W' not in html


def test_an_assumed_zone_is_flagged_with_the_lines_that_set_it() -> None:
    """P11: never guesses a place silently; estimates are called modelled."""
    html = render(snapshots.virtual_machine())
    assert "<strong>Assumed.</strong>" in html
    assert "[site.mysite]\nzone = &quot;YOUR-ZONE&quot;" in html
    assert "with an assumed factor" in html
    assert "from 2 devices, modelled" in html
    assert "modelled, not measured" in html
    assert "not set: 1.00 is assumed" in html


def test_before_the_first_reading() -> None:
    """An empty page that explains itself."""
    html = render(snapshots.starting())
    for sentence in (
        "starting: the first reading",
        "not measured",
        "No device has been read yet",
        "No workload has used",
    ):
        assert sentence in html


def test_a_simulated_node_says_so() -> None:
    """A demonstration must not be taken for a measurement."""
    node = snapshots.eight_gpus()
    devices = tuple(replace(d, sensor=replace(d.sensor, method=Method.SIMULATED)) for d in node.devices)
    assert "<strong>Simulated.</strong>" in render(replace(node, devices=devices))


def test_a_stuck_daemon_is_seen_on_its_page() -> None:
    """The page answers although the tick does not go round: old numbers are called old."""
    html = render(snapshots.eight_gpus(), later_s=200.0)
    assert "The last reading was 3\u00a0min\u00a020\u00a0s ago: wattledger is stuck." in html
    assert "last reading <time" in html


def test_text_that_is_no_unicode_is_shown_all_the_same() -> None:
    """Half a surrogate pair, as undecodable bytes become in Python."""
    html = render(replace(snapshots.eight_gpus(), hostname="bad\udcff"))
    assert "bad?" in html
