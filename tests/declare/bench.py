"""What a call of ``tracker.declare`` costs a training loop: ``python -m tests.declare.bench``.

Prints median, 99th percentile and worst of each call in µs: with a daemon, with one that stands still (its socket is
full), and without any. The budget is 1 ms a call.
"""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.declare.daemon import daemon_process
from tracker.declare import declare
from tracker.declare import run as client
from tracker.declare.wire import ENV_SOCKET

CALLS = 5_000


def measured(call: Callable[[], object], count: int = CALLS) -> str:
    took_us = []
    for _ in range(count):
        begin = time.perf_counter_ns()
        call()
        took_us.append((time.perf_counter_ns() - begin) / 1000)
    took_us.sort()
    return f"{took_us[count // 2]:8.1f} {took_us[count * 99 // 100]:8.1f} {took_us[-1]:8.1f}"


def begun_and_ended() -> None:
    with declare("bench", project="p", team="t", phase="training"):
        pass


def forced() -> None:
    """As the first call of a second: it tells the daemon."""
    client._link._synced_s = 0.0
    run.add(tokens=4096, steps=1)


def switched() -> None:
    with run.phase("evaluation"):
        pass


def table(title: str) -> None:
    print(f"{title}\n{'':34}{'p50':>8} {'p99':>8} {'worst':>8}  us")
    print(f"{'add':34}{measured(lambda: run.add(tokens=4096, steps=1))}")
    print(f"{'add that tells the daemon':34}{measured(forced)}")
    print(f"{'with run.phase(...), both ends':34}{measured(switched)}")
    print(f"{'with declare(...), both ends':34}{measured(begun_and_ended, CALLS // 10)}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        os.environ[ENV_SOCKET] = f"{name}/declare.sock"
        with declare("run") as run:
            table("without a daemon")
            client._link._next_try_s = 0.0
            with daemon_process(Path(name)) as daemon:
                forced()
                table("with a daemon")
                print(f"{'energy(), which waits':34}{measured(run.energy, CALLS // 10)}")
                os.kill(daemon.pid, signal.SIGSTOP)
                table("with a daemon that stands still")
                os.kill(daemon.pid, signal.SIGCONT)
