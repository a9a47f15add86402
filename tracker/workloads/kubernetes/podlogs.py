"""Pods by the folders that the kubelet writes their logs to: names without any right at the API server.

``<namespace>_<pod>_<uid>/<container>/`` (kubelet, pkg/kubelet/kuberuntime: BuildPodLogsDirectory). Neither a namespace
nor a pod name holds an underscore, so the parts are told apart. The folder of a static pod carries its configuration's
hash, which is also what its cgroup is called.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tracker.workloads.kubernetes.trouble import Trouble

#: Folders looked at; the kubelet runs some hundred pods at most and removes the folders of pods that are gone.
MAX_FOLDERS = 4096
MAX_CONTAINERS = 64
MOUNT = (
    "Mount it: volumes: [{{name: pod-logs, hostPath: {{path: {folder}}}}}], volumeMounts: "
    "[{{name: pod-logs, mountPath: {folder}, readOnly: true}}]"
)

UID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}"
_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"  # RFC 1123
_FOLDER = re.compile(rf"({_LABEL})_({_LABEL}(?:\.{_LABEL})*)_({UID})")


@dataclass(frozen=True, slots=True)
class LogPod:
    """``changed_ns``: when a container was last added, by the node's wall clock."""

    uid: str
    namespace: str
    name: str
    containers: tuple[str, ...]
    changed_ns: int


def parse_folder(name: str) -> tuple[str, str, str] | None:
    """Namespace, pod name and uid; None: no pod's folder. Any text is accepted."""
    match = _FOLDER.fullmatch(name)
    return None if match is None else (match[1], match[2], match[3])


def read_pods(folder: Path, before: Mapping[str, LogPod]) -> dict[str, LogPod]:
    """All pods that have a folder, by uid. What ``before`` says of folders that did not change is taken from there.

    Raises Trouble.
    """
    pods: dict[str, LogPod] = {}
    try:
        with os.scandir(folder) as entries:
            for count, entry in enumerate(entries):
                if count >= MAX_FOLDERS:
                    break
                pod = _pod(entry, before)
                if pod is not None:
                    pods[pod.uid] = pod
    except FileNotFoundError as error:
        raise Trouble("absent", f"There is no folder {folder}.", MOUNT.format(folder=folder)) from error
    except PermissionError as error:
        raise Trouble("denied", f"{folder} may not be read.", "Run as uid 0 or grant CAP_DAC_READ_SEARCH.") from error
    except OSError as error:
        raise Trouble("failed", f"{folder} cannot be read ({error.strerror}).") from error
    return pods


def _pod(entry: os.DirEntry[str], before: Mapping[str, LogPod]) -> LogPod | None:
    names = parse_folder(entry.name)
    if names is None:
        return None
    namespace, name, uid = names
    try:
        changed_ns = entry.stat(follow_symlinks=False).st_mtime_ns
    except OSError:
        return None  # removed while we looked
    known = before.get(uid)
    if known is not None and known.changed_ns == changed_ns:
        return known
    return LogPod(uid, namespace, name, _containers(entry.path), changed_ns)


def _containers(path: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(os.listdir(path))[:MAX_CONTAINERS])  # noqa: PTH208 - names are all that is wanted
    except OSError:
        return ()
