"""The printable page, in a real Chromium: nothing is cut, nothing overlaps, nothing is fetched, nothing runs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.exports.kit import rendered
from tests.fakes.statements import CLOSED, EMPTY, FULL, STATEMENT, added, amounts, line
from tracker.core.statement import Statement
from tracker.exports.table import digest

pytestmark = pytest.mark.needs("chromium")

#: Texts whose boxes lie in one another, among the texts of one chart or the cells of one table.
OVERLAPS = """() => {
  const found = [];
  for (const group of document.querySelectorAll('svg.chart, table, .figures')) {
    const boxes = [...group.querySelectorAll('text, td, th, dt')]
      .filter(each => each.textContent.trim())
      .map(each => [each.textContent.trim(), each.getBoundingClientRect()]);
    boxes.forEach(([one, a], place) => boxes.slice(place + 1).forEach(([two, b]) => {
      if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1)
        found.push([one, two]);
    }));
  }
  return found;
}"""
#: Texts of a chart that leave its drawing area, and cells whose content is wider than they are.
CUT = """() => [
  ...[...document.querySelectorAll('svg.chart text')].filter(each => {
    const a = each.getBoundingClientRect(), b = each.closest('svg').getBoundingClientRect();
    return a.left < b.left - 1 || a.right > b.right + 1 || a.top < b.top - 1 || a.bottom > b.bottom + 1;
  }),
  ...[...document.querySelectorAll('td, th, dd, p, h1, h2')].filter(each => each.scrollWidth > each.clientWidth + 1),
].map(each => each.textContent)"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        yield made
        made.close()


def opened(browser: Browser, tmp_path: Path, statement: Statement, width: int = 1280) -> tuple[Page, list[str]]:
    """The page, and what it asked for or complained of."""
    (tmp_path / "month.html").write_bytes(rendered("html", statement))
    page = browser.new_page(viewport={"width": width, "height": 900})
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: seen.append(message.text))
    page.on("dialog", lambda dialog: seen.append(dialog.message))
    page.goto(f"file://{tmp_path}/month.html")
    return page, seen[1:]


@pytest.mark.parametrize("width", [390, 820, 1280])
@pytest.mark.parametrize("statement", [FULL, EMPTY])
def test_nothing_is_cut_and_nothing_overlaps(
    browser: Browser, tmp_path: Path, statement: Statement, width: int
) -> None:
    page, seen = opened(browser, tmp_path, statement, width)
    assert page.evaluate(OVERLAPS) == []
    assert page.evaluate(CUT) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert seen == [], "self-contained: it asks for nothing and says nothing"
    page.close()


def test_labels_are_texts_and_run_nothing(browser: Browser, tmp_path: Path) -> None:
    """A team called </script><script>alert(1)</script> is a team."""
    page, seen = opened(browser, tmp_path, STATEMENT)
    assert page.locator("script").count() == 0
    assert page.get_by_role("rowheader", name="</script><script>alert(1)</script>").count() == 1
    assert seen == []
    page.close()


def test_numbers_are_the_statements(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, tmp_path, CLOSED)
    assert page.title() == "Example SA: energy and carbon, October 2026"
    assert page.locator(".status").inner_text() == "closed, version 1"
    assert page.locator(".figures dd").all_inner_texts() == [
        "2,399,778 kWh",
        "339.144 t CO2e",
        "373.478 t CO2e",
        "13.0 %",
        "99.12 %",
        "98.22 %",
    ]
    assert "1,493.826 kWh had no factor" in page.locator("main").inner_text()
    assert digest(CLOSED) in page.locator("footer").inner_text()
    page.close()


@pytest.mark.parametrize("heading", ["By scope of the electricity", "By team"])
def test_p9_printed_columns_add_up(browser: Browser, tmp_path: Path, heading: str) -> None:
    """P9, on the paper that the manager adds up with a pencil."""
    page, _ = opened(browser, tmp_path, CLOSED)
    section = page.locator("section", has=page.get_by_role("heading", name=heading))
    lines = [row.locator("th, td").all_inner_texts() for row in section.locator("tbody tr").all()]
    titles = section.locator("thead th").all_inner_texts()
    summed = [place for place, title in enumerate(titles) if "kWh" in title or "t CO2e" in title]
    assert len(summed) in {3, 5}
    for column in summed:
        numbers = [round(1000 * float(line[column].replace(",", "") or 0)) for line in lines]
        assert sum(numbers[:-1]) == numbers[-1], titles[column]
    page.close()


def test_shares_are_rounded_and_add_up(browser: Browser, tmp_path: Path) -> None:
    """Cut they would be 53.7, 32.5 and 13.6 %, which is 99.8 % under a total of 100.0 %."""
    rows = tuple(
        line(("", team, "", "", "par1", "gpu"), amounts(wh, pue_permille=1000, idle_wh=idle_wh))
        for team, wh, idle_wh in (("a", 53_751, 217_994 * 53_751 // 1_000_000), ("b", 32_563, 0), ("c", 13_686, 0))
    )
    total = replace(STATEMENT.total, amounts=added(each.amounts for each in rows))
    page, _ = opened(browser, tmp_path, replace(EMPTY, rows=rows, total=total))
    section = page.locator("section", has=page.get_by_role("heading", name="By team"))
    lines = [row.locator("th, td").all_inner_texts() for row in section.locator("tbody tr").all()]
    assert [(each[0], each[2]) for each in lines] == [
        ("a", "53.7 %"),
        ("b", "32.6 %"),
        ("c", "13.7 %"),
        ("Total", "100.0 %"),
    ]
    assert lines[0][4] == "21.8 %"
    page.close()


def test_what_has_no_price_and_no_factor_is_said(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, tmp_path, FULL)
    said = page.locator("#quality dl").inner_text()
    for text in ("Energy without a price", "1,493.826 kWh, in no cost", "Not in: market-based emissions"):
        assert text in said
    page.close()


def test_charts_are_labelled_and_said_to_those_who_do_not_see_them(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, tmp_path, CLOSED)
    charts = page.locator("svg.chart")
    assert charts.count() == 2
    for name in ("energy", "emissions"):
        figure = page.locator(f"figure#{name}")
        assert figure.locator("text").filter(has_text=re.compile(r"^\d{4}-\d\d$")).count() == 12
        assert figure.locator(".legend li").count() in {2, 3}
        says = figure.locator("svg.chart > title").text_content() or ""
        assert "2026-10: " in says
        assert "not known" not in says
    assert page.locator("svg[role=img]:not(:has(> title))").count() == 0
    assert page.locator("th:not([scope])").count() == 0
    assert page.locator("html").get_attribute("lang") == "en"
    page.close()


def test_every_part_that_finance_asks_for_is_there(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, tmp_path, FULL)
    assert page.locator("h2").all_inner_texts() == [
        "By scope of the electricity",
        "By team",
        "Energy over twelve months, MWh",
        "Location-based and market-based, t CO2e",
        "Coverage and data quality",
        "Sites",
        "Corrections of closed months",
        "Reconciliation",
        "Factors",
        "Method",
    ]
    text = page.locator("main").inner_text()
    for said in (
        "1.210 (assumed)",
        "Not in: market-based emissions",
        "Licence: Licence Ouverte 2.0",
        "2026-10-03T04:00Z +3 h",
        "-1,234.567",
        "two scrapes lost",
        "=Memory of par1",
        "Reason: =no better table exists",
    ):
        assert said in text
    page.close()


def test_an_empty_month_says_not_known_and_draws_nothing(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, tmp_path, EMPTY)
    assert page.locator(".figures dd").all_inner_texts()[1:4] == ["not known", "not known", "not known"]
    assert page.locator("svg.chart").count() == 0
    page.close()


def test_it_prints_on_few_pages_with_numbers_on_them(browser: Browser, tmp_path: Path) -> None:
    """A4, the tables' headers on each page, no chart cut in two."""
    page, _ = opened(browser, tmp_path, CLOSED)
    page.emulate_media(media="print")
    pdf = page.pdf(prefer_css_page_size=True)
    boxes = {tuple(round(float(each)) for each in box.split()) for box in re.findall(rb"/MediaBox \[([\d. ]+)\]", pdf)}
    assert boxes <= {(0, 0, 595, 842), (0, 0, 596, 842)}
    assert 2 <= len(re.findall(rb"/Type /Page\b", pdf)) <= 5
    style = page.evaluate("getComputedStyle(document.querySelector('figure')).breakInside")
    assert style == "avoid"
    page.close()


def _luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(share * part for share, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(one: str, two: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_colours_can_be_read_and_told_apart_without_colour() -> None:
    """WCAG 2.2: 4.5 to 1 for text; the three of the charts differ in lightness, so that a grey printer tells them
    apart."""
    style: dict[str, Any] = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", rendered("html", EMPTY).decode()))
    for ink in ("ink", "soft", "warn"):
        assert _contrast(style[ink], "#ffffff") >= 4.5
        assert _contrast(style[ink], style["wash"]) >= 4.5
    assert _contrast(style["dark"], style["middle"]) >= 2
    assert _contrast(style["middle"], style["light"]) >= 1.9
