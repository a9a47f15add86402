"""Real jobs on the real cluster: our prolog and epilog around them, and batch scripts that work when they are told."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path

from tests.fakes.slurm import CGROUPS, Cluster, until
from tracker import clock
from tracker.sysfs import Roots
from tracker.workloads.slurm.resolver import Options, SlurmResolver

REPO = Path(__file__).resolve().parents[3]


def scripts(root: Path) -> tuple[Path, Path]:
    """(prolog, epilog): ours, with the cluster's folders as settings and this checkout's command."""
    settings = {
        "WATTLEDGER_JOBS_DIR": root / "run" / "jobs",
        "WATTLEDGER_PROCFS": root / "proc",
        "WATTLEDGER_REPORT_DIR": root / "reports",
        "WATTLEDGER_COMMAND": root / "wattledger",
        "WATTLEDGER_NODE__STATE_DIR": root / "ledger",
        "WATTLEDGER_NODE__HOSTNAME": "node-1",
    }
    exports = "".join(f"export {name}='{value}'\n" for name, value in settings.items())
    run = "import sys; from tracker.cli.job import job; job(sys.argv[2:])"
    command = f'cd "{REPO}" && exec "{sys.executable}" -c "{run}" "$@" 2>> {root}/log/report'
    (root / "wattledger").write_text(f"#!/bin/sh\n{command}\n")
    for name in ("prolog", "epilog"):
        (root / f"{name}.sh").write_text(f'#!/bin/sh\n{exports}exec "{REPO}/deploy/slurm/{name}.sh" "$@"\n')
    for name in ("wattledger", "prolog.sh", "epilog.sh"):
        (root / name).chmod(0o755)
    return root / "prolog.sh", root / "epilog.sh"


def gpu_information(root: Path, uuids: Mapping[int, str]) -> None:
    """What the kernel module would show of the GPUs, by minor number, for the prolog."""
    for minor, gpu in uuids.items():
        folder = root / "proc" / "driver" / "nvidia" / "gpus" / f"0000:{minor:02x}:00.0"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "information").write_text(f"GPU UUID: \t {gpu}\nDevice Minor: \t {minor}\n")


def resolver_for(cluster: Cluster, **options: object) -> SlurmResolver:
    """As the daemon would have it on this node."""
    given = {"jobs_dir": str(cluster.root / "run" / "jobs"), "node": cluster.nodes[0], **options}
    given["slurm_conf"] = cluster.env["SLURM_CONF"]
    roots = Roots(_own_cgroups(cluster))
    return SlurmResolver(Options(**given), roots, clock.now)  # type: ignore[arg-type] # a test names its own


def _own_cgroups(cluster: Cluster) -> Path:
    """A /sys with the cgroups of this cluster only: another test's may run on the same machine."""
    sysfs = cluster.root / "sys"
    for controller in CGROUPS.iterdir():
        folder = sysfs / "fs" / "cgroup" / controller.name
        folder.mkdir(parents=True, exist_ok=True)
        for node in cluster.nodes:
            if not (folder / f"slurm_{node}").is_symlink():
                (folder / f"slurm_{node}").symlink_to(controller / f"slurm_{node}")
    return sysfs


class Work:
    """A batch job that uses the CPU when told and lives until it is told to end.

    Pipes, not polling: it uses nothing while it waits.
    """

    def __init__(self, cluster: Cluster, *options: str, user: str = "games") -> None:
        self.cluster = cluster
        self._place = cluster.root / "jobs" / uuid.uuid4().hex
        os.mkfifo(self._place.with_suffix(".do"))
        self._place.with_suffix(".do").chmod(0o666)
        self._order = os.open(self._place.with_suffix(".do"), os.O_RDWR)  # also keeps the reader from seeing an end
        loop = "i=0; while [ $i -lt {rounds} ]; do i=$((i+1)); done"
        steps = {"burn": loop.format(rounds="$number"), "end": "exit 0"}
        cases = " ".join(f"{name}) {step};;" for name, step in steps.items())
        script = (
            f"echo $$ > {self._place}.pid\n"
            f"while read order number <&3; do case $order in {cases} esac; echo $order >> {self._place}.did; done"
            f" 3< {self._place}.do"
        )
        self.id = cluster.submit(script, user=user, options=options)
        self.key = f"slurm/{self.id}"

    def wait(self) -> Work:
        """Until it runs."""
        until(lambda: self._read("pid").strip(), f"job {self.id} started ({self.cluster.state(self.id)})")
        return self

    @property
    def pid(self) -> int:
        return int(self._read("pid"))

    def burn(self, rounds: int) -> None:
        """Count so far; returns when it has."""
        before = self._read("did").count("burn")
        os.write(self._order, f"burn {rounds}\n".encode())
        until(lambda: self._read("did").count("burn") > before, f"job {self.id} worked")

    def end(self) -> None:
        os.write(self._order, b"end 0\n")
        self.cluster.wait_state(self.id, "COMPLETED")
        os.close(self._order)

    def cpu_us(self, uid: int) -> int:
        """What the kernel has counted for it."""
        file = self.cluster.cgroups() / f"uid_{uid}" / f"job_{self.id}" / "cpuacct.usage"
        return int(file.read_text()) // 1000

    def _read(self, suffix: str) -> str:
        path = self._place.with_suffix(f".{suffix}")
        return path.read_text() if path.exists() else ""
