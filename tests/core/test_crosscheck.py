"""Counter against integrated power: what is booked changes only after a disagreement that lasts, and comes back."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.crosscheck import CheckState, compare
from tracker.core.units import NS_PER_S, UJ_PER_J

S = NS_PER_S
MINUTE = 60 * S
AGREE, LOW, HIGH = (100, 100), (69, 100), (144, 100)


def play(*windows: tuple[int, int], state: CheckState | None = None) -> list[CheckState]:
    """States after windows of a minute: (counter J, power J)."""
    states = [state or CheckState()]
    for counter_j, power_j in windows:
        states.append(compare(states[-1], counter_j * UJ_PER_J, power_j * UJ_PER_J, MINUTE))
    return states[1:]


@pytest.mark.parametrize("wrong", [LOW, HIGH, (0, 100)])
def test_three_wrong_minutes_in_a_row_move_to_power(wrong: tuple[int, int]) -> None:
    """A stuck counter, one that counts 30 % short, one that counts 44 % too much."""
    assert [state.use_power for state in play(wrong, wrong, wrong)] == [False, False, True]


def test_three_right_minutes_in_a_row_move_back() -> None:
    on_power = CheckState(use_power=True)
    assert [s.use_power for s in play(AGREE, AGREE, AGREE, state=on_power)] == [True, True, False]


@pytest.mark.parametrize("use_power", [False, True])
def test_no_flapping_on_what_does_not_last(use_power: bool) -> None:
    state = CheckState(use_power=use_power)
    for pattern in ([LOW, LOW, AGREE], [AGREE, AGREE, HIGH], [LOW, AGREE], [LOW, HIGH, AGREE]):
        assert all(s.use_power is use_power for s in play(*(pattern * 10), state=state))


def test_low_then_high_is_wrong_all_the_same() -> None:
    assert play(LOW, HIGH, LOW)[-1].use_power


@pytest.mark.parametrize(
    ("counter_uj", "wrong"), [(700_000, 0), (699_999, 1), (1_430_999, 0), (1_431_000, 1), (1_000_000, 0)]
)
def test_the_tolerance(counter_uj: int, wrong: int) -> None:
    """Boards are reported with counters 26 to 43 % below the integral: 70 % and its inverse are still one method."""
    assert compare(CheckState(), counter_uj, 1_000_000, MINUTE).against == wrong


def test_the_ratio_of_the_last_whole_window_is_published() -> None:
    states = [*play((74, 100)), compare(play((74, 100))[0], 1, 1, 59 * S)]
    assert [state.ratio_permille for state in states] == [740, 740]
    assert CheckState().ratio_permille is None
    assert [s.ratio_permille for s in play(LOW, LOW, LOW)] == [690, 690, 690]


def test_a_window_is_a_minute_of_small_steps() -> None:
    state = CheckState()
    for second in range(1, 60):
        state = compare(state, 50, 100, S)
        assert state == CheckState(50 * second, 100 * second, second * S)
    assert compare(state, 50, 100, S) == CheckState(against=1, ratio_permille=500)


def test_without_power_readings_the_counter_stands() -> None:
    state = play((100, 0), (100, 0), (100, 0))[-1]
    assert state == CheckState()
    assert play(LOW, LOW, (100, 0), LOW)[-1].against == 1  # not in a row
    kept = play((74, 100), (100, 0), state=CheckState(use_power=True))[-1]
    assert kept == CheckState(use_power=True, ratio_permille=740)


windows = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(1, 3 * MINUTE)), max_size=60)


@thorough
@given(windows, st.booleans())
def test_p4_one_method_at_a_time_and_each_for_three_minutes_at_least(
    steps: list[tuple[int, int, int]], use_power: bool
) -> None:
    """What is booked is a function of the state before a window, so no window is booked from both."""
    state = CheckState(use_power=use_power)
    elapsed_ns, since_change_ns = 0, 0
    states = [state]
    for counter_uj, power_uj, step_ns in steps:
        state = compare(state, counter_uj, power_uj, step_ns)
        elapsed_ns += step_ns
        since_change_ns += step_ns
        assert 0 <= state.against < 3
        assert state.elapsed_ns < MINUTE
        if state.use_power != states[-1].use_power:
            assert since_change_ns >= 3 * MINUTE
            since_change_ns = 0
        states.append(state)
    for before, after in pairwise(states):
        assert before.use_power == after.use_power or after == CheckState(
            use_power=after.use_power, ratio_permille=after.ratio_permille
        )
