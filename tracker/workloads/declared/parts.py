"""Puts the parts together, for whoever runs the daemon."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tracker.core.model import Moment
from tracker.sysfs import Roots
from tracker.workloads.checks import in_cgroup_namespace
from tracker.workloads.declared.desk import Desk, Pace
from tracker.workloads.declared.memory import FILE, Memory
from tracker.workloads.declared.peers import Peers
from tracker.workloads.declared.place import places
from tracker.workloads.declared.runs import MAX_RUNS, Runs
from tracker.workloads.declared.server import MAX_CONNECTIONS, RunServer
from tracker.workloads.declared.totals import Booked
from tracker.workloads.names import Users


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of declared runs."""

    #: Where processes declare themselves. "": /run/wattledger/declare.sock, or declare.sock in the state folder if that
    #: is taken or this is not root.
    socket: str = ""
    #: Runs at one time; half of them for one user.
    max_runs: int = MAX_RUNS
    #: Clients at one time; half of them for one user.
    max_connections: int = MAX_CONNECTIONS
    #: Where user names are looked up; in a container, the host's file.
    passwd_file: str = "/etc/passwd"  # noqa: S105 - a path


@dataclass(frozen=True, slots=True)
class DeclaredRuns:
    """``runs`` is for the observer, ``server`` for the daemon."""

    runs: Runs
    server: RunServer
    places: tuple[Path, ...]

    def start(self) -> None:
        """Begin to listen. Never raises."""
        self.server.start(self.places)


def build(
    options: Options,
    roots: Roots,
    state_dir: Path,
    boot_id: str,
    pace: Pace,
    now: Callable[[], Moment],
    ledger: Callable[[str], Iterable[Booked]] | None = None,
) -> DeclaredRuns:
    """``ledger``: committed totals of all label sets of a workload key; may raise."""
    users = Users(Path(options.passwd_file))
    runs = Runs(
        roots.procfs,
        namespaced=in_cgroup_namespace(roots.procfs),
        max_runs=options.max_runs,
        user_name=users.name,
    )
    peers = Peers(roots.procfs)
    memory = Memory(state_dir / FILE, boot_id)
    server = RunServer(Desk(runs, peers, pace, ledger), peers, memory, now, options.max_connections)
    wanted = Path(options.socket) if options.socket else None
    return DeclaredRuns(runs, server, places(state_dir, root=os.geteuid() == 0, wanted=wanted))
