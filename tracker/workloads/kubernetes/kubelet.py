"""What the kubelet says over its PodResources socket."""

from __future__ import annotations

import os
from pathlib import Path

from tracker.workloads.kubernetes.deadline import Deadline
from tracker.workloads.kubernetes.podresources import METHOD, PodDevices, parse_list
from tracker.workloads.kubernetes.trouble import PRIVILEGE, Trouble
from tracker.workloads.learner import Clock

SOCKET = "kubelet.sock"
DEADLINE_S = 5.0
#: A node of 500 pods with 128 CPUs each pinned answers with about 1 MB.
MAX_BYTES = 8 << 20

#: The folder, not the socket: the kubelet makes a new socket at every start.
MOUNT = (
    "Mount the folder: volumes: [{{name: pod-resources, hostPath: {{path: {folder}}}}}], volumeMounts: "
    "[{{name: pod-resources, mountPath: {folder}, readOnly: true}}]"
)


class Kubelet:
    """Asks one kubelet. Not for several threads at once."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._last: tuple[bytes, tuple[PodDevices, ...]] = (b"", ())

    def pods(self) -> tuple[PodDevices, ...]:
        """All pods of the node with the devices given to them. Raises Trouble."""
        path = self._folder / SOCKET
        try:
            path.stat()
        except PermissionError as error:
            raise Trouble("denied", f"{self._folder} may not be entered.", PRIVILEGE) from error
        except OSError as error:
            remedy = MOUNT.format(folder=self._folder)
            raise Trouble("absent", f"There is no kubelet socket at {path}.", remedy) from error
        if not os.access(path, os.R_OK | os.W_OK, effective_ids=True):  # connect(2) would say so, the library would not
            raise Trouble("denied", f"The socket {path} may not be used.", PRIVILEGE)
        data = self._call(str(path))
        if data != self._last[0]:
            try:
                self._last = (data, parse_list(data))
            except ValueError as error:
                raise Trouble("garbage", f"The kubelet's list of devices cannot be read ({error}).") from error
        return self._last[1]

    def _call(self, path: str) -> bytes:
        from tracker.workloads.kubernetes import unary  # noqa: PLC0415 - and grpcio with it

        return unary.call(path, METHOD, Deadline(self._clock, DEADLINE_S), MAX_BYTES)
