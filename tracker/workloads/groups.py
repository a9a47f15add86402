"""One cgroup as it is kept in memory, and how folders of the kernel become such groups."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from tracker.workloads.counters import CounterFile, parse_cpu_stat
from tracker.workloads.interface import Identity

_LEAF = 2  # st_nlink of a folder without subfolders
GONE = 0

Links = tuple[tuple[int, int], ...]  # (st_nlink, st_mtime_ns) per hierarchy


@dataclass(slots=True)
class Room:
    """How many more groups are looked at in a part of the tree."""

    left: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A workload whose cgroup vanished, and the CPU time of its last tick (None: it had none)."""

    identity: Identity
    rate_us: int | None


@dataclass(eq=False, slots=True)
class Group:
    """One cgroup, in every hierarchy that has it."""

    path: str  # "" for the root, else "/a/b"
    identity: Identity
    nursery: bool
    parent: Group | None
    depth: int
    room: Room
    inodes: dict[int, int]  # by position of the hierarchy
    folders: tuple[str, ...]
    links: Links = ()
    children: dict[str, Group] = field(default_factory=dict)
    alive: bool = True
    fresh: bool = False  # born since the last tick, and not arranged yet
    watched: bool = True
    # set by Tree
    top: bool = False  # the highest cgroup of a workload
    owner: Group | None = None  # the top it belongs to, itself included
    counted: tuple[Group, ...] = ()  # children whose CPU time is counted
    cpu: CounterFile | None = None
    cpu_position: int = -1  # of the hierarchy that counts it
    parse_cpu: Callable[[bytes], int] = parse_cpu_stat
    memory: CounterFile | None = None
    # the state of cputime.py
    cpu_us: int | None = None  # the counter at the last tick; None: not read yet
    born: bool = False  # since the last tick, so that its counter started at 0 in this one
    delta_us: int = 0
    measured: bool = False  # delta_us is its own counter's
    rate_us: int | None = None
    carry_us: int = 0
    background: tuple[int, int] = (0, 1)  # its own and its uncounted children's µs, in how many elapsed µs
    lost: list[Lost] = field(default_factory=list)


def look(folders: Sequence[str]) -> Links:
    """What tells whether subfolders came or went; zeros for a folder that is gone."""
    links = []
    for folder in folders:
        try:
            status = os.stat(folder)  # noqa: PTH116 - at every tick
        except OSError:
            links.append((GONE, 0))
        else:
            links.append((status.st_nlink, status.st_mtime_ns))
    return tuple(links)


def subfolders(group: Group, links: Links) -> dict[str, dict[int, int]]:
    """Name -> position of the hierarchy -> inode. A folder that cannot be listed has none."""
    seen: dict[str, dict[int, int]] = {}
    for position, folder, (count, _) in zip(group.inodes, group.folders, links, strict=True):
        if count in {GONE, _LEAF}:
            continue
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        seen.setdefault(entry.name, {})[position] = entry.inode()
        except OSError:
            continue
    return seen


def walk(group: Group) -> Iterator[Group]:
    """A group and everything below it, parents first."""
    yield group
    for child in group.children.values():
        yield from walk(child)


def remains(group: Group) -> Iterator[Lost]:
    """The workloads that vanish with a group."""
    if group.top:
        yield Lost(group.identity, group.rate_us)
    yield from group.lost
    for child in group.children.values():
        yield from remains(child)


def close_files(group: Group) -> None:
    for file in (group.cpu, group.memory):
        if file is not None:
            file.close()
    group.cpu = group.memory = None
    group.cpu_us, group.cpu_position, group.measured = None, -1, False
