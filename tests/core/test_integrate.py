"""From power to energy where there is no counter: known integrals come out, and no time is filled with a guess."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.counters import GPU
from tests.core.thorough import thorough
from tracker.core import integrate as it
from tracker.core.integrate import PowerState, integrate
from tracker.core.model import Gap, GapReason, Reading, Sensor, Span
from tracker.core.units import NS_PER_MS, NS_PER_S, UJ_PER_J, energy_of

S = NS_PER_S
MEANS = replace(GPU, averaged=True)
MAX_GAP_NS = 3 * S


def at(second: float, power_mw: int, *, asleep_s: float = 0) -> Reading:
    return Reading("x", round((1000 + second - asleep_s) * S), round((2000 + second) * S), None, power_mw)


def t(second: float) -> int:
    return round((2000 + second) * S)


def play(sensor: Sensor, *readings: Reading) -> list[it.PowerCase]:
    state: PowerState | None = None
    cases = []
    for reading in readings:
        state, case = integrate(state, reading, sensor, MAX_GAP_NS)
        cases.append(case)
    return cases


def interval(case: it.PowerCase) -> Span | Gap | None:
    """What a case says about time. Exhaustive: a new case is a type error here."""
    match case:
        case it.Integrated(span):
            return span
        case it.Broken(gap):
            return gap
        case it.Baseline() | it.Dropped():
            return None
        case _:
            assert_never(case)


def energy_uj(cases: list[it.PowerCase]) -> int:
    spans = [interval(case) for case in cases]
    return sum(span.energy_uj for span in spans if isinstance(span, Span))


def test_the_first_reading_is_a_baseline() -> None:
    assert play(GPU, at(0, 300_000)) == [it.Baseline()]


def test_an_instant_power_is_joined_by_the_trapezoid() -> None:
    assert play(GPU, at(0, 100_000), at(2, 300_000))[1] == it.Integrated(Span(t(0), t(2), 400 * UJ_PER_J))


def test_a_mean_power_stands_for_the_time_before_it() -> None:
    """The trapezoid would smear it a second time."""
    assert play(MEANS, at(0, 100_000), at(2, 300_000))[1] == it.Integrated(Span(t(0), t(2), 600 * UJ_PER_J))


def test_a_constant_power_over_a_day() -> None:
    """Millijoules of rounding per step would add up: 400 W for a day are 34.56 MJ."""
    assert energy_uj(play(GPU, *(at(i, 400_000) for i in range(86_401)))) == 34_560_000 * UJ_PER_J


def test_a_ramp_is_exact_by_the_trapezoid() -> None:
    """0 to 600 W in 600 s is 180 kJ, whatever the sampling instants."""
    instants = [0, 1, 1.5, 3.25, *range(5, 600, 2), 600]
    assert energy_uj(play(GPU, *(at(x, round(x * 1000)) for x in instants))) == 180_000 * UJ_PER_J


def test_a_square_wave_is_exact_from_its_means() -> None:
    """Ten seconds of 700 W and 100 W by turns, each second reported as its mean: 4 kJ."""
    levels = [700_000, 100_000] * 5
    assert energy_uj(play(MEANS, at(0, 0), *(at(i + 1, p) for i, p in enumerate(levels)))) == 4_000 * UJ_PER_J


@pytest.mark.parametrize("sensor", [GPU, MEANS])
def test_p3_time_asleep_is_never_integrated(sensor: Sensor) -> None:
    cases = play(sensor, at(0, 500_000), at(2, 500_000, asleep_s=1.5), at(3, 500_000, asleep_s=1.5))
    assert cases[1:] == [
        it.Broken(Gap(t(0), t(2), GapReason.SUSPEND)),
        it.Integrated(Span(t(2), t(3), 500 * UJ_PER_J)),
    ]


def test_a_second_of_drift_between_the_clocks_is_no_suspend() -> None:
    assert isinstance(play(GPU, at(0, 1), at(2, 1, asleep_s=1))[1], it.Integrated)


@pytest.mark.parametrize("sensor", [GPU, MEANS])
def test_p3_readings_too_far_apart_are_a_gap(sensor: Sensor) -> None:
    assert isinstance(play(sensor, at(0, 500_000), at(3, 500_000))[1], it.Integrated)
    cases = play(sensor, at(0, 500_000), at(3.001, 500_000), at(4, 500_000))
    assert cases[1] == it.Broken(Gap(t(0), t(3.001), GapReason.MISSED))
    assert isinstance(cases[2], it.Integrated)


@pytest.mark.parametrize("power_mw", [840_001, 2**32 - 1, 2**64 - 1, -1])
def test_p5_an_impossible_power_is_dropped_and_the_time_stays_known(power_mw: int) -> None:
    """Readings of 4.29 MW exist. The neighbours are close enough to be joined over it."""
    cases = play(GPU, at(0, 100_000), at(1, power_mw), at(2, 300_000))
    assert cases[1:] == [it.Dropped(), it.Integrated(Span(t(0), t(2), 400 * UJ_PER_J))]


def test_p5_impossible_powers_for_a_long_time_are_a_gap() -> None:
    cases = play(GPU, at(0, 100_000), *(at(i, 10**9) for i in range(1, 10)), at(10, 100_000))
    assert cases[-1] == it.Broken(Gap(t(0), t(10), GapReason.MISSED))


def test_p5_an_impossible_power_is_no_baseline() -> None:
    assert play(GPU, at(0, 10**9), at(1, 100_000), at(2, 100_000)) == [
        it.Dropped(),
        it.Baseline(),
        it.Integrated(Span(t(1), t(2), 100 * UJ_PER_J)),
    ]


def test_a_power_at_the_bound_counts() -> None:
    assert energy_uj(play(GPU, at(0, 840_000), at(1, 840_000))) == 840 * UJ_PER_J
    assert energy_uj(play(GPU, at(0, 0), at(1, 0), at(2, 0))) == 0


@pytest.mark.parametrize("second", [1, 0.2, -100])
def test_p5_a_reading_that_is_not_later_changes_nothing(second: float) -> None:
    """Power times negative time would take energy back (P2)."""
    state, _ = integrate(None, at(1, 100_000), GPU, MAX_GAP_NS)
    assert integrate(state, at(second, 500_000), GPU, MAX_GAP_NS) == (state, it.Dropped())


def test_a_reading_without_a_power_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="GPU-1: the power meter was given a reading without a power"):
        integrate(None, Reading("GPU-1", 1, 1, 5, None), GPU, MAX_GAP_NS)


samples = st.lists(
    st.tuples(
        st.integers(-S, 4 * S),
        st.sampled_from([0, 0, 0, 2 * S]),
        st.integers(-10, 900_000) | st.sampled_from([0, 840_000, 840_001, 2**64 - 1]),
    ),
    max_size=60,
)


@thorough
@given(samples, st.booleans())
def test_p3_p5_every_instant_is_in_one_span_or_gap_and_no_span_is_impossible(
    readings: list[tuple[int, int, int]], averaged: bool
) -> None:
    sensor = MEANS if averaged else GPU
    state: PowerState | None = None
    mono_ns = boot_ns = 10**15
    until_ns: int | None = None
    for later_ns, asleep_ns, power_mw in readings:
        mono_ns, boot_ns = mono_ns + later_ns, boot_ns + later_ns + asleep_ns
        before = state
        state, case = integrate(state, Reading("x", mono_ns, boot_ns, None, power_mw), sensor, MAX_GAP_NS)
        known = interval(case)
        if known is None:
            assert state == before or before is None
            until_ns = state.boot_ns if state else None
            continue
        assert known.start_boot_ns == until_ns
        assert known.end_boot_ns == state.boot_ns if state else None
        until_ns = known.end_boot_ns
        if isinstance(known, Span):
            length_ns = known.end_boot_ns - known.start_boot_ns
            assert 0 < length_ns <= MAX_GAP_NS
            assert 0 <= known.energy_uj <= energy_of(840_000, length_ns)


@thorough
@given(st.lists(st.tuples(st.integers(1, 3000), st.integers(0, 840_000)), min_size=2, max_size=40))
def test_the_trapezoid_is_within_a_microjoule_a_step_of_the_exact_integral(steps: list[tuple[int, int]]) -> None:
    time_ms = 0
    readings, exact_half_nj = [], 0
    last_mw = None
    for later_ms, power_mw in steps:
        time_ms += later_ms
        if last_mw is not None:
            exact_half_nj += (last_mw + power_mw) * later_ms * 1000  # mW x ms = µJ
        last_mw = power_mw
        readings.append(Reading("x", time_ms * NS_PER_MS, time_ms * NS_PER_MS, None, power_mw))
    assert 0 <= exact_half_nj - 2000 * energy_uj(play(GPU, *readings)) <= 2000 * len(steps)
