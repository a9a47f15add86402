"""Which Slurm jobs have cgroups on this node now, and which processes are in them.

Slurm makes a folder per job (task/cgroup, proctrack/cgroup): ``<controller>/slurm[_<node>]/uid_<uid>/job_<job>`` under
v1, ``system.slice/[<node>_]slurmstepd.scope/job_<job>`` under v2, there named by the SLUID since 26.05
(https://slurm.schedmd.com/cgroup_v2.html). ``paths.py`` reads the same forms; here they are looked for, because a job
that does nothing shows up in no usage, and yet holds its GPUs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MAX_JOBS = 4096
MAX_PIDS = 16  # of a job: one with a telling environment is enough
_MAX_FOLDERS = 64  # of a job
_MAX_DEPTH = 4  # step, user, task
_V1_ROOT = re.compile(r"^slurm(?:_(.+))?$")
_V2_ROOT = re.compile(r"^(?:(.+)_)?slurmstepd\.scope$")
_USER = re.compile(r"^uid_(\d+)$", re.ASCII)
_JOB = re.compile(r"^(?:job_(\w{1,32})|(s[0-9A-Z]{13}))$", re.ASCII)
_SLUID = re.compile(r"^s[0-9A-Z]{13}$", re.ASCII)
_LAST = frozenset({"step_extern", "slurm"})  # a sleep(1) of Slurm's own, and its stepd


@dataclass(frozen=True, slots=True)
class Place:
    """A job's cgroup. ``uid`` "": v2 does not say it."""

    folder: str
    node: str
    uid: str


def is_job(name: str) -> bool:
    """Whether it is a number or an SLUID, and nothing else that a folder may be called."""
    return name.isdecimal() or _SLUID.match(name) is not None


def find_jobs(cgroup_root: Path) -> Mapping[str, Place] | None:
    """The jobs by what their folder calls them: a number or an SLUID. None: there is no Slurm here. Never raises."""
    found: dict[str, Place] = {}
    here = False
    for root, node in _roots(str(cgroup_root)):
        here = True
        for name in _folders(root):
            user = _USER.match(name)
            if user is None:
                _add(found, name, Place(f"{root}/{name}", node, ""))
                continue
            for job in _folders(f"{root}/{name}"):
                _add(found, job, Place(f"{root}/{name}/{job}", node, user[1]))
    return found if here else None


def pids_of(place: Place, limit: int = MAX_PIDS) -> list[int]:
    """Some processes of the job, those of the batch script and of user steps first. Never raises."""
    found: list[int] = []
    waiting = [(place.folder, 0)]
    for _ in range(_MAX_FOLDERS):
        if not waiting or len(found) >= limit:
            break
        folder, depth = waiting.pop(0)
        found += _pids(folder)
        if depth < _MAX_DEPTH:
            names = sorted(_folders(folder), key=lambda name: (name in _LAST, name != "step_batch"))
            waiting[:0] = [(f"{folder}/{name}", depth + 1) for name in names]
    return found[:limit]


def is_populated(place: Place) -> bool:
    """Whether anything runs in it. Slurm leaves empty folders behind now and then. Never raises."""
    try:
        # Documentation/admin-guide/cgroup-v2.rst: "populated 1" if it or a descendant has a live process
        return "populated 1" in Path(place.folder, "cgroup.events").read_text(encoding="ascii")
    except (OSError, UnicodeError):
        return bool(pids_of(place, 1))


def _add(found: dict[str, Place], folder: str, place: Place) -> None:
    match = _JOB.match(folder)
    if match is not None and len(found) < MAX_JOBS:
        found.setdefault(match[1] or match[2], place)


def _roots(root: str) -> Iterator[tuple[str, str]]:
    """(folder, Slurm's name of the node) of every slurmd. Which v1 controllers it uses depends on its configuration."""
    for parent in (f"{root}/system.slice", f"{root}/unified/system.slice"):
        for name in _folders(parent):
            if (match := _V2_ROOT.match(name)) is not None:
                yield f"{parent}/{name}", match[1] or ""
    if os.path.exists(f"{root}/cgroup.controllers"):  # noqa: PTH110 - text in; pure v2
        return
    for controller in _folders(root):
        for name in _folders(f"{root}/{controller}"):
            if (match := _V1_ROOT.match(name)) is not None:
                yield f"{root}/{controller}/{name}", match[1] or ""


def _folders(path: str) -> list[str]:
    try:
        with os.scandir(path) as entries:
            return [entry.name for entry in entries if entry.is_dir()]
    except OSError:
        return []


def _pids(folder: str) -> list[int]:
    try:
        fd = os.open(f"{folder}/cgroup.procs", os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(fd, 4096)
        finally:
            os.close(fd)
    except OSError:
        return []
    return [int(line) for line in text.split() if line.isdigit()][:MAX_PIDS]
