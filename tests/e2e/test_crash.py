"""P1 and P2 on the live daemon: killed at random instants, a hundred times, on sensors that count on meanwhile."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import time

import pytest

from tests.e2e.conftest import Rig
from tests.e2e.daemon import COMMAND, Series, total

COUNTERS = ("_energy_joules_total", "_emissions_grams_total", "_held_seconds_total")
KILLS = 100


def fallen(before: Series, after: Series) -> dict[object, tuple[float, float]]:
    """Counters that are lower than they were, or gone."""
    return {
        key: (value, after.get(key, -1.0))
        for key, value in before.items()
        if key[0].endswith(COUNTERS) and after.get(key, -1.0) < value
    }


def positions(rig: Rig) -> dict[str, tuple[int, int]]:
    """Each device's (counter that is booked up to, booked energy), read as any auditor could."""
    with sqlite3.connect(rig.state_dir / "ledger.db") as db:
        query = """SELECT device.key, cursor.counter_uj, device_total.energy_uj
            FROM cursor JOIN device ON device.key = cursor.sensor JOIN device_total USING (device_id)
            WHERE cursor.counter_uj IS NOT NULL"""
        return {key: (counter_uj, energy_uj) for key, counter_uj, energy_uj in db.execute(query)}


@pytest.mark.needs("gcc")
@pytest.mark.timeout(900)
def test_p1_p2_a_hundred_kills_lose_no_microjoule_and_no_counter_falls(rig: Rig) -> None:
    """After 100 x SIGKILL the booked energy is exactly what the hardware counters moved by."""
    chance = random.Random(20261125)
    daemon = rig.daemon()
    with daemon:
        daemon.wait_ready()
        seen = daemon.series()
        begin = {key: counter - energy for key, (counter, energy) in positions(rig).items()}
        for _ in range(KILLS):
            time.sleep(chance.uniform(0, 0.9))  # when to kill: any instant of start-up, tick or commit
            daemon.kill9()
            daemon.start()
            daemon.wait_ready()
            now = daemon.series()
            assert fallen(seen, now) == {}
            assert total(now, "wattledger_conservation_error_joules") == 0
            seen = now
        assert daemon.stop() == 0
    verify = subprocess.run(
        [COMMAND, "verify", "--state-dir", str(rig.state_dir)], capture_output=True, text=True, timeout=60, check=False
    )
    assert verify.returncode == 0, verify.stdout
    end = positions(rig)
    assert len(end) >= 6
    moved = {key: counter - begin[key] for key, (counter, _) in end.items()}
    assert {key: energy for key, (_, energy) in end.items()} == moved
    assert min(moved.values()) > 0
