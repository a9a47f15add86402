"""A real Slurm cluster on this machine, for the time of a test: munged, slurmctld and slurmd on free ports, with its
own key, state and cgroups, and two GPUs that are character devices and nothing else.

    with Cluster.start() as cluster:
        job = cluster.submit("sleep 60", user="games", options=["--gres=gpu:1", "--account=nlp"])
        cluster.wait_state(job, "RUNNING")

Nothing of the machine's own Slurm is touched; several clusters run beside each other. Two slurmd stand for two nodes:
the first has two CPUs and both GPUs, the second one CPU. Debian's Slurm 22.05 has the plug-in for cgroup v1 only.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import stat
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
DEADLINE_S = 40.0

CONF = """
ClusterName=wl
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool/%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd-%n.pid
SlurmctldLogFile={root}/log/slurmctld
SlurmdLogFile={root}/log/slurmd-%n
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup
JobAcctGatherType=jobacct_gather/cgroup
JobAcctGatherFrequency=0
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1,sched_interval=1
GresTypes=gpu
ReturnToService=2
MpiDefault=none
KillWait=1
MinJobAge=300
FirstJobId={first}
{scripts}
NodeName={nodes[0]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=2 RealMemory=1000 Gres=gpu:2
NodeName={nodes[1]} NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=1 RealMemory=1000
PartitionName=long Nodes={nodes[0]} Default=YES MaxTime=10 State=UP
PartitionName=all Nodes={nodes[0]},{nodes[1]} MaxTime=10 State=UP
"""
CGROUP_CONF = """
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount=no
ConstrainDevices=yes
ConstrainCores=yes
"""


def until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition with a bound, not for a time."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, f"{what} did not happen within {deadline_s} s"
        time.sleep(0.05)


def can_run() -> bool:
    """Whether this kernel mounts the v1 controllers that Debian's Slurm needs."""
    return all(os.access(CGROUPS / name, os.W_OK) for name in ("freezer", "cpuacct", "memory", "devices", "cpuset"))


class Cluster:
    """See the module. ``prolog`` and ``epilog``: shell scripts run by slurmd."""

    def __init__(self, root: Path, prolog: Path | None = None, epilog: Path | None = None) -> None:
        self.root = root
        self.host = socket.gethostname()
        name = f"wl{uuid.uuid4().hex[:8]}"
        self.nodes = (f"{name}-0", f"{name}-1")
        self.env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SLURM_CONF": str(root / "slurm.conf")}
        self._daemons: list[subprocess.Popen[bytes]] = []
        self._configure(prolog, epilog)

    @classmethod
    @contextlib.contextmanager
    def start(cls, scripts: Callable[[Path], tuple[Path, Path]] | None = None) -> Iterator[Cluster]:
        """A cluster that is ready; ``scripts`` makes (prolog, epilog) in the cluster's folder."""
        root = Path(tempfile.mkdtemp(prefix="wl-slurm-"))
        root.chmod(0o755)  # jobs of other users write below it
        prolog, epilog = scripts(root) if scripts is not None else (None, None)
        cluster = cls(root, prolog, epilog)
        try:
            cluster._start()
            yield cluster
        finally:
            cluster.stop()
            shutil.rmtree(root, ignore_errors=True)

    def _configure(self, prolog: Path | None, epilog: Path | None) -> None:
        for name in ("munge", "state", "log", "jobs", *(f"spool/{node}" for node in self.nodes)):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "jobs").chmod(0o777)
        key = self.root / "munge" / "key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        for index in range(2):
            device = self.root / f"fakegpu{index}"
            os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(195, index))
        scripts = "PrologFlags=Alloc\n"
        scripts += f"Prolog={prolog}\n" if prolog else ""
        scripts += f"Epilog={epilog}\n" if epilog else ""
        # Numbers of its own: a test that looks at all cgroups of the machine may see another test's cluster.
        names = {"root": self.root, "host": self.host, "nodes": self.nodes, "scripts": scripts}
        conf = CONF.format(**names, ports=_free_ports(3), first=random.randrange(1, 60_000) * 1000)
        (self.root / "slurm.conf").write_text(conf, encoding="ascii")
        (self.root / "cgroup.conf").write_text(CGROUP_CONF, encoding="ascii")
        gres = f"NodeName={self.nodes[0]} Name=gpu File={self.root}/fakegpu[0-1]\n"
        (self.root / "gres.conf").write_text(gres, encoding="ascii")

    def _start(self) -> None:
        munge = self.root / "munge"
        files = {"socket": "socket", "key-file": "key", "pid-file": "pid", "log-file": "log", "seed-file": "seed"}
        self._spawn("munged", "--foreground", *(f"--{option}={munge / name}" for option, name in files.items()))
        until((munge / "socket").exists, "munged opened its socket")
        conf = str(self.root / "slurm.conf")
        self._spawn("slurmctld", "-D", "-f", conf)
        for node in self.nodes:
            self._spawn("slurmd", "-D", "-f", conf, "-N", node)
        until(lambda: self._idle() == {*self.nodes}, f"the nodes came up\n{self.logs()}")

    def _spawn(self, name: str, *arguments: str) -> None:
        with (self.root / "log" / f"{name}.out").open("ab") as log:
            command = [shutil.which(name, path=self.env["PATH"]) or name, *arguments]
            self._daemons.append(subprocess.Popen(command, env=self.env, stdout=log, stderr=log))

    def _idle(self) -> set[str]:
        rows = self.run("sinfo", "-h", "-N", "-o", "%N %T", check=False).stdout.split("\n")
        return {row.split()[0] for row in rows if row.endswith(" idle")}

    def logs(self) -> str:
        """The ends of all logs, for a message of failure."""
        files = sorted((self.root / "log").iterdir())
        return "\n".join(f"{file.name}: {file.read_text(errors='replace')[-1500:]}" for file in files)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A Slurm command of this cluster."""
        return subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=30, check=check)

    def submit(self, script: str, *, user: str, options: Sequence[str] = ()) -> str:
        """A batch job of a user. Returns its number."""
        file = self.root / f"job-{uuid.uuid4().hex}.sh"
        file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        output = f"--output={self.root}/jobs/%j.out"
        command = ["sbatch", "--parsable", f"--uid={user}", "--chdir=/", output, "--ntasks=1", *options, str(file)]
        return self.run(*command).stdout.strip()

    def state(self, job: str) -> str:
        """RUNNING, COMPLETED, …; "" when the controller does not know it."""
        shown = self.run("scontrol", "show", "job", job, check=False).stdout
        states = [word.removeprefix("JobState=") for word in shown.split() if word.startswith("JobState=")]
        return states[0] if states else ""

    def wait_state(self, job: str, *states: str) -> None:
        until(lambda: self.state(job) in states, f"job {job} became {states} ({self.state(job)})\n{self.logs()}")

    def cancel(self, job: str) -> None:
        self.run("scancel", job, check=False)

    def clear(self) -> None:
        """End every job and wait until they are gone, their epilogs included."""
        self.run("sh", "-c", "scancel --quiet $(squeue -h -o %A)", check=False)
        until(lambda: not self.run("squeue", "-h", check=False).stdout.strip(), "all jobs ended")

    def cgroups(self, controller: str = "cpuacct") -> Path:
        """The folder that holds the first node's jobs."""
        return CGROUPS / controller / f"slurm_{self.nodes[0]}"

    def stop(self) -> None:
        """End the jobs, then the daemons by their pids, and remove the cgroups that Slurm leaves behind."""
        with contextlib.suppress(OSError, subprocess.SubprocessError, AssertionError):
            self.clear()
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait(10)
        for controller in CGROUPS.iterdir():
            for node in self.nodes:
                for folder, _, _ in os.walk(controller / f"slurm_{node}", topdown=False):
                    with contextlib.suppress(OSError):
                        Path(folder).rmdir()


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
