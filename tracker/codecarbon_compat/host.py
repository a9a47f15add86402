"""The columns about the machine, from the kernel's files. Nothing is asked of the network, no place is guessed."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tracker.workloads.visible import Gpu, visible_gpus

_KIB_PER_GIB = 1024 * 1024


def machine(node: Mapping[str, Any] | None, environ: Mapping[str, str]) -> dict[str, Any]:
    """``node``: the daemon's word on its node; without it, GPUs are unknown."""
    found: dict[str, Any] = {
        "os": platform.platform(),
        "python_version": platform.python_version(),
        "codecarbon_version": f"wattledger {node['version']}" if node else "wattledger",
        "cpu_count": os.cpu_count(),
        "cpu_model": _first(Path("/proc/cpuinfo"), "model name"),
        "ram_total_size": _ram_gib(),
    }
    if node is not None:
        gpus = [Gpu(gpu["index"], gpu["uuid"], gpu["model"]) for gpu in node["gpus"]]
        seen = visible_gpus(environ, gpus)
        found["gpu_count"] = len(seen)
        found["gpu_model"] = _models([gpu.model or gpu.uuid for gpu in seen])
    return found


def _models(names: list[str]) -> str:
    """As codecarbon counts them: ``2 x NVIDIA H100``."""
    return ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))


def _ram_gib() -> float | None:
    try:
        return int(_first(Path("/proc/meminfo"), "MemTotal").split()[0]) / _KIB_PER_GIB
    except (IndexError, ValueError):
        return None


def _first(path: Path, name: str) -> str:
    """The value of the first ``name: value`` line."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == name), "")
