"""The node page in a real Chromium, to look at: on a phone, in the dark, by ear, and with hostile labels."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.fakes import snapshots
from tests.web.browsing import DESK, PHONE, Node, opened
from tracker.core.snapshot import Snapshot

pytestmark = pytest.mark.needs("chromium")
ALL = ["eight_gpus", "virtual_machine", "in_trouble", "nasty_labels", "starting", "crowded"]


def make(name: str) -> Snapshot:
    built = getattr(snapshots, name)()
    assert isinstance(built, Snapshot)
    return built


@pytest.mark.parametrize("name", ALL)
def test_a_phone_needs_no_sideways_scroll(browser: Browser, name: str) -> None:
    """At 360 px, whatever the labels are; and nothing is smaller than 12 px."""
    with Node(make(name)).served() as running, opened(browser, running.server.url, PHONE) as (page, seen):
        assert page.evaluate("document.documentElement.scrollWidth") == 360
        smallest = page.evaluate(
            "Math.min(...[...document.querySelectorAll('body *')].map(e => parseFloat(getComputedStyle(e).fontSize)))"
        )
        assert smallest >= 12
        assert seen.complaints == []


ALIGNED = """() => [...document.querySelectorAll('table')].flatMap(table => {
  const edges = row => [...row.cells].map(cell => Math.round(cell.getBoundingClientRect().right));
  const [head, body] = [table.tHead.rows[0], table.tBodies[0].rows[0]].map(edges);
  return JSON.stringify(head) === JSON.stringify(body) ? [] : [[table.caption.textContent, head, body]];
})"""


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_headings_stand_over_their_columns(browser: Browser, size: dict[str, int]) -> None:
    """Numbers are aligned and small print is quiet, on a phone and on a desk."""
    with Node(snapshots.eight_gpus()).served() as running, opened(browser, running.server.url, size) as (page, _):
        assert page.evaluate(ALIGNED) == []
        colours = page.evaluate("['small', 'dt', 'footer'].map(e => getComputedStyle(document.querySelector(e)).color)")
        assert colours == ["rgb(90, 96, 102)"] * 3


# Contrast of every piece of text with what is behind it, as WCAG 2 computes it; [ratio, text] of those below AA.
CONTRAST = """() => {
  const light = ([r, g, b]) => [r, g, b].map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const rgba = text => { const n = text.match(/[0-9.]+/g).map(Number); return n.length === 3 ? [...n, 1] : n; };
  const behind = e => {
    for (; e; e = e.parentElement) { const c = rgba(getComputedStyle(e).backgroundColor); if (c[3] > 0) return c; }
    return [255, 255, 255, 1];
  };
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, style = getComputedStyle(element);
    const unseen = ["SCRIPT", "STYLE", "title"].includes(element.tagName);
    if (unseen || !walker.currentNode.textContent.trim()) continue;
    const svg = element.ownerSVGElement !== undefined && element.ownerSVGElement !== null;
    const ink = light(rgba(svg ? style.fill : style.color)), paper = light(behind(element));
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    seen += 1;
    if (ratio < 4.5) found.push([ratio, walker.currentNode.textContent]);
  }
  return [seen, found];
}"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["in_trouble", "virtual_machine"])
def test_text_is_legible_in_light_and_dark(browser: Browser, name: str, dark: bool) -> None:
    """WCAG AA for every text on the page."""
    with Node(make(name)).served() as running, opened(browser, running.server.url, dark=dark) as (page, _):
        seen, too_faint = page.evaluate(CONTRAST)
        assert seen > 80
        assert too_faint == []
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(19, 21, 23)" if dark else "rgb(253, 253, 251)")


def test_labels_from_outside_are_text(browser: Browser) -> None:
    """Nothing in a label runs, loads or becomes an element, neither in the first page nor in a swapped one."""
    node = Node(snapshots.nasty_labels())
    with node.served() as running, opened(browser, running.server.url) as (page, seen):
        for round_ in range(2):
            expect(page.get_by_role("heading", level=1)).to_have_text("<script>window.hacked=1</script>")
            assert page.evaluate("[typeof window.hacked, document.images.length, document.scripts.length]") == [
                "undefined",
                0,
                1,
            ]
            expect(
                page.get_by_role("rowheader").filter(has_text="<script>window.hacked=1</script>").first
            ).to_be_visible()
            if round_ == 0:
                with page.expect_response("**/"):
                    page.clock.fast_forward(5_000)
        assert seen.complaints == []


def test_nothing_is_fetched_from_elsewhere(browser: Browser) -> None:
    """The page works on a node without internet, and tells nobody about it."""
    with Node(snapshots.eight_gpus()).served() as running:
        url = running.server.url
        with opened(browser, url) as (page, seen):
            with page.expect_response("**/"):
                page.clock.fast_forward(5_000)
            assert set(seen.addresses) - {url} <= {address for address in seen.addresses if address.startswith("data:")}
            assert seen.complaints == []


def test_it_can_be_read_by_ear(browser: Browser) -> None:
    """Landmarks, headings and table headings are named."""
    with Node(snapshots.in_trouble()).served() as running, opened(browser, running.server.url) as (page, _):
        for role in ("banner", "main", "contentinfo"):
            expect(page.get_by_role(role)).to_have_count(1)
        for name in ("Needs attention", "Power", "Today", "Sources", "Grid", "Book", "Gaps", "Cross-check"):
            expect(page.get_by_role("region", name=name)).to_have_count(1)
        for name in (
            "Devices whose energy is booked",
            "Workloads by energy",
            "Gaps by device",
            "Counter against power",
        ):
            expect(page.get_by_role("table", name=name)).to_have_count(1)
        unscoped = page.evaluate("document.querySelectorAll('th:not([scope])').length")
        assert unscoped == 0
