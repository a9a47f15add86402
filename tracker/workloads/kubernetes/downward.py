"""The daemon as a sidecar: which pod it is in, from what Kubernetes tells every container (the Downward API).

What the pod must give the sidecar's container, and what is missing without it:

- ``env``: POD_NAME, POD_NAMESPACE, POD_UID from ``fieldRef``, or files of these names in ``downward_dir``. Without a
  uid nothing can be told to be the pod's own; without the names it is called by its uid.
- a ``downwardAPI`` volume with ``labels`` and ``annotations`` at ``downward_dir``. Without it rules match no labels.
- the node's ``/sys/fs/cgroup``, read-only, as ``hostPath``. Without it a container sees its own cgroup only: the CPU
  time and memory of its neighbours in the pod, which do the work, are not counted.
- ``shareProcessNamespace: true``. Without it the pod's processes on a GPU that it shares with other pods cannot be
  told from those of others. GPUs that are the pod's alone need no processes: all of their energy is its own.
- the pod's GPUs in this container: a DRA claim that both containers name, or ``NVIDIA_VISIBLE_DEVICES`` with the UUIDs.
  With ``all``, the kubelet's socket (``KubernetesResolver``) must say which of the node's GPUs are the pod's. Without
  any of it there is no GPU energy.
- the node's ``/sys/class/powercap``, read-only, and uid 0 or CAP_DAC_READ_SEARCH. Without it CPU energy is modelled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import msgspec

from tracker.core.model import Finding, Kind, Level, Workload
from tracker.sysfs import Roots, read_text
from tracker.workloads.interface import Allocation, Identity, Resolver
from tracker.workloads.kubernetes.metadata import ApiPod, Room
from tracker.workloads.kubernetes.naming import name_pod
from tracker.workloads.kubernetes.podlogs import UID
from tracker.workloads.kubernetes.visible import visible_devices
from tracker.workloads.paths import identify, identify_process

MAX_FILE_BYTES = 1 << 20  # labels and annotations of one pod are at most 256 KiB each
_UID = re.compile(UID)
_ESCAPE = re.compile(r"""\\(?:([abfnrtv\\"'])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))""")
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the sidecar."""

    #: Folder of the downwardAPI volume: ``name``, ``namespace``, ``uid``, ``labels``, ``annotations``, each optional.
    downward_dir: str = "/etc/podinfo"


@dataclass(frozen=True, slots=True)
class OwnPod:
    """The pod that this process is in.

    ``cgroup``: the pod's path below the root of the hierarchy, as ``/kubepods…/pod<uid>``; "" inside a cgroup
    namespace, which hides it. ``devices``: as in ``Allocation.device``; None: every GPU that the driver shows here, and
    whether all of them are the pod's is not known.
    """

    identity: Identity
    workload: Workload
    attributes: Mapping[str, str] = field(default_factory=dict)
    cgroup: str = ""
    devices: tuple[str, ...] | None = None


def own_identity(environ: Mapping[str, str], folder: Path, procfs: Path, dev: Path = Path("/dev")) -> OwnPod | None:
    """The own pod; None: this is no pod, or one whose uid nobody told us. Never raises.

    The kernel's word counts more than the environment's, which a pod's author may write by hand. ``folder``: of the
    downwardAPI volume. ``dev``: where device nodes are.
    """
    try:
        text = read_text(procfs / "self" / "cgroup")
    except OSError:
        text = ""
    seen = identify_process(text)
    uid = seen.pod_uid or environ.get("POD_UID", "") or _read(folder / "uid")
    if not _UID.fullmatch(uid):
        return None
    room = Room()
    labels = room.fitting(parse_fields(_read(folder / "labels")))
    annotations = room.fitting(parse_fields(_read(folder / "annotations")))
    namespace = environ.get("POD_NAMESPACE", "") or _read(folder / "namespace")
    name = environ.get("POD_NAME", "") or _read(folder / "name")
    named = name_pod(uid, ApiPod(uid, namespace, name or uid, labels=labels, annotations=annotations), None)
    identity = Identity(Kind.POD, named.workload.key, pod_uid=uid)
    if seen.pod_uid:
        identity = replace(seen, key=named.workload.key)
    return OwnPod(identity, named.workload, named.attributes, pod_cgroup(text, uid), visible_devices(environ, dev))


def pod_cgroup(text: str, uid: str) -> str:
    """The pod's folder in the hierarchies, from the text of ``/proc/PID/cgroup``; "": it cannot be seen."""
    for line in text.splitlines():
        path = line.split(":", 2)[-1]
        parts = path.split("/")
        for count in range(1, len(parts) + 1):
            prefix = "/".join(parts[:count])
            if ".." not in parts and identify(prefix).pod_uid == uid:
                return prefix
    return ""


def parse_fields(text: str) -> dict[str, str]:
    """A file of labels or annotations: one ``name="value"`` a line, the value quoted as Go does (kubernetes.io,
    "Downward API"; strconv.Quote). Lines of another form are left out."""
    found = {}
    for line in text.split("\n"):
        name, _, quoted = line.partition("=")
        if name and len(quoted) > 1 and quoted[0] == quoted[-1] == '"':
            found[name] = _ESCAPE.sub(_unescape, quoted[1:-1])
    return found


def _unescape(match: re.Match[str]) -> str:
    short, byte, *wide = match.groups()
    if short is not None:
        return _ESCAPED.get(short, short)
    if byte is not None:
        return chr(int(byte, 16)) if int(byte, 16) < 0x80 else "\ufffd"  # noqa: PLR2004 - a byte that is no UTF-8
    code = int(wide[0] or wide[1], 16)
    return chr(code) if code < 0x110000 else "\ufffd"  # noqa: PLR2004 - the end of Unicode


def _read(path: Path) -> str:
    try:
        return read_text(path, MAX_FILE_BYTES)
    except OSError:
        return ""


class DownwardResolver(Resolver):
    """Names one pod: the own one. Has no thread; files of the volume are read when it is made and at every ``check``,
    since labels may change."""

    name: ClassVar[str] = "sidecar"

    def __init__(self, options: Options, roots: Roots, environ: Mapping[str, str], dev: Path = Path("/dev")) -> None:
        self._folder, self._roots, self._environ, self._dev = Path(options.downward_dir), roots, environ, dev
        self.own = self._look()

    def resolve(self, identity: Identity, workload: Workload) -> Workload | None:
        """See ``Resolver``."""
        own = self.own
        return own.workload if own is not None and own.workload.key == workload.key == identity.key else None

    def attributes(self, key: str) -> Mapping[str, str]:
        """See ``Resolver``."""
        own = self.own
        return own.attributes if own is not None and own.workload.key == key else {}

    def allocations(self) -> tuple[Allocation, ...]:
        """See ``Resolver``."""
        own = self.own
        return () if own is None else tuple(Allocation(device, own.workload) for device in own.devices or ())

    def check(self) -> tuple[Finding, ...]:
        """See ``Resolver``."""
        self.own = own = self._look()
        if own is None:
            remedy = "env: [{name: POD_UID, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}]"
            return (Finding(Level.WARN, "own pod", "Nothing says which pod this is.", remedy),)
        found = [
            Finding(Level.OK, "own pod", f"{own.workload.namespace}/{own.workload.pod}, uid {own.identity.pod_uid}.")
        ]
        if not own.attributes:
            message = f"There are no labels of this pod in {self._folder}: rules cannot match them."
            remedy = (
                "volumes: [{name: podinfo, downwardAPI: {items: "
                "[{path: labels, fieldRef: {fieldPath: metadata.labels}}, "
                "{path: annotations, fieldRef: {fieldPath: metadata.annotations}}]}}]"
            )
            found.append(Finding(Level.WARN, "own labels", message, remedy))
        if own.devices is None:
            message = "All GPUs of the node are visible here; which of them are this pod's is not known."
            remedy = (
                "Mount the kubelet's socket, share the pod's GPU claim, or set NVIDIA_VISIBLE_DEVICES to the pod's."
            )
            found.append(Finding(Level.WARN, "own GPUs", message, remedy))
        return tuple(found)

    def _look(self) -> OwnPod | None:
        return own_identity(self._environ, self._folder, self._roots.procfs, self._dev)
