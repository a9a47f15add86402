"""The node page in a real Chromium, at work: without JavaScript, refreshed by it, stale, hidden, copied from."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.fakes import snapshots
from tests.web.browsing import Node, opened

pytestmark = pytest.mark.needs("chromium")


def gpu_0(page: Page) -> Locator:
    """Its row among the devices."""
    return page.get_by_role("table", name="Devices whose energy is booked").get_by_role("row", name="GPU 0")


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
        before = len(seen.addresses)
        page.evaluate(hide, True)
        page.clock.run_for(60_000)
        assert len(seen.addresses) == before
        node.snapshot = replace(node.snapshot, hostname="changed")
        page.evaluate(hide, False)
        expect(page.get_by_role("heading", level=1)).to_have_text("changed")
