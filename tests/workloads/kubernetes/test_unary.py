"""One gRPC call over a unix socket: against a real server, and against peers that are late or something else."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import grpc
import pytest

from tests.fakes.kubelet import kubelet_folder, pod, raw_server, running_kubelet
from tracker.clock import now
from tracker.workloads.kubernetes.deadline import Deadline
from tracker.workloads.kubernetes.podresources import METHOD
from tracker.workloads.kubernetes.trouble import Trouble
from tracker.workloads.kubernetes.unary import call

MIB = 1 << 20


def ask(path: Path, seconds: float = 10.0, max_bytes: int = MIB) -> bytes:
    return call(str(path), METHOD, Deadline(now, seconds), max_bytes)


def test_an_answer_of_the_real_library() -> None:
    with running_kubelet(pod("ml", "a", "GPU-x")) as kubelet:
        assert call(str(kubelet.socket), METHOD, Deadline(now, 10), MIB) == kubelet.data
        assert kubelet.calls == 1


def test_an_answer_of_many_frames() -> None:
    """More than HTTP/2's first window of 64 KiB, in frames of 16 KiB."""
    with running_kubelet(*(pod("ml", f"pod-{n}", "GPU-x") for n in range(20000))) as kubelet:
        assert len(kubelet.data) > MIB // 2
        assert call(str(kubelet.socket), METHOD, Deadline(now, 10), 8 * MIB) == kubelet.data


def test_an_empty_answer_is_an_answer() -> None:
    with running_kubelet() as kubelet:
        assert call(str(kubelet.socket), METHOD, Deadline(now, 10), MIB) == b""


def test_an_answer_that_is_too_long_is_not_kept() -> None:
    with running_kubelet(*(pod("ml", f"pod-{n}") for n in range(20000))) as kubelet, pytest.raises(Trouble):
        call(str(kubelet.socket), METHOD, Deadline(now, 10), 100_000)


def test_a_refusal_is_told_in_one_clean_line() -> None:
    with running_kubelet() as kubelet:
        kubelet.status = grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(Trouble) as caught:
            call(str(kubelet.socket), METHOD, Deadline(now, 10), MIB)
    assert caught.value.kind == "failed"
    assert caught.value.sentence.isprintable()
    assert "8)" in caught.value.sentence or "RESOURCE_EXHAUSTED" in caught.value.sentence


def test_an_unknown_method_is_a_refusal() -> None:
    with running_kubelet() as kubelet, pytest.raises(Trouble, match=r"no such method|UNIMPLEMENTED"):
        call(str(kubelet.socket), "/v1.PodResourcesLister/Nothing", Deadline(now, 10), MIB)


def test_a_kubelet_that_does_not_answer_costs_the_deadline_and_no_more() -> None:
    with running_kubelet() as kubelet:
        kubelet.release = threading.Event()
        with pytest.raises(Trouble) as caught:
            call(str(kubelet.socket), METHOD, Deadline(now, 0.2), MIB)
        assert caught.value.kind == "failed"
        kubelet.release.set()


def test_a_socket_that_nobody_listens_on() -> None:
    """A kubelet that was killed leaves its socket behind."""
    with kubelet_folder() as folder:
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(str(folder / "kubelet.sock"))
        dead.close()
        with pytest.raises(Trouble) as caught:
            call(str(folder / "kubelet.sock"), METHOD, Deadline(now, 5), MIB)
    assert caught.value.kind == "failed"


def test_no_socket_at_all() -> None:
    with kubelet_folder() as folder, pytest.raises(Trouble) as caught:
        ask(folder / "kubelet.sock")
    assert caught.value.kind == "failed"


@pytest.mark.parametrize("piece", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", bytes(range(256)) * 100, b"\xff" * 9])
def test_a_peer_that_is_no_kubelet_is_one_clear_error(piece: bytes) -> None:
    """It hangs up, or speaks something else: the call fails within its deadline, in one printable line."""
    with kubelet_folder() as folder, raw_server(folder / "s", piece), pytest.raises(Trouble) as caught:
        ask(folder / "s", seconds=2)
    assert caught.value.kind == "failed"
    assert caught.value.sentence.isprintable()
