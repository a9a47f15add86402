"""What can be told apart on this machine, and the step that would mend what cannot."""

from __future__ import annotations

from pathlib import Path

from tracker.core.model import Finding, Level
from tracker.sysfs import Roots, read_text
from tracker.workloads.counters import Hierarchy, find_hierarchies
from tracker.workloads.processes import parse_nspid

#: Inode numbers of the first namespaces (include/linux/proc_ns.h): whoever sees them is in no container's.
_FIRST_CGROUP_NAMESPACE = "cgroup:[4026531835]"
_FIRST_PID_NAMESPACE = "pid:[4026531836]"
_REMEDY = "Run with hostPID: true (docker: --pid=host --cgroupns=host) and mount the host's /sys/fs/cgroup read-only."


def findings(roots: Roots, *, truncated: bool) -> tuple[Finding, ...]:
    """What is seen of the machine. Never raises. ``truncated``: there are more cgroups than are looked at."""
    hierarchies = find_hierarchies(roots.sysfs / "fs" / "cgroup")
    found = [_layout(hierarchies, roots), *_namespaces(roots.procfs), *_processes(roots.procfs)]
    if truncated:
        message = "There are more cgroups than are looked at; those beyond are charged to what contains them."
        found.append(Finding(Level.WARN, "cgroups", message))
    return tuple(found)


def join_rate(joined: int, unjoined: int, translated: int) -> list[Finding]:
    """How many GPU processes of the last tick have a known owner; nothing where there are none. ``translated``: those
    that the driver named by their PID in a container."""
    found = []
    if joined + unjoined > 0:
        level = Level.OK if unjoined == 0 else Level.WARN
        how = f", {translated} of them found by their PID in a container" if translated else ""
        message = f"{joined} of {joined + unjoined} GPU processes have a known owner{how}."
        if unjoined:
            message += " The others are charged to whom the GPU was given, or are unattributed."
        found.append(Finding(level, "GPU processes", message, "" if unjoined == 0 else _REMEDY))
    return found


def in_cgroup_namespace(procfs: Path) -> bool:
    """Whether paths in ``/proc/PID/cgroup`` are relative to a container's root. False where it cannot be known."""
    link = _link(procfs / "self" / "ns" / "cgroup")
    return link not in {"", _FIRST_CGROUP_NAMESPACE}


def in_pid_namespace(procfs: Path) -> bool:
    """Whether this process is in a container's PID namespace. False where it cannot be known."""
    return _link(procfs / "self" / "ns" / "pid") not in {"", _FIRST_PID_NAMESPACE}


def _layout(hierarchies: tuple[Hierarchy, ...], roots: Roots) -> Finding:
    cpu = next((hierarchy for hierarchy in hierarchies if hierarchy.cpu_file), None)
    where = roots.sysfs / "fs" / "cgroup"
    if cpu is None:
        message = f"No cgroup hierarchy that counts CPU time under {where}: everything is charged to system."
        return Finding(Level.FAIL, "cgroups", message, "Mount the host's /sys (with /sys/fs/cgroup), read-only.")
    versions = {hierarchy.version for hierarchy in hierarchies}
    name = "hybrid v1 and v2" if len(versions) > 1 else f"v{cpu.version}"
    if not cpu.whole_node:
        message = f"cgroups ({name}) at {where} are those of a container, not of the node."
        return Finding(Level.WARN, "cgroups", message, _REMEDY)
    return Finding(Level.OK, "cgroups", f"Layout {name}; CPU time from {cpu.root} ({cpu.cpu_file}).")


def _namespaces(procfs: Path) -> list[Finding]:
    found = []
    if in_cgroup_namespace(procfs):
        message = "Inside a cgroup namespace: of processes elsewhere only pods, containers and jobs can be told."
        found.append(Finding(Level.WARN, "cgroup namespace", message, _REMEDY))
    try:
        seen_from_outside = len(parse_nspid(read_text(procfs / "self" / "status"))) > 1
    except OSError:
        seen_from_outside = False
    if in_pid_namespace(procfs) and not seen_from_outside:
        message = "Inside a PID namespace: GPU processes of other containers cannot be joined to their owners."
        found.append(Finding(Level.WARN, "PID namespace", message, _REMEDY))
    return found


def _processes(procfs: Path) -> list[Finding]:
    """proc(5), mount option hidepid: 1 hides what is in ``/proc/PID`` of other users, 2 the folder itself."""
    try:
        read_text(procfs / "1" / "cgroup")
    except OSError:
        message = f"Processes of other users are hidden ({procfs} is mounted with hidepid, or is no procfs)."
        remedy = "Run as root, grant CAP_SYS_PTRACE, or remount /proc with gid= set to a group of wattledger."
        return [Finding(Level.WARN, "processes", message, remedy)]
    return [Finding(Level.OK, "processes", "Owners of all processes can be read.")]


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""
