"""Compiles the fake libnvidia-ml.so.1 once per machine and hands out where it lies.

The folder is keyed by a hash of the sources and flags, and the library is moved into it in one step, so any number of
test processes may ask at the same time.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
SONAME = "libnvidia-ml.so.1"
FLAGS = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden", f"-Wl,-soname,{SONAME}")


@cache
def symbols() -> tuple[str, ...]:
    """Names of the exported functions in the order of the call counters (symbols.h)."""
    return tuple(re.findall(r"^  X\((\w+)\)", (HERE / "symbols.h").read_text(encoding="utf-8"), re.MULTILINE))


@cache
def groups() -> dict[str, tuple[str, ...]]:
    """Names that stand for several functions."""
    names = symbols()
    return {
        "all": names,
        "handle": ("nvmlDeviceGetHandleByIndex_v2",),
        "energy": ("nvmlDeviceGetTotalEnergyConsumption",),
        "power": ("nvmlDeviceGetPowerUsage",),
        "lists": tuple(name for name in names if "RunningProcess" in name),
        "utilisation": ("nvmlDeviceGetProcessUtilization", "nvmlDeviceGetProcessesUtilizationInfo"),
        "mig": tuple(name for name in names if "Mig" in name),
        "limits": tuple(name for name in names if "PowerManagement" in name or "EnforcedPowerLimit" in name),
        "init": ("nvmlInitWithFlags", "nvmlInit_v2"),
    }


def slots_of(what: str) -> list[int]:
    """Positions of a group, or of one function, in the fault and call tables."""
    return [symbols().index(name) for name in groups().get(what, (what,))]


@cache
def library() -> Path:
    """Path of the compiled library; compiles it when this version has not been compiled yet. Needs gcc."""
    sources = sorted(HERE.glob("*.c"))
    digest = hashlib.sha256("\0".join(FLAGS).encode())
    for path in [*sources, *sorted(HERE.glob("*.h"))]:
        digest.update(path.read_bytes())
    folder = Path(tempfile.gettempdir()) / f"wattledger-fake-nvml-{os.getuid()}" / digest.hexdigest()[:16]
    built = folder / SONAME
    if built.exists():
        return built
    compiler = shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("The fake NVML library needs gcc: apt-get install gcc libc6-dev")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = folder / f"{SONAME}.{os.getpid()}"
    subprocess.run([compiler, *FLAGS, "-o", str(fresh), *map(str, sources)], check=True)
    fresh.replace(built)
    return built


def nvidia_smi(folder: Path) -> Path:
    """Write a stub ``nvidia-smi`` that succeeds (codecarbon looks for it before it asks NVML). Returns its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    stub = folder / "nvidia-smi"
    stub.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    stub.chmod(0o755)
    return folder
