"""Word to systemd: ready, alive, stopping (sd_notify(3)). Without ``NOTIFY_SOCKET``, nothing is said to anybody.

One datagram each, so that a service manager that hangs or is gone costs nothing: what cannot be sent at once is not
sent, and the next tick says it again.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping

_US_PER_S = 1_000_000
#: A watchdog that is shorter than so many ticks would end a daemon that is well.
_TICKS = 3


class Notifier:
    """``environ``: of a service, as systemd made it. ``pid``: this process; a watchdog may be meant for another one.

    ``tick_s``: how often ``alive`` will be said.
    """

    def __init__(self, environ: Mapping[str, str], pid: int, tick_s: float) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address  # an abstract socket, unix(7)
        self._watchdog_us = _watchdog_us(environ, pid)
        self._tick_us = round(tick_s * _US_PER_S)
        self._is_ready = False

    def alive(self, status: str) -> None:
        """A tick was made. The first one is what makes the service ready."""
        if not self._is_ready:
            self._is_ready = self._send(f"READY=1\nSTATUS={' '.join(status.split())}\n{self._longer()}")
        if self._watchdog_us:
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The end has begun. Not before a new process takes over: systemd would end it."""
        self._send("STOPPING=1\nSTATUS=Books what was read last.")

    def _longer(self) -> str:
        """The unit's WatchdogSec= knows nothing of ``sampling.tick``."""
        needed_us = _TICKS * self._tick_us
        return f"WATCHDOG_USEC={needed_us}" if 0 < self._watchdog_us < needed_us else ""

    def _send(self, message: str) -> bool:
        """Whether nobody waits for it any more."""
        if not self._address:
            return True
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(message.strip().encode(), self._address)
        except OSError:
            return False
        return True


def _watchdog_us(environ: Mapping[str, str], pid: int) -> int:
    """What WatchdogSec= says (sd_watchdog_enabled(3)); 0: nobody watches this process."""
    given, whose = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    return int(given) if given.isdecimal() and whose in ("", str(pid)) else 0
