"""The node page in a real Chromium: without JavaScript, refreshed by it, on a phone, in the dark, under attack."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright
from playwright.sync_api import Request as Fetched

from tests.fakes import snapshots
from tests.web.rows import today
from tests.web.serving import Log, Running, serving
from tracker.core.snapshot import Snapshot
from tracker.web.routes import build_routes
from tracker.web.server import Options

pytestmark = pytest.mark.needs("chromium")
PHONE = {"width": 360, "height": 720}
DESK = {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"],
        )
        yield made
        made.close()


@dataclass
class Node:
    """A served node whose snapshot a test changes."""

    snapshot: Snapshot
    mono_s: float = 0.0

    @contextlib.contextmanager
    def served(self, listen: str = "127.0.0.1:0") -> Iterator[Running]:
        routes = build_routes(
            snapshot=lambda: self.snapshot,
            metrics=lambda _: (b"", "text/plain"),
            today=lambda: today(self.snapshot),
            tick_age_s=lambda: 1.0,
            wall_s=lambda: self.snapshot.tick_wall_s + 1,
            mono_s=self._mono_s,
            log=Log(),
        )
        with serving(routes, options=Options(listen=listen)) as running:
            yield running

    def _mono_s(self) -> float:
        self.mono_s += 60  # so that every page asks for today anew
        return self.mono_s


@dataclass
class Seen:
    """What a page did besides being drawn."""

    complaints: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)


@contextlib.contextmanager
def opened(
    browser: Browser, url: str, size: dict[str, int] | None = None, *, dark: bool = False, script: bool = True
) -> Iterator[tuple[Page, Seen]]:
    """The page in a fresh window with a clock that stands still until a test turns it."""
    context = browser.new_context(
        viewport={"width": (size or DESK)["width"], "height": (size or DESK)["height"]},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
    )
    context.set_default_timeout(10_000)
    page, seen = context.new_page(), Seen()

    def complain(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            seen.complaints.append(message.text)

    def fetched(request: Fetched) -> None:
        seen.addresses.append(request.url)

    page.on("console", complain)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.on("request", fetched)
    if script:
        page.clock.install()
    page.goto(url)
    try:
        yield page, seen
    finally:
        context.close()


def gpu_0(page: Page) -> Locator:
    """Its row among the devices."""
    return page.get_by_role("table", name="Devices whose energy is booked").get_by_role("row", name="GPU 0")


ALL = ["eight_gpus", "virtual_machine", "in_trouble", "nasty_labels", "starting", "crowded"]


def make(name: str) -> Snapshot:
    built = getattr(snapshots, name)()
    assert isinstance(built, Snapshot)
    return built


def test_without_javascript_everything_is_there_and_the_page_reloads_itself(browser: Browser) -> None:
    """An operator with a text browser or a locked-down one sees the same."""
    node = Node(snapshots.in_trouble())
    with node.served() as running, opened(browser, running.server.url, script=False) as (page, seen):
        expect(page).to_have_title("gpu-017 · 3.18\u00a0kW · wattledger")
        expect(page.get_by_role("row", name="llama-pretrain-0")).to_contain_text("33.3\u00a0kWh")
        expect(page.get_by_role("img", name="Power of the last 9\u00a0min\u00a055\u00a0s by component")).to_be_visible()
        expect(page.locator("meta[http-equiv=refresh]")).to_have_attribute("content", "10")
        expect(page.get_by_role("button", name="Copy")).to_have_count(0)
        expect(page.locator("pre").first).to_contain_text("sudo setcap")
        assert seen.complaints == []


def test_with_javascript_a_change_appears_without_reloading(browser: Browser) -> None:
    """Scroll, focus and what is unfolded survive the swap; title and header follow too."""
    node = Node(snapshots.eight_gpus())
    with node.served() as running, opened(browser, running.server.url) as (page, seen):
        page.evaluate("window.sameDocument = true")
        page.get_by_text("1 sensor is read but not booked").click()
        page.get_by_role("link", name="JSON").focus()
        page.evaluate("window.scrollTo(0, 500)")
        first = node.snapshot.devices[0]
        node.snapshot = replace(
            node.snapshot,
            hostname="gpu-018",
            tick_wall_s=node.snapshot.tick_wall_s + 5,
            devices=(replace(first, power_mw=12_340), *node.snapshot.devices[1:]),
        )
        page.clock.fast_forward(5_000)
        expect(page.get_by_role("heading", level=1)).to_have_text("gpu-018")
        expect(gpu_0(page)).to_contain_text("12.3\u00a0W")
        expect(page).to_have_title("gpu-018 · 3.22\u00a0kW · wattledger")
        expect(page.locator("#tick")).to_have_text("12:00:10 UTC")
        expect(page.locator("#unbooked")).to_have_attribute("open", "")
        expect(page.get_by_role("link", name="JSON")).to_be_focused()
        assert page.evaluate("[window.sameDocument, window.scrollY]") == [True, 500]
        assert seen.complaints == []


def test_focus_inside_the_swapped_part_survives(browser: Browser) -> None:
    """Who copies a remedy with the keyboard is not thrown out; the lines are copied whole."""
    node = Node(snapshots.in_trouble())
    with node.served() as running, opened(browser, running.server.url) as (page, _):
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        button = page.get_by_role("button", name="Copy")
        button.focus()
        node.snapshot = replace(node.snapshot, hostname="changed")
        page.clock.fast_forward(5_000)
        expect(page.get_by_role("heading", level=1)).to_have_text("changed")
        expect(button).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == (
            "sudo setcap cap_dac_read_search+ep /usr/bin/wattledger\nsudo systemctl restart wattledger"
        )


def test_a_selection_is_not_swapped_away(browser: Browser) -> None:
    """Somebody is marking a number; the swap waits."""
    node = Node(snapshots.eight_gpus())
    with node.served() as running, opened(browser, running.server.url) as (page, seen):
        page.evaluate("getSelection().selectAllChildren(document.querySelector('h1'))")
        node.snapshot = replace(node.snapshot, hostname="changed")
        with page.expect_response("**/"):
            page.clock.fast_forward(5_000)
        assert page.evaluate("getSelection().toString()") == "gpu-017"
        page.evaluate("getSelection().removeAllRanges()")
        page.clock.fast_forward(5_000)
        expect(page.get_by_role("heading", level=1)).to_have_text("changed")
        assert seen.complaints == []


def test_a_daemon_that_does_not_answer_is_called_stale(browser: Browser) -> None:
    """Old numbers must not look new; when it answers again, the warning goes."""
    node = Node(snapshots.eight_gpus())
    with contextlib.ExitStack() as stack:
        with node.served() as running:
            page, _ = stack.enter_context(opened(browser, running.server.url))
            expect(page.get_by_role("status")).to_be_empty()
            address = "{}:{}".format(*running.place)
        page.clock.fast_forward(5_000)
        expect(page.get_by_role("status")).to_have_text(
            "Stale since 12:00:05 UTC: wattledger does not answer. Trying again."
        )
        expect(gpu_0(page)).to_be_visible()
        stack.enter_context(node.served(address))
        page.clock.fast_forward(5_000)
        expect(page.get_by_role("status")).to_be_empty()


def test_a_hidden_tab_asks_nothing(browser: Browser) -> None:
    """A page forgotten in some tab costs the node nothing; shown again it is fresh at once."""
    hide = "value => { Object.defineProperty(document, 'hidden', {value, configurable: true}); \
            document.dispatchEvent(new Event('visibilitychange')); }"
    node = Node(snapshots.eight_gpus())
    with node.served() as running, opened(browser, running.server.url) as (page, seen):
        page.evaluate(hide, True)
        before = len(seen.addresses)
        page.clock.run_for(60_000)
        assert len(seen.addresses) == before
        node.snapshot = replace(node.snapshot, hostname="changed")
        page.evaluate(hide, False)
        expect(page.get_by_role("heading", level=1)).to_have_text("changed")


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
