"""The daemon on a real NVIDIA GPU: whether the energy is right, what driver calls cost, whose the processes are.

    python -m tests.benchmarks.gpu_smoke           two minutes: idle, bursts at 1 Hz, a steady load
    sh tests/benchmarks/gpu_smoke.sh WHEELS        the same where nothing is installed

It watches the first GPU of NVML beside the daemon, many times a second, and holds the two against each other. The
result is printed and kept in ``tests/benchmarks/results/``. Needs no network, and nothing but wattledger itself.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pynvml

from tests.benchmarks import machine
from tests.benchmarks.gpu_calls import costs
from tests.benchmarks.gpu_findings import Observed, Phase, Snapshot, rows_of
from tests.benchmarks.gpu_loads import FrameworkLoad, Load
from tests.benchmarks.gpu_samples import Sampler, boot_ns
from tests.benchmarks.process import usage
from tests.benchmarks.rows import Row, markdown_table, text_table
from tests.e2e.daemon import COMMAND, Daemon, until
from tracker.ledger.files import LEDGER_FILE
from tracker.ledger.opening import read_opening
from tracker.ledger.readonly import ask
from tracker.workloads.paths import identify_process

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Plan:
    """How long each part takes, and where the daemon looks. ``flags``: of every ``wattledger`` command."""

    idle_s: float = 30.0
    burst_s: float = 45.0
    steady_s: float = 45.0
    call_s: float = 0.5
    sample_s: float = 0.02
    procfs: Path = Path("/proc")
    flags: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was found."""

    about: Mapping[str, str]
    rows: Sequence[Row]
    check: str
    verify: str

    def markdown(self) -> str:
        lines = [f"- {name}: {value}" for name, value in self.about.items()]
        said = "".join(
            f"\n## `wattledger {name}`\n\n```\n{text}\n```\n"
            for name, text in (("check", self.check), ("verify", self.verify))
        )
        return f"# GPU smoke test\n\n{chr(10).join(lines)}\n\n{markdown_table(self.rows)}{said}"

    def text(self) -> str:
        lines = [f"{name}: {value}" for name, value in self.about.items()]
        return f"{self.check}\n\n{chr(10).join(lines)}\n\n{text_table(self.rows)}\n{self.verify}\n"

    def as_dict(self) -> dict[str, object]:
        return {
            "about": dict(self.about),
            "rows": [row.as_dict() for row in self.rows],
            "check": self.check,
            "verify": self.verify,
        }


def run(plan: Plan, load: Load, folder: Path) -> Report:
    """All of it; ``folder`` is for the daemon's state. NVML must have been initialised."""
    gpu = pynvml.nvmlDeviceGetHandleByIndex(0)
    state_dir = folder / "state"
    said = _say(plan, "check")
    quiet_calls = list(costs(gpu, plan.call_s))
    observed = _observe(plan, load, gpu, state_dir)
    load.start("steady", 60 * plan.call_s + 5)
    busy_calls = list(costs(gpu, plan.call_s))
    load.stop()
    verified = _say(plan, "verify", "--state-dir", str(state_dir))
    rows = [*rows_of(observed), *_titled(quiet_calls, "idle"), *_titled(busy_calls, "under load")]
    return Report(_about(gpu, load), rows, said, verified)


def save(report: Report, folder: Path = RESULTS) -> Path:
    """Keep it as text and JSON; the path of the text."""
    folder.mkdir(exist_ok=True)
    model = re.sub(r"[^a-z0-9]+", "-", report.about["GPU"].lower()).strip("-")
    path = folder / f"gpu-smoke-{model}-{report.about['date']}.md"
    path.write_text(report.markdown(), encoding="utf-8")
    path.with_suffix(".json").write_text(json.dumps(report.as_dict(), indent=2) + "\n", encoding="utf-8")
    return path


def _observe(plan: Plan, load: Load, gpu: Any, state_dir: Path) -> Observed:
    """The daemon through the three phases, watched."""
    sampler = Sampler(gpu, plan.sample_s)
    sampler.start()
    with Daemon(state_dir, *plan.flags, env=plan.env) as daemon:
        daemon.wait_ready()
        first = ask(state_dir / LEDGER_FILE, read_opening)
        cpu = usage(daemon.process.pid)
        begin_s = time.monotonic()
        phases = [_phase("idle", plan.idle_s, None, daemon, plan)]
        phases += [
            _phase(name, s, load, daemon, plan) for name, s in (("burst", plan.burst_s), ("steady", plan.steady_s))
        ]
        spent = usage(daemon.process.pid)
        minutes = (time.monotonic() - begin_s) / 60
        last = ask(state_dir / LEDGER_FILE, read_opening)
        code = daemon.stop()
    return Observed(
        uuid=pynvml.nvmlDeviceGetUUID(gpu),
        samples=sampler.end(),
        phases=phases,
        first=first,
        last=last,
        cpu_s_per_min=(spent.cpu_s - cpu.cpu_s) / minutes,
        peak_rss_mib=spent.peak_rss_mib,
        exit_code=code,
    )


def _phase(name: str, seconds: float, load: Load | None, daemon: Daemon, plan: Plan) -> Phase:
    """One load; ends when the daemon has booked all of it."""
    before = _snapshot(daemon)
    identity, where = None, ""
    start_ns = boot_ns()
    if load is not None:
        pid = load.start(name, seconds)
        where = (plan.procfs / str(pid) / "cgroup").read_text(encoding="utf-8", errors="replace").strip()
        identity = identify_process(where)
        start_ns = boot_ns()
    time.sleep(seconds)
    end_ns, end_wall_s = boot_ns(), time.time()
    if load is not None:
        load.stop()
    until(lambda: _snapshot(daemon)["ledger"]["commit_wall_s"] > end_wall_s, "the daemon booked", 30)
    return Phase(name, start_ns, end_ns, before, _snapshot(daemon), identity, where)


def _snapshot(daemon: Daemon) -> Snapshot:
    snapshot: Snapshot = json.loads(daemon.get("/api/v1/snapshot")[1])["snapshot"]
    return snapshot


def _say(plan: Plan, *command: str) -> str:
    """What a command prints, and its exit code."""
    flags = [] if command[0] == "verify" else plan.flags
    done = subprocess.run(
        [COMMAND, *command, *flags], env=Daemon(Path(), env=plan.env).env, capture_output=True, text=True, check=False
    )
    return f"{done.stdout}{done.stderr}".strip() + f"\n(exit code {done.returncode})"


def _titled(rows: Sequence[Row], when: str) -> list[Row]:
    return [Row(f"{row.section}, {when}", row.metric, row.value, row.unit, row.budget, row.how) for row in rows]


def _about(gpu: Any, load: Load) -> dict[str, str]:
    return {
        "GPU": str(pynvml.nvmlDeviceGetName(gpu)),
        "GPUs": str(pynvml.nvmlDeviceGetCount()),
        "driver": str(pynvml.nvmlSystemGetDriverVersion()),
        "load": load.name,
        **machine.describe(),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu_smoke", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", type=float, default=120.0, help="all three phases together [120]")
    parser.add_argument("--framework", default="auto", help="torch, cupy, jax, numba or driver [the first that works]")
    options = parser.parse_args(arguments)
    try:
        pynvml.nvmlInit()
        uuid = str(pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(0)))
    except pynvml.NVMLError as error:
        sys.exit(f"There is no NVIDIA GPU that can be read here: {error}. What is missing: wattledger check")
    scale = options.seconds / 120
    plan = Plan(idle_s=30 * scale, burst_s=45 * scale, steady_s=45 * scale)
    with tempfile.TemporaryDirectory(prefix="wattledger-gpu-smoke-") as folder:
        report = run(plan, FrameworkLoad(uuid, options.framework), Path(folder))
    print(report.text())
    print(f"kept in {save(report).relative_to(Path.cwd())}")


if __name__ == "__main__":
    main()
