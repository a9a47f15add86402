"""The JSON export: everything, exactly, and back again."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exports.kit import rendered
from tests.fakes.statements import CLOSED, EMPTY, FULL, STATEMENT, line, many_rows
from tracker.core.statement import Amounts, Statement
from tracker.exports.reading import NotAStatement, read_statement
from tracker.exports.table import digest


@pytest.mark.parametrize("statement", [STATEMENT, CLOSED, EMPTY, FULL, many_rows(300)])
def test_everything_of_a_statement_comes_back(statement: Statement) -> None:
    """Nothing that an auditor could ask for is left out: the export is the statement."""
    assert read_statement(rendered("json", statement)) == statement


_known = st.integers(-(10**30), 10**30)
_amounts = st.builds(Amounts, *[_known] * 6, *[st.none() | _known] * 6, _known, st.none() | _known)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=8), _amounts), max_size=4))
def test_any_label_and_any_size_comes_back(parts: list[tuple[str, Amounts]]) -> None:
    """Beyond what a double holds, and below zero."""
    rows = tuple(
        replace(line(("c", label, "p", "", "s", "gpu"), of), ratios=STATEMENT.total.ratios) for label, of in parts
    )
    statement = replace(STATEMENT, rows=rows)
    assert read_statement(rendered("json", statement)) == statement


def test_numbers_are_decimals_with_their_places() -> None:
    text = rendered("json", STATEMENT).decode()
    total = json.loads(text, parse_float=str)["total"]
    assert total["energy_overhead_kwh"] == "468450.470"
    assert total["cost"] == "431691.05"
    assert total["coverage_ratio"] == "0.991234"
    assert total["is_correction"] is False
    assert "e+" not in text.lower().replace("e+1", "")


def test_no_field_of_a_statement_is_left_out() -> None:
    """The fixture fills every one of them, so that a new field that is not exported fails here and not in an audit."""
    for each in fields(FULL):
        assert getattr(FULL, each.name), each.name


def test_what_is_not_known_is_null() -> None:
    (row,) = [each for each in json.loads(rendered("json", STATEMENT))["rows"] if each["project"] == "field-trial"]
    assert row["location_kgco2e"] is None
    assert row["cost"] is None


def test_it_says_what_it_is_where_it_comes_from_and_who_signed() -> None:
    read = json.loads(rendered("json", CLOSED))
    assert (read["schema"], read["software"], read["status"]) == (
        "wattledger-statement/1",
        "wattledger 0.1.0",
        "closed",
    )
    assert (read["preparer"], read["approver"]) == ("a.martin", "b.durand")
    assert (read["period_start"], read["period_end"]) == ("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z")
    assert read["inputs"][0]["sha256"] == "ab" * 32
    assert read["factors"][1]["licence"] == "Licence Ouverte 2.0"
    assert read["factors"][1]["value_g_per_kwh"] == "44.000"
    assert read["coverage"][1]["missing"] == ["2026-10-03T04:00Z +3 h", "2026-10-19T22:00Z +9 h"]
    assert read["checks"][2]["waived"] == "=no better table exists"
    assert read["method"][0]["title"] == "Boundary"


def test_footing_survives_the_usual_reader() -> None:
    """Who reads the numbers as decimals gets sums that are exact."""
    read = json.loads(rendered("json", STATEMENT), parse_float=Decimal)
    assert sum(row["market_kgco2e"] or 0 for row in read["rows"]) == read["total"]["market_kgco2e"]


def test_an_altered_statement_is_refused() -> None:
    content = rendered("json", CLOSED)
    assert content.count(b'"energy_it_kwh":812345.678') == 1
    with pytest.raises(NotAStatement, match="altered"):
        read_statement(content.replace(b'"energy_it_kwh":812345.678', b'"energy_it_kwh":812345.679'))
    with pytest.raises(NotAStatement, match="altered"):
        read_statement(content.replace(b"b.durand", b"a.martin"))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"schema":"wattledger-statement/1"}', b"[" * 100_000]
)
def test_what_is_no_statement_is_refused_in_a_sentence(content: bytes) -> None:
    with pytest.raises(NotAStatement, match="no JSON export"):
        read_statement(content)


def test_a_later_layout_is_refused_by_its_name() -> None:
    content = rendered("json", STATEMENT).replace(b"wattledger-statement/1", b"wattledger-statement/9")
    with pytest.raises(NotAStatement, match="'wattledger-statement/9' is not known"):
        read_statement(content)


def test_the_digest_stands_in_every_place_that_points_here() -> None:
    sha256 = digest(STATEMENT)
    assert json.loads(rendered("json", STATEMENT))["statement_sha256"] == sha256
    for name in ("csv", "focus", "codecarbon", "html", "parquet"):
        assert sha256.encode() in rendered(name, STATEMENT), name
