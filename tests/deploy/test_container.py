"""The container image, built with buildah and run with podman on a faked node."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.deploy.image import TRIPLET
from tests.deploy.podman import HARDENED, WATTLEDGER, Engine, until
from tests.e2e.daemon import Series, parse, total
from tests.e2e.prometheus import free_port, prometheus
from tests.e2e.test_crash import fallen
from tests.e2e.test_ship import Node as Shipping
from tests.fakes.machine import Machine
from tests.fakes.nvml.build import library
from tests.fakes.nvml.fake_nvml import FakeNvml
from tests.fakes.nvml.parts import FakeGpu

pytestmark = pytest.mark.timeout(280)


def fetch(port: int, path: str) -> str:
    """The body of an answer; "" while nobody listens."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    except OSError:
        return ""
    head, _, body = answer.partition("\r\n\r\n")
    return body if " 200 " in head.split("\r\n")[0] else ""


class Node:
    """A faked node as it is mounted into a container."""

    def __init__(self, folder: Path) -> None:
        self.nvml = FakeNvml(folder / "nvml", [FakeGpu(power=((0.0, 300.0),)), FakeGpu()], virtual=False)
        self.nvml.path.chmod(0o666)  # the fake driver's own page, written by the library in the container
        self.machine = Machine.xeon(folder / "machine")
        self.port = free_port()

    @property
    def arguments(self) -> Sequence[str]:
        return ("run", f"--listen=127.0.0.1:{self.port}")

    def flags(self, volume: str) -> list[str]:
        """What NVIDIA's runtime would mount, the host's file systems, and the state."""
        mounts = {
            library(): f"/usr/lib/{TRIPLET}/libnvidia-ml.so.1:ro",
            self.nvml.path: "/nvml/control.page",
            self.machine.sysfs: "/host/sys:ro",
            self.machine.procfs: "/host/proc:ro",
            volume: "/var/lib/wattledger",
        }
        settings = {
            "FAKE_NVML_CONTROL": "/nvml/control.page",
            "WATTLEDGER_SAMPLING__TICK": "1s",
            "WATTLEDGER_SAMPLING__COMMIT": "1s",
            "WATTLEDGER_NODE__HOSTNAME": "node-1",
            "WATTLEDGER_NODE__SYSFS": "/host/sys",
            "WATTLEDGER_NODE__PROCFS": "/host/proc",
            "WATTLEDGER_HEALTH_URL": f"http://127.0.0.1:{self.port}/-/healthy",
        }
        return [f"--volume={source}:{target}" for source, target in mounts.items()] + [
            f"--env={name}={value}" for name, value in settings.items()
        ]

    def series(self) -> Series:
        return parse(fetch(self.port, "/metrics"))

    def wait_ready(self, engine: Engine, name: str) -> None:
        """Until the daemon is ready, or what the container said instead."""
        try:
            until(lambda: fetch(self.port, "/-/ready"), "the daemon became ready", deadline_s=120)
        except AssertionError as error:
            raise AssertionError(engine.logs(name)) from error


@contextmanager
def node(folder: Path) -> Iterator[Node]:
    with ExitStack() as stack:
        made = Node(folder)
        stack.callback(made.machine.close)
        stack.enter_context(made.machine.run())
        yield made


def joules(series: Series, **labels: str) -> float:
    return total(series, "wattledger_device_energy_joules_total", **labels)


@pytest.mark.needs("gcc", "prometheus")
def test_a_node_is_measured_scraped_killed_and_goes_on(engine: Engine, tmp_path: Path) -> None:
    """Without any privilege, on a root file system that cannot be written; the counters survive SIGKILL."""
    with ExitStack() as stack:
        here = stack.enter_context(node(tmp_path))
        volume = stack.enter_context(engine.volume())
        flags = [*HARDENED, *here.flags(volume)]
        name = stack.enter_context(engine.started(WATTLEDGER, *here.arguments, flags=flags))
        here.wait_ready(engine, name)
        server = stack.enter_context(prometheus(tmp_path / "prometheus", f"127.0.0.1:{here.port}"))
        until(lambda: joules(here.series(), component="gpu", method="measured") > 600, "two seconds of 300 W")
        assert engine.podman("healthcheck", "run", name).returncode == 0
        before = here.series()
        engine.ok("kill", "--signal=KILL", name)
        engine.ok("wait", name)
        engine.ok("start", name)
        here.wait_ready(engine, name)
        after = here.series()
        assert fallen(before, after) == {}
        assert joules(after, component="gpu") > joules(before, component="gpu")
        assert total(after, "wattledger_conservation_error_joules") == 0
        energy = "sum by (component) (wattledger_device_energy_joules_total)"
        until(lambda: len(server.query(energy)) >= 2, "Prometheus scraped it")
        assert "Everything adds up" in engine.ok("exec", name, "wattledger", "verify")
        engine.ok("stop", "--time=5", name)
        assert "Everything is booked and closed" in engine.logs(name)
        assert engine.ok("inspect", "--format={{.State.ExitCode}}", name) == "0"


@pytest.mark.needs("gcc")
@pytest.mark.parametrize(("user", "measured"), [("65532:65532", False), ("0:0", True)])
def test_rapl_needs_the_hosts_root_and_no_capability(engine: Engine, tmp_path: Path, user: str, measured: bool) -> None:
    """0400 files of root: nobody else gets CPU energy, and uid 0 gets it with every capability dropped."""
    with node(tmp_path) as here, engine.volume() as volume:
        flags = [*HARDENED, f"--user={user}", *here.flags(volume)]
        with engine.started(WATTLEDGER, *here.arguments, flags=flags) as name:
            here.wait_ready(engine, name)
            until(lambda: joules(here.series(), component="cpu") > 0, "CPU energy was booked")
            assert (joules(here.series(), component="cpu", method="measured") > 0) is measured
            said = engine.podman("exec", name, "wattledger", "check").stdout
            assert ("This process may not read the RAPL energy counters" in said) is not measured, said


def test_what_is_missing_is_said_with_its_remedy(engine: Engine, tmp_path: Path) -> None:
    """No NVIDIA runtime, a state folder that cannot be written, a port that is taken: one sentence, no traceback."""
    without = engine.once("check")
    assert without.returncode == 1
    assert "--gpus all" in without.stdout
    assert "NVIDIA_DRIVER_CAPABILITIES=utility" in without.stdout
    (tmp_path / "state").mkdir()
    read_only = engine.once("run", "--listen=127.0.0.1:0", flags=[f"--volume={tmp_path}/state:/var/lib/wattledger:ro"])
    assert read_only.returncode == 1
    assert "The ledger cannot be kept in /var/lib/wattledger" in read_only.stderr
    assert "Choose another folder with --state-dir" in read_only.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        in_use = engine.once("run", f"--listen=127.0.0.1:{port}")
    assert in_use.returncode == 1
    assert f"The address 127.0.0.1:{port} is taken by another process" in in_use.stderr
    assert "Traceback" not in without.stderr + read_only.stderr + in_use.stderr


def test_a_month_is_shipped_and_exported(engine: Engine, tmp_path: Path) -> None:
    """DuckDB, the books and the files for finance on a root file system that cannot be written, with no /tmp."""
    planted = Shipping(tmp_path)
    planted.run(3)
    for folder in (planted.state_dir, planted.books):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
    for path in planted.state_dir.iterdir():
        path.chmod(0o666)
    flags = [
        f"--volume={planted.state_dir}:/var/lib/wattledger",
        f"--volume={planted.books}:/var/lib/wattledger-books",
        f"--volume={planted.config}:/etc/wattledger/config.toml:ro",
        "--env=WATTLEDGER_BOOKS__URL=/var/lib/wattledger-books",
    ]
    shipped = engine.once("ship", flags=flags)
    assert shipped.returncode == 0, shipped.stderr
    exported = engine.once("export", "--month=2026-10", "--format=csv", "-o", "-", flags=flags)
    assert exported.returncode == 0, exported.stderr
    assert "train-1" in exported.stdout or "nlp" in exported.stdout
