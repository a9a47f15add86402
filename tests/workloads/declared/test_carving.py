"""A run's part is taken out of what it runs in: not a microsecond more or less on the node (P1)."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from tracker.core.model import SYSTEM, UNATTRIBUTED, Kind, Observation, Share, Workload
from tracker.workloads.declared.carving import RunTick, Take, apply, carve

POD = Workload("pod/1", Kind.POD, "train")
USER = Workload("user/1000", Kind.USER, "ada")
UNIT = Workload("unit/cron.service", Kind.UNIT, "cron")
RUN = Workload("run/a", Kind.RUN, "a", phase="training")
EVAL = Workload("run/a", Kind.RUN, "a", phase="evaluation")
OTHER = Workload("run/b", Kind.RUN, "b")


def weights(shares: tuple[Share, ...]) -> dict[Workload, int]:
    return {share.workload: share.weight for share in shares}


def test_a_run_takes_what_it_used_and_its_home_keeps_the_rest() -> None:
    shares = (Share(POD, 900), Share(SYSTEM, 100))
    assert weights(carve(shares, [Take(RUN, POD, 700)])) == {POD: 200, RUN: 700, SYSTEM: 100}


def test_a_home_that_is_all_run_is_gone() -> None:
    assert weights(carve((Share(POD, 900),), [Take(RUN, POD, 900)])) == {RUN: 900}


def test_clocks_that_disagree_by_some_ms_invent_nothing() -> None:
    """The process says 910, its cgroup 900: 900 it is."""
    assert weights(carve((Share(POD, 900), Share(SYSTEM, 50)), [Take(RUN, POD, 910)])) == {RUN: 900, SYSTEM: 50}


def test_two_runs_divide_a_home_that_is_too_small_for_both() -> None:
    takes = [Take(RUN, POD, 300), Take(OTHER, POD, 100)]
    assert weights(carve((Share(POD, 100),), takes)) == {RUN: 75, OTHER: 25}


def test_phases_of_a_run_are_shares_of_their_own() -> None:
    takes = [Take(RUN, POD, 300), Take(EVAL, POD, 100), Take(RUN, USER, 5)]
    shares = carve((Share(POD, 500), Share(USER, 10)), takes)
    assert weights(shares) == {POD: 100, USER: 5, RUN: 305, EVAL: 100}


def test_a_service_that_is_no_workload_was_counted_with_the_system() -> None:
    """A run started by cron: its time is in the operating system's share, and nowhere else."""
    assert weights(carve((Share(SYSTEM, 500), Share(POD, 9)), [Take(RUN, UNIT, 200)])) == {
        SYSTEM: 300,
        POD: 9,
        RUN: 200,
    }


def test_an_unknown_home_is_the_systems_rest_and_never_a_neighbours() -> None:
    takes = [Take(RUN, UNATTRIBUTED, 700)]
    shares = (Share(UNATTRIBUTED, 50), Share(POD, 900), Share(SYSTEM, 500))
    assert weights(carve(shares, takes)) == {UNATTRIBUTED: 50, POD: 900, RUN: 500}
    assert weights(carve(shares[:2], takes)) == {UNATTRIBUTED: 50, POD: 900}


def test_nothing_declared_leaves_the_observation_as_it_is() -> None:
    seen = Observation(cpu=(Share(POD, 3),), dram=(Share(POD, 4),))
    assert apply(seen, RunTick()) is seen
    carved = apply(seen, RunTick((Take(RUN, POD, 1),), (Take(RUN, POD, 4),)))
    assert (weights(carved.cpu), weights(carved.dram)) == ({POD: 2, RUN: 1}, {RUN: 4})


HOMES = (POD, USER, SYSTEM, UNATTRIBUTED)
SHARES = st.dictionaries(st.sampled_from(HOMES), st.integers(-5, 10**12)).map(
    lambda weights: tuple(Share(home, weight) for home, weight in weights.items())
)
TAKES = st.lists(
    st.builds(Take, st.sampled_from((RUN, EVAL, OTHER)), st.sampled_from((*HOMES, UNIT)), st.integers(-5, 10**12)),
    max_size=8,
)


@given(shares=SHARES, takes=TAKES)
def test_any_runs_in_any_homes_conserve_every_unit(shares: tuple[Share, ...], takes: list[Take]) -> None:
    """The sum holds exactly, nobody gains but runs, no run gets more than it used, nothing new is negative."""
    carved = carve(shares, takes)
    assert sum(share.weight for share in carved) == sum(share.weight for share in shares)
    before, after = weights(shares), weights(carved)
    assert len(after) == len(carved), "one share per workload"
    used: Counter[Workload] = Counter()
    for take in takes:
        used[take.workload] += max(0, take.weight)
    for workload, weight in after.items():
        if workload.kind is Kind.RUN:
            assert 0 < weight <= used[workload]
        else:
            assert min(0, before[workload]) <= weight <= before[workload]
    assert carve(shares, []) == shares
