"""From the processes on a GPU to the workloads that hold it."""

from __future__ import annotations

from collections.abc import Mapping

from tracker.core.model import UNATTRIBUTED, DeviceUse, GpuHolding, Holder, Workload
from tracker.core.rounding import apportion


def holding(use: DeviceUse, owners: Mapping[int, Workload]) -> GpuHolding:
    """Who holds a GPU. ``owners`` by pid; a process that is not in it is unattributed.

    Processes of one workload are one holder. A MIG instance belongs to those who have processes in it: by their SM
    time, equally when that is unknown (the driver does not report it under MIG). Where the SMs of an instance are
    unknown, every instance counts as one.
    """
    workloads: dict[str, Workload] = {}
    sm_weights: dict[str, int] = {}
    memory_weights: dict[str, int] = {}
    inside: dict[str, dict[str, int]] = {}  # instance -> workload -> SM time
    for process in use.processes:
        workload = owners.get(process.pid, UNATTRIBUTED)
        key, weight = workload.key, max(0, process.sm_weight)
        workloads[key] = workload
        sm_weights[key] = sm_weights.get(key, 0) + weight
        memory_weights[key] = memory_weights.get(key, 0) + max(0, process.memory_bytes)
        if process.instance:
            there = inside.setdefault(process.instance, {})
            there[key] = there.get(key, 0) + weight
    known = all(instance.sm_count > 0 for instance in use.instances)
    sizes = {instance.key: instance.sm_count if known else 1 for instance in use.instances}
    sm_counts = _sm_counts(sizes, inside)
    instance_sms = sum(sizes.values())
    holders = tuple(
        Holder(workload, sm_weights[key], memory_weights[key], sm_counts.get(key, 0))
        for key, workload in workloads.items()
    )
    if not sizes:
        return GpuHolding(holders, 0, use.sm_total)
    return GpuHolding(holders, instance_sms, max(use.sm_total, instance_sms) if known else instance_sms)


def _sm_counts(sizes: Mapping[str, int], inside: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """SMs by workload; the parts of an instance add up to it."""
    counts: dict[str, int] = {}
    for instance, there in inside.items():
        weights = list(there.values())
        parts = apportion(sizes.get(instance, 0), weights if any(weights) else [1] * len(weights))
        for key, part in zip(there, parts, strict=True):
            counts[key] = counts.get(key, 0) + part
    return counts
