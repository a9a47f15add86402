"""Slow, broken, oversized and many clients over real sockets: none of them keeps Prometheus out or makes us grow."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.serving import TEXT, Running, hello, read_all, serving, wait_for
from tracker.web.connection import Limits
from tracker.web.interface import Request, Response

REPO = Path(__file__).resolve().parents[2]
GET = b"GET / HTTP/1.0\r\n\r\n"
LARGE = bytes(40_000_000)  # more than the kernel's socket buffers hold


def large(_: Request) -> Response:
    """A client that reads nothing of this blocks the writer."""
    return Response(200, TEXT, LARGE)


@contextlib.contextmanager
def crowd(running: Running, count: int, first_bytes: bytes) -> Iterator[list[socket.socket]]:
    """Clients that send something and then do nothing."""
    with contextlib.ExitStack() as stack:
        socks = []
        for _ in range(count):
            sock = stack.enter_context(running.connect())
            sock.sendall(first_bytes)
            socks.append(sock)
        yield socks


def closed(sock: socket.socket) -> bool:
    """Whether the server has ended this connection."""
    sock.settimeout(10)
    return read_all(sock) == b""


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_client_that_drips_is_cut_off_at_the_total_deadline() -> None:
    """One byte at a time resets no clock (slow loris)."""
    with serving(limits=Limits(read_s=0.3)) as running, running.connect() as sock:
        stop = threading.Event()

        def drip() -> None:
            with contextlib.suppress(OSError):
                while not stop.wait(0.02):
                    sock.send(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        assert closed(sock)
        stop.set()
        dripping.join(10)


def test_a_silent_client_is_cut_off() -> None:
    """A half-open connection (the peer's machine died) gives its slot back."""
    with serving(limits=Limits(read_s=0.2)) as running, crowd(running, 3, b"GET") as socks:
        assert all(closed(sock) for sock in socks)


def test_the_oldest_silent_client_gives_way() -> None:
    """With all slots taken by clients that never finish, a scrape is answered at once, and the newest stay."""
    limits = Limits(connections=4, read_s=60, fair_read_s=0.05)
    with serving(limits=limits) as running, crowd(running, 4, b"GET / HT") as socks:
        assert running.get("/")[0].status == 200
        assert closed(socks[0])
        socks[3].sendall(b"TP/1.0\r\n\r\n")
        assert read_all(socks[3]).endswith(b"hello\n")


def test_a_crowd_of_silent_clients_does_not_starve_a_scrape() -> None:
    """500 connections that say nothing; every scrape in between is answered."""
    limits = Limits(read_s=60, fair_read_s=0.02)
    with serving(limits=limits) as running, contextlib.ExitStack() as stack:
        for number in range(500):
            stack.enter_context(running.connect())
            if number % 50 == 49:
                assert running.get("/")[1] == b"hello\n"
        assert threading.active_count() < 16 + 10


def test_a_crowd_of_honest_clients_is_served_in_turn() -> None:
    """Four times as many at once as there are slots, and slow pages: everyone waits, nobody is dropped."""

    def slow(_: Request) -> Response:
        sum(range(20_000))  # holds the interpreter, as rendering does
        return Response(200, TEXT, b"slow\n")

    with serving({"/": slow}, Limits(connections=4)) as running:
        seen: list[bytes] = []

        def ask() -> None:
            seen.extend(running.get("/")[1] for _ in range(25))

        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [b"slow\n"] * 400


def test_clients_that_never_read_do_not_starve_a_scrape() -> None:
    """All slots write to clients that read nothing; after a fair while the slowest is broken off."""
    with (
        serving({"/": hello, "/large": large}, Limits(connections=2, write_s=60, fair_write_s=0.2)) as running,
        crowd(running, 2, b"GET /large HTTP/1.0\r\n\r\n"),
    ):
        assert running.get("/")[1] == b"hello\n"


def test_a_client_that_never_reads_is_cut_off_at_the_total_deadline() -> None:
    """The write deadline is a total too."""
    with serving({"/large": large}, Limits(write_s=0.3)) as running, running.connect() as sock:
        sock.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        wait_for(lambda: not running.server._pool._live, "the end of the write")
        assert len(read_all(sock)) < len(LARGE)


@pytest.mark.parametrize("garbage", [b"\x00" * 70_000, os.urandom(70_000), b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 9000])
def test_garbage_is_refused_and_forgotten(garbage: bytes) -> None:
    """Whatever comes in, the next client is served and nothing is logged."""
    with serving() as running:
        for _ in range(5):
            with contextlib.suppress(OSError):
                assert running.say(garbage).startswith(b"HTTP/1.1 4")
        assert running.get("/")[1] == b"hello\n"
        assert running.log.lines == []


def test_clients_that_vanish_leave_nothing() -> None:
    """Reset in the middle of a request or before the answer: no slot and no descriptor is lost."""
    reset = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # struct linger: on, 0 s: close sends RST
    with serving({"/": hello, "/large": large}) as running:
        before = open_files()
        for number in range(100):
            sock = running.connect()
            sock.sendall([b"", b"GET /", GET, b"GET /large HTTP/1.0\r\n\r\n"][number % 4])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            sock.close()
        wait_for(lambda: open_files() <= before, "the end of all connections")
        assert not running.server._pool._live
        assert running.get("/")[1] == b"hello\n"
        assert running.log.lines == []


MEMORY = """
import contextlib, os, resource, socket, sys, threading
from tests.web.serving import serving
from tracker.web.connection import Limits
from tracker.web.interface import Response

def page(request):
    return Response(200, "text/plain", b"0123456789" * 6000)

def rss_kib():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4

def storm(running, rounds):
    for number in range(rounds):
        with contextlib.suppress(OSError):
            sock = socket.create_connection(running.place, timeout=5)
            kind = number % 4
            if kind == 0:
                sock.sendall(b"GET / HTTP/1.0\\r\\nAccept-Encoding: gzip\\r\\n\\r\\n")
                while sock.recv(65536):
                    pass
            elif kind == 1:
                sock.sendall(b"A" * 17000)
            elif kind == 2:
                sock.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            sock.close()

with serving({"/": page}, Limits(read_s=1)) as running:
    storm(running, 400)
    first = rss_kib()
    storm(running, 3000)
    print(rss_kib() - first, max(0, threading.active_count() - 2))
"""


def test_thousands_of_connections_do_not_make_the_daemon_grow() -> None:
    """After 3,000 good and bad connections the process is as large as after 400, and has at most 16 workers.

    All in one malloc arena: with one for each thread, chance decides how many are touched, which hides a leak.
    """
    command, environment = [sys.executable, "-c", MEMORY], {**os.environ, "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(command, cwd=REPO, env=environment, capture_output=True, text=True, timeout=120, check=True)
    grown_kib, workers = (int(word) for word in done.stdout.split())
    assert grown_kib < 1_000
    assert workers <= 16
