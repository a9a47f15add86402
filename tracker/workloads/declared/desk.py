"""What is done with a message: it changes the runs, or is answered from what was committed last."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tracker.core.model import Component, Kind, Method
from tracker.core.snapshot import Snapshot
from tracker.workloads.declared.declaration import Peer, Refused, key_of
from tracker.workloads.declared.peers import Peers
from tracker.workloads.declared.protocol import (
    Add,
    Answer,
    Declare,
    End,
    Energy,
    EnergyAnswer,
    Gpu,
    Hello,
    Incoming,
    Node,
    NodeAnswer,
    Phase,
)
from tracker.workloads.declared.runs import Runs
from tracker.workloads.declared.totals import Booked, Nesting, Totals, total


@dataclass(frozen=True, slots=True)
class Pace:
    """How fine energy can be told apart in time, and when it is final."""

    tick_s: float
    commit_s: float


class Desk:
    """Used by the server's thread; ``snapshot`` is swapped by the agent's."""

    def __init__(
        self, runs: Runs, peers: Peers, pace: Pace, ledger: Callable[[str], Iterable[Booked]] | None = None
    ) -> None:
        """``ledger``: committed totals by workload key, for work that the snapshot no longer shows. May raise."""
        self.runs, self._peers, self._pace, self._ledger = runs, peers, pace, ledger
        self.nesting = Nesting()
        self.snapshot: Snapshot | None = None

    def handle(self, peer: Peer, message: Incoming, boot_ns: int) -> Answer | EnergyAnswer | NodeAnswer | None:
        """The answer; None: it has to wait for a later commit. Raises Refused."""
        match message:
            case Hello():
                if message.tokens is not None:
                    self.runs.alone(peer, message.tokens)
            case Declare():
                self._declare(peer, message, boot_ns)
            case Phase():
                self.runs.phase(peer.uid, message.token, message.phase, boot_ns)
            case Add():
                self.runs.add(peer, message.token, message.units)
            case End():
                self.runs.end(peer.uid, message.token, boot_ns)
            case Energy():
                return self._energy(message)
            case Node():
                return self._node(message)
        return Answer(message.id, ok=True)

    def _declare(self, peer: Peer, message: Declare, boot_ns: int) -> None:
        around = self.runs.declare(self._peers.other(peer, message.pid), message, boot_ns)
        if around and self.nesting.put(around, message.run, self._totals(message.run)):
            self.runs.changed = True

    def _energy(self, message: Energy) -> EnergyAnswer | None:
        booked = bool(message.after) and self.runs.settled(message.after)
        return self.energy_now(message, booked=booked) if booked or not message.after else None

    def energy_now(self, message: Energy, *, booked: bool) -> EnergyAnswer:
        """What is committed of a run and the runs inside it. Raises Refused."""
        snapshot = self._ready()
        found = self._totals(message.run)
        for inner, before in self.nesting.inside(message.run):
            found.add(self._totals(inner))
            found.add(before, -1)
        health = snapshot.ledger
        return EnergyAnswer(
            message.id,
            message.run,
            found.rows(),
            found.emissions_ug,
            found.units,
            health.commit_wall_s,
            booked=booked,
            ledger_ok=health.ok,
            message=health.message,
        )

    def _totals(self, run: str) -> Totals:
        """Of all label sets of a run: from the snapshot, or from the ledger where the snapshot need not have them all
        (it left /metrics, or is among the workloads that share a series)."""
        key = key_of(run)
        states = self.snapshot.workloads if self.snapshot else ()
        shown = [state for state in states if state.workload.key == key]
        crowded = any(state.workload.kind is Kind.OTHER for state in states)
        if self._ledger is None or (shown and not crowded):
            return total(shown)
        try:
            return total(self._ledger(key))
        except Exception:  # noqa: BLE001 - a ledger that cannot be read now costs a client an answer, not the daemon
            return Totals()

    def _node(self, message: Node) -> NodeAnswer:
        snapshot = self._ready()
        booked = [state.sensor for state in snapshot.devices if state.booked]
        components: dict[str, str] = {}
        for sensor in booked:
            if components.get(sensor.component) != Method.MEASURED:
                components[sensor.component] = sensor.method
        return NodeAnswer(
            message.id,
            snapshot.hostname,
            snapshot.version,
            snapshot.site,
            snapshot.pue_permille,
            snapshot.pue_source,
            self._pace.tick_s,
            self._pace.commit_s,
            snapshot.factor,
            tuple(Gpu(s.index, s.key, s.model) for s in booked if s.component is Component.GPU),
            components,
        )

    def _ready(self) -> Snapshot:
        if self.snapshot is None or not self.snapshot.ready:
            raise Refused("The daemon has just started and has booked nothing yet; ask again in some seconds.")
        return self.snapshot
