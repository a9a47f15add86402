"""What a job's own processes say about it: the ``SLURM_*`` variables that sbatch and srun set (sbatch(1), OUTPUT
ENVIRONMENT VARIABLES)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tracker.workloads.environ import parse_environ, read_environ
from tracker.workloads.slurm.cgroups import Place, pids_of
from tracker.workloads.slurm.facts import Facts, cleaned, parse_indices

_PREFIXES = (b"SLURM_", b"CUDA_VISIBLE_DEVICES=")


def facts_of(variables: Mapping[str, str]) -> Facts | None:
    """None: this is no environment of a Slurm job."""
    job = variables.get("SLURM_JOB_ID", "")
    if not job.isdecimal():
        return None

    def value(name: str) -> str:
        return variables.get(f"SLURM_{name}", "")

    het_offset = next(
        (name.rpartition("_")[2] for name, id_ in variables.items() if _is_component(name) and id_ == job), ""
    )
    gpus = value("JOB_GPUS")
    visible = variables.get("CUDA_VISIBLE_DEVICES", "")
    # MIG instances are named there; plain numbers count within the job only when its devices are constrained.
    gpus = visible if gpus and visible.startswith("MIG-") else gpus
    facts = Facts(
        job,
        value("JOB_SLUID"),
        value("JOB_USER"),
        value("JOB_ACCOUNT"),
        value("JOB_PARTITION"),
        value("JOB_QOS"),
        value("JOB_NAME"),
        value("ARRAY_JOB_ID"),
        value("ARRAY_TASK_ID"),
        value("JOB_ID_HET_GROUP_0"),
        het_offset,
        # A job without GPUs has no such variable, and neither has one whose GPUs are told by another: not known.
        parse_indices(gpus) if gpus else None,
    )
    return cleaned(facts)


def read_facts(procfs: Path, place: Place, name: str) -> Facts | None:
    """From the first process in the job's cgroup that speaks of this job; ``name``: its number or SLUID. None: no such
    process yet. Raises PermissionError when there are processes and none of them may be read."""
    denied: PermissionError | None = None
    for pid in pids_of(place):
        try:
            variables = parse_environ(read_environ(procfs, pid), _PREFIXES)
        except PermissionError as error:
            denied = error
            continue
        except OSError:
            continue
        facts = facts_of(variables)
        if facts is not None and name in {facts.job, facts.sluid}:
            return facts
        if facts is not None and not name.isdecimal() and not facts.sluid:
            return facts  # it is in the cgroup of this SLUID and names none
    if denied is not None:
        raise denied
    return None


def _is_component(name: str) -> bool:
    return name.startswith("SLURM_JOB_ID_HET_GROUP_")
