"""Energy from a counter that others sampled: nothing is lost, doubled or made up, however it was sampled."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.model import GapReason
from tracker.core.telescoping import HOUR_MS, REACH_MS, Limits, Step, cut, steps, thin

FREE = Limits()
CPU = Limits(per_s=1_500_000_000, ranges=(65_532_610_987, 262_143_328_850))
MINUTE_MS = 60_000

series = st.lists(st.tuples(st.integers(1, 3 * HOUR_MS), st.integers(0, 10**12)), min_size=1, max_size=40)


def by_hour(samples: list[tuple[int, int]], limits: Limits = FREE) -> Counter[int]:
    hours: Counter[int] = Counter()
    for step in steps(samples, limits):
        for hour_s, amount, _ in cut(step):
            hours[hour_s] += amount
    return hours


def rising(moves: list[tuple[int, int]], start: int = 5_000) -> list[tuple[int, int]]:
    at_ms, value, samples = 0, start, []
    for pause_ms, rise in moves:
        at_ms, value = at_ms + pause_ms, value + rise
        samples.append((at_ms, value))
    return samples


@thorough
@given(series)
def test_the_hours_add_up_to_last_less_first(moves: list[tuple[int, int]]) -> None:
    samples = rising(moves)
    assert sum(by_hour(samples).values()) == samples[-1][1] - samples[0][1]


@thorough
@given(st.lists(series, min_size=2, max_size=4))
def test_each_life_of_a_counter_adds_up(lives: list[list[tuple[int, int]]]) -> None:
    """A new life starts at 0: its first value is energy too, and nothing of the life before it is lost or doubled."""
    samples: list[tuple[int, int]] = []
    true_uj = 0
    for number, moves in enumerate(lives):
        life = rising(moves, start=10 if number else 10**6)
        if number and samples[-1][1] - life[0][1] <= samples[-1][1] // 10**12 + 1:
            return  # nobody can see that reset: a fall in the last digit is the rounding of a store
        true_uj += life[-1][1] - (0 if number else life[0][1])
        begin_ms = samples[-1][0] if samples else 0
        samples += [(begin_ms + at_ms, value) for at_ms, value in life]
    found = [*steps(samples, FREE)]
    assert sum(step.amount for step in found) == true_uj
    assert sum(step.reason is GapReason.RESET for step in found) == len(lives) - 1
    assert sum(by_hour(samples).values()) == true_uj


@thorough
@given(series, st.integers(0, 200))
def test_final_hours_do_not_depend_on_the_stretch_that_was_read(moves: list[tuple[int, int]], day: int) -> None:
    """Two runs that meet at an hour's edge book each joule once: an hour needs what lies within the reach around it."""
    samples, edge_ms = rising(moves), day * HOUR_MS
    whole = by_hour(samples)
    earlier = [each for each in samples if each[0] <= edge_ms - REACH_MS]
    late = ([(edge_ms - REACH_MS, earlier[-1][1])] if earlier else []) + [
        each for each in samples if each[0] > edge_ms - REACH_MS
    ]
    early = [each for each in samples if each[0] <= edge_ms + REACH_MS]
    hour = edge_ms // 1000
    joined = {h: uj for h, uj in by_hour(early).items() if h < hour} | {
        h: uj for h, uj in by_hour(late).items() if h >= hour
    }
    assert {h: uj for h, uj in joined.items() if uj} == {h: uj for h, uj in whole.items() if uj}


@thorough
@given(st.lists(st.tuples(st.integers(1, 12 * MINUTE_MS), st.integers(-(10**11), 10**11)), max_size=60), st.booleans())
def test_what_is_left_out_changes_no_hour(moves: list[tuple[int, int]], bounded: bool) -> None:
    """Falls, silences and rises that cannot be true are judged by the samples beside them, so those stay."""
    at_ms, value, samples = 0, 5 * 10**11, []
    for pause_ms, rise in moves:
        at_ms, value = at_ms + pause_ms, max(0, value + rise)
        samples.append((at_ms, value))
    limits = Limits(per_s=400_000_000) if bounded else FREE
    assert by_hour([*thin(samples, limits)], limits) == by_hour(samples, limits)


def test_a_smooth_hour_needs_its_edges_alone() -> None:
    samples = [(minute * MINUTE_MS, minute * 100) for minute in range(181)]
    assert len(thin(samples, FREE)) == 7


def test_a_difference_over_an_edge_goes_by_time() -> None:
    assert by_hour([(HOUR_MS - 10_000, 0), (HOUR_MS + 20_000, 301)]) == {0: 100, 3600: 201}


def test_a_sample_on_the_edge_needs_no_dividing() -> None:
    assert by_hour([(HOUR_MS - 30_000, 7), (HOUR_MS, 107), (HOUR_MS + 30_000, 1_107)]) == {0: 100, 3600: 1_000}


def test_nothing_is_made_up_around_the_samples() -> None:
    """An hour before the first sample, or after a series has vanished, is missing and not zero."""
    assert by_hour([(5 * HOUR_MS + 1, 40), (5 * HOUR_MS + 2, 50)]) == {18_000: 10}
    assert by_hour([(0, 10**15)]) == {}
    assert [*steps([], FREE)] == []


def test_a_long_silence_ends_in_the_hours_that_are_still_open() -> None:
    """Ten hours without a scrape: hours that are final already stay as they are, and no joule is lost."""
    hours = by_hour([(0, 0), (10 * HOUR_MS, 6_000)])
    assert hours == {hour * 3600: 1_000 for hour in range(4, 10)}


def test_a_failed_read_and_the_lifetime_value_after_it_are_no_energy() -> None:
    """Taken for a reset, the way back up would book everything since the driver was loaded."""
    samples = [(0, 10**15), (MINUTE_MS, 0), (2 * MINUTE_MS, 10**15 + 5)]
    limits = Limits(per_s=2_000_000_000)
    assert [(s.amount, s.reason) for s in steps(samples, limits)] == [
        (0, GapReason.RESET),
        (0, GapReason.IMPLAUSIBLE),
    ]


def test_a_small_dip_is_no_new_life() -> None:
    """Two scrapers whose clocks differ: 1 GJ would be booked for it."""
    samples = [(0, 10**15), (MINUTE_MS, 10**15 - 10**9), (2 * MINUTE_MS, 10**15)]
    assert sum(s.amount for s in steps(samples, Limits(per_s=2_000_000_000))) <= 10**9


def test_the_rounding_of_a_double_is_neither_a_reset_nor_energy() -> None:
    samples = [(0, 9_123_456_789_123_459), (1000, 9_123_456_789_123_455), (2000, 9_123_456_789_123_461)]
    assert [(s.amount, s.reason) for s in steps(samples, FREE)] == [(0, None), (2, None)]


def test_a_wrap_of_rapl_is_counted_through() -> None:
    """rate() takes a wrap for a reset and loses what was counted before it."""
    samples = [(0, 200_000_000_000), (15_000, 258_143_328_850 - 10), (30_000, 2_000_000_000)]
    amounts = [step.amount for step in steps([samples[1], samples[2]], CPU)]
    assert amounts == [6_000_000_010]


def test_a_reboot_is_no_wrap() -> None:
    """Far from its range the counter did not wrap: only what it has counted since is known."""
    (step,) = steps([(0, 100_000_000_000), (60_000, 3_000_000)], CPU)
    assert step == Step(0, 60_000, 3_000_000, GapReason.RESET)


def test_after_an_unknown_time_any_rise_may_be_true() -> None:
    """The node was away for a week and its counter ran on."""
    (step,) = steps([(0, 0), (MINUTE_MS, 10**14)], CPU, early=True)
    assert step == Step(0, MINUTE_MS, 10**14)


def test_what_was_absent_used_nothing() -> None:
    """A workload that was away for two hours used its energy after the last scrape without it."""
    step = Step(0, 2 * HOUR_MS + 30_000, 500)
    assert [*cut(step, since_ms=2 * HOUR_MS)] == [(7200, 500, 30_000)]


def test_no_time_is_not_lost_energy() -> None:
    assert [*cut(Step(0, HOUR_MS, 500), since_ms=2 * HOUR_MS)] == [(0, 500, 0)]
