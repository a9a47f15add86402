"""What the portal reads of a statement: from the very file that finance gets."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from tests.fakes.statements import EMPTY, STATEMENT
from tracker.books.interface import BooksDamaged
from tracker.core.statement import Statement
from tracker.exports.as_json import JsonExporter
from tracker.finance.portal_figures import read_figures
from tracker.web.portal.interface import Figures


def json_of(statement: Statement) -> bytes:
    out = io.BytesIO()
    JsonExporter().render(statement, out)
    return out.getvalue()


def test_totals_and_trend_to_the_last_digit() -> None:
    read = read_figures(json_of(STATEMENT), "f")
    total, ratios = STATEMENT.total.amounts, STATEMENT.total.ratios
    assert read.figures == Figures(total.energy_facility_wh, total.location_g, total.market_g, ratios.coverage_ppm)
    assert read.as_of_s == STATEMENT.as_of_s
    month, amounts = STATEMENT.months[3]
    assert read.trend[month] == Figures(amounts.energy_facility_wh, amounts.location_g, amounts.market_g)
    assert len(read.trend) == 12


def test_what_is_not_known_stays_so() -> None:
    total = replace(EMPTY.total, ratios=replace(EMPTY.total.ratios, coverage_ppm=None))
    read = read_figures(json_of(replace(EMPTY, total=total)), "f")
    assert read.figures.location_g is None
    assert read.figures.coverage_ppm is None
    assert read.trend == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "f is no statement"),
        (b"{}", "f is no statement"),
        (b'{"total":1}', "f is no statement"),
        (json_of(STATEMENT)[:-40], "f is no statement"),
        (json_of(STATEMENT).replace(b"wattledger-statement/1", b"wattledger-statement/9"), "layout"),
    ],
)
def test_what_is_no_statement_is_damage_and_not_zero(content: bytes, said: str) -> None:
    with pytest.raises(BooksDamaged, match=said):
        read_figures(content, "f")
