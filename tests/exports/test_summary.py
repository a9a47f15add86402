"""Sums for one page, and the geometry of its charts."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.statements import STATEMENT, many_rows
from tracker.exports import charts, summary
from tracker.exports.charts import Month


def test_a_page_shows_the_largest_and_the_others_as_one() -> None:
    """Two hundred teams do not fit on a page, and none may get lost."""
    parts = summary.by_team(many_rows(1_000))
    assert len(parts) == 12
    assert parts[-1].name == "189 others"
    assert sum(each.amounts.energy_it_wh for each in parts) == many_rows(1_000).total.amounts.energy_it_wh


def test_energy_of_nobody_has_a_name() -> None:
    assert summary.NOT_DECLARED in {each.name for each in summary.by_team(STATEMENT)}


def test_who_does_not_group_by_team_sees_what_there_is() -> None:
    assert summary.team_dimension(replace(STATEMENT, group_by=("site", "component"))) == "site"
    assert summary.team_dimension(replace(STATEMENT, group_by=())) == "team"


def test_the_trend_ends_with_this_month_and_has_no_more_than_twelve() -> None:
    months = summary.trend(replace(STATEMENT, months=(("2024-01", STATEMENT.months[0][1]), *STATEMENT.months)))
    assert [each.name for each in months] == [
        "2025-11",
        "2025-12",
        *(f"2026-{month:02}" for month in range(1, 11)),
    ]
    assert months[-1].amounts == STATEMENT.total.amounts


@given(st.lists(st.none() | st.integers(0, 10**15), max_size=20))
def test_p9_rounded_columns_add_up(values: list[int | None]) -> None:
    """P9 in tonnes too; what is not known stays so."""
    total, parts = summary.footed(values, sum(value or 0 for value in values))
    assert sum(part or 0 for part in parts) == total
    assert [part is None for part in parts] == [value is None for value in values]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "(not declared)"),
        ("\n\t", "(not declared)"),
        ("a\r\nb", "a b"),
        ("\u202eevil", "evil"),
        ("nlp", "nlp"),
    ],
)
def test_labels_are_printed_in_one_line(name: str, shown: str) -> None:
    assert summary.printed(name) == shown


@given(
    st.lists(
        st.tuples(st.none() | st.integers(0, 10**15), st.none() | st.integers(0, 10**15)), min_size=1, max_size=12
    ),
    st.booleans(),
)
def test_every_column_stays_in_its_chart(values: list[tuple[int | None, int | None]], stacked: bool) -> None:
    """Whatever the sizes are, nothing is drawn over the labels or out of the picture."""
    months = [Month(f"2026-{number:02}", each) for number, each in enumerate(values, 1)]
    chart = charts.columns("x", "X", "t", ("a", "b"), months, stacked=stacked)
    for rect in chart.rects:
        assert charts.LEFT <= rect.x <= rect.x + rect.width <= charts.WIDTH - charts.RIGHT
        assert charts.TOP <= rect.y <= rect.y + rect.height <= charts.HEIGHT - charts.BOTTOM
    assert 2 <= len(chart.ticks) <= 6
    assert chart.ticks[0].label == "0"


@pytest.mark.parametrize(
    ("top", "step"), [(0, 1), (5, 1), (6, 2), (11, 5), (26, 10), (2_399_777_877, 500_000_000), (10**9, 200_000_000)]
)
def test_axes_have_round_steps(top: int, step: int) -> None:
    assert charts.round_step(top) == step


def test_what_is_not_known_is_said_and_not_drawn() -> None:
    chart = charts.columns("x", "X", "t", ("a",), [Month("2026-10", (None,))], stacked=False)
    assert chart.says == "X, t. 2026-10: a not known."
    assert not chart.drawn
