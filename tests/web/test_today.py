"""Today's table: rows add up, idle is visible, and what is not known is not invented."""

from __future__ import annotations

import pytest

from tests.fakes.snapshots import crowded, eight_gpus
from tests.web.rows import Row, today
from tracker.core.model import IDLE, UNATTRIBUTED, Component, Kind, Workload
from tracker.web.node import workloads

TRAIN = Workload("pod/a", Kind.POD, "train")


def test_components_of_a_workload_are_one_row() -> None:
    """Energy adds up; emissions are of the whole workload already; GPU time is that of GPUs."""
    rows = [
        Row(TRAIN, Component.CPU, 10, 0, 500, 70),
        Row(TRAIN, Component.GPU, 100, 30, 2000, 70),
        Row(IDLE, Component.GPU, 40, 40, 900, 20),
        Row(UNATTRIBUTED, Component.GPU, 5, 0, 0, 3),
    ]
    day = workloads.add_up(rows)
    assert [(t.workload.name, t.energy_uj, t.idle_uj, t.gpu_held_ms, t.emissions_ug) for t in day.totals] == [
        ("train", 110, 30, 2000, 70),
        ("idle", 40, 40, 900, 20),
        ("unattributed", 5, 0, 0, 3),
    ]
    assert (day.energy_uj, day.idle_uj, day.emissions_ug, day.energy_of(Kind.UNATTRIBUTED)) == (155, 70, 93, 5)


def test_a_part_without_factor_leaves_the_sum_unknown() -> None:
    """A part of the grams is not the grams."""
    day = workloads.add_up([Row(TRAIN, Component.CPU, 10, 0, 0, None), Row(IDLE, Component.CPU, 10, 10, 0, 9)])
    assert day.emissions_ug is None
    assert workloads.add_up([]).emissions_ug is None


def test_two_label_sets_of_one_workload_stay_apart() -> None:
    """A phase changed in the middle of the day: both rows are shown."""
    rows = [Row(Workload("run/x", Kind.RUN, "x", phase=p), Component.CPU, 1, 0, 0, 1) for p in ("train", "eval")]
    assert len(workloads.add_up(rows).totals) == 2


@pytest.mark.parametrize(("count", "more"), [(0, ""), (1, "1 more"), (500, "500 more")])
def test_the_largest_twenty_are_named_and_the_rest_counted(count: int, more: str) -> None:
    """A node with 500 containers has a page one can read, and its sum is of all."""
    snapshot = crowded(count)
    html = workloads.render(snapshot, workloads.add_up(today(snapshot)), "since 00:00 UTC")
    assert html.count("<tr") == 1 + 20 + bool(more) + 1
    assert (more in html) if more else (" more" not in html)
    assert ">47.7\u00a0kWh<" in html.partition("All of today")[2]


def test_rows_without_energy_are_left_out() -> None:
    """The ledger may have a row that was never charged; a zero would say nothing."""
    rows = [Row(TRAIN, Component.CPU, 5, 0, 0, 1), Row(UNATTRIBUTED, Component.GPU, 0, 0, 0, 0)]
    assert [total.workload for total in workloads.add_up(rows).totals] == [TRAIN]


def test_states_without_rows_are_sentences() -> None:
    """Nothing used is not the same as nothing known."""
    assert "No workload has used energy yet today." in workloads.render(eight_gpus(), workloads.add_up([]), "")
    assert "could not be read" in workloads.render(eight_gpus(), None, "")
