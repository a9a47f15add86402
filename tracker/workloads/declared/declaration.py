"""One declared run, and how it becomes a workload."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from tracker.core.model import Kind, Workload
from tracker.workloads.declared.protocol import MAX_AMOUNT, MAX_UNITS, Declare
from tracker.workloads.interface import Identity
from tracker.workloads.labels import clean_key, clean_label
from tracker.workloads.paths import SYSTEM

#: What a cgroup says -> the workload that is charged without a run; and a last hand on a run's labels (rules).
Name = Callable[[Identity], Workload]
Finish = Callable[[Workload], Workload]
_CONTAINED = frozenset({Kind.POD, Kind.CONTAINER})
_REMEMBERED = 4096
#: Different phases of one run; what comes after them is phase "other". Each is a row of the ledger for ever.
MAX_PHASES = 16
#: What a run may count of one unit in its life: a double still holds it exactly, and the ledger's integers by far.
MAX_LIFETIME = 1 << 53
_TOKEN = re.compile(r"[0-9a-f]{32}")
_UNIT = re.compile(r"[a-z][a-z0-9_]{0,62}")


class Refused(Exception):
    """What a client asked for is not done; the text is for its user."""


def key_of(run: str) -> str:
    """Of the workload of a run."""
    return clean_key(f"run/{run}")


@dataclass(frozen=True, slots=True)
class Peer:
    """The process at the other end of a connection, as the kernel names it here. ``start`` 0: it has exited already."""

    pid: int
    uid: int
    start: int


@dataclass(slots=True)
class Declaration:
    """``template``: what was declared, without what the place adds. ``named``: by phase, the workload that is charged;
    the same object as long as no label changes."""

    token: str
    run: str
    pid: int
    start: int
    uid: int
    user: str
    template: Workload
    phase: str
    command: str
    home: Identity = SYSTEM
    ended: bool = False
    drained: bool = False  # a tick has taken up what it used until its end
    attached: bool = True  # a client speaks for it; False: known from before the daemon was restarted
    measured_ns: int = 0  # when a change of phase was last measured
    units: dict[tuple[str, str], int] = field(default_factory=dict)  # (phase, unit) -> not yet booked
    counted: dict[str, int] = field(default_factory=dict)  # by unit, over its life
    phases: set[str] = field(default_factory=set)
    named: dict[str, Workload] = field(default_factory=dict)
    _raw: dict[str, Workload] = field(default_factory=dict)

    def name(self, phase: str, name: Name, finish: Finish) -> Workload:
        """The workload in a phase, as the resolvers and rules know it now."""
        raw = inherit(self.template, phase, name(self.home), self.user)
        if self._raw.get(phase) != raw:
            self._raw[phase] = raw
        finished = finish(self._raw[phase])
        if self.named.get(phase) != finished:
            self.named[phase] = finished
        return self.named[phase]

    def enter(self, phase: str) -> None:
        """From now on it is in this phase."""
        cleaned = clean_label(phase)
        if cleaned not in self.phases and len(self.phases) >= MAX_PHASES:
            cleaned = "other"
        self.phases.add(cleaned)
        self.phase = cleaned

    def check(self, units: Mapping[str, int]) -> None:
        """Whether so much can be added. Raises Refused."""
        for unit, amount in units.items():
            if not _UNIT.fullmatch(unit) or not 0 <= amount <= MAX_AMOUNT:
                raise Refused(f"A unit is named like tokens or images_seen and counts from 0 to {MAX_AMOUNT}.")
            if self.counted.get(unit, 0) + amount > MAX_LIFETIME:
                raise Refused(f"A run counts at most {MAX_LIFETIME} {unit}.")
        if len(self.counted.keys() | units.keys()) > MAX_UNITS:
            raise Refused(f"A run counts at most {MAX_UNITS} different units.")

    def add(self, units: Mapping[str, int]) -> None:
        """Count what was done, in the phase of now."""
        for unit, amount in units.items():
            self.counted[unit] = self.counted.get(unit, 0) + amount
            key = (self.phase, unit)
            self.units[key] = self.units.get(key, 0) + amount


class RunIds:
    """Whose a run id was last, for the last few thousand: nobody else's run may be booked under it."""

    def __init__(self) -> None:
        self._uids: OrderedDict[str, int] = OrderedDict()

    def may_use(self, run: str, uid: int) -> bool:
        return uid in {0, self._uids.get(run, uid)}

    def remember(self, run: str, uid: int) -> None:
        self._uids[run] = uid
        self._uids.move_to_end(run)
        while len(self._uids) > _REMEMBERED:
            self._uids.popitem(last=False)


def check_words(message: Declare) -> None:
    """Raises Refused."""
    if not message.run.strip():
        raise Refused("A run needs an id.")
    if not _TOKEN.fullmatch(message.token):
        raise Refused("A token is 32 hexadecimal digits.")


def template_of(message: Declare) -> Workload:
    """The declared labels, cleaned."""
    return Workload(
        key_of(message.run),
        Kind.RUN,
        name=clean_label(message.name or message.run),
        run=clean_label(message.run),
        project=clean_label(message.project),
        team=clean_label(message.team),
        cost_centre=clean_label(message.cost_centre),
    )


def declared(peer: Peer, message: Declare, user: str, home: Identity) -> Declaration:
    """What a process declared of itself, or another one for it."""
    return Declaration(
        message.token,
        message.run,
        peer.pid,
        peer.start,
        peer.uid,
        user,
        template_of(message),
        clean_label(message.phase),
        clean_label(message.command),
        home=home,
    )


def inherit(template: Workload, phase: str, home: Workload, user: str) -> Workload:
    """The run where it runs: identity from the pod, container or job around it; what was declared wins over what that
    says of team, project, cost centre and phase. In a container a uid is not the host's."""
    return replace(
        template,
        namespace=home.namespace,
        pod=home.pod,
        container=home.container,
        user=home.user or ("" if home.kind in _CONTAINED else user),
        job=home.job,
        queue=home.queue,
        team=template.team or home.team,
        project=template.project or home.project,
        cost_centre=template.cost_centre or home.cost_centre,
        phase=phase or home.phase,
    )
