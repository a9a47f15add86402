"""The daemon with a live grid service: its factor weighs, its failures hurt nobody, and its token is seen nowhere."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import Rig
from tests.e2e.daemon import COMMAND, Daemon, Series, total, until
from tests.fakes.gridserver import Asked, GridServer

pytestmark = [pytest.mark.needs("gcc"), pytest.mark.timeout(240)]

INTENSITY = "wattledger_grid_intensity_grams_per_kwh"
EMITTED = "wattledger_workload_emissions_grams_total"
TICK = "wattledger_tick_timestamp_seconds"
UP = "wattledger_grid_provider_up"
QUARTER = 900
SECRET = "em-s3cr3t-t0ken"
CONFIG = """
[node]
hostname = "node-252"  # the first of its fleet to ask
site = "here"
[site.here]
zone = "DE"
pue = 1.2
pue_source = "test"
[sampling]
tick = "1s"
commit = "1s"
[accounting]
location_factor = "hourly"
[grid]
poll = "5m"
"""


def quarters(_asked: Asked) -> bytes:
    """Quarters of an hour up to now, 432.5 g/kWh each: the form of api.energy-charts.info/co2eq."""
    now_s = int(time.time())
    times = [now_s // QUARTER * QUARTER - n * QUARTER for n in reversed(range(24))]
    none = [None] * len(times)
    body = {
        "unix_seconds": times,
        "co2eq": [432.5] * len(times),
        "co2eq_forecast": none,
        "substitute": False,
        "deprecated": False,
    }
    return json.dumps(body).encode()


@pytest.fixture
def server() -> Iterator[GridServer]:
    with GridServer({"/co2eq": quarters}) as started:
        yield started


def config_of(server: GridServer, provider: str = "energycharts") -> str:
    return f'{CONFIG}provider = "{provider}"\n[grid.{provider}]\nbase_url = "{server.url}"\n'


def live(series: Series, provider: str) -> float:
    return total(series, INTENSITY, provider=provider, basis="location")


def test_a_service_weighs_the_hours_and_when_it_fails_its_last_values_stay(rig: Rig, server: GridServer) -> None:
    """The whole way: service, child process, store, chain, ledger, /metrics; then a restart with the service gone."""
    with rig.daemon(config=config_of(server)) as daemon:
        daemon.wait_ready()
        before = total(daemon.series(), INTENSITY, provider="tables", tier="4")
        assert before > 0, "until it has answered the yearly factor stands in"
        until(lambda: live(daemon.series(), "energycharts") > 0, "the service's factor is in use")
        series = daemon.series()
        assert total(series, INTENSITY, provider="energycharts", tier="2", factor_type="lifecycle") == 432.5
        assert total(series, UP, provider="energycharts") == 1
        emitted = total(series, EMITTED, basis="location")
        until(lambda: total(daemon.series(), EMITTED, basis="location") > emitted, "emissions were booked by it")
        assert daemon.stop() == 0
    server.play("*", "html")
    with rig.daemon(config=config_of(server)) as daemon:
        daemon.wait_ready()
        assert live(daemon.series(), "energycharts") == 432.5, "from the store, before anybody was asked"
        until(lambda: any("grid_provider_failed" in line for line in daemon.log), "the failure was told")
        series = daemon.series()
        assert live(series, "energycharts") == 432.5
        until(lambda: total(daemon.series(), UP, provider="energycharts") == 0, "the service is shown as down")
        tick = total(series, TICK)
        until(lambda: total(daemon.series(), TICK) > tick + 2, "the agent ticks on")
        assert total(daemon.series(), EMITTED, basis="location") > emitted, "counters only grow"
        assert daemon.stop() == 0
        assert sum("grid_provider_failed" in line for line in daemon.log) == 1, "told once"


def test_a_service_that_hangs_holds_up_neither_the_ticks_nor_the_end(rig: Rig, server: GridServer) -> None:
    server.play("*", "silent")
    with rig.daemon(config=config_of(server)) as daemon:
        daemon.wait_ready()
        until(lambda: server.requests, "the service was asked")
        tick = total(daemon.series(), TICK)
        until(lambda: total(daemon.series(), TICK) > tick + 2, "the agent ticks on")
        children = children_of(daemon.process.pid)
        assert len(children) == 1, "the one that asks"
        assert daemon.stop(5) == 0
        until(lambda: not any(child.exists() for child in children), "the child has ended too", 5)


def children_of(pid: int) -> list[Path]:
    lists = Path("/proc", str(pid), "task").glob("*/children")
    return [Path("/proc", child) for each in lists for child in each.read_text().split()]


def test_a_token_is_in_nothing_that_anybody_can_see(
    rig: Rig, server: GridServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service repeats what it was sent, as careless services do."""
    server.play("*", "401")
    config = config_of(server, "electricitymaps")
    monkeypatch.setenv("WATTLEDGER_GRID__TOKEN", SECRET)
    with rig.daemon("--log.level", "debug", config=config) as daemon:
        daemon.wait_ready()
        until(lambda: any("grid_provider_failed" in line for line in daemon.log), "the refusal was told")
        assert SECRET in json.dumps([dict(asked.headers) for asked in server.requests]), "it was sent"
        shown = [daemon.get(path)[1] for path in ("/", "/metrics", "/api/v1/snapshot")]
        shown += said(rig, daemon)
        assert daemon.stop() == 0
        shown.append("\n".join(daemon.log))
    stored = b"".join(path.read_bytes() for path in rig.state_dir.glob("factors.db*"))
    assert not [text for text in shown if SECRET in text]
    assert SECRET.encode() not in stored


def said(rig: Rig, daemon: Daemon) -> Iterator[str]:
    """What the commands beside the daemon print."""
    config = ("--config", str(rig.folder / "config.toml"), "--state-dir", str(daemon.state_dir))
    for command in (("config", "show"), ("config", "show", "--json"), ("config", "check"), ("grid", "fetch")):
        done = subprocess.run([COMMAND, *command, *config], capture_output=True, text=True, timeout=60, check=False)
        assert "Traceback" not in done.stderr
        yield done.stdout + done.stderr


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('provider = "neso"', "The provider neso does not know the zone DE (Germany). Its zone is known to"),
        ('chain = ["energychart"]', 'grid.chain names "energychart", but there is no such provider. Did you mean'),
        ("[grid.zone.DEE]", "The zone 'DEE' is not known. Did you mean"),
        ("tiers = [0]", "grid.tiers is [0], but tiers are numbers from 1 to 6"),
    ],
)
def test_a_chain_that_cannot_be_stops_the_start_with_the_right_names(tmp_path: Path, text: str, sentence: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(f"{CONFIG}{text}\n", encoding="utf-8")
    command = [COMMAND, "run", "--config", str(path), "--state-dir", str(tmp_path / "s"), "--listen", "127.0.0.1:0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert sentence in done.stderr
    assert "config.toml:" in done.stderr, "with its place"
