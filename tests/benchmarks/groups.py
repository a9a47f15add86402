"""A node's cgroups as the kernel shows them (Documentation/admin-guide/cgroup-v2.rst), with counters that advance.

Made of pods as the kubelet and containerd lay them out (two containers in each: the pause container and the work),
containers of docker, and the services that any server runs. Files are rewritten in place and only ever grow, so that a
reader that keeps them open never sees half a number.
"""

from __future__ import annotations

import os
import random
import uuid
from dataclasses import dataclass, field
from pathlib import Path

SERVICES = ("cron", "dbus", "containerd", "docker", "kubelet", "rsyslog", "ssh", "systemd-journald", "systemd-udevd")
GIB = 1 << 30


@dataclass(slots=True)
class Group:
    """One cgroup folder. ``cores``: CPUs that its own processes keep busy."""

    parent: Group | None
    fd: int
    cores: float = 0.0
    used_us: float = 0.0

    def write(self) -> None:
        us = int(self.used_us)
        os.pwrite(self.fd, f"usage_usec {us}\nuser_usec {us * 3 // 4}\nsystem_usec {us - us * 3 // 4}\n".encode(), 0)


@dataclass(slots=True)
class Work:
    """A pod or container: its path for ``/proc/PID/cgroup``, and the group whose processes work."""

    path: str
    group: Group


@dataclass(slots=True)
class Groups:
    """The tree below ``root`` (``<sysfs>/fs/cgroup``, which must exist)."""

    root: Path
    works: list[Work] = field(default_factory=list)
    _groups: dict[str, Group] = field(default_factory=dict)

    def build(self, *, pods: int, containers: int, seed: int = 1) -> None:
        """Services, then so many pods and docker containers, each with a load of its own."""
        dice = random.Random(seed)
        self._make("")
        (self.root / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
        self._make("/init.scope", 0.001)
        self._make("/user.slice/user-1000.slice/session-3.scope", 0.01)
        for name in SERVICES:
            self._make(f"/system.slice/{name}.service", 0.002)
        for _ in range(pods):
            pod = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{_uid(dice)}.slice"
            self._make(f"{pod}/cri-containerd-{_hex(dice)}.scope")  # the pause container
            self._add(f"{pod}/cri-containerd-{_hex(dice)}.scope", dice)
        for _ in range(containers):
            self._add(f"/system.slice/docker-{_hex(dice)}.scope", dice)

    def advance(self, seconds: float) -> None:
        """Everything uses CPU for so long; parents count their children."""
        for group in self._groups.values():
            if not group.cores:
                continue
            step_us = group.cores * seconds * 1e6
            above: Group | None = group
            while above is not None:
                above.used_us += step_us
                above = above.parent
        for group in self._groups.values():
            group.write()

    def close(self) -> None:
        for group in self._groups.values():
            os.close(group.fd)
        self._groups = {}

    def _add(self, path: str, dice: random.Random) -> None:
        self.works.append(Work(path, self._make(path, dice.uniform(0.05, 2.0), dice.randrange(GIB, 6 * GIB))))

    def _make(self, path: str, cores: float = 0.0, memory_bytes: int = GIB // 64) -> Group:
        if path in self._groups:
            return self._groups[path]
        parent = self._make(path.rpartition("/")[0]) if path else None
        folder = self.root / path.lstrip("/")
        folder.mkdir(exist_ok=True)
        if path:
            (folder / "cgroup.type").write_text("domain\n")
            (folder / "memory.current").write_text(f"{memory_bytes}\n")
        fd = os.open(folder / "cpu.stat", os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o444)
        group = self._groups[path] = Group(parent, fd, cores)
        group.write()
        return group


def _hex(dice: random.Random) -> str:
    return f"{dice.getrandbits(256):064x}"


def _uid(dice: random.Random) -> str:
    return str(uuid.UUID(int=dice.getrandbits(128), version=4)).replace("-", "_")
