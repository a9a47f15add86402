"""Keeps the daemon's grid factors up to date without asking anybody itself.

A child process (``wattledger grid fetch --due``) asks the services and writes the store; this thread starts it, waits
for it, reads the store and hands what is known to the ``ChainProvider``. So no HTTP library is loaded in the daemon, a
service that hangs holds up nobody, and a node without a network goes on with what it has.
"""

from __future__ import annotations

import os
import sys
import threading
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from tracker.core.chain import may_be_used
from tracker.core.errors import WattledgerError
from tracker.core.forecast import Forecast
from tracker.core.known import FactorRecord
from tracker.core.model import Moment
from tracker.core.snapshot import ProviderState
from tracker.core.units import NS_PER_S
from tracker.grid.catalogue import WORLD
from tracker.grid.chain import ChainProvider
from tracker.grid.store_reader import FactorReader, ProviderStatus
from tracker.reporter import Reporter

#: How long a child may take.
DEADLINE_S = 300.0
#: Bookings lie in the open slot; a day and two hours is enough to see them, and what a day looked like.
_LATELY_S = 26 * 3600
#: Energy that waits for its factor does so for a month.
_LONGEST_S = 31 * 86_400
#: So many values are kept in memory at most: a month of hours, a week of quarters of an hour.
_MOST = 1000
_HOUR_S, _DAY_S = 3600, 86_400
#: A profile is known in advance; services are asked up to now.
_AHEAD_S = _DAY_S
#: A fleet that is started at once spreads its first questions over this part of the period.
_SPREAD = 0.1
_SAID = 300


@dataclass(frozen=True, slots=True)
class News:
    """What the store says besides factors."""

    providers: tuple[ProviderState, ...] = ()
    forecasts: tuple[Forecast, ...] = ()


class Refresher:
    """``zones``: whose values the node may use. ``services``: whose; empty: nobody is asked, and the store is read for
    what others put into it. ``command``: what asks them. ``hours``: False for a node that goes by years alone: only
    the yearly factors that somebody imported are read.

    ``news`` is swapped by reference: any thread may read it.
    """

    def __init__(
        self,
        chain: ChainProvider,
        store: FactorReader,
        told: Reporter,
        clock: Callable[[], Moment],
        *,
        zones: Sequence[str],
        services: Sequence[str],
        command: Sequence[str],
        period_s: float,
        hours: bool = True,
        phase: float = 0.0,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.news = News()
        self._chain, self._store, self._told, self._clock = chain, store, told, clock
        self._zones, self._services, self._command = tuple(zones), tuple(services), tuple(command)
        self._period_s, self._deadline_s, self._hours = period_s, deadline_s, hours
        self._first_s = phase * period_s * _SPREAD
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._kill: Callable[[], None] | None = None
        self._thread = threading.Thread(target=self._run, name="grid", daemon=True)

    def read(self, since_s: int | None = None) -> None:
        """Hand over what the store knows, from ``since_s`` on if that is further back than usual. Never raises."""
        now = self._clock()
        now_s = now.wall_ns // NS_PER_S
        begin_s = max(now_s - _LONGEST_S, min(now_s - _LATELY_S, now_s if since_s is None else since_s))
        try:
            records = self._store.yearly((*self._zones, WORLD.code))
            if self._hours:
                records += (*self._records_of(self._chain.missing, begin_s), *self._records(begin_s, now_s))
            statuses = {status.provider: status for status in self._store.statuses()} if self._services else {}
            forecasts = tuple(each for zone in self._zones for each in self._store.forecasts(zone) if self._hours)
        except WattledgerError as error:
            self._told.failed("grid/store", now, "grid_store_unreadable", str(error))
            return
        self._told.recovered("grid/store", now, "grid_store_read", "The store of grid factors is read again.")
        self._chain.learn(records)
        states = tuple(self._state(now, statuses.get(name, ProviderStatus(name))) for name in self._services)
        self.news = News(states, forecasts)

    def start(self) -> None:
        self._thread.start()

    def stop(self, deadline_s: float) -> bool:
        """Ask it to end, with its child, and wait so long; False: it did not."""
        with self._lock:
            self._stop.set()
            if self._kill is not None:
                self._kill()
        if not self._thread.ident:
            return True
        self._thread.join(deadline_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        wait_s = self._first_s
        while not self._stop.wait(wait_s):
            if self._services:
                self._ask()
            if self._stop.is_set():
                return
            self.read()
            wait_s = self._period_s

    def _ask(self) -> None:
        """Run the child to its end or its deadline, and say in the log how it went."""
        import subprocess  # noqa: PLC0415 - not for a node that asks nobody

        path = os.pathsep.join(entry for entry in sys.path if entry)
        with self._lock:
            if self._stop.is_set():
                return
            try:
                child = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env={**os.environ, "PYTHONPATH": path},
                )
            except OSError as error:
                self._failed(f"The process that asks the services cannot be started: {error.strerror}.")
                return
            self._kill = child.kill
        try:
            outcomes, said = child.communicate(timeout=self._deadline_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            self._failed(f"The process that asks the services did not end within {self._deadline_s:g} s.")
            return
        finally:
            with self._lock:
                self._kill = None
        if self._stop.is_set():
            return
        last = said.decode("utf-8", "replace").strip().rpartition("\n")[2][:_SAID]
        if child.returncode == 0 or (child.returncode == 1 and outcomes):  # a service failed: the store says which one
            self._told.recovered("grid/child", self._clock(), "grid_fetched", "The services can be asked again.")
        else:
            self._failed(last or f"The process that asks the services ended with code {child.returncode}.")

    def _failed(self, sentence: str) -> None:
        self._told.failed("grid/child", self._clock(), "grid_fetch_failed", sentence)

    def _state(self, now: Moment, status: ProviderStatus) -> ProviderState:
        """As the store says, and a line in the log when that has changed."""
        key, name = f"grid/{status.provider}", status.provider
        if status.failures:
            self._told.failed(key, now, "grid_provider_failed", status.last_error, name)
        elif status.last_ok_s is not None:
            self._told.recovered(key, now, "grid_provider_works", "The service gives factors again.", name)
        up = status.failures == 0 and status.last_ok_s is not None
        last_ok_s = None if status.last_ok_s is None else float(status.last_ok_s)
        return ProviderState(name, up, last_ok_s, status.last_error if status.failures else "")

    def _records(self, begin_s: int, now_s: int) -> tuple[FactorRecord, ...]:
        """The newest values of all zones back to ``begin_s`` with those that are known in advance, and the newest one
        however old it is. By days, because a month of five minutes takes a third of the memory that the daemon may
        use."""
        found: dict[int, FactorRecord] = {}
        for end_s in range(now_s + _AHEAD_S, now_s - _LONGEST_S, -_DAY_S):
            if len(found) >= _MOST or (found and end_s <= begin_s):
                break
            start_s = end_s - _DAY_S if end_s <= begin_s else max(begin_s, end_s - _DAY_S)
            found |= {record.number: record for record in self._of_hours(start_s, end_s)}
        in_time = sorted(found.values(), key=lambda record: (record.row.valid_to_s, record.number))
        if in_time and in_time[-1].row.valid_to_s <= begin_s:
            return tuple(in_time[-1:])
        return tuple(in_time[-_MOST:])

    def _records_of(self, hours: Collection[int], until_s: int) -> list[FactorRecord]:
        """The values of single hours before ``until_s``, the oldest first: for energy that waits for them. What is in
        memory is weighed soon and waits no more, so that the next turn gets further."""
        days: dict[int, list[int]] = {}
        for hour_s in sorted(hours):
            if hour_s < until_s:
                days.setdefault(hour_s // _DAY_S * _DAY_S, []).append(hour_s)
        found: list[FactorRecord] = []
        for day_s, wanted in days.items():
            records = self._of_hours(day_s, day_s + _DAY_S)
            found += [each for each in records if any(_touches(each, hour_s) for hour_s in wanted)]
            if len(found) >= _MOST:
                break
        return [each for each in found if each.row.valid_to_s <= until_s]

    def _of_hours(self, start_s: int, end_s: int) -> Iterator[FactorRecord]:
        records = self._store.records(self._zones, start_s, end_s)
        return (record for record in records if may_be_used(record.row))


def _touches(record: FactorRecord, hour_s: int) -> bool:
    return record.row.valid_from_s < hour_s + _HOUR_S and record.row.valid_to_s > hour_s


def phase_of(hostname: str) -> float:
    """A number from 0 to 1 that is this node's own: nodes of a fleet ask one after the other."""
    return zlib.crc32(hostname.encode("utf-8", "replace")) / 2**32
