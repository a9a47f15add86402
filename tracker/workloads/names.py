"""From what a cgroup path says (``Identity``) to the workload that is charged (``Workload``).

In this order: what the path says, what the first resolver that knows it says, what the site's rules set
(``core/rules.py``), a phase where it is certain (``core/phases.py``); then every label is cleaned. It is done again
only when a resolver says something else than before.

What is a workload: pods, containers, jobs and users always. A systemd unit only if its name matches the option
``units``, if a user set it apart (``run-*.scope``), or once it was seen on a GPU; a node has hundreds of services, and
their time belongs to the operating system until somebody says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from tracker.core.model import SYSTEM, UNATTRIBUTED, Kind, Workload
from tracker.core.phases import certain_phase
from tracker.core.rules import Rule, apply, facts_of
from tracker.workloads.interface import Allocation, Identity, Resolver
from tracker.workloads.labels import clean_key, clean_workload
from tracker.workloads.paths import unescape

_SHORT_ID = 12  # characters of a container id, as engines print it
_FORGET_AFTER = 720  # ticks without a use
_ALWAYS = frozenset({Kind.POD, Kind.SLURM, Kind.CONTAINER, Kind.USER})


class Users:
    """Names of users from a passwd(5) file. Read directly: the name service may ask the network, which may hang."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at = (0, 0)
        self._names: dict[str, str] = {}

    def name(self, user_id: str) -> str:
        """The user's name, or the number when the file does not know it."""
        if user_id not in self._names:
            self._reread()
        return self._names.get(user_id, user_id)

    def _reread(self) -> None:
        try:
            status = self._path.stat()
            if (status.st_ino, status.st_mtime_ns) == self._read_at:
                return
            self._names = parse_passwd(self._path.read_text(encoding="utf-8", errors="replace"))
            self._read_at = (status.st_ino, status.st_mtime_ns)
        except OSError:
            return


def parse_passwd(text: str) -> dict[str, str]:
    """Names by uid; the first entry of a uid wins, as in getpwuid(3)."""
    names: dict[str, str] = {}
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) > 2 and fields[0]:  # noqa: PLR2004 - name:password:uid
            names.setdefault(fields[2], fields[0])
    return names


@dataclass(frozen=True, slots=True)
class Named:
    """A workload and the rule that gave it its team; None: no rule fits."""

    workload: Workload
    rule: Rule | None


class _Entry:
    __slots__ = ("answer", "attributes", "identity", "named", "offered", "plain", "tick")

    def __init__(self, identity: Identity | None, plain: Workload) -> None:
        self.identity = identity  # None: it was given a device, and no cgroup of it has been seen
        self.plain = plain
        self.offered: Workload | None = None  # as an allocation calls it
        self.answer: Workload | None = None  # of a resolver, as it came
        self.attributes: Mapping[str, str] = {}
        self.named: Named | None = None
        self.tick = -1


class Names:
    """The workloads by key. The same object is returned as long as no label changes."""

    def __init__(
        self, resolvers: Sequence[Resolver], units: Sequence[str], users: Users, rules: Sequence[Rule] = ()
    ) -> None:
        self._resolvers = tuple(resolvers)
        self._units = tuple(units)
        self._users = users
        self._rules = tuple(rules)
        self._promoted: set[str] = set()
        self._entries: dict[str, _Entry] = {}
        self._finished: dict[Workload, _Entry] = {}
        self._tick = 0
        self.failures: dict[str, str] = {}  # resolver -> what it raised last

    def begin_tick(self) -> None:
        """From here on resolvers are asked anew."""
        self._tick += 1
        if self._tick % _FORGET_AFTER == 0:
            old = self._tick - _FORGET_AFTER
            self._entries = {key: entry for key, entry in self._entries.items() if entry.tick > old}
            self._finished = {raw: entry for raw, entry in self._finished.items() if entry.tick > old}

    def is_workload(self, identity: Identity) -> bool:
        """Whether it is charged by its own name, or is a part of the operating system."""
        if identity.kind is not Kind.UNIT:
            return identity.kind in _ALWAYS
        if identity.user_id or identity.key in self._promoted:
            return True
        return any(fnmatchcase(identity.unit, pattern) for pattern in self._units)

    def promote(self, identity: Identity) -> bool:
        """Make a unit that uses a GPU a workload from now on. Returns whether it was none before."""
        if identity.kind is not Kind.UNIT or self.is_workload(identity):
            return False
        self._promoted.add(identity.key)
        return True

    def workload(self, identity: Identity) -> Workload:
        """The workload with the labels that the resolvers know now. One that a resolver has named keeps its name when
        the resolver no longer answers: its energy still arrives after the pod is deleted."""
        if identity.kind is Kind.SYSTEM:
            return SYSTEM
        if identity.kind is Kind.UNATTRIBUTED:
            return UNATTRIBUTED
        entry = self._entries.get(identity.key)
        if entry is None:
            entry = self._entries[identity.key] = _Entry(identity, self._plain(identity))
        elif entry.identity is None:
            entry.identity, entry.plain, entry.tick = identity, self._plain(identity), -1
        return self._current(entry)

    def given(self, workload: Workload) -> Workload:
        """The workload of an allocation, with the labels that it has everywhere else. It may have no cgroup yet."""
        key = clean_key(workload.key)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry(None, Workload(key, workload.kind))
        if entry.offered != workload:
            entry.offered, entry.tick = workload, -1
        return self._current(entry)

    def finish(self, workload: Workload) -> Workload:
        """A workload that somebody else made (a declared run), with the last hand that all get: rules, phase, clean."""
        entry = self._finished.get(workload)
        if entry is None:
            entry = self._finished[workload] = _Entry(None, Workload(clean_key(workload.key), workload.kind))
            entry.offered = workload
        return self._current(entry)

    def allocations(self) -> list[Allocation]:
        """What all resolvers say of devices."""
        found: list[Allocation] = []
        for resolver in self._resolvers:
            try:
                found.extend(resolver.allocations())
            except Exception as error:  # noqa: BLE001 - somebody else's code must not stop the tick
                self._note(resolver, error)
        return found

    def named(self) -> tuple[Named, ...]:
        """The workloads of this tick, and the rules that named them."""
        entries = (*self._entries.values(), *self._finished.values())
        return tuple(entry.named for entry in entries if entry.tick == self._tick and entry.named is not None)

    def _current(self, entry: _Entry) -> Workload:
        named = entry.named
        if named is None or entry.tick != self._tick:
            entry.tick = self._tick
            if self._learn(entry) or named is None:
                named = self._name(entry)
                if entry.named is not None and entry.named.workload == named.workload:
                    named = Named(entry.named.workload, named.rule)  # nothing that anybody can see has changed
                entry.named = named
        return named.workload

    def _learn(self, entry: _Entry) -> bool:
        """Ask the resolvers; the first that knows something is believed. Returns whether it is something new."""
        answer: Workload | None = None
        attributes: Mapping[str, str] = {}
        for resolver in self._resolvers:
            try:
                if answer is None and entry.identity is not None:
                    answer = resolver.resolve(entry.identity, entry.plain)
                attributes = attributes or resolver.attributes(entry.plain.key)
            except Exception as error:  # noqa: BLE001 - somebody else's code must not stop the tick
                self._note(resolver, error)
        answer = answer or entry.offered or entry.answer  # what was known once stays known
        attributes = attributes or entry.attributes
        same = (answer is entry.answer or answer == entry.answer) and attributes == entry.attributes
        entry.answer, entry.attributes = answer, attributes
        return not same

    def _note(self, resolver: Resolver, error: Exception) -> None:
        self.failures[resolver.name] = f"{type(error).__name__}: {error}"

    def _name(self, entry: _Entry) -> Named:
        raw = entry.answer or entry.plain
        facts = facts_of(raw, entry.identity.unit if entry.identity is not None else "", entry.attributes)
        workload, rule = apply(self._rules, raw, facts)
        if not workload.phase and (phase := certain_phase(facts)):
            workload = replace(workload, phase=phase)
        return Named(clean_workload(workload, entry.plain.key, workload.kind), rule)

    def _plain(self, identity: Identity) -> Workload:
        """What can be said without a resolver."""
        kind, user = identity.kind, self._users.name(identity.user_id) if identity.user_id else ""
        match kind:
            case Kind.POD:
                plain = Workload(identity.key, kind, identity.pod_uid)
            case Kind.CONTAINER:
                short = identity.container_id[:_SHORT_ID]
                short = short if len(identity.container_id) == 64 else identity.container_id  # noqa: PLR2004 - hex id
                plain = Workload(identity.key, kind, short, container=short, user=user)
            case Kind.SLURM:
                job = identity.slurm_job or identity.extra.get("oar_job", "")
                plain = Workload(identity.key, kind, job, job=job, user=user or identity.extra.get("user", ""))
            case Kind.USER:
                plain = Workload(identity.key, kind, user, user=user)
            case _:
                plain = Workload(identity.key, kind, unescape(identity.unit), user=user)
        return clean_workload(plain, identity.key, kind)
