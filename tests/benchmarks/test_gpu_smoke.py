"""The GPU smoke test, on a GPU that exists only as a C library: what it would say on real hardware can be trusted."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pynvml
import pytest

from tests.benchmarks.gpu_calls import CALLS
from tests.benchmarks.gpu_loads import Load
from tests.benchmarks.gpu_samples import Sample, counted_uj, integrated_uj, steps, window_ratios
from tests.benchmarks.gpu_smoke import Plan, Report, run, save
from tests.benchmarks.rows import Row
from tests.fakes.machine import Machine
from tests.fakes.nvml.fake_nvml import FakeNvml
from tests.fakes.nvml.parts import A100, FakeGpu, FakeProcess

REPO = Path(__file__).resolve().parents[2]
CONTAINER = "c" * 64
SETTINGS = """
[sampling]
tick = "1s"
commit = "1s"
[sources]
nvml = { period_s = 0.2, process_period_s = 0.4 }
"""


class ScriptedLoad(Load):
    """A process in a container of the simulated node, and the power that it makes the simulated GPU draw."""

    name = "scripted"

    def __init__(self, nvml: FakeNvml, machine: Machine) -> None:
        self._nvml, self._machine = nvml, machine
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, pattern: str, seconds: float) -> int:
        child = self._child = subprocess.Popen(["sleep", "60"])
        folder = self._machine.procfs / str(child.pid)
        folder.mkdir()
        (folder / "cgroup").write_text(f"0::/system.slice/docker-{CONTAINER}.scope\n")
        (folder / "stat").write_text(f"{child.pid} (python3) S {' '.join(['1'] * 18)} 99 {' '.join(['0'] * 30)}\n")
        self._nvml.set_power(0, 350)
        self._nvml.set_processes(0, [FakeProcess(child.pid, sm_percent=90)])
        return child.pid

    def stop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            self._nvml.set_power(0, 60)
            self._nvml.set_processes(0, [])
            child.kill()
            child.wait()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    folder = tmp_path_factory.mktemp("smoke")
    machine = Machine.xeon(folder / "node")
    (machine.cgroup_root / "cgroup.controllers").write_text("cpu memory\n")
    nvml = FakeNvml(folder / "nvml", [FakeGpu(A100, power=[(0, 60)])], virtual=False)
    nvml.load()
    pynvml.nvmlInit()
    settings = folder / "config.toml"
    settings.write_text(SETTINGS, encoding="utf-8")
    flags = ("--config", str(settings), "--path.sysfs", str(machine.sysfs), "--path.procfs", str(machine.procfs))
    plan = Plan(1.0, 1.5, 2.5, 0.01, 0.01, machine.procfs, flags, nvml.env())
    load = ScriptedLoad(nvml, machine)
    try:
        with machine.run():
            yield run(plan, load, folder)
    finally:
        load.stop()
        pynvml.nvmlShutdown()
        machine.close()


def row(report: Report, metric: str, section: str = "") -> Row:
    return next(row for row in report.rows if row.metric == metric and section in row.section)


def value(report: Report, metric: str, section: str = "") -> float:
    found = row(report, metric, section).value
    assert found is not None, f"{metric} was not measured"
    return found


@pytest.mark.needs("gcc")
def test_counter_and_integrated_power_agree(report: Report) -> None:
    """Without this an operator could not tell a lying counter from a lying test."""
    assert 0.9 < value(report, "steady: counter / integrated instantaneous power") < 1.1
    assert 0.8 < value(report, "booked / integrated power, all phases") < 1.2


@pytest.mark.needs("gcc")
def test_the_steps_of_the_counter_are_seen(report: Report) -> None:
    """The simulated board publishes every 100 ms."""
    assert 60 < value(report, "steady: time between two steps of the counter, p50") < 140
    assert row(report, "steady: counter / integrated power over 5 s, p50").value is None, "the phase is shorter"


@pytest.mark.needs("gcc")
def test_the_load_is_charged_to_its_container(report: Report) -> None:
    assert value(report, "steady: GPU energy charged to the load's workload") > 20
    assert f"container/{CONTAINER}" in row(report, "steady: GPU energy charged to the load's workload").how


@pytest.mark.needs("gcc")
def test_every_call_has_a_cost_idle_and_under_load(report: Report) -> None:
    for when in ("idle", "under load"):
        named = [row for row in report.rows if row.section == f"NVML calls, {when}"]
        assert len(named) == len(CALLS)
        assert all(row.value is not None and row.value > 0 and "p99" in row.how for row in named)


@pytest.mark.needs("gcc")
def test_what_the_commands_said_is_in_it(report: Report) -> None:
    assert report.check.endswith("(exit code 0)")
    assert "A100" in report.check
    assert report.verify.endswith("(exit code 0)")


@pytest.mark.needs("gcc")
def test_it_is_kept_as_text_and_as_json(report: Report, tmp_path: Path) -> None:
    path = save(report, tmp_path)
    assert re.fullmatch(r"gpu-smoke-nvidia-a100-sxm4-80gb-\d{4}-\d\d-\d\d\.md", path.name)
    assert "| steady: counter / integrated instantaneous power |" in path.read_text(encoding="utf-8")
    kept = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    assert kept["about"]["driver"] == "590.48.01"
    assert len(kept["rows"]) == len(report.rows)
    assert "wattledger check" in report.markdown()
    assert "NVML calls, idle" in report.text()


def test_the_list_of_calls_is_the_source_s() -> None:
    """A call that the daemon learns to make must be measured too."""
    source = ast.parse((REPO / "tracker" / "sources" / "nvml_driver.py").read_text(encoding="utf-8"))
    words = {str(n.value) for n in ast.walk(source) if isinstance(n, ast.Constant)}
    words |= {n.attr for n in ast.walk(source) if isinstance(n, ast.Attribute)}
    made = {word for word in words if re.fullmatch(r"nvml(Device|System)[A-Za-z0-9_]+", word)}
    assert made == {name for name, _, _ in CALLS}


def trace(seconds: int, lag_ms: int = 0) -> list[Sample]:
    """100 W and, from the middle on, 400 W; the counter publishes every 100 ms, so much too late."""
    middle_ms = seconds * 500

    def energy_uj(at_ms: int) -> int:
        return (100 * at_ms + 300 * max(0, at_ms - middle_ms)) * 1000

    return [
        Sample(at_ms * 1_000_000, energy_uj(max(0, at_ms - lag_ms) // 100 * 100), power_mw, power_mw)
        for at_ms in range(0, seconds * 1000, 25)
        for power_mw in [400_000 if at_ms >= middle_ms else 100_000]
    ]


def test_a_lagging_counter_shows_in_short_windows() -> None:
    """The longer the window, the less a lag of 300 ms matters."""
    worst = [min(window_ratios(trace(40, lag_ms=300), window_s)) for window_s in (0.5, 1.0, 2.0, 5.0)]
    assert worst == sorted(worst)
    assert worst[0] < 0.6
    assert worst[-1] > 0.8


def test_a_prompt_counter_agrees_in_every_window() -> None:
    assert all(0.9 < ratio < 1.1 for ratio in window_ratios(trace(40), 5.0))


def test_steps_have_a_time_and_a_size() -> None:
    assert set(steps(trace(4))) == {(100.0, 10_000_000), (100.0, 40_000_000)}


def test_what_is_not_offered_is_no_energy() -> None:
    blind = [Sample(i * 1_000_000, None, None, None) for i in range(100)]
    assert counted_uj(blind) is None
    assert integrated_uj(blind, instant=True) is None
    assert window_ratios(blind, 0.01) == []
    assert list(steps(blind)) == []


def test_the_script_says_how_to_make_the_wheels() -> None:
    script = str(REPO / "tests" / "benchmarks" / "gpu_smoke.sh")
    shown = subprocess.run(["sh", script, "--help"], capture_output=True, text=True, check=True).stdout
    assert "pip wheel --no-deps --wheel-dir wheels ." in shown
    refused = subprocess.run(["sh", script, "nowhere"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "There is no folder nowhere" in refused.stderr


def test_without_a_gpu_it_says_so() -> None:
    command = [sys.executable, "-m", "tests.benchmarks.gpu_smoke"]
    ended = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=False)
    if ended.returncode == 0:
        pytest.skip("this machine has a GPU")
    assert ended.stderr.startswith("There is no NVIDIA GPU that can be read here: ")
