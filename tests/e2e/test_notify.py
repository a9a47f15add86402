"""A daemon that hands over to a new process stays the same service to systemd."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import FAST, Rig
from tests.e2e.daemon import Daemon, until
from tests.fakes.servicemanager import service_manager

RM_VERSION_MISMATCH = 18  # nvml.h: NVML_ERROR_LIB_RM_VERSION_MISMATCH, the driver was upgraded under us


@pytest.mark.needs("gcc")
@pytest.mark.timeout(120)
def test_an_upgrade_of_the_driver_is_no_stop(rig: Rig, tmp_path: Path) -> None:
    """The new process has the old one's number. After STOPPING=1 systemd would end it when TimeoutStopSec= is over."""
    (tmp_path / "config.toml").write_text(FAST)
    roots = ("--path.sysfs", str(rig.machine.sysfs), "--path.procfs", str(rig.machine.procfs))
    given = ("--config", str(tmp_path / "config.toml"), *roots)
    with (
        service_manager() as manager,
        Daemon(rig.state_dir, *given, env={**rig.nvml.env(), **manager.environ}) as daemon,
    ):
        until(lambda: "WATCHDOG=1" in manager.said, "the first process ticks")
        rig.nvml.fault(0, RM_VERSION_MISMATCH)
        rig.nvml.fault(1, RM_VERSION_MISMATCH)
        until(lambda: sum(message.startswith("READY=1") for message in manager.said) == 2, "the second one is ready")
        assert any("event=restarting" in line for line in daemon.log)
        assert not any(message.startswith("STOPPING") for message in manager.said)
        assert daemon.stop() == 0
        assert manager.said[-1].startswith("STOPPING=1\n")
