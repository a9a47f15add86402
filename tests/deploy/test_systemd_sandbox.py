"""What the units forbid is not needed: daemon, shipping and portal do their work under it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.deploy.installing import DEPLOY, REPO
from tests.e2e.daemon import COMMAND, Daemon, total, until
from tests.e2e.test_serve import Served
from tests.e2e.test_ship import Node as LedgerNode
from tests.fakes.machine import Machine as Node
from tests.fakes.nvml.fake_nvml import FakeNvml
from tests.fakes.nvml.parts import FakeGpu
from tests.fakes.sandbox import allowed_calls
from tests.fakes.servicemanager import service_manager
from tests.finance import portal_books

SYSTEMD = DEPLOY / "systemd"
DEVICE = "wattledger_device_energy_joules_total"
pytestmark = pytest.mark.needs("systemd")


def confined(unit: str) -> list[str]:
    """In front of a command: under what this unit forbids."""
    return [sys.executable, "-m", "tests.fakes.sandbox", str(SYSTEMD / unit)]


class Confined(Daemon):
    """The daemon under its unit."""

    def start(self) -> None:
        run = [COMMAND, "run", "--state-dir", str(self.state_dir), "--listen", "127.0.0.1:0", *self.arguments]
        command = [*confined("wattledger.service"), *run]
        self.process = subprocess.Popen(
            command, cwd=REPO, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(lambda: self.url or self.process.poll() is not None, "the address was printed")
        assert self.url, "\n".join(self.log)


def test_the_filter_is_the_units() -> None:
    calls = allowed_calls(SYSTEMD / "wattledger.service")
    assert {"read", "sendto", "execve", "prlimit64", "flock"} <= calls
    assert not calls & {"chown", "setuid", "bpf", "mount", "ptrace", "init_module", "setpriority", "kexec_load"}


@pytest.mark.needs("root")
@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import os; os.chown('.', 1, 1)", "PermissionError"),
        ("import mmap; mmap.mmap(-1, 4096, prot=7)", "PermissionError"),
        ("open('/proc/self/status').read().index('CapEff:\\t0000000000000000')", ""),
    ],
)
def test_the_sandbox_holds(code: str, said: str) -> None:
    """Or the tests below would prove nothing."""
    if "mmap" in code and tuple(map(int, os.uname().release.split(".")[:2])) < (6, 3):
        pytest.skip("this kernel has no PR_SET_MDWE, which stands for MemoryDenyWriteExecute= here")
    command = [*confined("wattledger.service"), sys.executable, "-c", code]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode == 0) is (said == "")
    assert said in done.stderr


@pytest.mark.needs("root", "gcc")
def test_the_daemon_measures_in_its_sandbox(tmp_path: Path) -> None:
    """GPUs by NVML through ctypes, packages by RAPL, processes by /proc, runs by their socket, and tables."""
    nvml = FakeNvml(tmp_path / "nvml", [FakeGpu(power=((0.0, 300.0),))], virtual=False)
    node = Node.xeon(tmp_path / "node")
    config = tmp_path / "config.toml"
    config.write_text('[site.here]\nzone = "FR"\n[sampling]\ntick = "1s"\ncommit = "1s"\n')
    roots = ("--path.sysfs", str(node.sysfs), "--path.procfs", str(node.procfs))
    with ExitStack() as stack:
        stack.callback(node.close)
        stack.enter_context(node.run())
        manager = stack.enter_context(service_manager())
        folder = stack.enter_context(TemporaryDirectory(dir="/tmp", prefix="wl-"))
        socket = {
            "WATTLEDGER_WORKLOADS__DECLARED__LISTEN": "true",
            "WATTLEDGER_WORKLOADS__DECLARED__SOCKET": f"{folder}/s",
        }
        env = {**nvml.env(), **manager.environ, **socket}
        daemon = stack.enter_context(Confined(tmp_path / "state", "--config", str(config), *roots, env=env))
        daemon.wait_ready()
        until(lambda: total(daemon.series(), DEVICE, component="gpu") > 300, "GPU energy was booked")
        until(lambda: total(daemon.series(), DEVICE, component="cpu", method="measured") > 0, "so was the CPU's")
        series = daemon.series()
        assert total(series, "wattledger_workload_emissions_grams_total", basis="location") > 0
        assert total(series, "wattledger_source_errors_total") == 0
        assert Path(folder, "s").is_socket()
        assert daemon.stop() == 0
        assert [message.split("\n")[0] for message in (manager.said[0], manager.said[-1])] == ["READY=1", "STOPPING=1"]


@pytest.mark.needs("root")
def test_hours_are_shipped_in_their_sandbox(tmp_path: Path) -> None:
    """The store, and the writer of Parquet with its threads."""
    node = LedgerNode(tmp_path)
    node.run(30)
    command = [*confined("wattledger-ship.service"), *node.command("--json")]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["created"]) > 3


@pytest.mark.needs("root")
def test_the_portal_makes_statements_in_its_sandbox(tmp_path: Path) -> None:
    """The query engine, the workbook and their temporary files."""
    books = Path(portal_books.make(tmp_path / "books").url)
    served = Served(tmp_path, books)
    served.command = [*confined("wattledger-serve.service"), *served.command]
    with served:
        for name in ("csv", "xlsx", "parquet"):
            status, _, body = served.get(f"/api/v1/statements/2026-10?format={name}")
            assert (status, len(body) > 500) == (200, True), "\n".join(served.log)
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(60) == 0
