"""Programs that run side by side on the simulated node: the daemon, codecarbon and nvitop-exporter.

codecarbon reads powercap by a literal path, so it runs in a mount namespace of its own in which the node's zones lie
there; that takes root. It has no network there either: what it does is measuring, not telephoning.
"""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.benchmarks.node import BenchNode
from tests.benchmarks.process import Usage, usage
from tests.e2e.daemon import until

BIN = Path(sys.executable).parent
#: What Prometheus sends (scrape/scrape.go): OpenMetrics preferred, gzip.
SCRAPE_HEADERS = {
    "Accept": "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4,*/*;q=0.1",
    "Accept-Encoding": "gzip",
    "User-Agent": "Prometheus/2.53.0",
    "X-Prometheus-Scrape-Timeout-Seconds": "10",
}
_OVERLAY = """set -e; mount -t tmpfs tmpfs /mnt; mkdir -p /mnt/cu/powercap /mnt/cw /mnt/du/powercap /mnt/dw
mount -t overlay ov -o lowerdir=/sys/class,upperdir=/mnt/cu,workdir=/mnt/cw /sys/class
mount -t overlay ov -o lowerdir=/sys/devices/virtual,upperdir=/mnt/du,workdir=/mnt/dw /sys/devices/virtual
mount --bind {sysfs}/devices/virtual/powercap /sys/devices/virtual/powercap
cp -a {sysfs}/class/powercap/. /sys/class/powercap/
ln -sfn ../../devices/virtual/powercap/intel-rapl /sys/class/powercap/intel-rapl
ln -sfn /sys/class/powercap /sys/devices/virtual/powercap/intel-rapl/subsystem
exec {command}"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start. ``port`` 0: it serves nothing. ``note`` says how it was run."""

    name: str
    command: Sequence[str]
    port: int = 0
    scraped: bool = False
    note: str = ""


class Contender:
    """A running one. ``why_not``: it is not (any more), and why."""

    def __init__(self, plan: Plan, folder: Path, env: Mapping[str, str]) -> None:
        self.plan = plan
        folder.mkdir(parents=True)
        self._log = folder / "log"
        self.why_not = ""
        self._begin: Usage | None = None
        self._begin_s = 0.0
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                plan.command, cwd=folder, env={**os.environ, **env}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.plan.port}"

    def wait_serving(self) -> None:
        """Until it answers scrapes; one that ended does not have to."""
        if self.plan.port:
            until(lambda: self._ended() or _answers(f"{self.url}/metrics"), f"{self.plan.name} answered")

    def scrape(self) -> None:
        """Read /metrics as Prometheus does."""
        if self.plan.scraped and not self._ended():
            request = urllib.request.Request(f"{self.url}/metrics", headers=SCRAPE_HEADERS)
            with urllib.request.urlopen(request, timeout=10) as answer:
                answer.read()

    def begin(self) -> None:
        """The measurement starts here."""
        if not self._ended():
            self._begin, self._begin_s = usage(self.process.pid), time.monotonic()

    def end(self) -> tuple[float, float] | None:
        """CPU-seconds per minute since ``begin``, and peak MiB since its start. None: see ``why_not``."""
        if self._ended() or self._begin is None:
            return None
        now = usage(self.process.pid)
        return (now.cpu_s - self._begin.cpu_s) * 60 / (time.monotonic() - self._begin_s), now.peak_rss_mib

    def _ended(self) -> bool:
        if self.process.poll() is not None and not self.why_not:
            last = self._log.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2][:160]
            self.why_not = f"ended with code {self.process.returncode}: {last}"
        return bool(self.why_not)


def daemon(node: BenchNode, state_dir: Path, name: str, *, scraped: bool, flags: Sequence[str] = ()) -> Plan:
    """The real daemon with its default settings."""
    port = free_port()
    command = [str(BIN / "wattledger"), "run", "--state-dir", str(state_dir), "--listen", f"127.0.0.1:{port}"]
    return Plan(name, [*command, *node.flags, *flags], port, scraped, "default settings")


def codecarbon(node: BenchNode, every_s: int) -> Plan:
    """``codecarbon monitor``, offline."""
    options = ["--offline", "--country-iso-code", "FRA", "--measure-power-secs", str(every_s), "--no-api"]
    command = [str(BIN / "codecarbon"), "monitor", *options]
    name = f"codecarbon monitor, every {every_s} s"
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return Plan(name, command, note="offline; without RAPL, which takes root here")
    script = _OVERLAY.format(sysfs=shlex.quote(str(node.machine.sysfs)), command=shlex.join(command))
    isolated = ["unshare", "--mount", "--net", "--propagation", "private", "sh", "-c", script]
    return Plan(name, isolated, note="offline; RAPL zones of the node at their literal path")


def nvitop_exporter(every_s: int) -> Plan:
    port = free_port()
    command = [str(BIN / "nvitop-exporter"), "--bind-address", "127.0.0.1", "--port", str(port)]
    return Plan(f"nvitop-exporter, every {every_s} s", [*command, "--interval", str(every_s)], port, True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False
