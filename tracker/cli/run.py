"""``wattledger run``: the daemon in the foreground."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import click

from tracker.app import Daemon
from tracker.cli.options import config_of, config_options
from tracker.log import Log, Severity

#: When this process took over from one that could not go on, so that a library that stays old makes no loop.
_RESTARTED = "WATTLEDGER_RESTARTED_AT"
_RESTART_PAUSE_S = 300.0


def _may_restart() -> bool:
    """Not twice in five minutes: in a container the old library stays mounted whatever process asks."""
    return time.time() - float(os.environ.get(_RESTARTED, "0")) > _RESTART_PAUSE_S


@click.command()
@config_options
@click.option("--listen", "web__listen", metavar="HOST:PORT", help="Address of the page and /metrics [127.0.0.1:9837].")
@click.option(
    "--web.config.file", "web__web_config_file", metavar="FILE", help="TLS and passwords, exporter-toolkit format."
)
@click.option("--log.level", "log__level", metavar="LEVEL", help="debug, info, warning or error.")
@click.option("--log.format", "log__format", metavar="FORMAT", help="auto, logfmt, json or human.")
@click.option("--demo", is_flag=True, help="A simulated 8-GPU node; nothing real is measured.")
def run(config_path: Path | None, demo: bool, **flags: Any) -> None:
    """Measure, charge, book and serve until SIGTERM or Ctrl-C.

    SIGUSR1 lets go of the GPU driver so that a GPU can be reset, and takes it up again the next time.
    """
    config = config_of(config_path, flags)
    log = Log(sys.stderr, level=Severity[config.log.level.upper()], style=config.log.format, environ=os.environ)
    daemon = Daemon(config, log, demo=demo, may_restart=_may_restart())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: daemon.stop())
    signal.signal(signal.SIGUSR1, lambda *_: daemon.release())
    click.echo(f"wattledger is at {daemon.url}")
    sys.stdout.flush()
    log.event(Severity.INFO, "started", "The daemon runs.", url=daemon.url, state_dir=config.node.state_dir, demo=demo)
    daemon.run()
    if daemon.restart_wanted:
        message = "The driver was upgraded; everything is booked and a new process takes over."
        log.event(Severity.WARNING, "restarting", message)
        os.environ[_RESTARTED] = str(time.time())
        os.execv(sys.argv[0], sys.argv)  # noqa: S606 - this very command again
    log.event(Severity.INFO, "stopped", "Everything is booked and closed.")
    sys.stdout.flush()
    os._exit(0)  # a source thread that hangs in its driver must not hold up the exit
