"""One gRPC call over a unix socket, with the grpcio library. Nobody imports this before the first call."""

from __future__ import annotations

from tracker.workloads.kubernetes.deadline import Deadline
from tracker.workloads.kubernetes.trouble import Trouble


def call(path: str, method: str, deadline: Deadline, max_bytes: int) -> bytes:
    """The answer's bytes. Raises Trouble: absent, refused, late, or longer than ``max_bytes``.

    A channel for each call: one that is kept waits up to two minutes before it connects again to a kubelet that was
    away, and its threads cost more than a new connection every ten seconds.
    """
    import grpc  # noqa: PLC0415 - maps 11 MB: only where a kubelet's socket is

    options = [("grpc.max_receive_message_length", max_bytes), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"unix:{path}", options=options) as channel:
        try:
            answer: bytes = channel.unary_unary(method)(b"", timeout=deadline.left_s())
        except grpc.RpcError as error:
            code, details = error.code(), "".join(c if c.isprintable() else " " for c in str(error.details())[:200])
            raise Trouble("failed", f"The call at {path} failed ({code.name}: {details}).") from error
    return answer
