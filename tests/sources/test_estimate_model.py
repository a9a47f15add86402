"""The arithmetic of the estimate, with literals worked out by hand."""

from __future__ import annotations

import csv
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.sources.estimate import CURVE_FILE
from tracker.sources.estimate_model import (
    Curve,
    by_package,
    choose_tdp,
    cpu_power_mw,
    dram_power_mw,
    load_ppm,
    parse_curve,
    parse_memory_kib,
    parse_stat,
)

CURVE = parse_curve(CURVE_FILE.read_text(encoding="utf-8"))
STAT = """\
cpu  300 0 100 1600 10 1 2 3 0 0
cpu0 100 0 50 850 5 1 1 3 0 0
cpu12 200 0 50 750 5 0 1 0 150 0
intr 12345 0 0 0
ctxt 99
btime 1790000000
"""


def test_the_curve_ships_with_its_source() -> None:
    """12, 32, 75 and 102 % of TDP, and where that is from."""
    rows = list(csv.DictReader(CURVE_FILE.read_text(encoding="utf-8").splitlines()))
    assert [(row["load_percent"], row["tdp_fraction"]) for row in rows] == [
        ("0", "0.12"),
        ("10", "0.32"),
        ("50", "0.75"),
        ("100", "1.02"),
    ]
    assert all(row["source_ref"].startswith("Teads") for row in rows)


@pytest.mark.parametrize(
    ("load_percent", "share_percent"),
    [(0, 12), (5, 22), (10, 32), (30, 53.5), (50, 75), (75, 88.5), (100, 102)],
)
def test_power_is_linear_between_the_points(load_percent: float, share_percent: float) -> None:
    assert CURVE.share_ppm(round(load_percent * 10_000)) == round(share_percent * 10_000)


def test_a_load_outside_of_the_curve_is_kept_within() -> None:
    assert CURVE.share_ppm(-1) == 120_000
    assert CURVE.share_ppm(1_000_001) == 1_020_000


@given(st.lists(st.integers(0, 1_000_000), min_size=2).map(sorted))
def test_more_load_is_never_less_power(loads: list[int]) -> None:
    shares = [CURVE.share_ppm(load) for load in loads]
    assert all(a <= b for a, b in pairwise(shares))


def test_a_busy_and_an_idle_socket() -> None:
    """The curve bends: 350 W x (102 % + 12 %), not twice 350 W x 75 %."""
    assert cpu_power_mw([(350_000, 1_000_000), (350_000, 0)], CURVE) == 399_000
    assert cpu_power_mw([(350_000, 500_000), (350_000, 500_000)], CURVE) == 525_000


def test_ticks_of_each_cpu() -> None:
    assert parse_stat(STAT) == {0: (100, 0, 50, 850, 5, 1, 1, 3), 12: (200, 0, 50, 750, 5, 0, 1, 0)}


@pytest.mark.parametrize(
    "text", ["", "cpu  1 2 3\n", "cpu0 1 2 3 4\n", "cpu0 1 2 3 4 5 6 x 8\n", "cpux 1 2 3 4 5 6 7 8\n", "out of cheese"]
)
def test_nonsense_in_proc_stat_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_stat(text)


def test_ticks_are_summed_by_package_and_an_unknown_cpu_is_in_the_first() -> None:
    times = {0: (1,) * 8, 1: (2,) * 8, 2: (4,) * 8, 99: (8,) * 8}
    assert by_package(times, {0: 0, 1: 1, 2: 1}) == {0: (9,) * 8, 1: (6,) * 8}


@pytest.mark.parametrize(
    ("passed", "expected"),
    [
        ((50, 0, 0, 50, 0, 0, 0, 0), 500_000),
        ((10, 10, 10, 60, 0, 5, 5, 0), 400_000),  # nice, system and interrupts are work
        ((25, 0, 0, 25, 50, 0, 0, 0), 250_000),  # waiting for a disk is not
        ((25, 0, 0, 25, 0, 0, 0, 50), 250_000),  # nor is what the hypervisor gave to somebody else
        ((0, 0, 0, 100, 0, 0, 0, 0), 0),
        ((100, 0, 0, -1, 0, 0, 0, 0), 1_000_000),  # idle ran back by a tick
    ],
)
def test_load(passed: tuple[int, ...], expected: int) -> None:
    old = (1000,) * 8
    assert load_ppm(old, tuple(a + b for a, b in zip(old, passed, strict=True))) == expected


def test_a_clock_that_stands_still_is_no_load() -> None:
    with pytest.raises(ValueError, match="did not advance"):
        load_ppm((5,) * 8, (5,) * 8)


def test_memory() -> None:
    assert parse_memory_kib("MemTotal:       536870912 kB\nMemFree: 1 kB\n") == 536_870_912
    assert dram_power_mw(536_870_912, 392) == 200_704  # 512 GB at 0.392 W


@pytest.mark.parametrize("text", ["", "MemFree: 1 kB\n", "MemTotal: 0 kB\n", "MemTotal: many kB\n"])
def test_memory_of_unknown_size_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="MemTotal"):
        parse_memory_kib(text)


@given(st.lists(st.integers(1, 1 << 40), min_size=2).map(sorted))
def test_more_memory_never_draws_less(sizes_kib: list[int]) -> None:
    """A model by guessed modules gives a node of 1 TB less than one of 768 GB."""
    watts = [dram_power_mw(kib, 392) for kib in sizes_kib]
    assert all(a <= b for a, b in pairwise(watts))


@pytest.mark.parametrize(
    ("set_mw", "known_mw", "virtual", "expected_mw", "guessed"),
    [
        (280_000, 350_000, False, 560_000, False),  # the operator knows best
        (280_000, 350_000, True, 560_000, False),
        (None, 350_000, False, 700_000, False),
        (None, 350_000, True, 64_000, True),  # 16 visible threads at 4 W, not two whole packages
        (None, 20_000, True, 40_000, True),  # nor more than the host has
        (None, None, False, 64_000, True),
    ],
)
def test_where_the_tdp_is_from(
    set_mw: int | None, known_mw: int | None, virtual: bool, expected_mw: int, guessed: bool
) -> None:
    tdp = choose_tdp({0: 8, 1: 8}, set_mw=set_mw, known_mw=known_mw, per_thread_mw=4000, virtual=virtual)
    assert tdp.total_mw == expected_mw
    assert bool(tdp.remedy) == guessed


def test_a_curve_of_one_point_is_flat() -> None:
    assert Curve(((0, 500_000),)).share_ppm(700_000) == 500_000
