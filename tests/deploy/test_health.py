"""The image's health check, against real sockets."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.deploy.image import REPO

HEALTH = REPO / "deploy" / "container" / "health.py"


@contextmanager
def served(answer: bytes | None) -> Iterator[int]:
    """A port where the first one who asks gets this answer; None: nobody listens there."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        if answer is None:
            listener.close()
            yield port
            return
        thread = threading.Thread(target=_answer, args=(listener, answer))
        thread.start()
        try:
            yield port
        finally:
            thread.join(10)


def _answer(listener: socket.socket, answer: bytes) -> None:
    client, _ = listener.accept()
    with client:
        client.recv(4096)
        client.sendall(answer)


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", 0, ""),
        (b"HTTP/1.1 401 Unauthorized\r\n\r\n", 0, ""),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", 1, "answers 503"),
        (b"\x15\x03\x03", 1, "not HTTP"),
        (None, 1, "does not answer"),
    ],
)
def test_the_health_check(answer: bytes | None, code: int, said: str) -> None:
    """A loop that stands still, a server that speaks something else, nobody: unhealthy, with one sentence."""
    with served(answer) as port:
        environ = {**os.environ, "WATTLEDGER_HEALTH_URL": f"http://127.0.0.1:{port}/-/healthy"}
        command = [sys.executable, "-I", "-S", str(HEALTH)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environ)
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr
