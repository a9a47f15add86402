"""Declared runs as a part of the observer: the socket lives as long as it does, and rules see the runs' commands.

What runs used is taken out of their homes by ``declared/carving.py``; the observer calls ``runs.tick``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from tracker.core.model import Finding, Level, Moment, Workload
from tracker.core.snapshot import Snapshot
from tracker.sysfs import Roots
from tracker.workloads.checks import in_cgroup_namespace
from tracker.workloads.declared.desk import Desk, Pace
from tracker.workloads.declared.memory import FILE, Memory
from tracker.workloads.declared.peers import Peers
from tracker.workloads.declared.place import answers, places
from tracker.workloads.declared.runs import Runs
from tracker.workloads.declared.server import RunServer
from tracker.workloads.declared.totals import Booked
from tracker.workloads.interface import Identity, Resolver
from tracker.workloads.names import Users


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of declared runs. Nothing has to be set."""

    #: Whether runs may be declared at all.
    listen: bool = True
    #: Where the socket is; "": /run/wattledger/declare.sock, or the state folder where that cannot be written.
    socket: str = ""


class DeclaredResolver(Resolver):
    """Owns the runs and their socket."""

    name = "declared"

    def __init__(
        self,
        options: Options,
        roots: Roots,
        clock: Callable[[], Moment],
        state_dir: Path,
        boot_id: str,
        pace: Pace,
        ledger: Callable[[str], Iterable[Booked]],
    ) -> None:
        """``ledger``: committed totals of every label set of a workload key, from any thread."""
        self._options, self._roots, self._clock = options, roots, clock
        wanted = Path(options.socket) if options.socket else None
        self._places = places(state_dir, root=os.geteuid() == 0, wanted=wanted)
        self._memory = Memory(state_dir / FILE, boot_id)
        self._pace, self._ledger = pace, ledger
        namespaced = in_cgroup_namespace(roots.procfs)
        self.runs = Runs(roots.procfs, namespaced=namespaced, user_name=Users(Path("/etc/passwd")).name)
        self._server: RunServer | None = None

    def start(self) -> None:
        """See ``Resolver``."""
        if self._options.listen and self._server is None:
            peers = Peers(self._roots.procfs)
            desk = Desk(self.runs, peers, self._pace, self._ledger)
            self._server = RunServer(desk, peers, self._memory, self._clock)
            self._server.start(self._places)

    def close(self) -> None:
        """See ``Resolver``."""
        if self._server is not None:
            self._server.close()

    def committed(self, snapshot: Snapshot) -> None:
        """The agent has booked: clients are told this from now on."""
        if self._server is not None:
            self._server.committed(snapshot)

    def resolve(self, identity: Identity, workload: Workload) -> Workload | None:  # noqa: ARG002 - names no cgroups
        """See ``Resolver``."""
        return None

    def attributes(self, key: str) -> Mapping[str, str]:
        """See ``Resolver``."""
        return self.runs.attributes(key) if key.startswith("run/") else {}

    def check(self) -> tuple[Finding, ...]:
        """See ``Resolver``. Where it does not listen itself, whether a daemon does."""
        if not self._options.listen:
            return (Finding(Level.OK, "declare", "Runs cannot be declared: [workloads.declared] listen = false."),)
        if self._server is not None:
            return self._server.check()
        taken = next((path for path in self._places if answers(path)), None)
        if taken is not None:
            return (Finding(Level.OK, "declare", f"A daemon takes declarations of runs at {taken}."),)
        return (Finding(Level.OK, "declare", f"A daemon would take declarations of runs at {self._places[0]}."),)
