"""The processes of the runs: those that declared one and everything they started, with what each used since it was
looked at last.

How descendants are found. Listing ``/proc`` costs a third of a µs a process, so it is done at every look, and only
processes that were not there before are read. A process belongs to the nearest ancestor that declared a run, and stays
with it when its parent exits first and init adopts it.

CPU time is counted by process. When a process exits and its parent waits for it, its whole time turns up in the
parent's ``cutime``: the part that was counted before is set against that. Parents are read before their children, so
that no time can be seen in both.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tracker.core.model import Kind
from tracker.core.units import NS_PER_MS, NS_PER_S
from tracker.workloads.declared.stat import TICK_NS, Stat, read_stat
from tracker.workloads.interface import Identity
from tracker.workloads.paths import RELATIVE, identify_process

MAX_MEMBERS = 8192
MAX_DEPTH = 256  # of a tree of processes: where numbers are used again, a chain of parents could be a circle
SCAN_PAUSE_NS = 100 * NS_PER_MS  # however many runs begin in it
REIDENTIFY_NS = 60 * NS_PER_S  # a process may be moved to another cgroup


@dataclass(slots=True)
class Member:
    """A process of a run. ``root`` is the process that declared it."""

    pid: int
    start: int
    parent: int
    root: int
    identity: Identity  # what its cgroup says it would be without the run
    identified_ns: int
    since_ns: int  # measured so far, boot clock
    own_us: int
    reaped_us: int
    rss_bytes: int
    credit_us: int = 0  # counted for children that vanished; may turn up in reaped_us at the next look
    old_credit_us: int = 0  # the same, from the look before: it turns up now or never


@dataclass(slots=True)
class Delta:
    """What a process used since the last look. ``alive`` False: it is gone, and this was the last of it."""

    pid: int
    root: int
    identity: Identity
    start_ns: int  # boot clock
    cpu_us: int
    byte_ns: int  # memory x time
    duration_ns: int
    alive: bool


class Family:
    """Never raises. Not thread-safe."""

    def __init__(self, procfs: Path, *, namespaced: bool) -> None:
        self._procfs = str(procfs)
        self._namespaced = namespaced  # then "/" is our own container, not the node
        self._roots: dict[int, int] = {}  # pid -> when it was declared, boot clock
        self._members: dict[int, Member] = {}
        self._parents: dict[int, int] = {}  # of every process that was there at the last listing
        self._dirty = False
        self._scanned_ns = -SCAN_PAUSE_NS
        self.overflow = 0  # processes that were not followed because there are too many

    @property
    def size(self) -> int:
        return len(self._members)

    def look(self, pid: int) -> Stat | None:
        """A process now."""
        return read_stat(self._procfs, pid)

    def add(self, pid: int, boot_ns: int) -> int | None:
        """Follow a process and its descendants. Returns its start; None: it is gone, or they are too many."""
        stat = self.look(pid)
        if stat is None:
            return None
        if pid not in self._roots:
            self._roots[pid] = boot_ns
            self._dirty = True
            member = self._members.get(pid)
            if member is None or member.start != stat.start:
                self._members.pop(pid, None)
                self._adopt(pid, pid, stat, boot_ns, born=False)
            else:
                member.root = pid
            if pid not in self._members:
                del self._roots[pid]
                return None
        return stat.start

    def remove(self, pid: int) -> None:
        """Stop following a root. What is below another root stays with that one."""
        if self._roots.pop(pid, None) is None:
            return
        above = self.root_above(pid)
        for member in [member for member in self._members.values() if member.root == pid]:
            if above is None:
                del self._members[member.pid]
            else:
                member.root = above
        if not self._roots:
            self._parents.clear()

    def identity(self, pid: int) -> Identity | None:
        """What a followed process would be without its run."""
        member = self._members.get(pid)
        return None if member is None else member.identity

    def root_of(self, pid: int) -> int | None:
        """The root that a process belongs to."""
        member = self._members.get(pid)
        return member.root if member is not None else self.root_above(pid)

    def root_above(self, pid: int) -> int | None:
        """The nearest root among the ancestors of a process."""
        for _ in range(MAX_DEPTH):
            parent = self._parents.get(pid)
            if parent is None:
                stat = self.look(pid)
                parent = stat.parent if stat is not None else 0
            if parent <= 1:
                return None
            if parent in self._roots:
                return parent
            pid = parent
        return None

    def scan(self, boot_ns: int, *, force: bool = False) -> None:
        """Find descendants that are new."""
        if not self._roots or (not force and boot_ns - self._scanned_ns < SCAN_PAUSE_NS):
            return
        try:
            pids = {int(name) for name in os.listdir(self._procfs) if name.isdecimal()}  # noqa: PTH208 - names
        except OSError:
            return
        for pid in self._parents.keys() - pids:
            del self._parents[pid]
        fresh = [(pid, stat) for pid in pids - self._parents.keys() if (stat := self.look(pid)) is not None]
        fresh.sort(key=lambda item: item[1].start)
        self._parents.update({pid: stat.parent for pid, stat in fresh})
        if self._dirty:
            self._dirty = False
            self._place_all(boot_ns)
        else:
            for pid, stat in fresh:
                parent = self._members.get(stat.parent)
                if parent is not None and pid not in self._members:
                    self._adopt(pid, parent.root, stat, boot_ns, born=True)
        self._scanned_ns = boot_ns

    def _place_all(self, boot_ns: int) -> None:
        """After a new root: every process, by its nearest ancestor that is one. An orphan keeps the root it has."""
        nearest: dict[int, int | None] = {root: root for root in self._roots}
        strangers = []
        for pid in self._parents:
            root = self._chase(pid, nearest)
            member = self._members.get(pid)
            if member is not None:
                member.root = member.root if root is None else root
            elif root is not None:
                strangers.append((pid, root))
        found = [(pid, root, stat) for pid, root in strangers if (stat := self.look(pid)) is not None]
        for pid, root, stat in sorted(found, key=lambda item: item[2].start):
            self._adopt(pid, root, stat, boot_ns, born=True)

    def _chase(self, pid: int, nearest: dict[int, int | None]) -> int | None:
        path: list[int] = []
        while pid not in nearest and pid in self._parents and len(path) < len(self._parents):
            path.append(pid)
            pid = self._parents[pid]
        root = nearest.get(pid)
        nearest.update(dict.fromkeys(path, root))
        return root

    def _adopt(self, pid: int, root: int, stat: Stat, boot_ns: int, *, born: bool) -> None:
        """Begin to follow a process: from its birth if that was since the root was declared, else from now."""
        if len(self._members) >= MAX_MEMBERS:
            self.overflow += 1
            return
        born = born and stat.start_ns + TICK_NS > self._roots[root]
        since_ns = min(boot_ns, max(stat.start_ns, self._roots[root], self._scanned_ns)) if born else boot_ns
        own_us, reaped_us = (0, 0) if born else (stat.own_us, stat.reaped_us)
        identity = self._identify(pid) or RELATIVE
        self._members[pid] = Member(
            pid, stat.start, stat.parent, root, identity, boot_ns, since_ns, own_us, reaped_us, stat.rss_bytes
        )

    def measure(self, boot_ns: int, root: int | None = None) -> list[Delta]:
        """What every process used since it was measured last; of one root, or of all."""
        members = [m for m in self._members.values() if root is None or m.root == root]
        members.sort(key=lambda member: member.start)  # parents first
        looks = [(member, self.look(member.pid)) for member in members]
        seen = [(member, stat if stat is not None and stat.start == member.start else None) for member, stat in looks]
        gone = {member.pid for member, stat in seen if stat is None}
        for member, stat in seen:
            if stat is None:
                self._bequeath(member, gone)
        deltas = [
            self._ended(member, boot_ns) if stat is None else self._measured(member, stat, boot_ns)
            for member, stat in seen
        ]
        for pid in gone:
            del self._members[pid]
        return deltas

    def _bequeath(self, member: Member, gone: set[int]) -> None:
        """Tell the nearest living ancestor what was counted already, in case the kernel hands it that time."""
        for ancestor in self._ancestors(member):
            if ancestor.pid not in gone:
                ancestor.credit_us += member.own_us + member.reaped_us + member.credit_us
                return

    def _ancestors(self, member: Member) -> Iterator[Member]:
        above = self._members.get(member.parent)
        for _ in range(MAX_DEPTH):
            if above is None:
                return
            yield above
            above = self._members.get(above.parent)

    def _ended(self, member: Member, boot_ns: int) -> Delta:
        """Its time since the last look is with its parent, or with its cgroup."""
        duration_ns = max(0, boot_ns - member.since_ns)
        return Delta(member.pid, member.root, member.identity, member.start * TICK_NS, 0, 0, duration_ns, alive=False)

    def _measured(self, member: Member, stat: Stat, boot_ns: int) -> Delta:
        gained_us = stat.reaped_us - member.reaped_us
        credit_us = member.old_credit_us + member.credit_us
        cpu_us = stat.own_us - member.own_us + max(0, gained_us - credit_us)
        member.old_credit_us, member.credit_us = min(max(0, credit_us - gained_us), member.credit_us), 0
        duration_ns = max(0, boot_ns - member.since_ns)
        member.own_us, member.reaped_us, member.rss_bytes = stat.own_us, stat.reaped_us, stat.rss_bytes
        member.since_ns = boot_ns
        if boot_ns - member.identified_ns > REIDENTIFY_NS:
            member.identified_ns = boot_ns
            found = self._identify(member.pid)
            if found is not None and found.kind not in {Kind.SYSTEM, Kind.UNATTRIBUTED}:
                member.identity = found  # one that is exiting shows the root: that is no news
        byte_ns = stat.rss_bytes * duration_ns
        return Delta(
            member.pid,
            member.root,
            member.identity,
            stat.start_ns,
            max(0, cpu_us),
            byte_ns,
            duration_ns,
            alive=True,
        )

    def _identify(self, pid: int) -> Identity | None:
        try:
            fd = os.open(f"{self._procfs}/{pid}/cgroup", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            identity = identify_process(os.fsdecode(os.read(fd, 1 << 16)))
        except OSError:
            return None
        finally:
            os.close(fd)
        return RELATIVE if self._namespaced and identity.kind is Kind.SYSTEM else identity
