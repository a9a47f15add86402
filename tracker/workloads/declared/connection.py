"""One client: bytes in, lines out, and the limits that keep it from harming anybody."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from tracker.core.units import NS_PER_S
from tracker.workloads.declared.declaration import Peer
from tracker.workloads.declared.protocol import MAX_LINE_BYTES

MAX_OUT_BYTES = 64 * 1024  # answers that a client does not fetch
READ_BYTES = 16 * 1024
LINES_PER_S = 500  # more is not read until the second is over: it waits in the client's own buffer
IDLE_NS = 30 * NS_PER_S  # for a client that has said nothing worth keeping a place for


class Hopeless(Exception):
    """A connection ends; the text says why."""


class Connection:
    """Never blocks. ``greeted``: the client said a version that we speak."""

    def __init__(self, client: socket.socket, peer: Peer, mono_ns: int) -> None:
        client.setblocking(False)
        self.client, self.peer = client, peer
        self.greeted = False
        self.tokens: set[str] = set()  # the runs that end with it
        self.closed = False
        self.events = 0  # what the server's selector listens for
        self._heard_ns = mono_ns
        self._in = bytearray()
        self._out = bytearray()
        self._second_ns, self._lines = mono_ns, 0

    @property
    def writing(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._out)

    def read(self) -> bool:
        """Take what has arrived. False: the client has closed its end."""
        try:
            data = self.client.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return False
        self._in += data
        return bool(data)

    def lines(self, mono_ns: int) -> Iterator[bytes]:
        """The whole lines so far, as many as may be said in this second. Raises Hopeless for one that is too long."""
        while not self.hushed(mono_ns):
            line, end, rest = self._in.partition(b"\n")
            if len(line) > MAX_LINE_BYTES:
                raise Hopeless(f"A line is longer than {MAX_LINE_BYTES} bytes.")
            if not end:
                return
            self._in = rest
            self._lines += 1
            self._heard_ns = mono_ns
            yield bytes(line)

    def hushed(self, mono_ns: int) -> bool:
        """Whether it has to wait for the next second."""
        if mono_ns - self._second_ns >= NS_PER_S:
            self._second_ns, self._lines = mono_ns, 0
        return self._lines >= LINES_PER_S

    def say(self, line: bytes) -> None:
        """Send a line, now or when there is room. Raises Hopeless when the client does not read."""
        self._out += line + b"\n"
        self.flush()
        if len(self._out) > MAX_OUT_BYTES:
            raise Hopeless("Answers are not read.")

    def flush(self) -> None:
        """Send what waits. A client that is gone is noticed when it is read."""
        while self._out:
            try:
                sent = self.client.send(self._out, socket.MSG_NOSIGNAL)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self._out.clear()
                return
            del self._out[:sent]

    def idle(self, mono_ns: int) -> bool:
        """Whether its place is wasted."""
        return not self.tokens and mono_ns - self._heard_ns > IDLE_NS

    def close(self) -> None:
        self.closed = True
        self.client.close()
