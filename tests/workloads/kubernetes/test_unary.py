"""One gRPC call over a unix socket: against the real library, and against peers that are late, broken or hostile."""

from __future__ import annotations

import itertools
import socket
import threading
from pathlib import Path

import grpc
import pytest

from tests.fakes.kubelet import answer, kubelet_folder, pod, raw_server, running_kubelet
from tracker.clock import now
from tracker.core.model import Moment
from tracker.workloads.kubernetes import unary, unary_grpcio
from tracker.workloads.kubernetes.deadline import Deadline
from tracker.workloads.kubernetes.podresources import METHOD
from tracker.workloads.kubernetes.trouble import Trouble
from tracker.workloads.kubernetes.unary import call

CALLS = pytest.mark.parametrize("call", [unary.call, unary_grpcio.call], ids=["builtin", "grpcio"])
MIB = 1 << 20


def frame(kind: int, flags: int, payload: bytes, stream: int = 1) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


SETTINGS = frame(4, 0, b"", 0)
HEADERS = frame(1, 0x4, b"\x88")  # :status 200
DATA = frame(0, 0, b"\0\0\0\0\3abc")
TRAILERS = frame(1, 0x5, b"\x00\x0bgrpc-status\x010")


def ask(path: Path, seconds: float = 10.0, max_bytes: int = MIB) -> bytes:
    return call(str(path), METHOD, Deadline(now, seconds), max_bytes)


@CALLS
def test_an_answer_of_the_real_library(call: unary.Call) -> None:
    with running_kubelet(pod("ml", "a", "GPU-x")) as kubelet:
        assert call(str(kubelet.socket), METHOD, Deadline(now, 10), MIB) == kubelet.data
        assert kubelet.calls == 1


@CALLS
def test_an_answer_of_many_frames(call: unary.Call) -> None:
    """More than HTTP/2's first window of 64 KiB, in frames of 16 KiB."""
    with running_kubelet(*(pod("ml", f"pod-{n}", "GPU-x") for n in range(20000))) as kubelet:
        assert len(kubelet.data) > MIB // 2
        assert call(str(kubelet.socket), METHOD, Deadline(now, 10), 8 * MIB) == kubelet.data


@CALLS
def test_an_empty_answer_is_an_answer(call: unary.Call) -> None:
    with running_kubelet() as kubelet:
        assert call(str(kubelet.socket), METHOD, Deadline(now, 10), MIB) == b""


@CALLS
def test_an_answer_that_is_too_long_is_not_kept(call: unary.Call) -> None:
    with running_kubelet(*(pod("ml", f"pod-{n}") for n in range(20000))) as kubelet, pytest.raises(Trouble):
        call(str(kubelet.socket), METHOD, Deadline(now, 10), 100_000)


@CALLS
def test_a_refusal_is_told_in_one_clean_line(call: unary.Call) -> None:
    with running_kubelet() as kubelet:
        kubelet.status = grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(Trouble) as caught:
            call(str(kubelet.socket), METHOD, Deadline(now, 10), MIB)
    assert caught.value.kind == "failed"
    assert caught.value.sentence.isprintable()
    assert "8)" in caught.value.sentence or "RESOURCE_EXHAUSTED" in caught.value.sentence


@CALLS
def test_an_unknown_method_is_a_refusal(call: unary.Call) -> None:
    with running_kubelet() as kubelet, pytest.raises(Trouble, match=r"no such method|UNIMPLEMENTED"):
        call(str(kubelet.socket), "/v1.PodResourcesLister/Nothing", Deadline(now, 10), MIB)


@CALLS
def test_a_kubelet_that_does_not_answer_costs_the_deadline_and_no_more(call: unary.Call) -> None:
    with running_kubelet() as kubelet:
        kubelet.release = threading.Event()
        with pytest.raises(Trouble) as caught:
            call(str(kubelet.socket), METHOD, Deadline(now, 0.2), MIB)
        assert caught.value.kind == "failed"
        kubelet.release.set()


@CALLS
def test_a_socket_that_nobody_listens_on(call: unary.Call) -> None:
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
    assert caught.value.kind == "absent"


@pytest.mark.parametrize(
    "pieces",
    [
        [SETTINGS + HEADERS + DATA + TRAILERS],
        [bytes([byte]) for byte in SETTINGS + HEADERS + DATA + TRAILERS],
        [SETTINGS, HEADERS, frame(0, 0x8, b"\x04" + DATA[9:] + bytes(4)), TRAILERS],  # padded
        [SETTINGS, HEADERS, frame(0, 0, b"\x00\x00\x00"), frame(0, 0, b"\x00\x03abc"), TRAILERS],  # in two
        [SETTINGS, frame(1, 0, b"", 1), frame(9, 0x4, b"\x88"), DATA, TRAILERS],  # headers go on in another frame
        [SETTINGS, HEADERS, frame(6, 0, b"12345678", 0), DATA, frame(8, 0, b"\0\0\0\1", 0), TRAILERS],  # ping, window
        [SETTINGS, HEADERS, DATA, frame(7, 0, b"\0\0\0\1\0\0\0\0", 0), TRAILERS],  # goes away after this call
        [SETTINGS, HEADERS, frame(0xFA, 0, b"?", 1), DATA, frame(0, 0, b"", 3), TRAILERS],  # unknown; another stream
        [SETTINGS, frame(1, 0x24, b"\0\0\0\0\0\x88"), DATA, TRAILERS],  # with a priority
        [SETTINGS, HEADERS, frame(0, 1, DATA[9:])],  # ends without trailers
    ],
)
def test_every_shape_of_a_good_answer(pieces: list[bytes]) -> None:
    with kubelet_folder() as folder, raw_server(folder / "s", *pieces):
        assert ask(folder / "s") == b"abc"


@pytest.mark.parametrize(
    ("pieces", "kind"),
    [
        ([], "failed"),  # hangs up
        ([SETTINGS + HEADERS + DATA], "failed"),  # hangs up in the middle
        ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "garbage"),
        ([bytes(range(256)) * 100], "garbage"),
        ([b"\xff" * 9], "garbage"),  # a frame of 16 MiB
        ([SETTINGS, HEADERS, TRAILERS], "garbage"),  # success without a message
        ([SETTINGS, HEADERS, frame(0, 1, b"\x01\0\0\0\1x")], "garbage"),  # compressed
        ([SETTINGS, HEADERS, frame(0, 1, b"\x00\0\0\0\2x")], "garbage"),  # shorter than it says
        ([SETTINGS, HEADERS, frame(0, 0x9, b"\x09x")], "garbage"),  # padding longer than the frame
        ([SETTINGS, HEADERS, frame(0, 0x9, b"")], "garbage"),
        ([SETTINGS, frame(1, 5, b"\x00")], "garbage"),  # half a header
        ([SETTINGS, frame(1, 0, b"\x88" * 16000), *[frame(9, 0, b"\x88" * 16000)] * 5], "garbage"),  # endless headers
        ([SETTINGS, frame(3, 0, b"\0\0\0\7")], "failed"),  # reset
        ([SETTINGS, frame(7, 0, b"\0\0\0\0\0\0\0\0", 0)], "failed"),  # goes away before this call
        ([SETTINGS, HEADERS, *[frame(0, 0, bytes(16000))] * 80], "garbage"),  # endless data
    ],
)
def test_every_shape_of_a_bad_answer_is_one_clear_error(pieces: list[bytes], kind: str) -> None:
    with kubelet_folder() as folder, raw_server(folder / "s", *pieces), pytest.raises(Trouble) as caught:
        ask(folder / "s")
    assert caught.value.kind == kind
    assert caught.value.sentence.isprintable()


def test_a_peer_that_sends_a_byte_now_and_then_is_late_too() -> None:
    """The deadline is for the whole call. With one for each read this would go on for ever."""
    ticks = itertools.count()

    def clock() -> Moment:
        return Moment(next(ticks) * 100_000_000, 0, 0)  # every look at the clock finds it a tenth of a second later

    hold = threading.Event()
    with kubelet_folder() as folder, raw_server(folder / "s", *[bytes(1)] * 5000, hold=hold):
        deadline = Deadline(clock, 3)
        with pytest.raises(Trouble, match="in time"):
            call(str(folder / "s"), METHOD, deadline, MIB)
        hold.set()


def test_the_answer_is_what_the_library_reads() -> None:
    data = answer(pod("ml", "a", "GPU-x"))
    with running_kubelet() as kubelet:
        kubelet.data = data
        both = [each(str(kubelet.socket), METHOD, Deadline(now, 10), MIB) for each in (unary.call, unary_grpcio.call)]
    assert both == [data, data]
