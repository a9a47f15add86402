"""Where the daemon is found, and one question to it. Standard library only."""

from __future__ import annotations

import json
import os
import socket
import time
from typing import Any

VERSION = 1
ENV_SOCKET = "WATTLEDGER_SOCKET"
MAX_ANSWER_BYTES = 1 << 20

Json = dict[str, Any]


def socket_path() -> str:
    """What WATTLEDGER_SOCKET says, else the first place where a daemon of this node or of this user answers."""
    given = os.environ.get(ENV_SOCKET, "")
    return given or first_answering(places()) or places()[0]


def places() -> list[str]:
    """Where daemons listen that nobody told otherwise: of the node, as a service or by hand, and of this user."""
    state = os.environ.get("XDG_STATE_HOME", "")
    state = state if state.startswith("/") else os.path.expanduser("~/.local/state")  # noqa: PTH111 - pathlib loads slowly
    return ["/run/wattledger/declare.sock", "/var/lib/wattledger/declare.sock", f"{state}/wattledger/declare.sock"]


def first_answering(those: list[str]) -> str | None:
    """The first of these sockets where somebody listens: one that a killed daemon left shadows no living one."""
    for place in those:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as peer:
            peer.setblocking(False)
            try:
                peer.connect(place)
            except BlockingIOError:  # a daemon with no room for one more just now
                return place
            except (OSError, ValueError):  # ValueError: a path with a zero byte
                continue
            return place
    return None


def line(message: Json) -> bytes:
    """A message as it is sent."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def hello(tokens: list[str] | None = None) -> bytes:
    """The first line of a connection. ``tokens``: all runs of this process; None: it only asks."""
    return line({"op": "hello", "v": VERSION} | ({} if tokens is None else {"tokens": tokens}))


def ask(message: Json, timeout_s: float, path: str | None = None) -> Json | None:
    """The daemon's answer to one question; None: there is no daemon, or not in time. ``{"error": ...}`` is an answer.
    Its own connection: a question never waits for, nor holds up, what the training loop reports."""
    until_s = time.monotonic() + timeout_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as peer:
        try:
            peer.settimeout(timeout_s)
            peer.connect(path or socket_path())
            peer.sendall(hello() + line({**message, "id": 1}))
            data = b""
            while len(data) < MAX_ANSWER_BYTES:
                found = _answer_in(data)
                if found is not None:
                    return found
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return None
                peer.settimeout(left_s)
                more = peer.recv(65536)
                if not more:
                    return None
                data += more
        except (OSError, ValueError):
            return None
    return None


def _answer_in(data: bytes) -> Json | None:
    """The line that answers, among whole lines. Raises ValueError."""
    for text in data.split(b"\n")[:-1]:
        found = json.loads(text)
        if isinstance(found, dict) and (found.get("id") == 1 or "error" in found):
            return found
    return None
