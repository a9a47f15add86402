"""Which machine a benchmark ran on, without naming it."""

from __future__ import annotations

import os
import platform
import time
from datetime import UTC, datetime

from tracker.sources.cpuinfo import read_cpu_model
from tracker.sysfs import Roots


def describe() -> dict[str, str]:
    """What a reader needs to judge the numbers; no host name and no path."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "CPU": f"{read_cpu_model(Roots().procfs).name or platform.machine()}, {os.cpu_count()} logical",
        "kernel": f"{platform.system()} {platform.release().split('-')[0]}",
        "Python": platform.python_version(),
        "speed": f"{spin_ms():.1f} ms for a million additions in a Python loop",
        "load": f"{os.getloadavg()[0]:.1f} runnable processes in the minute before",
    }


def spin_ms() -> float:
    """CPU time of a fixed piece of Python: what the other numbers of a busy or slow machine must be seen against."""
    best = float("inf")
    for _ in range(3):
        begin = time.thread_time()
        total = 0
        for number in range(1_000_000):
            total += number
        best = min(best, time.thread_time() - begin)
    return best * 1000
