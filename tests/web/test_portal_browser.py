"""The portal in a real Chromium: on a desk and a phone, light and dark, without scripts, and its files saved."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.web.browsing import DESK, opened
from tests.web.portals import EMPTY, HOSTILE, OVERVIEW, WAITING, Desk, portal
from tests.web.test_browser_look import ALIGNED, CONTRAST
from tracker.web.portal.interface import Unavailable

pytestmark = pytest.mark.needs("chromium")
PHONE = {"width": 390, "height": 844}
ALL = {
    "year": Desk(OVERVIEW),
    "empty": Desk(EMPTY),
    "hostile": Desk(HOSTILE),
    "waiting": Desk(WAITING),
    "lost": Desk(Unavailable("The books cannot be reached.", "Check the network.")),
}
OVERLAPS = """() => {
  const boxes = [...document.querySelectorAll('th, td, li, dt, dd, p, h1, h2, .plot text')]
    .filter(e => e.getClientRects().length && getComputedStyle(e).clipPath === 'none' && !e.closest('thead, details'))
    .map(e => [e, e.getBoundingClientRect()]);
  const found = [];
  for (const [a, p] of boxes) for (const [b, q] of boxes) {
    if (a === b || a.contains(b) || b.contains(a)) continue;
    if (p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 1 && q.top < p.bottom - 1)
      found.push([a.textContent.trim(), b.textContent.trim()]);
  }
  return found;
}"""


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("name", ALL)
def test_nothing_is_cut_overlapped_or_too_small(browser: Browser, name: str, size: dict[str, int]) -> None:
    with portal(ALL[name]) as served, opened(browser, served.server.url, size, script=False) as (page, seen):
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
        assert page.evaluate(OVERLAPS) == []
        smallest = page.evaluate(
            "Math.min(...[...document.querySelectorAll('body *')].map(e => parseFloat(getComputedStyle(e).fontSize)))"
        )
        assert smallest >= 12
        assert [line for line in seen.complaints if "503" not in line] == []
        assert {address for address in seen.addresses if not address.startswith("data:")} == {served.server.url}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["year", "waiting", "lost", "empty"])
def test_text_is_legible_in_light_and_dark(browser: Browser, name: str, dark: bool) -> None:
    """WCAG AA for every text on the page."""
    with portal(ALL[name]) as served, opened(browser, served.server.url, dark=dark) as (page, _):
        seen, too_faint = page.evaluate(CONTRAST)
        assert seen > 5
        assert too_faint == []
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(19, 21, 23)" if dark else "rgb(253, 253, 251)")


def test_headings_stand_over_their_columns(browser: Browser) -> None:
    with portal() as served, opened(browser, served.server.url) as (page, _):
        assert page.evaluate(ALIGNED) == []


def test_labels_from_outside_are_text(browser: Browser) -> None:
    with portal(Desk(HOSTILE)) as served, opened(browser, served.server.url) as (page, seen):
        expect(page.get_by_role("heading", level=1)).to_contain_text("<script>window.hacked=1</script>")
        counted = page.evaluate("[typeof window.hacked, document.images.length, document.scripts.length]")
        assert counted == ["undefined", 0, 0]
        assert seen.complaints == []


def test_it_can_be_read_by_ear(browser: Browser) -> None:
    """Landmarks, headings, the chart and the table have names, on a phone too."""
    with portal() as served, opened(browser, served.server.url, PHONE) as (page, _):
        for role in ("banner", "main", "contentinfo"):
            expect(page.get_by_role(role)).to_have_count(1)
        expect(page.get_by_role("table", name="Months with their totals and files")).to_have_count(1)
        name = "Location-based and market-based emissions of each month from December 2025 to November 2026, in tCO2e"
        expect(page.get_by_role("img", name=name)).to_have_count(1)
        expect(page.get_by_role("list", name="October 2026, version 2")).to_have_count(1)
        assert page.evaluate("document.querySelectorAll('th:not([scope])').length") == 0


def test_a_file_is_saved_under_its_name_with_its_bytes(browser: Browser, tmp_path: Path) -> None:
    sealed = b"a,b\r\n" * 1000
    desk = Desk(files={("2026-10", "csv", 2): sealed, ("2026-10", "html", 2): b"<!doctype html><p>October</p>"})
    with portal(desk) as served, opened(browser, served.server.url, script=False) as (page, _):
        files = page.get_by_role("list", name="October 2026, version 2")
        with page.expect_download() as saving:
            files.get_by_role("link", name="CSV").click()
        assert saving.value.suggested_filename == "wattledger-2026-10-v2.csv"
        saving.value.save_as(tmp_path / "saved.csv")
        assert (tmp_path / "saved.csv").read_bytes() == sealed


def test_earlier_versions_open_without_a_script(browser: Browser) -> None:
    with portal() as served, opened(browser, served.server.url, script=False) as (page, _):
        earlier = page.get_by_role("list", name="October 2026, version 1")
        expect(earlier).to_be_hidden()
        page.get_by_text("Earlier versions").click()
        expect(earlier).to_be_visible()


def test_a_page_that_waits_reloads_itself(browser: Browser) -> None:
    """Until the figures are there."""
    desk = Desk(WAITING)
    with portal(desk) as served, opened(browser, served.server.url, script=False) as (page, _):
        expect(page.get_by_role("status")).to_be_visible()
        desk.shown = OVERVIEW
        expect(page.get_by_role("status")).to_have_count(0, timeout=20_000)
