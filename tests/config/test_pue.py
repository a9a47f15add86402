"""What a building adds, and since when: never a silent 1.0."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.config.kit import loaded
from tracker.config.pue import statements
from tracker.core.accounting import pue_at
from tracker.core.errors import UsageError


def at(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())


def said(folder: Path, text: str, moment: str) -> tuple[int, str, bool]:
    pue = pue_at(statements(loaded(folder, f"[site.a]\n{text}").here), at(moment))
    return pue.permille, pue.source, pue.assumed


def test_without_a_pue_the_industrys_average_is_assumed_and_says_so(tmp_path: Path) -> None:
    """1.0 would leave the building out of every statement."""
    expected = (1560, "assumed: industry average, set pue and pue_source", True)
    assert said(tmp_path, 'zone = "FR"\n', "2026-01-01") == expected
    assert pue_at(statements(loaded(tmp_path).here), 0).assumed, "nor without any site"


def test_a_pue_without_a_source_says_that_too(tmp_path: Path) -> None:
    assert said(tmp_path, "pue = 1.2\n", "2026-01-01") == (1200, "as configured; set pue_source", False)
    assert said(tmp_path, 'pue = 1.2\npue_source = "operator"\n', "1999-01-01") == (1200, "operator", False)


def test_before_a_pue_holds_it_is_assumed(tmp_path: Path) -> None:
    text = 'pue = 1.2\npue_source = "new hall"\npue_from = 2026-07-01\n'
    assert said(tmp_path, text, "2026-06-30T23:59:59")[0] == 1560
    assert said(tmp_path, text, "2026-07-01T00:00:00") == (1200, "new hall", False)


def test_a_pue_of_more_digits_than_are_kept_is_refused(tmp_path: Path) -> None:
    """Cut off without a word it would not be what the operator stated."""
    with pytest.raises(UsageError, match=r"site\.a\.pue is 1\.2345, but .* three decimals here\. Write 1\.23"):
        loaded(tmp_path, "[site.a]\npue = 1.2345\n")
    assert said(tmp_path, "pue = 1.235\n", "2026-01-01")[0] == 1235


PERIODS = """
pue = 1.2
pue_source = "design"
[[site.a.pue_periods]]
from = 2025-01-01
to = 2026-01-01
pue = 1.31
source = "meter, 2025"
[[site.a.pue_periods]]
from = 2026-01-01
pue = 1.1
source = "meter, 2026"
"""


@pytest.mark.parametrize(
    ("moment", "permille"),
    [("2024-12-31T23:59:59", 1200), ("2025-01-01", 1310), ("2025-12-31T23:59:59", 1310), ("2026-01-01", 1100)],
)
def test_a_period_goes_before_what_holds_in_general(tmp_path: Path, moment: str, permille: int) -> None:
    assert said(tmp_path, PERIODS, moment)[0] == permille


def test_days_begin_at_midnight_of_the_site(tmp_path: Path) -> None:
    """Paris is two hours ahead of UTC in summer."""
    text = 'timezone = "Europe/Paris"\npue = 1.2\npue_from = 2026-07-01\n'
    assert said(tmp_path, text, "2026-06-30T21:59:59")[0] == 1560
    assert said(tmp_path, text, "2026-06-30T22:00:00")[0] == 1200
