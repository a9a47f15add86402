"""Quantities as people read them: three digits, the right unit, and words for what is unknown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.web.node import figures

WH = 3_600_000_000


@pytest.mark.parametrize(
    ("power_mw", "expected"),
    [
        (0, "0 W"),
        (1, "<0.01 W"),
        (40, "0.04 W"),
        (999, "1.00 W"),
        (9_994, "9.99 W"),
        (9_996, "10.0 W"),
        (672_400, "672 W"),
        (999_499, "999 W"),
        (999_500, "1.00 kW"),
        (3_877_750, "3.88 kW"),
        (12_345_678, "12.3 kW"),
        (999_999_999, "1.00 MW"),
        (123_456_789_000_000, "123,457 MW"),
    ],
)
def test_power(power_mw: int, expected: str) -> None:
    """Never "1000 W", never more digits than are known."""
    assert str(figures.power(power_mw)).replace("\u00a0", " ") == expected


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (figures.energy(WH * 47_712), "47.7 kWh"),
        (figures.energy(WH // 3), "0.33 Wh"),
        (figures.mass(2_099_000_000), "2.10 kg"),
        (figures.mass(8_320_000), "8.32 g"),
        (figures.mass(1), "<0.01 g"),
        (figures.size(3_481_600), "3.32 MiB"),
        (figures.power_or_words(None), "not measured"),
        (figures.mass_or_words(None), "no factor"),
        (figures.mass_or_words(0), "0 g"),
        (figures.percent(0, 10), "0 %"),
        (figures.percent(1, 10_000), "<0.1 %"),
        (figures.percent(1, 3), "33.3 %"),
        (figures.percent(999_999, 1_000_000), "100 %"),
        (figures.percent(0, 0), "–"),  # noqa: RUF001 - what the page shows
        (figures.ratio(1038), "1.038"),
        (figures.duration(0), "0.0 s"),
        (figures.duration(12), "12 ms"),
        (figures.duration(1_200), "1.2 s"),
        (figures.duration(61_500), "1 min 1 s"),
        (figures.duration(7_205_000), "2 h"),
        (figures.duration(90_061_000), "1 d 1 h"),
        (figures.ago(100.0, 99.6), "0.4 s ago"),
        (figures.ago(100.0, 200.0), "just now"),
    ],
)
def test_other_quantities(shown: object, expected: str) -> None:
    """Each with its unit; unknown is a word, an exact zero is 0."""
    assert str(shown).replace("\u00a0", " ") == expected


@given(st.integers(1, 10**24))
def test_a_figure_is_as_near_as_its_digits_allow(power_mw: int) -> None:
    """Three significant digits: within half a percent, and never 0 for something."""
    shown = figures.power(power_mw)
    assert shown.number != "0"
    assert re.fullmatch(r"<0\.01|\d\.\d\d|\d\d\.\d|\d\d\d|\d{1,3}(,\d{3})+", shown.number)
    if shown.number != "<0.01":
        value = float(shown.number.replace(",", "")) * {"W": 1e3, "kW": 1e6, "MW": 1e9}[shown.unit]
        assert abs(value - power_mw) <= max(0.005 * power_mw, 5)
