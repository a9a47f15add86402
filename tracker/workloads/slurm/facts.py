"""What is known about a Slurm job, whoever said it, and how it becomes labels.

A job is numbered; an array task is known to its user as ``<array>_<task>``, a component of a heterogeneous job as
``<job>+<offset>`` (https://slurm.schedmd.com/job_array.html, heterogeneous_jobs.html): squeue and sacct print it so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from tracker.core.model import Kind, Workload
from tracker.workloads.labels import clean_key, clean_label, clean_workload

MAX_GPUS = 64


@dataclass(frozen=True, slots=True)
class Facts:
    """Empty: not known. ``gpus``: what the job was given on this node, as "3" (the device's minor number, as in
    ``SLURM_JOB_GPUS``), "GPU-<uuid>" or "MIG-<uuid>"; () none; None: not known."""

    job: str = ""
    sluid: str = ""
    user: str = ""
    account: str = ""
    partition: str = ""
    qos: str = ""
    name: str = ""
    array_job: str = ""
    array_task: str = ""
    het_job: str = ""
    het_offset: str = ""
    gpus: tuple[str, ...] | None = None

    @property
    def label(self) -> str:
        """The job as its user knows it."""
        if self.array_job and self.array_task:
            return f"{self.array_job}_{self.array_task}"
        if self.het_job and self.het_offset:
            return f"{self.het_job}+{self.het_offset}"
        return self.job


UNKNOWN = Facts()
_TEXTS = tuple(field.name for field in fields(Facts) if field.name != "gpus")


def merge(sources: Iterable[Facts | None]) -> Facts:
    """The first source that says something about a field is believed."""
    merged: dict[str, str] = {}
    gpus: tuple[str, ...] | None = None
    for facts in sources:
        if facts is None:
            continue
        for name in _TEXTS:
            if not merged.get(name):
                merged[name] = getattr(facts, name)
        gpus = facts.gpus if gpus is None else gpus
    return Facts(**merged, gpus=gpus)


def cleaned(facts: Facts) -> Facts:
    """With texts that are safe to be labels, and no more GPUs than a node has."""
    texts = {name: clean_label(getattr(facts, name)) for name in _TEXTS}
    gpus = None if facts.gpus is None else tuple(clean_label(gpu) for gpu in facts.gpus[:MAX_GPUS])
    return Facts(**texts, gpus=gpus)


def key_of(name: str) -> str:
    """The workload's key, as ``paths.py`` makes it of the job's cgroup."""
    return clean_key(f"slurm/{name}")


def workload_of(name: str, facts: Facts, plain: Workload | None, account_label: str) -> Workload:
    """The labels of the job that cgroups call ``name``. ``plain``: what is known without us."""
    key = key_of(name)
    if plain is None:
        plain = Workload(key, Kind.SLURM, clean_label(name), job=clean_label(name))
    labels = {
        "name": facts.name or facts.label or plain.name,
        "job": facts.label or plain.job,
        "user": facts.user or plain.user,
        "queue": facts.partition or plain.queue,
    }
    if account_label and facts.account:
        labels[account_label] = facts.account
    labelled = replace(plain, **labels)  # type: ignore[arg-type] # the names above are of texts
    return clean_workload(labelled, plain.key, plain.kind)


def attributes_of(facts: Facts) -> dict[str, str]:
    """What rules may match."""
    found = {"account": facts.account, "partition": facts.partition, "qos": facts.qos}
    return {name: value for name, value in found.items() if value}


def parse_indices(text: str) -> tuple[str, ...]:
    """The numbers in "0,2-3": 0, 2 and 3. UUIDs stay; what is neither (``NoDevFiles``) is left out; bounded."""
    found: list[str] = []
    for part in text.split(",")[:MAX_GPUS]:
        item = part.strip()
        first, dash, last = item.partition("-")
        if item.isdecimal():
            found.append(str(int(item[:9])))
        elif dash and first.isdecimal() and last.isdecimal():
            start, end = int(first[:9]), int(last[:9])
            found += [str(number) for number in range(start, min(end, start + MAX_GPUS) + 1)]
        elif item.startswith(("GPU-", "MIG-")):
            found.append(item)
    return tuple(found[:MAX_GPUS])
