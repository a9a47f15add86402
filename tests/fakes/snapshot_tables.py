"""The workloads of the literal snapshots, as tables: what each used, in energy, idle energy and held time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tracker.core.model import (
    IDLE,
    SYSTEM,
    UNALLOCATED,
    UNATTRIBUTED,
    Component,
    Kind,
    Workload,
)

WH_UJ = 3_600_000_000
HOUR_MS = 3_600_000
#: energy in µJ x intensity in mg/kWh / this = µg: 3.6e12 µJ are a kWh and a mg is 1000 µg.
UNIT_COST_UG = 3_600_000_000
GPU, CPU, DRAM = Component.GPU, Component.CPU, Component.DRAM

#: energy µJ, of it idle µJ, held ms
Use = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Row:
    """A workload, its power now, and its use by component."""

    workload: Workload
    power_mw: int
    use: Mapping[Component, Use]
    live: bool = True
    units: Mapping[str, int] = field(default_factory=dict)


def _use(wh: float, idle_percent: int, hours: float) -> Use:
    energy_uj = round(wh * WH_UJ)
    return energy_uj, energy_uj * idle_percent // 100, round(hours * HOUR_MS)


def _pod(name: str, namespace: str, team: str, project: str, phase: str) -> Workload:
    return Workload(
        f"pod/{name}",
        Kind.POD,
        name,
        namespace=namespace,
        pod=name,
        container="main",
        team=team,
        project=project,
        phase=phase,
    )


def _slurm(job: str, name: str, user: str, team: str, project: str) -> Workload:
    return Workload(
        f"slurm/{job}", Kind.SLURM, name, user=user, job=job, queue="gpu", team=team, project=project, phase="training"
    )


def _unit(name: str) -> Workload:
    return Workload(f"unit/{name}", Kind.UNIT, name)


EIGHT_GPU_WORKLOADS = (
    Row(_pod("llama-pretrain-0", "nlp-train", "nlp", "atlas-70b", "training"), 2_901_410,
        {GPU: _use(31_240, 2, 47.6), CPU: _use(1_710, 0, 0), DRAM: _use(310, 0, 0)}),
    Row(_pod("chat-api-7c9d-x2x4q", "serving", "assist", "chat", "inference"), 402_300,
        {GPU: _use(4_120, 31, 12.0), CPU: _use(412, 0, 0), DRAM: _use(64, 0, 0)}),
    Row(_pod("embed-5f6b-9kkzp", "serving", "search", "embeddings", "inference"), 241_800,
        {GPU: _use(2_380, 44, 12.0), CPU: _use(187, 0, 0), DRAM: _use(31, 0, 0)}),
    Row(_slurm("48211", "protein-fold", "amelie", "bio", "fold-2"), 0,
        {GPU: _use(1_960, 4, 3.1), CPU: _use(205, 0, 0), DRAM: _use(37, 0, 0)}, live=False),
    Row(_slurm("48219", "sweep[17]", "jonas", "vision", "retina"), 79_100,
        {GPU: _use(911, 88, 11.9), CPU: _use(22, 0, 0), DRAM: _use(9, 0, 0)}),
    Row(Workload("run/nightly-eval", Kind.RUN, "nightly-eval", run="nightly-eval", team="nlp", project="atlas-70b",
                 phase="evaluation"), 0, {GPU: _use(402, 6, 0.7), CPU: _use(41, 0, 0)}, live=False,
        units={"tokens": 71_303_168, "steps": 2_048}),
    Row(Workload("container/9f31", Kind.CONTAINER, "triton", container="triton", team="search", project="rerank"),
        18_300, {CPU: _use(264, 0, 0), DRAM: _use(18, 0, 0)}),
    Row(Workload("container/77ab", Kind.CONTAINER, "jupyter-lab", container="jupyter-lab", user="noor"), 9_700,
        {GPU: _use(96, 97, 1.4), CPU: _use(71, 0, 0), DRAM: _use(22, 0, 0)}),
    Row(_pod("dcgm-exporter-k2v", "monitoring", "platform", "observability", ""), 1_900, {CPU: _use(24.1, 0, 0)}),
    Row(_pod("fluent-bit-9s8d", "logging", "platform", "observability", ""), 2_400, {CPU: _use(31.7, 0, 0)}),
    Row(_pod("data-loader-0", "nlp-train", "nlp", "atlas-70b", "data"), 41_200,
        {CPU: _use(388, 0, 0), DRAM: _use(52, 0, 0)}),
    Row(_unit("kubelet.service"), 3_800, {CPU: _use(46, 0, 0)}),
    Row(_unit("containerd.service"), 2_200, {CPU: _use(27.3, 0, 0)}),
    Row(_unit("nvidia-persistenced.service"), 40, {CPU: _use(0.42, 0, 0)}),
    Row(Workload("user/1004", Kind.USER, "amelie", user="amelie"), 300, {CPU: _use(3.9, 0, 0)}),
    Row(Workload("user/1011", Kind.USER, "jonas", user="jonas"), 0, {CPU: _use(0.007, 0, 0)}, live=False),
    Row(IDLE, 70_900, {GPU: _use(838, 100, 12.0), CPU: _use(1_106, 100, 0)}),
    Row(UNALLOCATED, 0, {GPU: _use(12, 100, 1.0)}),
    Row(SYSTEM, 88_400, {CPU: _use(402, 0, 0), DRAM: _use(141, 0, 0)}),
    Row(UNATTRIBUTED, 14_000, {GPU: _use(61, 0, 0), CPU: _use(39, 0, 0)}),
)  # fmt: skip

VM_WORKLOADS = (
    Row(_unit("postgresql.service"), 21_500, {CPU: _use(242, 0, 0), DRAM: _use(41, 0, 0)}),
    Row(Workload("container/51c2", Kind.CONTAINER, "web", container="web", team="shop"), 12_100,
        {CPU: _use(133, 0, 0), DRAM: _use(9, 0, 0)}),
    Row(IDLE, 25_000, {CPU: _use(301, 100, 0)}),
    Row(SYSTEM, 8_700, {CPU: _use(77, 0, 0), DRAM: _use(22, 0, 0)}),
)  # fmt: skip

#: Label values that break out of quotes, tags, lines and layouts.
NASTY_VALUES = (
    'quo"te \\ back\\slash',
    "new\nline\r\n\ttab",
    "<script>window.hacked=1</script>",
    '"><img src=x onerror="window.hacked=1">',
    "' onmouseover='window.hacked=1",
    "\u202egnp.exe\u2066\u200f bidi",
    "x" * 10_000,
    "Ünïcødé 漢字 🔥",
    '{label="a"} 1\n# TYPE x counter',
    "&lt;b&gt;&amp;",
)  # fmt: skip
