"""What a real Prometheus makes of the daemon: it scrapes, and rate() answers with the scripted watts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Rig
from tests.e2e.daemon import until
from tests.e2e.prometheus import prometheus


@pytest.mark.needs("gcc", "prometheus")
@pytest.mark.timeout(240)
def test_rate_answers_with_the_scripted_watts(rig: Rig, tmp_path: Path) -> None:
    """300 W and 70 W of GPU, over a restart in the middle of the window: counters neither fall nor jump."""
    first, second = (gpu.uuid for gpu in rig.nvml.gpus)
    daemon = rig.daemon("--listen", "127.0.0.1:0")
    with daemon:
        daemon.wait_ready()
        port = daemon.url.rsplit(":", 1)[1]
        with prometheus(tmp_path / "prometheus", f"127.0.0.1:{port}") as server:
            count = "count_over_time(wattledger_device_energy_joules_total[5m])"
            until(lambda: max(server.query(count).values(), default=0) >= 15, "fifteen scrapes", deadline_s=90)
            daemon.kill9()
            daemon.arguments = (*daemon.arguments, "--listen", f"127.0.0.1:{port}")
            daemon.start()
            until(lambda: max(server.query(count).values(), default=0) >= 40, "forty scrapes", deadline_s=120)
            watts = {
                dict(labels)["device"]: value
                for labels, value in server.query("rate(wattledger_device_energy_joules_total[30s])").items()
            }
            assert abs(watts[first] - 300) < 15
            assert abs(watts[second] - 70) < 4
            assert sum(server.query("resets(wattledger_device_energy_joules_total[5m])").values()) == 0
            assert sum(server.query("resets(wattledger_workload_energy_joules_total[5m])").values()) == 0
            by_team = server.query("sum by (component) (rate(wattledger_workload_energy_joules_total[30s]))")
            by_device = server.query("sum by (component) (rate(wattledger_device_energy_joules_total[30s]))")
            assert by_team.keys() == by_device.keys()
            for labels, value in by_team.items():
                assert abs(value - by_device[labels]) <= 0.02 * by_device[labels] + 1
            warnings = [
                entry["metric"]
                for entry in server.get("/api/v1/targets/metadata", match_target='{job="wattledger"}')
                if entry["metric"].startswith("wattledger_") and not entry["help"]
            ]
            assert warnings == []
