"""From what a cgroup path says (``Identity``) to the workload that is charged (``Workload``).

What is a workload: pods, containers, jobs and users always. A systemd unit only if its name matches the option
``units``, if a user set it apart (``run-*.scope``), or once it was seen on a GPU; a node has hundreds of services, and
their time belongs to the operating system until somebody says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from tracker.core.model import SYSTEM, UNATTRIBUTED, Kind, Workload
from tracker.workloads.interface import Identity, Resolver
from tracker.workloads.labels import clean_workload
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


class _Entry:
    __slots__ = ("answer", "identity", "plain", "tick", "workload")

    def __init__(self, identity: Identity, plain: Workload) -> None:
        self.identity = identity
        self.plain = plain
        self.answer: Workload | None = None  # of a resolver, as it came
        self.workload = plain
        self.tick = -1


class Names:
    """The workloads by key. The same object is returned as long as no label changes."""

    def __init__(self, resolvers: Sequence[Resolver], units: Sequence[str], users: Users) -> None:
        self._resolvers = tuple(resolvers)
        self._units = tuple(units)
        self._users = users
        self._promoted: set[str] = set()
        self._entries: dict[str, _Entry] = {}
        self._tick = 0
        self.failures: dict[str, str] = {}  # resolver -> what it raised last

    def begin_tick(self) -> None:
        """From here on resolvers are asked anew."""
        self._tick += 1
        if self._tick % _FORGET_AFTER == 0:
            old = self._tick - _FORGET_AFTER
            self._entries = {key: entry for key, entry in self._entries.items() if entry.tick > old}

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
        if entry.tick != self._tick:
            entry.tick = self._tick
            self._resolve(entry)
        return entry.workload

    def _resolve(self, entry: _Entry) -> None:
        for resolver in self._resolvers:
            try:
                answer = resolver.resolve(entry.identity, entry.plain)
                if answer is None:
                    continue
                if answer is not entry.answer and answer != entry.answer:
                    cleaned = clean_workload(answer, entry.plain.key, answer.kind)
                    entry.workload = entry.workload if cleaned == entry.workload else cleaned
                entry.answer = answer
            except Exception as error:  # noqa: BLE001 - somebody else's code must not stop the tick
                self.failures[resolver.name] = f"{type(error).__name__}: {error}"
                continue
            return

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
