"""The call of ``unary.py``, made with the grpcio library. Nobody imports it before the first call."""

from __future__ import annotations

from tracker.workloads.kubernetes.deadline import Deadline
from tracker.workloads.kubernetes.trouble import Trouble


def call(path: str, method: str, deadline: Deadline, max_bytes: int) -> bytes:
    """See ``unary.call``. A channel for each call: one that is kept waits up to two minutes before it connects again
    to a kubelet that was away."""
    try:
        import grpc  # noqa: PLC0415 - maps 11 MB: only where a kubelet's socket is
    except ImportError as error:
        raise Trouble("absent", "The grpcio library is not installed.", 'Remove transport = "grpcio".') from error
    options = [("grpc.max_receive_message_length", max_bytes), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"unix:{path}", options=options) as channel:
        try:
            answer: bytes = channel.unary_unary(method)(b"", timeout=deadline.left_s())
        except grpc.RpcError as error:
            code, details = error.code(), error.details()
            raise Trouble("failed", f"The call at {path} failed ({code.name}: {str(details)[:200]}).") from error
    return answer
