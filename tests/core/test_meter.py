"""From counter readings to energy: nothing lost that was counted, nothing booked that cannot have been used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.counters import GPU, LARGE_UJ, PACKAGE, SENTINELS, Book, Counter, Move, intervals, moves
from tests.core.thorough import thorough
from tracker.core import meter
from tracker.core.meter import CounterState, Mark, advance, plausible
from tracker.core.model import Gap, GapReason, Reading, Sensor, Span
from tracker.core.units import NS_PER_S, UJ_PER_J, energy_of

S = NS_PER_S
RANGE_UJ = 262_143_328_850


def at(second: float, counter_uj: int, *, asleep_s: float = 0, epoch: str = "") -> Reading:
    """A reading this many seconds after the first; the machine has slept ``asleep_s`` of them."""
    return Reading("x", round((1000 + second - asleep_s) * S), round((2000 + second) * S), counter_uj, None, epoch)


def t(second: float) -> int:
    """Boot time of that second."""
    return round((2000 + second) * S)


def play(sensor: Sensor, *readings: Reading) -> list[meter.Case]:
    book = Book(sensor)
    return [book.take(reading) for reading in readings]


# --- the named cases -------------------------------------------------------------------------------------------------


def test_first_reading_is_a_baseline() -> None:
    """A lifetime counter of 1 GJ is not the energy of the first second."""
    assert play(GPU, at(0, 10**15)) == [meter.First()]


def test_step() -> None:
    assert play(GPU, at(0, 5_000), at(1, 300_005_000))[1] == meter.Step(Span(t(0), t(1), 300_000_000))


def test_p3_an_idle_step_is_a_measured_zero() -> None:
    assert play(GPU, at(0, 5_000), at(1, 5_000))[1] == meter.Step(Span(t(0), t(1), 0))


def test_wrap_adds_the_range_once() -> None:
    """The kernel's range is 2^32 - 1 quanta: at most one quantum (61 µJ) is missed per wrap."""
    assert play(PACKAGE, at(0, RANGE_UJ - 40 * UJ_PER_J), at(1, 60 * UJ_PER_J))[1] == meter.Wrap(
        Span(t(0), t(1), 100 * UJ_PER_J)
    )


def test_p5_a_failed_read_of_zero_is_not_a_wrap() -> None:
    """Read as a wrap, this one missed poll would book 162 kJ that nobody used."""
    cases = play(PACKAGE, at(0, 100_000 * UJ_PER_J), at(1, 0), at(2, 100_200 * UJ_PER_J))
    assert cases[1:] == [meter.Held(), meter.Step(Span(t(0), t(2), 200 * UJ_PER_J))]


def test_a_counter_that_started_anew_is_a_gap_up_to_there_and_energy_after() -> None:
    cases = play(GPU, at(0, 10**12), at(1, 50 * UJ_PER_J), at(2, 350 * UJ_PER_J))
    assert cases[1:] == [
        meter.Held(),
        meter.Reset(Gap(t(0), t(1), GapReason.RESET), Span(t(1), t(2), 300 * UJ_PER_J)),
    ]


def test_a_new_epoch_is_a_reset_at_once_although_the_counter_rose() -> None:
    """The driver was reloaded: the new counter has nothing to do with the old one."""
    cases = play(GPU, at(0, 10, epoch="580"), at(1, 200 * UJ_PER_J, epoch="590"), at(2, 201 * UJ_PER_J, epoch="590"))
    assert cases[1:] == [
        meter.Reset(Gap(t(0), t(1), GapReason.RESET), None),
        meter.Step(Span(t(1), t(2), UJ_PER_J)),
    ]


def test_p5_a_jump_that_stays_is_quarantined_and_the_rest_is_energy() -> None:
    cases = play(GPU, at(0, 0), at(1, 10**12), at(2, 10**12 + 7), at(3, 10**12 + 9))
    assert cases[1:] == [
        meter.Held(),
        meter.Glitch(Gap(t(0), t(1), GapReason.IMPLAUSIBLE), Span(t(1), t(2), 7)),
        meter.Step(Span(t(2), t(3), 2)),
    ]


@pytest.mark.parametrize("sentinel", SENTINELS)
def test_p5_a_sentinel_costs_nothing(sentinel: int) -> None:
    cases = play(GPU, at(0, LARGE_UJ), at(1, sentinel), at(2, LARGE_UJ + 600 * UJ_PER_J))
    assert cases[1:] == [meter.Held(), meter.Step(Span(t(0), t(2), 600 * UJ_PER_J))]


@pytest.mark.parametrize("sentinel", SENTINELS)
def test_p3_p5_a_sentinel_that_stays_is_neither_energy_nor_zero(sentinel: int) -> None:
    """A driver that answers nonsense for a minute has not measured 0 J: nothing is said, and nothing is lost after."""
    cases = play(GPU, at(0, LARGE_UJ), *(at(1 + i, sentinel) for i in range(60)), at(61, LARGE_UJ + 18_000 * UJ_PER_J))
    assert cases[1:-1] == [meter.Held()] * 60
    assert cases[-1] == meter.Step(Span(t(0), t(61), 18_000 * UJ_PER_J))


def test_a_new_counter_that_stands_at_zero_for_a_while_starts_at_its_first_reading() -> None:
    cases = play(GPU, at(0, 10**12), at(1, 0), at(2, 0), at(3, 0), at(4, 70 * UJ_PER_J))
    assert cases[1:4] == [meter.Held()] * 3
    assert cases[4] == meter.Reset(Gap(t(0), t(1), GapReason.RESET), Span(t(1), t(4), 70 * UJ_PER_J))


def test_different_sentinels_in_a_row_cost_nothing() -> None:
    cases = play(GPU, at(0, LARGE_UJ), at(1, 0), at(2, 2**63), at(3, 0), at(4, LARGE_UJ + 5))
    assert cases[1:] == [meter.Held()] * 3 + [meter.Step(Span(t(0), t(4), 5))]


def test_a_sentinel_right_after_a_wrap_costs_nothing() -> None:
    cases = play(PACKAGE, at(0, RANGE_UJ - 10), at(1, 90), at(2, 2**63), at(3, 0), at(4, 190))
    assert cases[1:] == [
        meter.Wrap(Span(t(0), t(1), 100)),
        meter.Held(),
        meter.Held(),
        meter.Step(Span(t(1), t(4), 100)),
    ]


def test_a_sentinel_at_the_very_wrap_costs_nothing() -> None:
    cases = play(PACKAGE, at(0, RANGE_UJ - 10), at(1, 2**63), at(2, 190))
    assert cases[1:] == [meter.Held(), meter.Wrap(Span(t(0), t(2), 200))]


def test_a_second_reset_at_once_after_the_first() -> None:
    cases = play(GPU, at(0, 10**12), at(1, 300), at(2, 100), at(3, 400))
    assert cases[1:] == [
        meter.Held(),
        meter.Held(),
        meter.Reset(Gap(t(0), t(2), GapReason.RESET), Span(t(2), t(3), 300)),
    ]


def test_a_reset_while_a_sentinel_is_held() -> None:
    cases = play(GPU, at(0, 10**12), at(1, 2**63), at(2, 100), at(3, 400))
    assert cases[1:] == [
        meter.Held(),
        meter.Held(),
        meter.Reset(Gap(t(0), t(2), GapReason.RESET), Span(t(2), t(3), 300)),
    ]


def test_a_new_counter_that_wraps_between_its_first_two_readings() -> None:
    cases = play(PACKAGE, at(0, RANGE_UJ // 2), at(1, RANGE_UJ - 30), at(2, 70))
    assert cases[2] == meter.Glitch(Gap(t(0), t(1), GapReason.IMPLAUSIBLE), Span(t(1), t(2), 100))


def test_a_new_counter_above_the_old_one_books_no_more_than_was_used() -> None:
    """Reset, and in the long time without a reading it rose above the old one: the sum is short, never long."""
    assert play(GPU, at(0, 5 * UJ_PER_J), at(600, 60_000 * UJ_PER_J))[1] == meter.Step(
        Span(t(0), t(600), 59_995 * UJ_PER_J)
    )


def test_a_step_back_by_a_quantum_waits_and_loses_nothing() -> None:
    """Registers are not updated atomically: a counter that trembles must neither wrap nor reset."""
    for sensor in (GPU, PACKAGE):
        cases = play(sensor, at(0, 1_000_000), at(1, 999_939), at(2, 1_000_061))
        assert cases[1:] == [meter.Held(), meter.Step(Span(t(0), t(2), 61))]


def test_ambiguous_after_so_long_that_a_whole_range_more_is_plausible() -> None:
    """262 kJ at 1.2 x 300 W take 728 s. From then on neither a rise nor a fall can be read."""
    limit_s = RANGE_UJ / energy_of(360_000, S) - 0.25
    for counter_uj in (100, 2_000_000_000):
        start = at(0, 1_000_000_000)
        gap = Gap(t(0), t(limit_s + 0.01), GapReason.AMBIGUOUS_WRAP)
        assert play(PACKAGE, start, at(limit_s + 0.01, counter_uj))[1] == meter.Ambiguous(gap)
    assert isinstance(play(PACKAGE, at(0, 10), at(limit_s - 0.01, 2_000_000_000))[1], meter.Step)


def test_p5_a_package_that_runs_above_its_tdp_does_not_hide_a_wrap() -> None:
    """At 1.15 x TDP for 800 s it used more than a range: the small rise that is left must not pass for all of it."""
    used_uj = energy_of(345_000, 800 * S)
    assert used_uj > RANGE_UJ
    assert isinstance(play(PACKAGE, at(0, 0), at(800, used_uj - RANGE_UJ))[1], meter.Ambiguous)


def test_a_64_bit_counter_is_never_ambiguous() -> None:
    """The driver hung for a day; what was used meanwhile is known to the joule."""
    used_uj = energy_of(500_000, 86_400 * S)
    assert play(GPU, at(0, 7), at(86_400, 7 + used_uj))[1] == meter.Step(Span(t(0), t(86_400), used_uj))


def test_suspend_with_a_counter_that_ran_on() -> None:
    cases = play(GPU, at(0, 10), at(600, 2_000_010, asleep_s=598))
    gap = Gap(t(0), t(600), GapReason.SUSPEND)
    assert cases[1] == meter.Suspended(gap, Span(t(0), t(600), 2_000_000))


def test_suspend_with_a_counter_that_started_anew_is_never_a_wrap() -> None:
    """RAPL restarts in S3. Unwrapped, this fall would be 182 kJ of sleep, which 600 s at 300 W would even allow."""
    cases = play(PACKAGE, at(0, 100_000 * UJ_PER_J), at(600, 20_000 * UJ_PER_J, asleep_s=598), at(601, 20_001_000_000))
    assert cases[1] == meter.Suspended(Gap(t(0), t(600), GapReason.SUSPEND), None)
    assert cases[2] == meter.Step(Span(t(600), t(601), 1_000_000))


def test_p5_suspend_with_an_implausible_rise_books_nothing() -> None:
    assert play(GPU, at(0, 10), at(60, 10**12, asleep_s=58))[1] == meter.Suspended(
        Gap(t(0), t(60), GapReason.SUSPEND), None
    )


def test_suspend_so_long_that_the_counter_may_have_wrapped() -> None:
    assert play(PACKAGE, at(0, 10), at(7200, 20, asleep_s=7198))[1] == meter.Suspended(
        Gap(t(0), t(7200), GapReason.SUSPEND), None
    )


def test_a_second_of_drift_between_the_clocks_is_no_suspend() -> None:
    assert isinstance(play(GPU, at(0, 10), at(5, 20, asleep_s=1))[1], meter.Step)
    assert isinstance(play(GPU, at(0, 10), at(5, 20, asleep_s=1.001))[1], meter.Suspended)


def test_a_counter_that_published_late_before_a_suspend_loses_nothing() -> None:
    full_uj = energy_of(700_000, S)
    cases = play(GPU, at(0, 0), *(at(i, 0) for i in range(1, 6)), at(8, 5 * full_uj, asleep_s=2))
    assert cases[-1] == meter.Suspended(Gap(t(5), t(8), GapReason.SUSPEND), Span(t(5), t(8), 5 * full_uj))


def test_an_odd_reading_before_a_suspend_is_forgotten() -> None:
    cases = play(
        GPU, at(0, LARGE_UJ), at(1, 2**63), at(60, LARGE_UJ + 100, asleep_s=58), at(61, LARGE_UJ + 150, asleep_s=58)
    )
    assert cases[2] == meter.Suspended(Gap(t(0), t(60), GapReason.SUSPEND), Span(t(0), t(60), 100))
    assert cases[3] == meter.Step(Span(t(60), t(61), 50))


# --- time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counter_uj", [0, 1_000, 1_001, 10**15])
@pytest.mark.parametrize("second", [1, 0.5, -5])
@pytest.mark.parametrize("epoch", ["", "other"])
def test_p5_a_reading_that_is_not_later_changes_nothing(counter_uj: int, second: float, epoch: str) -> None:
    """Energy of no time, or of negative time, has no slot to be booked in."""
    state, _ = advance(None, at(1, 1_000), GPU)
    assert advance(state, at(second, counter_uj, epoch=epoch), GPU) == (state, meter.Held())


def test_a_late_reading_does_not_replace_the_odd_one_that_waits() -> None:
    cases = play(GPU, at(0, 10**12), at(2, 50), at(1, 10**15), at(2, 60), at(3, 90))
    assert cases[1:4] == [meter.Held()] * 3
    assert cases[4] == meter.Reset(Gap(t(0), t(2), GapReason.RESET), Span(t(2), t(3), 40))


# --- plausibility ----------------------------------------------------------------------------------------------------


def test_p5_the_bound_is_max_power_times_1_2_and_a_sensor_step() -> None:
    bound_uj = 700 * 12 // 10 * 5 * UJ_PER_J + 840 * UJ_PER_J // 4
    assert plausible(bound_uj, 5 * S, 700_000)
    assert not plausible(bound_uj + 1, 5 * S, 700_000)
    assert plausible(0, 0, 700_000)
    assert not plausible(-1, 5 * S, 700_000)


def test_a_sensor_step_is_allowed_once_not_forever() -> None:
    """Read every 100 ms just before and just after it publishes: the slack of one step does not add up."""
    full_uj = energy_of(700_000, S // 10)
    cases = play(GPU, at(0, 0), at(0.1, 0), at(0.2, 3 * full_uj), at(0.3, 3 * full_uj), at(0.4, 5 * full_uj))
    assert [type(case) for case in cases] == [meter.First, *[meter.Step] * 4]


def test_a_counter_that_publishes_late_loses_nothing_when_it_catches_up() -> None:
    """Stuck for four seconds at full power, then five seconds' worth at once: plausible since it last moved."""
    full_uj = energy_of(700_000, S)
    readings = [at(0, 0), at(1, full_uj), *(at(i, full_uj) for i in range(2, 6)), at(6, 6 * full_uj)]
    cases = play(GPU, *readings)
    assert cases[-1] == meter.Step(Span(t(5), t(6), 5 * full_uj))
    assert sum(i.energy_uj for case in cases for i in intervals(case) if isinstance(i, Span)) == 6 * full_uj


def test_p5_a_counter_that_stood_still_may_not_catch_up_by_more_than_that_time_allows() -> None:
    bound_uj = energy_of(840_000, 6 * S + S // 4)
    still = [at(0, 0), *(at(i, 0) for i in range(1, 6))]
    assert isinstance(play(GPU, *still, at(6, bound_uj))[-1], meter.Step)
    assert play(GPU, *still, at(6, bound_uj + 1))[-1] == meter.Held()
    moved = [at(0, 0), *(at(i, 0) for i in range(1, 5)), at(5, 1)]
    assert play(GPU, *moved, at(6, bound_uj // 2))[-1] == meter.Held()  # it moved a second ago


def test_p5_standing_still_makes_no_wrap_plausible() -> None:
    """A zone that reads the same for ten minutes and then 0 did not wrap."""
    readings = [*(at(i * 10, RANGE_UJ // 4) for i in range(61)), at(601, 0), at(602, RANGE_UJ // 4 + 9)]
    cases = play(PACKAGE, *readings)
    assert cases[-2:] == [meter.Held(), meter.Step(Span(t(600), t(602), 9))]


def test_p5_a_counter_that_stood_still_and_then_wrapped_is_a_gap_not_a_guess() -> None:
    """Its energy is lost with a reason (RAPL publishes every millisecond); a wrong one is never booked."""
    readings = [at(0, RANGE_UJ - 100), *(at(i, RANGE_UJ - 100) for i in range(1, 5)), at(5, 1_200 * UJ_PER_J)]
    cases = play(PACKAGE, *readings, at(6, 1_300 * UJ_PER_J))
    assert cases[-2:] == [
        meter.Held(),
        meter.Reset(Gap(t(4), t(5), GapReason.RESET), Span(t(5), t(6), 100 * UJ_PER_J)),
    ]


# --- restart ---------------------------------------------------------------------------------------------------------


def test_p2_a_restart_of_the_same_boot_goes_on_from_the_cursor() -> None:
    """Neither kill -9 nor ten minutes of downtime lose counted energy."""
    state = meter.resume(1_000, t(0), "590")
    assert state == CounterState(Mark(1_000, 0, t(0), "590"))
    state, case = advance(state, at(600, 90_001_000, asleep_s=-300, epoch="590"), GPU)
    assert case == meter.Step(Span(t(0), t(600), 90_000_000))
    assert state.mark.mono_ns == (1000 + 900) * S  # from here on a suspend is noticed again


def test_a_restart_after_a_driver_reload_is_a_new_baseline() -> None:
    state = meter.resume(1_000, t(0), "590")
    assert advance(state, at(600, 2_000, epoch="595"), GPU)[1] == meter.Reset(Gap(t(0), t(600), GapReason.RESET), None)


def test_a_reading_without_a_counter_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="rapl:0: the counter meter was given a reading without a counter"):
        advance(None, Reading("rapl:0", 1, 1, None, 5), PACKAGE)


# --- properties ------------------------------------------------------------------------------------------------------

HARMLESS = ("step", "step", "stale", "glitch", "duplicate", "backwards", "sleep")


@thorough
@given(moves(HARMLESS, GPU.max_power_mw), st.sampled_from([1, 1_000, 1_000_000]))
def test_p1_p5_without_a_reset_the_books_hold_exactly_what_the_counter_counted(
    script: list[Move], quantum_uj: int
) -> None:
    """Whatever it showed meanwhile: sentinels, stale values, readings twice or late, sleep."""
    counter = Counter(GPU, LARGE_UJ, quantum_uj)
    start_uj = counter.shown_uj
    book = Book(GPU)
    book.take(counter.reading())
    for move in script:
        book.take(counter.play(move))
        assert book.booked_uj <= counter.true_uj + quantum_uj
    book.take(counter.play(Move("step", S, 400_000)))
    assert book.booked_uj == counter.shown_uj - start_uj
    assert abs(book.booked_uj - counter.true_uj) <= quantum_uj


@thorough
@given(moves(("step", "step", "glitch-up", "duplicate", "backwards"), 300_000), st.integers(0, RANGE_UJ))
def test_p1_p5_a_wrap_loses_and_invents_nothing(script: list[Move], base_uj: int) -> None:
    script = [Move("glitch" if m.kind == "glitch-up" else m.kind, m.elapsed_ns, m.power_mw, m.sentinel) for m in script]
    counter = Counter(PACKAGE, base_uj)
    book = Book(PACKAGE)
    book.take(counter.reading())
    for move in script:
        book.take(counter.play(move))
        assert book.booked_uj <= counter.true_uj
    book.take(counter.play(Move("step", S, 250_000)))
    assert book.booked_uj == counter.true_uj


@thorough
@given(moves((*HARMLESS, "reset", "epoch", "restart"), GPU.max_power_mw), st.sampled_from([0, 10**9, LARGE_UJ]))
def test_p2_p5_resets_never_make_the_books_run_ahead_of_the_truth(script: list[Move], base_uj: int) -> None:
    """What was used between the last reading and a reset is lost; nothing is ever made up."""
    counter = Counter(GPU, base_uj)
    book = Book(GPU)
    book.take(counter.reading())
    for move in script:
        book.take(counter.play(move))
        assert book.booked_uj <= counter.true_uj


garbage = st.lists(
    st.tuples(
        st.integers(-2 * S, 20 * S),  # how much later
        st.sampled_from([0, 0, 0, 5 * S]),  # asleep
        st.sampled_from([*SENTINELS, RANGE_UJ, RANGE_UJ - 1]) | st.integers(0, 2**40) | st.integers(-5, 5),
        st.sampled_from(["a", "a", "a", "a", "b"]),
    ),
    max_size=40,
)


@thorough
@given(garbage, st.sampled_from([GPU, PACKAGE]))
def test_p5_whatever_is_read_no_more_than_the_device_can_use_is_booked(
    readings: list[tuple[int, int, int, str]], sensor: Sensor
) -> None:
    mono_ns = boot_ns = 10**15
    book = Book(sensor)
    for later_ns, asleep_ns, counter_uj, epoch in readings:
        mono_ns, boot_ns = mono_ns + later_ns, boot_ns + later_ns + asleep_ns
        book.take(Reading("x", mono_ns, boot_ns, counter_uj, None, epoch))
    spans = [i for case in book.cases for i in intervals(case) if isinstance(i, Span)]
    time_ns = sum(span.end_boot_ns - span.start_boot_ns + S // 4 for span in spans)
    assert book.booked_uj <= energy_of(sensor.max_power_mw * 6 // 5, time_ns)


@thorough
@given(garbage)
def test_a_decided_state_depends_on_nothing_before_it(readings: list[tuple[int, int, int, str]]) -> None:
    """A restart from the cursor goes on as the process would have gone on (no suspend meanwhile)."""
    mono_ns = boot_ns = 10**15
    state: CounterState | None = None
    for later_ns, _, counter_uj, epoch in readings:
        mono_ns, boot_ns = mono_ns + later_ns, boot_ns + later_ns
        state, _case = advance(state, Reading("x", mono_ns, boot_ns, counter_uj, None, epoch), GPU)
    if state is not None and state.candidate is None and not state.mark.still_ns:
        mark = state.mark
        reading = Reading("x", mark.mono_ns + S, mark.boot_ns + S, mark.counter_uj + 5, None, mark.epoch)
        resumed = advance(meter.resume(mark.counter_uj, mark.boot_ns, mark.epoch), reading, GPU)
        assert resumed == advance(state, reading, GPU)
