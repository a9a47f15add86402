"""A node with Slurm in folders, a clock that moves when told, and commands that are small scripts."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from tracker.core.model import Kind, Moment, Workload
from tracker.sysfs import Roots
from tracker.workloads.interface import Identity
from tracker.workloads.names import Names, Users
from tracker.workloads.paths import identify
from tracker.workloads.slurm.resolver import Options, SlurmResolver

NS = 1_000_000_000


class Stage:
    """See the module. ``turn`` is one turn of the resolver's thread, ``seconds`` after the last one."""

    def __init__(self, folder: Path, **options: object) -> None:
        self.folder = folder
        self.jobs_dir = folder / "jobs"
        self.jobs_dir.mkdir(mode=0o755)
        self.roots = Roots(folder / "sys", folder / "proc")
        self.cgroups = folder / "sys" / "fs" / "cgroup"
        self.cgroups.mkdir(parents=True)
        (folder / "proc").mkdir()
        self.moment = Moment(1_000 * NS, 1_000 * NS, 1_790_000_400 * NS)
        self.asked = folder / "asked"
        given = {
            "jobs_dir": str(self.jobs_dir),
            "jobs_owner_uid": os.getuid(),
            "scontrol": str(folder / "scontrol"),
            "squeue": str(folder / "squeue"),
            "node": "gpu-1",
            **options,
        }
        self.options = Options(**given)  # type: ignore[arg-type] # a test names its own
        self.resolver = self.restart()

    def restart(self) -> SlurmResolver:
        """A new daemon."""
        self.resolver = SlurmResolver(self.options, self.roots, lambda: self.moment)
        return self.resolver

    def turn(self, seconds: float = 2) -> None:
        step = round(seconds * NS)
        m = self.moment
        self.moment = Moment(m.mono_ns + step, m.boot_ns + step, m.wall_ns + step)
        self.resolver.turn(self.moment)

    # what Slurm does

    def prolog(self, job: str, *, file: str = "", **fields: object) -> Path:
        """A job file, as the prolog writes it. The folder's time stamp lies in the past then, as the clock says."""
        path = self.jobs_dir / (file or f"{job}.json")
        whole = {"version": 1, "started": self.moment.wall_ns // NS, "job": job, **fields}
        temporary = self.jobs_dir / ".new"
        temporary.write_text(json.dumps(whole), encoding="utf-8")
        temporary.chmod(0o644)
        (self.jobs_dir / f"{path.name}.ended").unlink(missing_ok=True)
        temporary.rename(path)
        return path

    def epilog(self, job: str) -> None:
        path = self.jobs_dir / f"{job}.json"
        path.rename(path.with_name(f"{path.name}.ended"))

    def cgroup_v2(self, name: str, pid: int = 77, node: str = "") -> Path:
        """The folder of a job that runs, v2. The kernel's ``cgroup.procs`` is faked by a file."""
        folder = self.cgroups / "system.slice" / f"{node}{'_' if node else ''}slurmstepd.scope" / name
        task = folder / "step_batch" / "user" / "task_0"
        task.mkdir(parents=True)
        (task / "cgroup.procs").write_text(f"{pid}\n")
        (folder / "cgroup.events").write_text("populated 1\nfrozen 0\n")
        (self.cgroups / "cgroup.controllers").touch()
        return folder

    def cgroup_v1(self, job: str, uid: str = "1000", pid: int = 77, controller: str = "freezer") -> Path:
        folder = self.cgroups / controller / "slurm" / f"uid_{uid}" / f"job_{job}"
        (folder / "step_batch").mkdir(parents=True)
        (folder / "step_batch" / "cgroup.procs").write_text(f"{pid}\n")
        return folder

    def environ(self, variables: Mapping[str, str], pid: int = 77) -> Path:
        folder = self.roots.procfs / str(pid)
        folder.mkdir(parents=True, exist_ok=True)
        text = "".join(f"{name}={value}\0" for name, value in variables.items())
        (folder / "environ").write_bytes(b"PATH=/bin\0" + text.encode())
        return folder / "environ"

    def gpu(self, minor: int, uuid: str, address: str) -> None:
        """A GPU as NVIDIA's kernel module shows it."""
        folder = self.roots.procfs / "driver" / "nvidia" / "gpus" / address
        folder.mkdir(parents=True)
        text = f"Model: \t\t NVIDIA H100\nGPU UUID: \t {uuid}\nBus Location: \t {address}\nDevice Minor: \t {minor}\n"
        (folder / "information").write_text(text)

    def command(self, name: str, script: str) -> None:
        """``scontrol`` or ``squeue``: a shell script. Each call leaves a line in ``asked``."""
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.asked}\n{script}\n', encoding="utf-8")
        path.chmod(0o755)

    def calls(self) -> list[str]:
        return self.asked.read_text().splitlines() if self.asked.exists() else []

    # what the tick asks

    def identity(self, job: str, uid: str = "") -> Identity:
        if not job.isdecimal():
            return identify(f"/system.slice/slurmstepd.scope/{job}/step_0/user/task_0")
        if uid:
            return identify(f"/slurm/uid_{uid}/job_{job}/step_batch/task_0")
        return identify(f"/system.slice/slurmstepd.scope/job_{job}/step_0/user/task_0")

    def resolve(self, job: str) -> Workload | None:
        """What the resolver makes of the plain workload of this job."""
        identity = self.identity(job)
        assert identity.kind is Kind.SLURM
        return self.resolver.resolve(identity, Workload(identity.key, Kind.SLURM, job, job=job))

    def names(self) -> Names:
        """The real names, with this resolver behind them."""
        return Names([self.resolver], (), Users(self.folder / "passwd"))

    def held(self) -> dict[str, list[str]]:
        """Devices by workload key."""
        found: dict[str, list[str]] = {}
        for allocation in self.resolver.allocations():
            found.setdefault(allocation.workload.key, []).append(allocation.device)
        return found

    def problems(self) -> list[str]:
        """What ``check`` warns of."""
        return [f"{finding.message} {finding.remedy}" for finding in self.resolver.check() if finding.level != "ok"]


JOB = {"user": "ada", "account": "nlp", "partition": "a100", "qos": "high", "name": "train me", "gpus": "0"}
