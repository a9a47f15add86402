"""Three bases on the counters: energy weighed by place and by contract, hardware by held time, and what comes late."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.node import GPU, NOON_NS, NS, PACKAGE, POD, FixedGrid, Node, ScriptedFeed
from tracker.core.amortising import embodied_rates
from tracker.core.model import Booking, Factor
from tracker.grid.shipped import devices
from tracker.ledger.audit import audit
from tracker.ledger.interface import LedgerUnavailable

NOON_S = NOON_NS // NS
HOUR_S = 3600
H100 = replace(GPU, model="NVIDIA H100 80GB HBM3")
PUE = 1200


class ArrivingGrid(FixedGrid):
    """Each hour has an intensity of its own, and it is known once the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, set[int]] = {"location": set(), "market": set()}  # hours
        self.contracts = False

    def factor(self, zone: str, at_s: int) -> Factor:
        return self._factor("location", zone, at_s)

    def market(self, zone: str, at_s: int) -> Factor | None:
        return self._factor("market", zone, at_s) if self.contracts else None

    def _factor(self, basis: str, zone: str, at_s: int) -> Factor:
        hour_s = at_s // HOUR_S * HOUR_S
        known = hour_s in self.known[basis]
        value = intensity(basis, hour_s) if known else None
        name = f"live:{zone}:{hour_s}" if known else f"none:{zone}"
        return Factor(name, zone, value, "direct", basis, 1, "live", "test", hour_s if known else 0, 0)

    def arrive(self, basis: str, *hours: int) -> None:
        self.known[basis].update(NOON_S // HOUR_S * HOUR_S + hour * HOUR_S for hour in hours)


def intensity(basis: str, hour_s: int) -> int:
    """In mg/kWh; no two hours of a day alike."""
    return (50_000 if basis == "location" else 300_000) + hour_s // HOUR_S % 24 * 1_001


@pytest.fixture
def grid() -> ArrivingGrid:
    return ArrivingGrid()


@pytest.fixture
def node(tmp_path: Path, grid: ArrivingGrid) -> Iterator[Node]:
    made = built(tmp_path, grid)
    yield made
    made.ledger.close()


def built(folder: Path, grid: ArrivingGrid) -> Node:
    node = Node(folder, ScriptedFeed("nvml", H100), ScriptedFeed("rapl", PACKAGE))
    node.grid = grid
    node.embodied = embodied_rates(devices(), {}, Decimal(2500))
    node.restart()
    node.first_tick()
    return node


def grams(node: Node) -> dict[tuple[str, str], int]:
    """µg shown, by workload and basis."""
    return {
        (state.workload.key, basis): ug
        for state in node.agent.snapshot.workloads
        for basis, ug in state.emissions_ug.items()
    }


def ask(node: Node, statement: str) -> list[tuple[int, ...]]:
    with closing(sqlite3.connect(node.folder / "ledger.db")) as db:
        return db.execute(statement).fetchall()


def exact_ug(node: Node, basis: str) -> Fraction:
    """What all booked energy weighs by the intensity of its own hour."""
    hours = ask(node, "SELECT slot_start_s / 3600 * 3600, sum(energy_uj) FROM entry GROUP BY 1")
    return sum((Fraction(uj * intensity(basis, hour_s) * PUE, 3_600_000_000_000) for hour_s, uj in hours), Fraction(0))


def booked_ug(node: Node, basis: str) -> int:
    return ask(node, f"SELECT coalesce(sum(emissions_ug), 0) FROM emission_total WHERE basis = '{basis}'")[0][0]


def test_the_three_bases_are_counted_apart(node: Node, grid: ArrivingGrid) -> None:
    grid.contracts = True
    grid.arrive("location", 0)
    grid.arrive("market", 0)
    node.run(60)
    shown = grams(node)
    assert {basis for key, basis in shown if key == POD.key} == {"location", "market", "embodied"}
    workloads = len(node.agent.snapshot.workloads)
    for basis in ("location", "market"):
        assert 0 <= exact_ug(node, basis) - booked_ug(node, basis) < workloads
        assert sum(ug for (_, b), ug in shown.items() if b == basis) == booked_ug(node, basis)
    assert audit(node.folder / "ledger.db").findings == ()


def test_hardware_is_weighed_by_held_time_idle_time_included(node: Node) -> None:
    """A minute of an H100 is 62,404 µg and of a 2,500 kg host 951,293 µg, busy or not: the node foots."""
    node.run(70)
    before = booked_ug(node, "embodied")
    node.run(60)
    assert abs(booked_ug(node, "embodied") - before - 62_404 - 951_293) <= 2 * len(node.agent.snapshot.workloads)
    names = {state.name: (state.count, state.source) for state in node.agent.snapshot.embodied}
    assert names == {
        "NVIDIA HGX H100 per GPU": (1, "NVIDIA PCF summary; baseboard / 8"),
        "host": (1, "own figure: the configuration"),
    }


def test_without_contracts_there_is_no_market_series_and_nothing_waits_for_one(node: Node, grid: ArrivingGrid) -> None:
    """P11: the location's grams under another name would be called market-based."""
    grid.arrive("location", 0)
    node.run(20)
    assert not [basis for _, basis in grams(node) if basis == "market"]
    assert ask(node, "SELECT count(*) FROM waiting") == [(0,)]
    assert node.agent.snapshot.market is None


def test_a_factor_that_stands_in_for_the_market_never_adds_to_the_location(node: Node, grid: ArrivingGrid) -> None:
    class Careless(ArrivingGrid):
        def market(self, zone: str, at_s: int) -> Factor:
            return self.factor(zone, at_s)

    node.grid = careless = Careless()
    careless.arrive("location", 0)
    node.restart()
    node.run(60)
    assert booked_ug(node, "location") <= exact_ug(node, "location")
    assert booked_ug(node, "market") == booked_ug(node, "location")


def test_what_had_no_factor_is_weighed_when_it_arrives_by_the_factor_of_its_own_hour(
    node: Node, grid: ArrivingGrid
) -> None:
    node.run(2 * HOUR_S, tick_s=30)
    assert booked_ug(node, "location") == 0
    assert not [basis for _, basis in grams(node) if basis == "location"], "unknown, not 0"
    closed = ask(node, "SELECT count(*) FROM emission WHERE basis = 'location'")
    grid.arrive("location", 0, 1, 2)
    node.run(120, tick_s=30)
    assert closed == [(0,)]
    shortfall = exact_ug(node, "location") - booked_ug(node, "location")
    assert 0 <= shortfall < len(node.agent.snapshot.workloads)
    assert ask(node, "SELECT count(*) FROM waiting WHERE weighed_uj < energy_uj") == [(0,)]
    assert sum(ug for (_, basis), ug in grams(node).items() if basis == "location") == booked_ug(node, "location")
    assert audit(node.folder / "ledger.db").findings == ()


def test_energy_of_a_workload_that_left_is_shown_with_all_that_it_had(node: Node, grid: ArrivingGrid) -> None:
    """Its counters return whole, not from zero, and it is not called live."""
    node.run(600, tick_s=30)
    had = {key: value for key, value in node.counters().items() if POD.key in key}
    node.observer.seen = replace(node.observer.seen, cpu=(), dram=(), gpu={})
    node.run(1_200, tick_s=30)
    assert not [state for state in node.agent.snapshot.workloads if state.workload == POD]
    grid.arrive("location", 0)
    node.run(60, tick_s=30)
    (state,) = [state for state in node.agent.snapshot.workloads if state.workload == POD]
    assert not state.live
    assert state.emissions_ug["location"] > 0
    assert all(node.counters()[key] >= value for key, value in had.items())
    node.run(1_200, tick_s=30)
    assert not [state for state in node.agent.snapshot.workloads if state.workload == POD], "and leaves again"


def test_late_grams_of_workloads_that_share_a_series_are_counted_once(node: Node, grid: ArrivingGrid) -> None:
    """Also after a restart: what OTHER holds of whom is stored with the booking."""
    node.max_series = 1
    node.restart()
    node.run(600, tick_s=30)
    grid.arrive("location", 0)
    node.run(60, tick_s=30)
    for _ in range(2):
        totals = node.books.totals
        other_ug = sum(account.emissions_ug.get("location", 0) for account in totals.pooled.values())
        assert grams(node)["other", "location"] == other_ug > 0
        assert sum(ug for (_, basis), ug in grams(node).items() if basis == "location") == booked_ug(node, "location")
        node.restart()
        node.first_tick()
        node.run(60, tick_s=30)


def test_a_month_that_arrives_at_once_is_weighed_in_parts(node: Node, grid: ArrivingGrid) -> None:
    """No booking takes seconds because a node got its network back."""
    node.run(30 * HOUR_S, tick_s=300)
    grid.arrive("location", *range(34))
    rows = []
    for _ in range(12):
        before = ask(node, "SELECT count(*) FROM late")[0][0]
        node.run(600, tick_s=300)
        rows.append(ask(node, "SELECT count(*) FROM late")[0][0] - before)
    assert max(rows) <= 800
    assert rows[-1] == 0
    assert 0 <= exact_ug(node, "location") - booked_ug(node, "location") < len(node.agent.snapshot.workloads)


def test_while_the_disk_is_full_grams_stand_still_and_never_fall(node: Node, grid: ArrivingGrid) -> None:
    """By the time that they are booked the hour may have another value."""
    grid.arrive("location", 0)
    node.run(20)
    before = node.counters()
    book, node.ledger.book = node.ledger.book, full  # type: ignore[method-assign] # the disk, at the ledger's edge
    node.run(20)
    during = node.counters()
    grid.known["location"].clear()
    node.ledger.book = book  # type: ignore[method-assign] # room again
    node.run(20)
    after = node.counters()
    for earlier, later in ((before, during), (during, after)):
        assert all(later[key] >= value for key, value in earlier.items())


def full(booking: Booking) -> None:
    raise LedgerUnavailable("The disk is full.")


Happening = st.one_of(
    st.tuples(st.just("run"), st.integers(1, 4)),  # quarters of an hour
    st.tuples(st.just("location"), st.integers(0, 5)),
    st.tuples(st.just("market"), st.integers(0, 5)),
    st.tuples(st.just("gone"), st.integers(0, 5)),  # a value is taken back before it was used
    st.tuples(st.just("crash"), st.integers(0, 900)),
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(happenings=st.lists(Happening, max_size=14))
def test_whatever_happens_all_energy_is_weighed_once_in_the_end(
    tmp_path_factory: pytest.TempPathFactory, happenings: list[tuple[str, int]]
) -> None:
    """Factors in any order, kill -9 at any time: no counter falls, and each hour's energy weighs what it weighs."""
    grid = ArrivingGrid()
    grid.contracts = True
    node = built(tmp_path_factory.mktemp("node"), grid)
    lives = 1
    shown: dict[str, int] = {}
    for what, number in happenings:
        if what == "run":
            node.run(900 * number, tick_s=150)
        elif what == "crash":
            node.restart(down_s=number)
            node.first_tick()
            lives += 1
        elif what == "gone":
            grid.known["location"].discard(NOON_S // HOUR_S * HOUR_S + number * HOUR_S)
        else:
            grid.arrive(what, number)
        now = node.counters()
        assert all(now[key] >= value for key, value in shown.items() if key in now)
        shown = now
    for basis in ("location", "market"):
        grid.arrive(basis, *range(20))
    node.run(3_600, tick_s=150)
    for basis in ("location", "market"):
        shortfall = exact_ug(node, basis) - booked_ug(node, basis)
        assert 0 <= shortfall < (lives + len(happenings)) * (len(node.agent.snapshot.workloads) + 1)
    assert ask(node, "SELECT count(*) FROM waiting WHERE weighed_uj <> energy_uj") == [(0,)]
    assert audit(node.folder / "ledger.db").ok
    node.ledger.close()
