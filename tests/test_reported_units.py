"""Tokens and steps from a workload to the counter: committed, monotone, kept over restarts and over a full disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.node import GPU, PACKAGE, POD, USER, Node, ScriptedFeed
from tracker.bookkeeper import Bookkeeper
from tracker.core.accounts import MAX_SLOTS, Pending
from tracker.core.model import OTHER, Booking, Kind, Workload
from tracker.ledger.interface import LedgerUnavailable, WorkloadTotals

Report = tuple[Workload, str, int]


class Reporters(Node):
    """A node whose workloads report what the test puts into ``reports``."""

    def __init__(self, folder: Path, *feeds: ScriptedFeed, max_series: int = 500) -> None:
        self.reports: list[Report] = []
        super().__init__(folder, *feeds)
        if max_series != self.max_series:
            self.ledger.close()
            self.max_series = max_series
            self.start()

    def start(self) -> None:
        super().start()
        self.books = Bookkeeper(
            self.ledger,
            self.grid,
            self.agent._opening,
            zone="FR",
            pue=lambda _: 1200,
            max_series=self.max_series,
            reported=self._drain,
        )
        self.agent._books = self.books

    def _drain(self) -> list[Report]:
        reports, self.reports = self.reports, []
        return reports

    def units(self, workload: Workload) -> dict[str, int]:
        return next((dict(s.units) for s in self.agent.snapshot.workloads if s.workload == workload), {})


@pytest.fixture
def node(tmp_path: Path) -> Reporters:
    node = Reporters(tmp_path, ScriptedFeed("sensors", GPU, PACKAGE))
    node.first_tick()
    return node


def test_reports_are_counted_once_and_survive_a_crash(node: Reporters) -> None:
    node.reports = [(POD, "tokens", 4096), (POD, "steps", 1), (POD, "tokens", 4096)]
    node.run(10)
    assert node.units(POD) == {"tokens": 8192, "steps": 1}
    node.run(20)
    assert node.units(POD) == {"tokens": 8192, "steps": 1}
    node.restart(down_s=60)
    node.first_tick()
    node.reports = [(POD, "tokens", 8)]
    node.run(10)
    assert node.units(POD) == {"tokens": 8200, "steps": 1}


def test_a_workload_that_only_reports_is_shown(node: Reporters) -> None:
    """A server whose GPU no source measures still says how many requests it answered."""
    served = Workload("run/serve", Kind.RUN, "serve")
    node.reports = [(served, "requests", 12)]
    node.run(10)
    assert node.units(served) == {"requests": 12}
    assert node.ledger.totals_of(served) == WorkloadTotals(served, units={"requests": 12})


def test_a_full_disk_keeps_reports_in_memory(node: Reporters) -> None:
    """What arrives while nothing can be booked is shown, and is booked once there is room."""

    def full(booking: Booking) -> None:
        raise LedgerUnavailable("The disk is full.")

    book = node.ledger.book
    node.reports = [(POD, "tokens", 5)]
    node.ledger.book = full  # type: ignore[method-assign] # the disk of this test
    node.run(10)
    assert node.units(POD) == {"tokens": 5}
    node.ledger.book = book  # type: ignore[method-assign] # there is room again
    node.reports = [(POD, "tokens", 2)]
    node.run(10)
    assert node.units(POD) == {"tokens": 7}
    assert node.ledger.totals_of(POD).units == {"tokens": 7}


def test_workloads_beyond_the_limit_report_together_and_never_fall(tmp_path: Path) -> None:
    node = Reporters(tmp_path, ScriptedFeed("sensors", GPU, PACKAGE), max_series=1)
    node.first_tick()
    node.reports = [(POD, "tokens", 1), (USER, "tokens", 10)]
    node.run(10)
    shown = {OTHER: node.units(OTHER), POD: node.units(POD), USER: node.units(USER)}
    assert sum(units.get("tokens", 0) for units in shown.values()) == 11
    assert shown[OTHER]
    node.restart()
    node.first_tick()
    node.run(10)
    assert node.units(OTHER) == shown[OTHER]


def test_reports_wait_in_a_bounded_number_of_slots() -> None:
    pending = Pending()
    for slot in range(MAX_SLOTS + 28):
        pending.report(slot * 300, POD, "tokens", 1)
    pending.fold()
    assert len(pending.unit_rows()) == MAX_SLOTS
    assert sum(row.amount for row in pending.unit_rows()) == MAX_SLOTS + 28
