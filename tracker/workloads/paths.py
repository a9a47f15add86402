r"""What a cgroup path says about the work in it: text in, ``Identity`` out. No file is read here.

The forms, with where they come from (``…`` stands for any slices before):

- kubelet, systemd driver: ``…/kubepods-burstable-pod<uid, _ for ->.slice/cri-containerd-<64 hex>.scope``; guaranteed
  pods lack the middle word; static pods have a uid of 32 hex digits (kubelet, pkg/kubelet/cm and config)
- kubelet, cgroupfs driver: ``/kubepods/burstable/pod<uid>/<64 hex>``
- containerd's cgroupsPath taken literally: ``…/kubepods-pod<uid>.slice:cri-containerd:<64 hex>``
- engines: ``docker-<64 hex>.scope``, ``/docker/<64 hex>``, ``libpod-<64 hex>.scope``, ``crio-…``, ``nerdctl-…``
- Slurm (task/cgroup v1): ``/slurm[_host]/uid_<uid>/job_<job>/step_<step>/task_<task>``; (v2)
  ``/system.slice/[node_]slurmstepd.scope/job_<job>/step_<step>/user/task_<task>``; from 26.05 on the job's folder may
  be named by its SLUID, ``s`` and 13 characters. That form is reported by users and was not verified on a live
  cluster; the SLUID is then the job's identity.
- OAR: ``/oar/<user>_<job>``, ``…/oar-u<uid>-j<job>``; libvirt: ``machine-qemu\x2d<n>\x2d<name>.scope``
- systemd: any other ``.service``, ``.scope``, … is a unit, except below ``user-<uid>.slice``, which is that user's

Nested paths (a kubelet inside a container, Slurm inside a pod): the innermost pod or job is the workload, and
containers inside it roll up to it. Below a user's slice only containers and ``run-*.scope`` are believed: users name
cgroups there as they like, and may not pose as somebody's pod or job.
"""

from __future__ import annotations

import re
from dataclasses import replace

from tracker.core.model import Kind
from tracker.workloads.interface import Identity
from tracker.workloads.labels import clean_key, clean_label

SYSTEM = Identity(Kind.SYSTEM, "system")
#: Seen from inside a cgroup namespace: the path is relative to a place we do not know.
RELATIVE = Identity(Kind.UNATTRIBUTED, "unattributed")

_UID = r"[0-9a-f]{8}([-_])[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{4}\2[0-9a-f]{12}|[0-9a-f]{32}"
_POD = re.compile(rf"(?:^|-)pod({_UID})(?:\.slice)?(?::|$)")
_CONTAINER = re.compile(
    r"(?:(?:^|:)(docker|cri-containerd|containerd|crio|libpod-payload|libpod|nerdctl)[-:]|^)([0-9a-f]{64})(?:\.scope)?$"
)
_RUNTIMES = {
    "cri-containerd": "containerd",
    "libpod": "podman",
    "libpod-payload": "podman",
    "libpod_parent": "podman",
    "docker": "docker",
    "containerd": "containerd",
    "crio": "crio",
    "nerdctl": "nerdctl",
}
_STEPD = re.compile(r"^(?:(.+)_)?slurmstepd\.scope$")
_SLURM_V1 = re.compile(r"^slurm(?:_(.+))?$")
_JOB = re.compile(r"^(?:job_(\w+)|(s[0-9A-Z]{13}))$", re.ASCII)
_SLURM_USER = re.compile(r"^uid_(\d+)$", re.ASCII)
_OAR_UNIT = re.compile(r"^oar-u(\d+)-j(\d+)(?:\.(?:slice|scope|service))?$", re.ASCII)
_OAR_V1 = re.compile(r"^(.+)_(\d+)$", re.ASCII)
_MACHINE = re.compile(r"^(?:machine-)?(qemu|lxc)-\d+-(.+?)(?:\.scope|\.libvirt-(?:qemu|lxc))$", re.ASCII)
_USER = re.compile(r"^user-(\d+)\.slice$", re.ASCII)
_UNIT = re.compile(r".\.(?:service|scope|mount|socket|swap)$")
_ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
_ROOT_SLICES = frozenset({"system.slice", "user.slice", "machine.slice"})
_OWNS_CONTAINERS = frozenset({Kind.POD, Kind.SLURM})
_OF_USERS = frozenset({Kind.USER, Kind.UNIT, Kind.CONTAINER})


def identify(path: str) -> Identity:
    """The work that a cgroup path stands for; ``SYSTEM`` where it is none. Any text is accepted."""
    parts = [part for part in path.split("/") if part]
    above = 0
    while above < len(parts) and parts[above] == "..":
        above += 1
    if above == 0:
        return _fold(parts)
    rest = parts[above:]
    if rest and rest[0].startswith("pod"):
        rest = ["kubepods", *rest]  # cgroupfs driver: the namespace hid the folder that names the kind
    found = _fold(rest)
    if found.kind in {Kind.POD, Kind.SLURM, Kind.CONTAINER} or (rest and rest[0] in _ROOT_SLICES):
        return found
    return RELATIVE


def identify_process(text: str) -> Identity:
    """The work that a process belongs to, from the text of ``/proc/PID/cgroup``: lines ``hierarchy:controllers:path``
    (cgroups(7); the path may contain colons). With several hierarchies the most telling one wins, and among equals the
    one whose CPU time is counted."""
    best, best_rank = SYSTEM, (0, 0)
    for line in text.split("\n"):
        fields = line.split(":", 2)
        if len(fields) != 3:  # noqa: PLR2004 - the line format
            continue
        found = identify(fields[2].removesuffix(" (deleted)"))  # appended by the kernel when the cgroup is gone
        rank = (_telling(found), _trust(fields[1]))
        if rank > best_rank:
            best, best_rank = found, rank
    return best


def is_nursery(path: str) -> bool:
    """Whether a cgroup exists to hold pods, containers or jobs and nothing else of weight: time of a child that was
    born and died between two looks was somebody's work, not the operating system's."""
    parts = [part for part in path.split("/") if part]
    if not parts:
        return False
    last, parent = parts[-1], parts[-2] if len(parts) > 1 else ""
    if last in {"docker", "libpod_parent", "machine.slice", "oar", "oar.slice"}:
        return True
    if last.startswith(("kubepods", "kubelet-kubepods", "machine-libpod_pod_", "oar-u")):
        return identify(path).kind is Kind.SYSTEM
    if last in {"burstable", "besteffort"}:
        return parent.startswith("kubepods")
    if _SLURM_USER.match(last):
        return _SLURM_V1.match(parent) is not None
    return _STEPD.match(last) is not None or _SLURM_V1.match(last) is not None


def unescape(name: str) -> str:
    r"""A systemd unit name for people: ``\x2d`` becomes ``-`` (systemd-escape(1)). Bytes above 7 bit stay escaped."""
    return _ESCAPED.sub(lambda match: chr(code) if (code := int(match[1], 16)) < 0x80 else match[0], name)  # noqa: PLR2004 - 7 bit


def _telling(identity: Identity) -> int:
    match identity.kind:
        case Kind.POD | Kind.SLURM:
            return 4
        case Kind.CONTAINER:
            return 3
        case Kind.USER | Kind.UNIT:
            return 2
        case Kind.UNATTRIBUTED:
            return 1
        case _:
            return 0


def _trust(controllers: str) -> int:
    names = controllers.split(",")
    for trust, name in ((4, "cpuacct"), (3, "memory"), (2, "devices")):
        if name in names:
            return trust
    return 1 if controllers == "" else 0


def _fold(parts: list[str]) -> Identity:
    found = SYSTEM
    for index in range(len(parts)):
        found = _step(parts, index, found)
    return found


def _step(parts: list[str], index: int, found: Identity) -> Identity:
    """What is known after one more folder of the path."""
    if not (found.user_id and found.kind in _OF_USERS):
        deeper = _pod(parts, index) or _job(parts, index)
        if deeper is not None:
            return deeper
    inner = _container(parts, index, found) or _machine(parts, index, found)
    if inner is not None:
        return inner
    match found.kind:
        case Kind.SLURM:
            return _slurm_part(parts[index], found)
        case Kind.SYSTEM:
            return _oar(parts, index) or _user(parts, index) or _unit(parts[index]) or found
        case Kind.USER:
            return _run_scope(parts[index], found) or found
        case _:
            return found


def _pod(parts: list[str], index: int) -> Identity | None:
    match = _POD.search(parts[index])
    if match is None:
        return None
    kubepods = [position for position in range(index + 1) if "kubepods" in parts[position]]
    if not kubepods:
        return None
    uid = match[1].replace("_", "-")
    words = {word for part in parts[kubepods[-1] : index + 1] for word in re.split(r"[-.]", part)}
    qos = next((word for word in ("burstable", "besteffort") if word in words), "guaranteed")
    pod = Identity(Kind.POD, f"pod/{uid}", pod_uid=uid, qos=qos)
    return _container([parts[index]], 0, pod) or pod


def _job(parts: list[str], index: int) -> Identity | None:
    match = _JOB.match(parts[index])
    if match is None or index == 0:
        return None
    parent, user = parts[index - 1], ""
    if (of_user := _SLURM_USER.match(parent)) is not None and index > 1:
        parent, user = parts[index - 2], of_user[1]
    host = _STEPD.match(parent) or _SLURM_V1.match(parent)
    if host is None:
        return None
    job = match[1] or match[2]
    return Identity(
        Kind.SLURM,
        clean_key(f"slurm/{job}"),
        slurm_job=clean_label(job),
        slurm_node=clean_label(host[1] or ""),
        user_id=user,
    )


def _slurm_part(part: str, found: Identity) -> Identity:
    if part.startswith("step_") and not found.slurm_step:
        return replace(found, slurm_step=clean_label(part.removeprefix("step_")))
    if part.startswith("task_") and "slurm_task" not in found.extra:
        return replace(found, extra={**found.extra, "slurm_task": clean_label(part.removeprefix("task_"))})
    return found


def _container(parts: list[str], index: int, found: Identity) -> Identity | None:
    match = _CONTAINER.search(parts[index])
    if match is None:
        return None
    prefix = match[1] or (parts[index - 1] if index > 0 else "")
    runtime = _RUNTIMES.get(prefix, "")
    if found.kind in _OWNS_CONTAINERS:
        return replace(found, container_id=match[2], runtime=runtime)
    return Identity(
        Kind.CONTAINER, f"container/{match[2]}", container_id=match[2], runtime=runtime, user_id=found.user_id
    )


def _machine(parts: list[str], index: int, found: Identity) -> Identity | None:
    """A virtual machine or libvirt container: the number in its unit changes at each start, the name stays."""
    match = _MACHINE.match(unescape(parts[index]))
    if match is None or found.kind is not Kind.SYSTEM:
        return None
    return Identity(
        Kind.CONTAINER, clean_key(f"container/{match[2]}"), container_id=clean_label(match[2]), runtime=match[1]
    )


def _oar(parts: list[str], index: int) -> Identity | None:
    """OAR's jobs share the kind of Slurm's: the model has no other name for a batch job."""
    unit = _OAR_UNIT.match(parts[index])
    if unit is not None:
        return Identity(Kind.SLURM, f"oar/{unit[2]}", runtime="oar", user_id=unit[1], extra={"oar_job": unit[2]})
    plain = _OAR_V1.match(parts[index]) if index > 0 and parts[index - 1] == "oar" else None
    if plain is None:
        return None
    extra = {"oar_job": plain[2], "user": clean_label(plain[1])}
    return Identity(Kind.SLURM, f"oar/{plain[2]}", runtime="oar", extra=extra)


def _user(parts: list[str], index: int) -> Identity | None:
    match = _USER.match(parts[index])
    if match is None or index == 0 or parts[index - 1] != "user.slice":
        return None
    return Identity(Kind.USER, f"user/{match[1]}", user_id=match[1])


def _run_scope(part: str, found: Identity) -> Identity | None:
    """``systemd-run --user --scope``: work that a user set apart. Unit names are unique per user manager only."""
    if not (part.startswith("run-") and part.endswith(".scope")):
        return None
    key = clean_key(f"unit/user@{found.user_id}/{part}")
    return Identity(Kind.UNIT, key, user_id=found.user_id, unit=clean_label(part))


def _unit(part: str) -> Identity | None:
    if _UNIT.search(part) is None or _STEPD.match(part) is not None:
        return None
    return Identity(Kind.UNIT, clean_key(f"unit/{part}"), unit=clean_label(part))
