"""The end of sd_notify(3) that systemd holds: a datagram socket, and everything that was said to it, in order."""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class ServiceManager:
    """``environ``: what a service of ``Type=notify`` with ``WatchdogSec=`` is started with, ``WATCHDOG_PID`` apart."""

    def __init__(self, address: str, receiver: socket.socket, watchdog_us: int) -> None:
        self._receiver = receiver
        self._said: list[str] = []
        self.environ = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": str(watchdog_us)}

    @property
    def said(self) -> list[str]:
        """Every message so far."""
        while True:
            try:
                self._said.append(self._receiver.recv(4096).decode())
            except BlockingIOError:
                return self._said


@contextmanager
def service_manager(*, watchdog_us: int = 60_000_000, abstract: bool = False) -> Iterator[ServiceManager]:
    """One that listens until the block ends."""
    with (
        tempfile.TemporaryDirectory(dir="/tmp", prefix="wl-") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver,
    ):
        address = f"@wattledger-{os.urandom(8).hex()}" if abstract else str(Path(folder, "notify"))
        receiver.bind(f"\0{address[1:]}" if abstract else address)
        receiver.setblocking(False)
        yield ServiceManager(address, receiver, watchdog_us)
