"""The daemon: every part put together, a loop that ticks until it is asked to stop, and an orderly end.

At the end the sources are stopped, what they read last is booked, and ledger and port are closed; a source thread
that hangs
in its driver is left behind, so the end takes less than five seconds whatever the hardware does.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path

from prometheus_client import PROCESS_COLLECTOR

from tracker import clock, wiring
from tracker.agent import Agent
from tracker.background import Runner, next_deadline
from tracker.bookkeeper import Bookkeeper
from tracker.config import Config
from tracker.config.pue import statements, zone_of
from tracker.core.accounting import pue_at
from tracker.core.errors import UsageError
from tracker.core.model import Finding, Level, Method
from tracker.core.snapshot import ShipState, Snapshot
from tracker.core.units import MS_PER_S, NS_PER_MS, NS_PER_S
from tracker.grid.interface import GridProvider
from tracker.ledger.files import LEDGER_FILE
from tracker.ledger.interface import DayRow, Opening
from tracker.ledger.reader import SqliteReader
from tracker.ledger.store import SqliteLedger
from tracker.log import Log, Severity
from tracker.metrics.exposition import Renderer
from tracker.notify import Notifier
from tracker.refresher import News
from tracker.reporter import Reporter
from tracker.sources.interface import SourceAbsent, SourceFailed
from tracker.web.routes import build_routes
from tracker.web.server import Options as WebOptions
from tracker.web.server import WebServer

#: How long the first tick waits for sources that have not answered yet.
FIRST_READS_S = 5.0
#: How long the end waits for the source threads together.
STOP_SOURCES_S = 1.5
#: How long the end waits for the last hours to be shipped; what is not, the next daemon ships.
STOP_SHIPPING_S = 20.0


class Daemon:
    """The daemon of one node."""

    def __init__(self, config: Config, log: Log, *, demo: bool = False, may_restart: bool = False) -> None:
        """Build every part, open the ledger and the port. Raises WattledgerError: zone, ledger, port, web config.

        ``may_restart``: the caller starts a new process when ``restart_wanted`` is set after ``run`` has returned.
        """
        self._config, self._log = config, log
        self._may_restart = may_restart
        self.restart_wanted = False
        self._told = Reporter(log)
        self._manager = Notifier(os.environ, os.getpid(), config.sampling.tick.s)
        self._stop = threading.Event()
        self._ticked_s = time.monotonic()
        self._shown: tuple[Snapshot, News, ShipState | None, Snapshot] | None = None
        self._pues = statements(config.here)
        facts = wiring.facts_for(config)
        start = clock.now()
        grid, zone = wiring.grid_for(config, facts, start.wall_ns // NS_PER_S)
        self._refresher = wiring.refresher_for(config, grid, zone, self._told, clock.now)
        self._shipper = wiring.shipper_for(config, self._told)
        path = config.node.state_dir / LEDGER_FILE
        self._ledger = SqliteLedger(path)
        opening = self._ledger.open()
        try:
            # A node without a network goes on with what it knew.
            self._refresher.read((opening.booked_until_ms or start.wall_ns // NS_PER_MS) // MS_PER_S)
            _refuse_mixture(opening, path, demo=demo)
            self._declared = None if demo else wiring.declared_for(config)
            self._books = self._keeper(grid, zone, opening)
            self._runners = [
                Runner(source, clock.now, self._heard, wanted=config.sources is not None)
                for source in wiring.sources_for(config, facts, demo=demo)
            ]
            self._observer = wiring.observer_for(config, self._declared)
            settings = wiring.settings_for(config)
            self._agent = Agent(settings, self._runners, self._observer, self._books, opening, start)
            self._web = self._serve(SqliteReader(path))
        except BaseException:
            self._ledger.close()
            raise
        if self._ledger.set_aside:
            message = "The ledger was damaged or foreign; it was moved aside and a new one begun."
            log.event(Severity.ERROR, "ledger_set_aside", message, moved_to=self._ledger.set_aside)

    def _keeper(self, grid: GridProvider, zone: str, opening: Opening) -> Bookkeeper:
        return Bookkeeper(
            self._ledger,
            grid,
            opening,
            zone=zone,
            pue=lambda at_s: pue_at(self._pues, at_s).permille,
            max_series=self._config.workloads.max_series,
            reported=(lambda: ()) if self._declared is None else self._declared.runs.drain_units,
            embodied=wiring.embodied_for(self._config),
        )

    @property
    def url(self) -> str:
        """Where the node page is."""
        return self._web.url

    def stop(self) -> None:
        """Ask ``run`` to end; may be called from a signal handler."""
        self._stop.set()

    @property
    def booked(self) -> bool:
        """Whether the last booking was taken."""
        return self._books.health.ok

    @property
    def declaring(self) -> Finding:
        """Whether runs can be declared here, and where."""
        if self._declared is None:
            return Finding(Level.OK, "declare", "A demonstration takes no declarations of runs.")
        return self._declared.check()[0]

    def release(self) -> None:
        """Let go of every driver that blocks a reset, or take it up again (SIGUSR1)."""
        for runner in self._runners:
            runner.source.toggle_release()

    def run(self) -> None:
        """Tick until ``stop``, then book what was read and close."""
        try:
            for runner in self._runners:
                runner.start()
            self._refresher.start()
            if self._shipper is not None:
                self._shipper.start()
            give_up_s = time.monotonic() + FIRST_READS_S
            while not all(runner.reported() for runner in self._runners) and time.monotonic() < give_up_s:
                if self._stop.wait(0.05):
                    break
            self._loop()
        finally:
            self._close()

    def _loop(self) -> None:
        tick_ns = self._config.sampling.tick.ns
        commit_every = max(1, self._config.sampling.commit.ns // tick_ns)
        due_ns = (
            clock.now().mono_ns // tick_ns * tick_ns
        )  # daemons of one node tick together: sidecars see the same time
        count = 0
        while True:
            self._tick(commit=count % commit_every == 0)
            self._manager.alive(f"The page is at {self.url}")
            count += 1
            now_ns = clock.now().mono_ns
            following_ns = next_deadline(due_ns, now_ns, tick_ns)
            self._agent.ticks_missed += (following_ns - due_ns) // tick_ns - 1
            due_ns = following_ns
            if self._stop.wait((due_ns - now_ns) / NS_PER_S):
                return

    def _tick(self, *, commit: bool) -> None:
        now = clock.now()
        self._agent.tick(now, commit=commit)
        self._ticked_s = time.monotonic()
        health = self._books.health
        if health.ok:
            self._told.recovered("ledger", now, "ledger_books", "The ledger books again; nothing was lost.")
        else:
            self._told.failed("ledger", now, "ledger_unavailable", health.message)
        if commit and health.ok and self._declared is not None:
            self._declared.committed(self._agent.snapshot)
        self._told.tick(now, self._agent.snapshot, self._agent.clock_step_ns, self._agent.booked_until_s)

    def _tick_age_s(self) -> float:
        """How long ago the loop last went round: what a liveness probe may ask about."""
        return time.monotonic() - self._ticked_s

    def _close(self) -> None:
        """Stop the sources, book what they brought, close the port and the ledger."""
        if not self.restart_wanted:
            self._manager.stopping()
        for runner in self._runners:
            runner.request_stop()
        give_up_s = time.monotonic() + STOP_SOURCES_S
        self._refresher.stop(STOP_SOURCES_S / 2)
        for runner in self._runners:
            runner.stop(max(0.0, give_up_s - time.monotonic()))
        self._tick(commit=True)
        self._web.close()
        self._observer.close()
        self._ledger.close()
        if self._shipper is not None:  # the last hours, when nobody writes the ledger any more
            self._shipper.stop(STOP_SHIPPING_S)

    def _heard(self, source: str, error: Exception | None) -> None:
        """A source failed or works again; called from its thread."""
        now = clock.now()
        if error is None:
            self._told.recovered(f"source/{source}", now, "source_works", "The source works again.", source)
        elif isinstance(error, SourceAbsent) and self._config.sources is None:
            self._log.event(Severity.DEBUG, "source_absent", str(error), source=source)
        else:
            self._told.failed(f"source/{source}", now, "source_failed", str(error), source)
            if isinstance(error, SourceFailed) and error.needs_restart and self._may_restart:
                self.restart_wanted = True
                self.stop()

    def _snapshot(self) -> Snapshot:
        """What the last tick published, and what is known of the grid's services by now; the same object until either
        changes."""
        tick, news = self._agent.snapshot, self._refresher.news
        shipping = None if self._shipper is None else self._shipper.state
        shown = self._shown
        if shown is None or shown[0] is not tick or shown[1] is not news or shown[2] is not shipping:
            source = pue_at(self._pues, int(tick.tick_wall_s)).source
            whole = replace(
                tick, providers=news.providers, forecast=news.forecasts, pue_source=source, shipping=shipping
            )
            self._shown = shown = tick, news, shipping, whole
        return shown[3]

    def _serve(self, reader: SqliteReader) -> WebServer:
        renderer = Renderer(PROCESS_COLLECTOR)
        zone = zone_of(self._config.here.clock)

        def metrics(accept: str) -> tuple[bytes, str]:
            return renderer.render(self._snapshot(), accept)

        def today() -> tuple[DayRow, ...]:
            return reader.day(*day_of(time.time(), zone))

        def failed(place: str, error: Exception) -> None:
            self._told.failed(f"web/{place}", clock.now(), "web_failed", str(error), place)

        web = self._config.web
        options = WebOptions(listen=web.listen, web_config_file=web.web_config_file)
        since = f"since 00:00 {self._config.here.clock}"
        routes = build_routes(
            self._snapshot, metrics, today, self._tick_age_s, time.time, time.monotonic, failed, since
        )
        server = WebServer(options, routes, failed)
        server.start()
        return server


def _refuse_mixture(opening: Opening, path: Path, *, demo: bool) -> None:
    """A ledger is simulated or real, never both: no export could tell them apart for a reader."""
    simulated = {device.sensor.method is Method.SIMULATED for device in opening.devices.values()}
    if simulated - {demo}:
        kinds = ("simulated", "real") if demo is False else ("real", "simulated")
        raise UsageError(  # another start does not mend it
            f"The ledger {path} holds {kinds[0]} energy; {kinds[1]} energy must not be added to it.",
            "Name another folder with --state-dir.",
        )


def day_of(wall_s: float, zone: tzinfo) -> tuple[int, int]:
    """The calendar day that contains an instant, in UTC seconds: [begin, end). A day of a clock change has 23 or 25
    h."""
    local = datetime.fromtimestamp(wall_s, zone)
    begin = local.replace(hour=0, minute=0, second=0, microsecond=0)
    end = begin + timedelta(days=1)  # the next midnight on the wall, whatever the offset is then
    return int(begin.timestamp()), int(end.timestamp())
