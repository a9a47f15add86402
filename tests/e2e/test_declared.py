"""A process declares itself to the real daemon, over the real socket: it is charged under that name."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon, total, until

pytestmark = pytest.mark.timeout(240)

WORKLOAD = "wattledger_workload_energy_joules_total"
CONFIG = """
[sampling]
tick = "1s"
commit = "1s"
[[workloads.rules]]
match = { kind = "run", command = "train*" }
set = { team = "nlp", cost_centre = "CC-{run}" }
"""


@contextmanager
def burning() -> Iterator[None]:
    """Keep the own process busy."""
    stop = threading.Event()

    def burn() -> None:
        while not stop.is_set():
            sum(range(10_000))

    thread = threading.Thread(target=burn)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)


def test_a_process_that_declares_itself_is_charged_under_that_name(tmp_path: Path) -> None:
    """On this very machine, where CPU energy may only be modelled."""
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # the path of a socket is at most 107 bytes long
        path = Path(folder, "s")
        env = {"WATTLEDGER_WORKLOADS__DECLARED__LISTEN": "true", "WATTLEDGER_WORKLOADS__DECLARED__SOCKET": str(path)}
        with Daemon(tmp_path / "state", "--config", str(config), env=env) as daemon:
            daemon.wait_ready()
            with socket.socket(socket.AF_UNIX) as client, burning():
                client.connect(str(path))
                token = os.urandom(16).hex()
                words = {"run": "42", "token": token, "project": "bert", "phase": "training", "command": "train.py"}
                for message in ({"op": "hello", "v": 1}, {"op": "declare", **words}):
                    client.sendall(json.dumps(message).encode() + b"\n")
                client.sendall(json.dumps({"op": "add", "token": token, "units": {"tokens": 5}}).encode() + b"\n")
                labels = {"workload": "run/42", "kind": "run", "team": "nlp", "project": "bert", "phase": "training"}
                until(lambda: total(daemon.series(), WORKLOAD, **labels) > 0, "energy was charged to the run")
                until(
                    lambda: total(daemon.series(), "wattledger_workload_units_total", workload="run/42") == 5,
                    "the tokens were counted",
                )
                info = {"workload": "run/42", "cost_centre": "CC-42"}
                assert total(daemon.series(), "wattledger_workload_info", **info) == 1
            assert daemon.stop() == 0
            assert not path.exists()
