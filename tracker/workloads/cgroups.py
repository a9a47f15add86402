"""The tree of cgroups: which there are, which are workloads, and which have come or gone since the last look.

In v1 and hybrid layouts one cgroup is a folder of the same path in several hierarchies; here it is one ``Group``.

Looking is cheap because most of it is not repeated. ``st_nlink`` of a cgroup folder is 2 + its subfolders (kernfs), so
one stat tells that nothing came or went (the time stamps of cgroup folders do not change then; those of other file
systems do). Two things escape that look until the full walk every 60 s: a birth and a death of untracked folders under
one parent between two looks (only where services live: below folders made for workloads every child is tracked), and
the first workload inside a service or container that held none.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from tracker.core.model import Kind
from tracker.workloads.counters import CounterFile, FileLimit, Hierarchy, parse_cpu_stat, parse_cpuacct
from tracker.workloads.groups import GONE, Group, Links, Room, close_files, look, remains, subfolders, walk
from tracker.workloads.interface import Identity
from tracker.workloads.paths import SYSTEM, identify, is_nursery

MAX_GROUPS = 8192  # of the node
MAX_INNER_GROUPS = 512  # inside one workload: users create cgroups as they like
MAX_DEPTH = 24
_BUSY_INSIDE = frozenset({Kind.USER, Kind.UNIT})


class Tree:
    """All cgroups of the node. ``order``: the counted ones, children before parents."""

    def __init__(
        self,
        hierarchies: Sequence[Hierarchy],
        is_workload: Callable[[Identity], bool],
        open_files: int,
        *,
        max_groups: int = MAX_GROUPS,
    ) -> None:
        self._hierarchies = tuple(hierarchies)
        self._is_workload = is_workload
        self._files = FileLimit(open_files)
        self._room = Room(max_groups)
        self._watched: list[Group] = []
        self._stale = True
        self.order: list[Group] = []
        inodes = dict.fromkeys(range(len(self._hierarchies)), 0)
        self.root = Group("", SYSTEM, False, None, 0, self._room, inodes, self._folders("", inodes))
        self._scan(self.root, look(self.root.folders), fresh=False)
        self._arrange(full=True)

    @property
    def truncated(self) -> bool:
        """Whether there are more cgroups than are looked at."""
        return self._room.left <= 0

    def reclassify(self) -> None:
        """``is_workload`` has changed its mind about some cgroup; takes effect at the next ``refresh``."""
        self._stale = True

    def refresh(self, *, full: bool) -> None:
        """Find what came and went. ``full``: look everywhere, not only where workloads come and go. Never raises."""
        for group in list(walk(self.root)) if full else self._watched:
            if not group.alive:
                continue
            links = look(group.folders)
            if links == group.links and not (full and group.watched):
                continue
            if group.parent is not None and all(count == GONE for count, _ in links):
                self._scan(group.parent, look(group.parent.folders), fresh=True)
            else:
                # What is found late may be a minute old: its counter is taken for this tick's time only if its
                # parent's counter can bound it.
                self._scan(group, links, fresh=group.watched or group.measured)
        if self._stale or full:
            self._arrange(full=full)

    def drop_if_gone(self, group: Group) -> bool:
        """Whether a cgroup whose CPU time could not be read is gone (or a namesake took its place); if so it is
        lost. In v1 its folders in other hierarchies may live a little longer."""
        if group.parent is None:
            return False
        folder = self._hierarchies[group.cpu_position].root + group.path
        try:
            if os.stat(folder).st_ino == group.inodes[group.cpu_position]:  # noqa: PTH116 - text in
                return False
        except OSError:
            pass
        group.parent.links = ()  # look again: a namesake may be there
        self._lose(group)
        return True

    def close(self) -> None:
        """Close all files."""
        for group in walk(self.root):
            close_files(group)

    def _folders(self, path: str, inodes: dict[int, int]) -> tuple[str, ...]:
        return tuple(self._hierarchies[position].root + path for position in inodes)

    def _scan(self, group: Group, links: Links, *, fresh: bool) -> None:
        """Compare a group's subfolders with its children. ``links`` was read before, so that a change in between is
        seen at the next look. ``fresh``: what is new was born since the last tick."""
        seen = subfolders(group, links)
        group.links = links
        for name, child in list(group.children.items()):
            now = seen.get(name, {})
            renewed = any(now.get(position, inode) != inode for position, inode in child.inodes.items())
            if not now or renewed or (child.cpu_position >= 0 and child.cpu_position not in now):
                self._lose(child)
                continue
            del seen[name]
            if now.keys() != child.inodes.keys():  # an engine makes and removes the folders of v1 one after the other
                child.fresh = fresh and now.keys() > child.inodes.keys()
                child.inodes, child.folders, child.links = now, self._folders(child.path, now), ()
                close_files(child)
                self._stale = True
        for name, inodes in seen.items():
            self._add(group, name, inodes, fresh=fresh)

    def _add(self, parent: Group, name: str, inodes: dict[int, int], *, fresh: bool) -> None:
        if parent.room.left <= 0 or parent.depth >= MAX_DEPTH:
            return
        parent.room.left -= 1
        self._stale = True
        path = f"{parent.path}/{name}"
        identity = identify(path)
        room = parent.room
        if room is self._room and identity.kind is not Kind.SYSTEM:
            room = Room(MAX_INNER_GROUPS)
        folders = self._folders(path, inodes)
        child = Group(path, identity, is_nursery(path), parent, parent.depth + 1, room, inodes, folders)
        child.fresh = fresh
        parent.children[name] = child
        self._scan(child, look(folders), fresh=fresh)

    def _lose(self, group: Group) -> None:
        self._stale = True
        if group.parent is not None:
            group.parent.lost.extend(remains(group))
            del group.parent.children[group.path.rpartition("/")[2]]
        for part in walk(group):
            part.alive = False
            part.delta_us = 0
            close_files(part)
            if part.parent is not None:
                part.parent.room.left += 1

    def _arrange(self, *, full: bool) -> None:
        self.order = []
        self._watched = []
        self._arrange_group(self.root, full=full)
        self._stale = False

    def _arrange_group(self, group: Group, *, full: bool) -> bool:
        """Decide what a group is and whether its CPU time is counted; children first. Returns the latter."""
        parent = group.parent
        above = parent.owner if parent is not None else None
        group.top = self._is_workload(group.identity) and (above is None or above.identity.key != group.identity.key)
        group.owner = group if group.top else above
        group.counted = tuple([child for child in group.children.values() if self._arrange_group(child, full=full)])
        group.watched = _is_lively(group)
        if group.watched:
            self._watched.append(group)
        raised = group.nursery or parent is None or parent.nursery
        counted = bool(group.top or group.counted or group.lost or raised)
        if counted:
            self.order.append(group)
            self._open(group, full=full)
        elif group.cpu is not None:
            close_files(group)
        group.fresh = False
        return counted

    def _open(self, group: Group, *, full: bool) -> None:
        new = group.cpu is None
        for position, folder in zip(group.inodes, group.folders, strict=True):
            hierarchy = self._hierarchies[position]
            if group.cpu is None and hierarchy.cpu_file:
                group.cpu = CounterFile(f"{folder}/{hierarchy.cpu_file}", self._files)
                group.cpu_position = position
                group.parse_cpu = parse_cpuacct if hierarchy.version == 1 else parse_cpu_stat
                group.cpu_us, group.born = (0, True) if group.fresh else (None, False)
            if group.top and group.memory is None and hierarchy.memory_file and (new or full):
                path = f"{folder}/{hierarchy.memory_file}"
                if os.path.exists(path):  # noqa: PTH110 - text in; v2 has none without the controller
                    group.memory = CounterFile(path, self._files)


def _is_lively(group: Group) -> bool:
    """Whether workloads may appear directly below, so that it is looked at in every tick: folders of the system, those
    that hold a workload now, and what users and services have made to hold something."""
    kind = group.identity.kind
    if kind is Kind.SYSTEM or group.counted:
        return True
    return kind in _BUSY_INSIDE and (bool(group.children) or group.path.endswith(".slice"))
