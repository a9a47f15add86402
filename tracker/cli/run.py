"""``wattledger run``: the daemon in the foreground."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from tracker.app import Daemon
from tracker.cli.options import config_of, measuring_options
from tracker.cli.waiting import ends
from tracker.core.model import Level
from tracker.log import Log, Severity

#: When this process took over from one that could not go on, so that a library that stays old makes no loop.
_RESTARTED = "WATTLEDGER_RESTARTED_AT"
_RESTART_PAUSE_S = 300.0


def _may_restart() -> bool:
    """Not twice in five minutes: in a container the old library stays mounted whatever process asks."""
    try:
        before_s = float(os.environ.get(_RESTARTED, "0"))
    except ValueError:
        return True
    return time.time() - before_s > _RESTART_PAUSE_S


def _say(line: str) -> None:
    """For whoever started it by hand; a daemon whose output is closed or full runs all the same."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        click.echo(line)
        sys.stdout.flush()


@click.command()
@measuring_options
@click.option("--listen", "web__listen", metavar="HOST:PORT", help="Address of the page and /metrics [127.0.0.1:9837].")
@click.option(
    "--web.config.file", "web__web_config_file", metavar="FILE", help="TLS and passwords, exporter-toolkit format."
)
@click.option("--log.level", "log__level", metavar="LEVEL", help="debug, info, warning or error.")
@click.option("--log.format", "log__format", metavar="FORMAT", help="auto, logfmt, json or human.")
@click.option("--demo", is_flag=True, help="A simulated 8-GPU node; nothing real is measured.")
def run(config_path: Path | None, demo: bool, **flags: Any) -> None:
    """Measure, charge, book and serve until SIGTERM, SIGHUP or Ctrl-C.

    SIGUSR1 lets go of the GPU driver so that a GPU can be reset, and takes it up again the next time.
    """
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # until there is a driver to let go of
    config = config_of(config_path, flags)
    if demo:  # a book of its own: simulated and real energy never share one
        config = replace(config, node=replace(config.node, state_dir=config.node.state_dir / "demo"))
    log = Log(sys.stderr, level=Severity[config.log.level.upper()], style=config.log.format, environ=os.environ)
    daemon = Daemon(config, log, demo=demo, may_restart=_may_restart())
    for number in ends():
        signal.signal(number, lambda *_: daemon.stop())
    signal.signal(signal.SIGUSR1, lambda *_: daemon.release())
    _say(f"wattledger is at {daemon.url}")
    log.event(Severity.INFO, "started", "The daemon runs.", url=daemon.url, state_dir=config.node.state_dir, demo=demo)
    found = daemon.declaring
    severity = Severity.INFO if found.level is Level.OK else Severity.WARNING
    log.event(severity, "declarations", found.message, remedy=found.remedy or None)
    daemon.run()
    if daemon.restart_wanted:
        message = "The driver was upgraded; everything is booked and a new process takes over."
        log.event(Severity.WARNING, "restarting", message)
        os.environ[_RESTARTED] = str(time.time())
        os.execv(sys.argv[0], sys.argv)  # noqa: S606 - this very command again
    if daemon.booked:
        log.event(Severity.INFO, "stopped", "Everything is booked and closed.")
    else:
        message = "Closed, but the last readings could not be booked; counters go on from the last booking."
        log.event(Severity.ERROR, "stopped_unbooked", message)
    os._exit(0)  # a source thread that hangs in its driver must not hold up the exit
