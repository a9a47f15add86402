"""Ships the daemon's closed hours without loading a database engine or an object store's client.

A child process (``wattledger ship``) reads the ledger and writes the books; this thread starts it every period and once
more at the end, and says in the log how it went. A store that hangs holds up nobody.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Sequence

from tracker.core.model import Moment
from tracker.core.snapshot import ShipState
from tracker.core.units import NS_PER_S
from tracker.reporter import Reporter

#: How long a child may take: a node that was off for a month catches up in seconds, an uplink may be slow.
DEADLINE_S = 900.0
#: A fleet that is started at once spreads its first runs over this part of the period.
_SPREAD = 0.2
_SAID = 300
#: How long a killed child may take to be gone.
_KILLED_S = 5.0


class Shipper:
    """``command``: what ships; ``--due`` is added once it has looked at everything. ``phase``: 0 to 1, this node's own
    place in the period.

    ``state`` is swapped by reference: any thread may read it. None: nothing was tried yet.
    """

    def __init__(
        self,
        command: Sequence[str],
        told: Reporter,
        clock: Callable[[], Moment],
        *,
        period_s: float,
        phase: float = 0.0,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.state: ShipState | None = None
        self.command, self._told, self._clock = tuple(command), told, clock
        self._period_s, self._deadline_s = period_s, deadline_s
        self._first_s = phase * period_s * _SPREAD
        self._looked = False
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._kill: Callable[[], None] | None = None
        self._given_up = False
        self._shipped_last = False
        self._thread = threading.Thread(target=self._run, name="ship", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, deadline_s: float) -> bool:
        """Ship a last time, when the ledger is closed, and end; after so long the child is killed, and what it left is
        shipped by the next daemon. False: the last hours are not in the books."""
        self._stop.set()
        if not self._thread.ident:
            return True
        self._thread.join(deadline_s)
        with self._lock:
            self._given_up = True
            if self._kill is not None:
                self._kill()
        self._thread.join(_KILLED_S)
        return self._shipped_last

    def _run(self) -> None:
        wait_s = self._first_s
        while not self._stop.wait(wait_s):
            self._ship()
            wait_s = self._period_s
        self._shipped_last = self._ship()

    def _ship(self) -> bool:
        """Run the child to its end or its deadline. Whether it shipped."""
        import subprocess  # noqa: PLC0415 - not for a node that ships nothing

        command = [*self.command, "--due"] if self._looked else [*self.command]
        path = os.pathsep.join(entry for entry in sys.path if entry)
        with self._lock:
            if self._given_up:
                return False
            try:
                child = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    env={**os.environ, "PYTHONPATH": path},
                )
            except OSError as error:
                return self._failed(f"The process that ships cannot be started: {error.strerror}.")
            self._kill = child.kill
        try:
            _, said = child.communicate(timeout=self._deadline_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            return self._failed(f"The process that ships did not end within {self._deadline_s:g} s; the next goes on.")
        finally:
            with self._lock:
                self._kill = None
        if child.returncode == 0:
            self._looked = True
            now = self._clock()
            self.state = ShipState(up=True, last_ok_wall_s=now.wall_ns / NS_PER_S)
            self._told.recovered("books", now, "shipped", "Closed hours are shipped to the books.")
            return True
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2][:_SAID]
        return self._failed(last or f"The process that ships ended with code {child.returncode}.")

    def _failed(self, sentence: str) -> bool:
        self.state = ShipState(up=False, last_ok_wall_s=None if self.state is None else self.state.last_ok_wall_s)
        self._told.failed("books", self._clock(), "ship_failed", sentence)
        return False
