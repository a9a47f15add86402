"""A node with two GPUs and two CPU packages that runs in real time, for the daemon as a child process."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.daemon import Daemon
from tests.fakes.machine import Machine
from tests.fakes.nvml.fake_nvml import FakeNvml
from tests.fakes.nvml.parts import FakeGpu, FakeProcess

FAST = """
[node]
hostname = "node-1"
site = "here"
[site.here]
zone = "FR"
pue = 1.2
pue_source = "test"
[sampling]
tick = "1s"
commit = "1s"
"""


@dataclass
class Rig:
    """The faked machine and how to start a daemon on it."""

    folder: Path
    nvml: FakeNvml
    machine: Machine

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    def daemon(self, *arguments: str, config: str = FAST) -> Daemon:
        path = self.folder / "config.toml"
        path.write_text(config, encoding="utf-8")
        roots = ("--path.sysfs", str(self.machine.sysfs), "--path.procfs", str(self.machine.procfs))
        return Daemon(self.state_dir, "--config", str(path), *roots, *arguments, env=self.nvml.env())


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    gpus = [
        FakeGpu(power=((0.0, 300.0),), processes=(FakeProcess(os.getpid(), sm_percent=80),)),
        FakeGpu(power=((0.0, 70.0),)),
    ]
    nvml = FakeNvml(tmp_path / "nvml", gpus, virtual=False)
    machine = Machine.xeon(tmp_path / "machine")
    with contextlib.ExitStack() as stack:
        stack.callback(machine.close)
        stack.enter_context(machine.run())
        yield Rig(tmp_path, nvml, machine)
