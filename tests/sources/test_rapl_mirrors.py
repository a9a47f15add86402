"""Dies that show one counter twice are found out before they are booked; dies with their own are not lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tracker.sources.rapl_mirrors import MirrorOf, Own, Sample, Settling, Twins, Verdict

RANGE_UJ = 65_532_610_987
S = 1_000_000_000


def sample(key: str, counter_uj: int, at_s: float = 0) -> Sample:
    """A 500 W package: 20 ms of doubt are 10 J."""
    at_ns = round(at_s * S)
    return Sample(key, counter_uj % RANGE_UJ, at_ns, at_ns + 10_000, RANGE_UJ, 500_000)


def judge(twins: Twins, *counters_uj: int, at_s: float = 0) -> list[Verdict]:
    samples = [sample(f"die-{i}", counter, at_s) for i, counter in enumerate(counters_uj)]
    return list(twins.judge(samples).values())


def test_dies_that_differ_are_booked_from_the_first_read() -> None:
    assert judge(Twins(), 5_000_000_000, 9_000_000_000) == [Own(), Own()]


def test_a_mirror_is_held_back_from_the_first_read_and_named_at_the_third() -> None:
    twins = Twins()
    assert judge(twins, 7_000_000_000, 7_000_000_100) == [Own(), Settling()]
    assert judge(twins, 7_100_000_000, 7_100_000_100, at_s=1) == [Own(), Settling()]
    assert judge(twins, 7_200_000_000, 7_200_000_100, at_s=2) == [Own(), MirrorOf("die-0")]
    assert judge(twins, 7_300_000_000, 7_300_000_100, at_s=3) == [Own(), MirrorOf("die-0")]


def test_a_mirror_across_the_wrap() -> None:
    """One value is read before the wrap, the other after it."""
    twins = Twins()
    verdicts = [judge(twins, RANGE_UJ - 10, RANGE_UJ + 500, at_s=i) for i in range(3)]
    assert verdicts[2] == [Own(), MirrorOf("die-0")]


def test_all_mirrors_of_four_dies() -> None:
    twins = Twins()
    verdicts: list[Verdict] = []
    for i in range(3):
        verdicts = judge(twins, *[i * 100_000_000 + 5 * die for die in range(4)], at_s=i)
    assert verdicts == [Own(), MirrorOf("die-0"), MirrorOf("die-0"), MirrorOf("die-0")]


def test_dies_that_were_alike_by_chance_are_acquitted_after_three_reads_apart() -> None:
    twins = Twins()
    verdicts = [judge(twins, 100_000_000 * i, 50_000_000 * i, at_s=i)[1] for i in range(5)]
    assert verdicts == [Settling(), Settling(), Settling(), Own(), Own()]


def test_dies_that_were_taken_for_mirrors_and_part_slowly_are_acquitted() -> None:
    """100 W and 99 W from the same start: alike for ten seconds, then not."""
    twins = Twins()
    verdicts = [judge(twins, 100_000_000 * i, 99_000_000 * i, at_s=i)[1] for i in range(20)]
    assert verdicts[2] == MirrorOf("die-0")
    assert verdicts[-1] == Own()


def test_one_odd_value_does_not_acquit_a_mirror() -> None:
    """Or it would be booked twice for ever."""
    twins = Twins()
    for i in range(3):
        judge(twins, 100_000_000 * i, 100_000_000 * i, at_s=i)
    assert judge(twins, 400_000_000, 900_000_000, at_s=4)[1] == MirrorOf("die-0")
    assert judge(twins, 500_000_000, 500_000_000, at_s=5)[1] == MirrorOf("die-0")


def test_a_slow_second_read_does_not_acquit_a_mirror() -> None:
    """The process was stopped for 3 s between the two reads of one counter."""
    twins = Twins()
    for i in range(5):
        first = sample("die-0", 1_000_000_000 * i, at_s=10 * i)
        late = Sample(
            "die-1", first.counter_uj + 900_000_000, first.after_ns, first.after_ns + 3 * S, RANGE_UJ, 500_000
        )
        assert twins.judge([first, late])["die-1"] != Own()


def test_the_first_readable_die_stands_for_the_package_until_another_is_cleared() -> None:
    """die-0 could not be read at first; when it can, it is the one under suspicion."""
    twins = Twins()
    assert twins.judge([sample("die-1", 100)]) == {"die-1": Own()}
    for i in range(3):
        verdicts = twins.judge([sample("die-0", 200 + i, i), sample("die-1", 200 + i, i)])
    assert verdicts == {"die-0": MirrorOf("die-1"), "die-1": Own()}


def test_nothing_is_decided_while_the_other_die_is_not_read() -> None:
    twins = Twins()
    judge(twins, 100, 100)
    for i in range(5):
        assert twins.judge([sample("die-1", 100, i)]) == {"die-1": Settling()}


def test_a_third_die_that_mirrors_the_second_stays_so_when_it_passes_the_first() -> None:
    """Once told apart from die-0, meeting its value by chance changes nothing."""
    twins = Twins()
    for i in range(3):
        judge(twins, 30_000_000_000, 100_000_000 * i, 100_000_000 * i, at_s=i)
    verdicts = [judge(twins, 300_000_000, 300_000_000, 300_000_000, at_s=i)[2] for i in (3, 4, 5)]
    assert verdicts == [MirrorOf("die-1")] * 3


@given(
    start=st.integers(0, RANGE_UJ - 1),
    watts=st.integers(1, 500),
    reads=st.lists(st.tuples(st.floats(0.5, 60), st.floats(0, 0.02)), min_size=1, max_size=20),
)
def test_a_mirror_is_never_booked(start: int, watts: int, reads: list[tuple[float, float]]) -> None:
    """P4: whatever its power, the pace of reading and the delay between the two reads."""
    twins, at_ns = Twins(), 0
    for pause_s, delay_s in reads:
        at_ns += round(pause_s * S)
        late_ns = at_ns + round(delay_s * S)
        values = [(start + watts * instant // 1000) % RANGE_UJ for instant in (at_ns, late_ns)]
        one = Sample("die-0", values[0], at_ns, at_ns + 1000, RANGE_UJ, 500_000)
        two = Sample("die-1", values[1], at_ns + 1000, late_ns + 1000, RANGE_UJ, 500_000)
        assert twins.judge([one, two])["die-1"] != Own()
