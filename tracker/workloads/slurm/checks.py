"""What ``wattledger check`` says about Slurm."""

from __future__ import annotations

from dataclasses import dataclass

from tracker.core.model import Finding, Level
from tracker.workloads.slurm.files import JobFolder

SUBJECT = "slurm"
INSTALL = "Add deploy/slurm/prolog.sh and epilog.sh to Prolog= and Epilog= in slurm.conf."


@dataclass(slots=True)
class Health:
    """How naming goes; written by the resolver's thread."""

    has_slurm: bool = False
    jobs: int = 0  # on the node now
    unnamed: int = 0
    without_gpus: int = 0  # whose GPUs are not known
    denied: bool = False  # the environment of processes
    ask_trouble: str = ""
    trouble: str = ""


def findings(health: Health, folder: JobFolder, jobs_dir: str) -> tuple[Finding, ...]:
    """Nothing at all on a node without Slurm."""
    if not (health.has_slurm or folder.present or health.jobs or health.trouble):
        return ()
    found: list[Finding] = []
    if health.trouble:
        found.append(Finding(Level.FAIL, SUBJECT, f"Naming jobs: {health.trouble}"))
    found += _about_files(folder, jobs_dir)
    if health.unnamed:
        text = f"{health.unnamed} of {health.jobs} jobs are known by their number only."
        rights = " Or let the daemon read their environment (CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH)."
        found.append(Finding(Level.WARN, SUBJECT, text, INSTALL + (rights if health.denied else "")))
    elif health.jobs:
        found.append(Finding(Level.OK, SUBJECT, f"{health.jobs} jobs are here, all named."))
    if health.without_gpus:
        text = (
            f"The GPUs of {health.without_gpus} jobs are not known: what they hold and do not use is charged to idle."
        )
        found.append(Finding(Level.WARN, SUBJECT, text, INSTALL))
    if health.ask_trouble:
        remedy = "Check that `scontrol show job` works here for the daemon's user, or set ask = false."
        found.append(Finding(Level.WARN, SUBJECT, f"The scheduler did not answer: {health.ask_trouble}", remedy))
    return tuple(found)


def _about_files(folder: JobFolder, jobs_dir: str) -> list[Finding]:
    if not folder.present:
        text = f"There are no job files in {jobs_dir}: jobs get their names late, and from less certain sources."
        return [Finding(Level.WARN, SUBJECT, text, INSTALL)]
    if folder.trouble:
        remedy = f"Only root may own and write it: chown root {jobs_dir} && chmod 755 {jobs_dir}"
        return [Finding(Level.WARN, SUBJECT, f"The job files in {jobs_dir} are not used: it {folder.trouble}.", remedy)]
    if folder.refused:
        name, reason = min(folder.refused.items())
        text = f"{len(folder.refused)} job files are not believed; {name}: {reason}."
        return [Finding(Level.WARN, SUBJECT, text, f"Look at {jobs_dir}/{name}; the prolog alone may write there.")]
    return [Finding(Level.OK, SUBJECT, f"Job files are read from {jobs_dir}.")]
