"""A kubelet's PodResources socket: a real gRPC server on a unix socket, with answers made by the protobuf library.

``podresources_pb2.py`` and ``.pyi`` are generated; how, stands in tracker/workloads/kubernetes/podresources.proto.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc

from tests.fakes import podresources_pb2 as pb

SERVICE, METHOD = "v1.PodResourcesLister", "List"
#: Nothing that a test waits for takes longer.
PATIENCE_S = 10.0


def pod(
    namespace: str, name: str, *device_ids: str, resource: str = "nvidia.com/gpu", container: str = "main"
) -> pb.PodResources:
    """A pod with one container and devices of one plugin."""
    devices = [pb.ContainerDevices(resource_name=resource, device_ids=device_ids)] if device_ids else []
    containers = [pb.ContainerResources(name=container, devices=devices)]
    return pb.PodResources(name=name, namespace=namespace, containers=containers)


def claim(driver: str, device: str) -> pb.DynamicResource:
    """A device given by dynamic resource allocation."""
    cdi = pb.CDIDevice(name=f"k8s.{driver}/claim=x-{device}")
    resource = pb.ClaimResource(cdi_devices=[cdi], driver_name=driver, pool_name="node-1", device_name=device)
    return pb.DynamicResource(claim_name="gpus", claim_namespace="ml", claim_resources=[resource])


def answer(*pods: pb.PodResources) -> bytes:
    """The bytes of a whole answer."""
    return bytes(pb.ListPodResourcesResponse(pod_resources=pods).SerializeToString())


class Kubelet:
    """What it answers can be changed at any time; ``data`` is the message as bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket = folder / "kubelet.sock"
        self.data = answer()
        self.status: grpc.StatusCode | None = None  # of the answer, when it is a refusal
        self.release: threading.Event | None = None  # answers wait for it
        self.calls = 0
        self._server: grpc.Server | None = None

    def start(self) -> None:
        """Make the socket anew, as every kubelet does when it starts."""
        self.socket.unlink(missing_ok=True)
        handler = grpc.unary_unary_rpc_method_handler(self._list)  # without serializers a message is bytes
        self._server = grpc.server(ThreadPoolExecutor(2), options=[("grpc.max_send_message_length", -1)])
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
        assert self._server.add_insecure_port(f"unix:{self.socket}")
        self._server.start()

    def stop(self) -> None:
        """End; the socket is gone. May be called twice."""
        if self.release is not None:
            self.release.set()
        if self._server is not None:
            assert self._server.stop(None).wait(PATIENCE_S)
            self._server = None
        self.socket.unlink(missing_ok=True)

    def _list(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        assert request == b""
        self.calls += 1
        if self.release is not None:
            self.release.wait(PATIENCE_S)
        if self.status is not None:
            context.abort(self.status, "no,\nnot \x1b[31mnow")
        return self.data


@contextmanager
def kubelet_folder() -> Iterator[Path]:
    """A folder with a short name: a path of a unix socket has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="kubelet") as folder:
        yield Path(folder)


@contextmanager
def running_kubelet(*pods: pb.PodResources) -> Iterator[Kubelet]:
    with kubelet_folder() as folder:
        kubelet = Kubelet(folder)
        kubelet.data = answer(*pods)
        kubelet.start()
        try:
            yield kubelet
        finally:
            kubelet.stop()


@contextmanager
def raw_server(path: Path, *pieces: bytes, hold: threading.Event | None = None) -> Iterator[None]:
    """Somebody at the other end of the socket who knows no gRPC: says ``pieces`` to one caller, waits for ``hold`` if
    it is given, and hangs up."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    listener.settimeout(PATIENCE_S)

    def serve() -> None:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer, contextlib.suppress(OSError):  # the caller may have heard enough
            peer.settimeout(PATIENCE_S)
            for piece in pieces:
                peer.sendall(piece)
            if hold is not None:
                hold.wait(PATIENCE_S)
            peer.shutdown(socket.SHUT_WR)
            while peer.recv(65536):  # what was sent to us, so that the end is no reset
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        listener.close()
        thread.join(PATIENCE_S)
        path.unlink(missing_ok=True)
