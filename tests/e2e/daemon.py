"""The real daemon as a child process on a faked machine, and what one asks it over HTTP."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

COMMAND = str(Path(sys.executable).parent / "wattledger")
URL = re.compile(r"https?://[^\s/]+")
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def until(condition: Callable[[], object], what: str, deadline_s: float = 60) -> None:
    """Wait for a condition with a bound, not for a time."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {deadline_s} s"
        time.sleep(0.02)


class Daemon:
    """``wattledger run`` on a free port. Use as a context manager; it is ended by its own pid."""

    def __init__(self, state_dir: Path, *arguments: str, env: Mapping[str, str] | None = None) -> None:
        self.state_dir = state_dir
        self.arguments: Sequence[str] = arguments
        quiet = {"WATTLEDGER_WORKLOADS__DECLARED__LISTEN": "false"}  # the node's socket is for the node's daemon
        self.env = {**os.environ, "PYTHONUNBUFFERED": "1", **quiet, **(env or {})}
        self.log: list[str] = []
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(60)
        self._reader.join(5)

    def start(self) -> None:
        """Start it and wait until it says where its page is."""
        command = [COMMAND, "run", "--state-dir", str(self.state_dir), "--listen", "127.0.0.1:0", *self.arguments]
        self.process = subprocess.Popen(
            command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
        )
        self.url = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(lambda: self.url or self.process.poll() is not None, "the address was printed")
        assert self.url, "\n".join(self.log)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.log.append(line.rstrip("\n"))
                found = URL.search(line)
                if found and not self.url:
                    self.url = found.group()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Status and body."""
        request = urllib.request.Request(self.url + path, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except (urllib.error.URLError, ConnectionError):  # between two processes nobody listens
            return 0, ""

    def series(self) -> Series:
        """Every sample of /metrics, by name and labels."""
        return parse(self.get("/metrics")[1])

    def wait_ready(self) -> None:
        until(lambda: self.get("/-/ready")[0] == 200, "the daemon became ready")

    def kill9(self) -> None:
        self.process.kill()
        self.process.wait(60)

    def stop(self, deadline_s: float = 60) -> int:
        """SIGTERM, as systemd or Kubernetes would; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(deadline_s)


def parse(exposition: str) -> Series:
    """Samples by name and sorted labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
    }


def total(series: Series, name: str, **labels: str) -> float:
    """Sum of the samples of a metric that carry these labels."""
    wanted = set(labels.items())
    return sum(value for (metric, have), value in series.items() if metric == name and wanted <= set(have))
