"""The portal's page as text: what a month says, well-formed and within its own content policy."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from tests.web.portals import EMPTY, FORMATS, HOSTILE, NASTY, OVERVIEW, WAITING, YEAR
from tracker.core.statement import Status
from tracker.web.portal import chart, page, words
from tracker.web.portal.interface import Busy, Figures, Month, Overview, Unavailable

ALL = {"year": OVERVIEW, "empty": EMPTY, "hostile": HOSTILE, "waiting": WAITING}
_VOID = {"meta", "link", "br", "img"}


def text_of(overview: Overview) -> str:
    return page.render(overview, FORMATS).decode()


class _Nesting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        pass


@pytest.mark.parametrize("name", ALL)
def test_the_page_is_well_formed_and_stands_alone(name: str) -> None:
    """No script, no style attribute, nothing from elsewhere; the style is the one that the policy names."""
    made = text_of(ALL[name])
    parser = _Nesting()
    parser.feed(made)
    assert (parser.wrong, parser.open) == ([], [])
    assert "<script" not in made
    assert " style=" not in made
    assert re.findall(r'(?:src|href)="(?!/api/v1/|/-/|data:)[^"]*"', made) == []
    style = re.search(r"<style>(.*?)</style>", made, re.DOTALL)
    assert style is not None
    named = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"style-src 'sha256-{named}'" in page.HEADERS["Content-Security-Policy"]


def test_figures_are_those_of_the_file_to_the_last_digit() -> None:
    made = text_of(OVERVIEW)
    assert "1,322,000.738" in made
    assert "95,678.901" in made
    assert '<span class="soft">not known</span>' in made  # the market-based emissions of November


def test_every_format_of_every_version_has_a_link() -> None:
    links = re.findall(r'href="(/api/v1/statements/2026-10[^"]*)"', text_of(OVERVIEW))
    formats = ["html", "csv", "xlsx", "json", "parquet", "focus", "codecarbon"]
    expected = [
        f"/api/v1/statements/2026-10?format={name}&amp;version={number}" for number in (2, 1) for name in formats
    ]
    assert links == expected
    assert "/api/v1/statements/2026-11?format=csv&amp;version=draft" in text_of(OVERVIEW)


def test_a_format_that_was_not_sealed_is_not_offered() -> None:
    edition = replace(YEAR[1].editions[0], formats=("csv", "json"))
    made = text_of(replace(OVERVIEW, months=(replace(YEAR[1], editions=(edition,)),)))
    assert re.findall(r"format=(\w+)&amp;version", made) == ["csv", "json"]


def test_empty_books_say_what_to_do() -> None:
    made = text_of(EMPTY)
    assert "These books are empty" in made
    assert "wattledger ship --books URL" in made
    assert "<table" not in made


def test_figures_that_are_being_put_together_reload_the_page() -> None:
    """By the page itself, without a script; a page that is complete stays."""
    assert '<meta http-equiv="refresh" content="3">' in text_of(WAITING)
    assert "being put together" in text_of(WAITING)
    assert "refresh" not in re.sub(r"<style>.*?</style>", "", text_of(OVERVIEW), flags=re.DOTALL)
    still_looking = text_of(replace(EMPTY, pending=True))
    assert "These books are empty" not in still_looking


def test_text_from_outside_stays_text() -> None:
    made = text_of(HOSTILE)
    assert NASTY not in made
    assert "<img" not in made
    assert "&lt;script&gt;window.hacked=1&lt;/script&gt;&#34;" in made or "&lt;script&gt;window.hacked=1" in made
    assert "\u202e" not in made


def test_trouble_has_its_sentence_and_what_helps() -> None:
    made = page.render_trouble(Unavailable("The books <b> cannot be listed.", "Check the network.")).decode()
    assert "The books &lt;b&gt; cannot be listed." in made
    assert "Check the network." in made
    assert '<meta http-equiv="refresh" content="30">' in made
    assert 'content="7"' in page.render_trouble(Busy("Wait.", retry_after_s=7)).decode()


def test_the_chart_has_twelve_months_and_one_unit() -> None:
    """A year that ends with the newest; months without figures keep their place."""
    drawn = chart.draw(YEAR)
    assert drawn is not None
    assert [slot.name for slot in drawn.slots][:3] == ["Dec", "Jan", "Feb"]
    assert [slot.year for slot in drawn.slots if slot.year] == ["2025", "2026"]
    assert drawn.unit == "tCO2e"
    assert drawn.drafts
    november = drawn.slots[-1]
    assert november.words == "November 2026 (draft): location-based 95,678.901 kgCO2e, market-based not known"
    assert [bar.css for bar in november.bars] == ["location"]  # what is not known has no bar
    assert drawn.levels[-1][0] == chart.TOP
    highest = max(bar.height for slot in drawn.slots for bar in slot.bars)
    assert 0 < highest <= chart.HEIGHT


def test_the_chart_of_small_zero_and_absent_figures() -> None:
    """A zero is seen as one; kilograms where tonnes would be nothing."""
    assert chart.draw(()) is None
    assert chart.draw((Month("2026-10", Status.DRAFT, None),)) is None
    drawn = chart.draw((Month("2026-10", Status.CLOSED, Figures(5, 0, 1_500)),))
    assert drawn is not None
    assert drawn.unit == "kgCO2e"
    assert [bar.height for bar in drawn.slots[-1].bars] == [1, chart.HEIGHT * 1500 // 2000]
    assert [slot.bars for slot in drawn.slots[:-1]] == [()] * 11


@pytest.mark.parametrize(
    ("ppm", "said"), [(None, "not known"), (0, "0.00\u00a0%"), (999_999, "99.99\u00a0%"), (1_000_000, "100.00\u00a0%")]
)
def test_coverage_is_never_rounded_up(ppm: int | None, said: str) -> None:
    assert words.percent(ppm) == said


def test_numbers_and_dates() -> None:
    assert words.thousandths(-1_234_567) == "-1,234.567"
    assert words.thousandths(7) == "0.007"
    assert words.month_name("2027-01") == "January 2027"
    assert words.minute(1793635200) == "2026-11-02 16:00 UTC"
