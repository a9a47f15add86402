"""How long from the command to the first booked tick."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.node import BenchNode
from tests.benchmarks.rows import Row, median
from tests.e2e.daemon import Daemon

SECTION = "start"


def run(folder: Path, *, quick: bool) -> list[Row]:
    times = 2 if quick else 7
    with BenchNode(folder) as node:
        cold = [_ready_s(node, folder / f"state-{number}") for number in range(times)]
        warm = [_ready_s(node, folder / "state-0") for _ in range(times)]
    how = f"from exec until /-/ready, median of {times}; 8 GPUs, 64 workloads"
    return [
        Row(SECTION, "first start on a node", median(cold), "s", None, f"{how}; codecarbon's tables are asked once"),
        Row(SECTION, "restart", median(warm), "s", None, how),
    ]


def _ready_s(node: BenchNode, state_dir: Path) -> float:
    begin_s = time.monotonic()
    with Daemon(state_dir, *node.flags, env=node.env) as daemon:
        return _until(lambda: daemon.get("/-/ready")[0] == 200) - begin_s


def _until(ready: Callable[[], bool], deadline_s: float = 30) -> float:
    """When it became true, to 5 ms."""
    end_s = time.monotonic() + deadline_s
    while not ready():
        if time.monotonic() > end_s:
            raise TimeoutError(f"not ready within {deadline_s} s")
        time.sleep(0.005)
    return time.monotonic()
