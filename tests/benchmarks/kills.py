"""Energy lost over many ``kill -9`` at random instants: the real daemon, counters that run on, then its books.

A killed daemon has read further than it has booked. The next one starts from the booked position of the same counter,
so that in the end everything between the first reading and the last is booked, exactly once.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks.rows import Row
from tests.e2e.daemon import Daemon, until
from tests.fakes.machine import Machine
from tests.fakes.nvml.fake_nvml import FakeNvml
from tests.fakes.nvml.parts import FakeGpu
from tracker.ledger.audit import audit
from tracker.ledger.files import LEDGER_FILE
from tracker.ledger.interface import Opening
from tracker.ledger.opening import read_opening
from tracker.ledger.readonly import ask

SECTION = "kill -9"
GPUS = 2
#: As fast as it goes, so that a kill hits reading, charging, booking and starting alike.
SETTINGS = """
[sampling]
tick = "1s"
commit = "1s"
[sources]
nvml = { period_s = 0.1, process_period_s = 0.5 }
rapl = {}
"""


def run(folder: Path, *, quick: bool) -> list[Row]:
    kills = 10 if quick else 100
    settings = folder / "config.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    machine = Machine.xeon(folder / "node")
    nvml = FakeNvml(folder / "nvml", [FakeGpu()] * GPUS, virtual=False)
    flags = ("--config", str(settings), "--path.sysfs", str(machine.sysfs), "--path.procfs", str(machine.procfs))
    daemon = Daemon(folder / "state", *flags, env=nvml.env())
    ledger = folder / "state" / LEDGER_FILE
    begin_s = time.monotonic()
    with machine.run():
        base = _first_life(daemon, ledger)
        dice = random.Random(9)
        for _ in range(kills):
            for gpu in range(GPUS):
                nvml.set_power(gpu, dice.uniform(70, 700))
            _live_and_die(daemon, dice.uniform(0.0, 1.3))
        for gpu in range(GPUS):
            nvml.set_power(gpu, 0)
        time.sleep(0.3)  # the counters come to rest: their sensor's period is 0.1 s
    counters = {
        **{gpu.uuid: nvml.counter_uj(index) for index, gpu in enumerate(nvml.gpus)},
        **{zone.name: zone.counter_uj for zone in machine.powercap.zones.values()},
    }
    last = _last_life(daemon, ledger, counters)
    lasted = f"{time.monotonic() - begin_s:.0f} s"
    how = f"{len(last.cursors)} counters, {kills} kills at random instants of start, read, tick and commit, {lasted}"
    return _rows(base, last, ledger, how)


def _first_life(daemon: Daemon, ledger: Path) -> Mapping[str, int]:
    """Run until something is booked, and die. What each counter stood at when booking began."""
    daemon.start()
    until(lambda: ledger.exists() and len(ask(ledger, read_opening).cursors) > GPUS, "the counters were booked")
    daemon.kill9()
    opening = ask(ledger, read_opening)
    return {
        key: cursor.counter_uj - opening.devices[key].energy_uj
        for key, cursor in opening.cursors.items()
        if cursor.counter_uj is not None
    }


def _live_and_die(daemon: Daemon, seconds: float) -> None:
    daemon.start()
    time.sleep(seconds)
    daemon.kill9()


def _last_life(daemon: Daemon, ledger: Path, counters: Mapping[str, int]) -> Opening:
    """Run until every cursor stands where its counter has come to rest, and stop in good order."""
    daemon.start()

    def caught_up() -> bool:
        cursors = ask(ledger, read_opening).cursors
        return all(cursor.counter_uj == counters.get(key, cursor.counter_uj) for key, cursor in cursors.items())

    until(caught_up, "the books reached the counters", 30)
    daemon.stop()
    return ask(ledger, read_opening)


def _rows(base: Mapping[str, int], last: Opening, ledger: Path, how: str) -> list[Row]:
    lost = {
        key: (cursor.counter_uj or 0) - base[key] - last.devices[key].energy_uj
        for key, cursor in last.cursors.items()
        if key in base
    }
    worst = max(lost.values(), key=abs, default=0)
    result = audit(ledger)
    findings = len(result.findings)
    return [
        Row(SECTION, "energy lost or booked twice, sum", sum(map(abs, lost.values())), "µJ", 0, how),
        Row(SECTION, "the worst counter", abs(worst), "µJ", 0, f"of {result.energy_uj / 1e6:.0f} J booked in all"),
        Row(SECTION, "findings of verify afterwards", findings, "findings", 0, "conservation, overlap, gaps"),
    ]
