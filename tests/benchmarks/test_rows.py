"""The table of the benchmarks says what was measured, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.__main__ import measure, report
from tests.benchmarks.rows import Row, markdown_table, percentile, quantity, text_table

CPU = Row("cost", "CPU", 0.0521, "CPU-s/min", 0.05, "60 s")
MEMORY = Row("cost", "peak RSS", 35.4, "MiB", 36, "VmHWM")
PEER = Row("peers", "another tool", None, "", how="ended with code 1")


def test_the_verdict_follows_from_the_budget() -> None:
    assert [row.verdict for row in (CPU, MEMORY, PEER)] == ["over", "under", "not measured"]
    assert Row("cost", "start", 0.2, "s").verdict == "", "what has no budget has no verdict"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0 s"),
        (1240.0, "1240 s"),
        (0.05214, "0.0521 s"),
        (3.14159, "3.14 s"),
        (412.7, "413 s"),
        (-0.5, "-0.500 s"),
    ],
)
def test_three_significant_figures(value: float, shown: str) -> None:
    assert quantity(value, "s") == shown


def test_a_percentile_is_a_value_that_occurred() -> None:
    values = [float(n) for n in range(1, 101)]
    assert (percentile(values, 50), percentile(values, 99), percentile([7.0], 99)) == (50.0, 99.0, 7.0)
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_the_columns_are_aligned() -> None:
    header, _, section, first, second, *_ = text_table([CPU, MEMORY, PEER]).splitlines()
    assert section == "[cost]"
    assert header.index("verdict") == first.index("over") == second.index("under")


def test_a_bar_does_not_break_the_page() -> None:
    assert "a / b" in markdown_table([Row("x", "a | b", 1.0, "s")])


def test_a_section_that_fails_is_a_row_with_the_reason() -> None:
    def broken(_folder: Path, _quick: bool) -> list[Row]:
        raise OSError("no room")

    (row,) = measure(["parts"], {"parts": broken}, quick=True)
    assert (row.verdict, row.how) == ("not measured", "OSError: no room")


def test_the_page_names_the_machine() -> None:
    assert "- kernel: Linux 6.1\n" in report({"kernel": "Linux 6.1"}, [CPU])
