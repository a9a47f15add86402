"""A real Prometheus that knows a past: blocks made of an OpenMetrics text, with the samples' own times."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.daemon import until
from tests.e2e.prometheus import Prometheus, free_port


@contextmanager
def past_of(folder: Path, text: str) -> Iterator[Prometheus]:
    """Serve ``text`` (OpenMetrics with timestamps, without ``# EOF``), and scrape nothing."""
    folder.mkdir(parents=True)
    source, data, config = folder / "past.om", folder / "data", folder / "prometheus.yml"
    source.write_text(text + "# EOF\n", encoding="utf-8")
    config.write_text("{}\n", encoding="utf-8")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "-q", str(source), str(data)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    address = f"127.0.0.1:{free_port()}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address={address}",
                "--log.level=warn",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            server = Prometheus(f"http://{address}")
            until(server.up, "Prometheus became ready")
            yield server
        finally:
            process.terminate()
            process.wait(20)
