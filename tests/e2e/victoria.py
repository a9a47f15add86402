"""A real VictoriaMetrics that knows a past."""

from __future__ import annotations

import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.daemon import until
from tests.e2e.prometheus import free_port


@contextmanager
def victoria(folder: Path, text: str) -> Iterator[str]:
    """Serve ``text`` (OpenMetrics with timestamps in seconds, without ``# EOF``). Yields the address."""
    folder.mkdir(parents=True)
    url = f"http://127.0.0.1:{free_port()}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "victoria-metrics",
                f"-storageDataPath={folder / 'data'}",
                f"-httpListenAddr={url.removeprefix('http://')}",
                "-retentionPeriod=100y",  # of a month by default
                "-memory.allowedBytes=256MB",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            until(lambda: _get(f"{url}/health"), "VictoriaMetrics became ready")
            _import(url, text)
            yield url
        finally:
            process.terminate()
            process.wait(20)


def _import(url: str, text: str) -> None:
    """Its import wants milliseconds and no metadata; what it has taken is searchable after a flush."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("#"):
            series, value, at_s = line.rsplit(" ", 2)
            lines.append(f"{series} {value} {round(float(at_s) * 1000)}\n")
    request = urllib.request.Request(f"{url}/api/v1/import/prometheus", "".join(lines).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 204
    assert _get(f"{url}/internal/force_flush")


def _get(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
