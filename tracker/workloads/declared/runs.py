"""The runs that are declared now: what was said of them, what they used, and what the agent takes up at each tick.

Two threads come here: the server's with what clients say, the agent's at each tick. Whatever changes whose a process is
(a run begins or ends, a phase begins) measures the processes first: their CPU time and memory up to that instant belong
to what was before. So a run that lasts half a tick gets what it used, and no more.

Where several runs are declared by one process, the last one counts; where a process of a run declares another, the
inner one counts for itself and what it starts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from tracker.core.model import Finding, Workload
from tracker.core.units import NS_PER_MS, NS_PER_S
from tracker.workloads.declared.carving import RunTick
from tracker.workloads.declared.declaration import (
    Declaration,
    Finish,
    Name,
    Peer,
    Refused,
    RunIds,
    check_words,
    declared,
    template_of,
)
from tracker.workloads.declared.family import Delta, Family
from tracker.workloads.declared.health import findings
from tracker.workloads.declared.protocol import Declare
from tracker.workloads.declared.steps import Steps
from tracker.workloads.declared.use import Charged, Use, Uses, tick_of
from tracker.workloads.labels import clean_label
from tracker.workloads.paths import RELATIVE

MAX_RUNS = 4096
DEPARTED_NS = 60 * NS_PER_S  # how long the driver may still name a process that is gone
PHASE_PAUSE_NS = 100 * NS_PER_MS  # phases that change faster are not measured one by one


class Runs:
    """Thread-safe; never blocks for longer than it takes to read the processes of the runs."""

    def __init__(
        self,
        procfs: Path,
        *,
        namespaced: bool = False,
        max_runs: int = MAX_RUNS,
        user_name: Callable[[str], str] = str,
    ) -> None:
        """``namespaced``: this process is in a cgroup namespace. ``user_name``: the name of a uid."""
        self._lock = threading.RLock()
        self._family = Family(procfs, namespaced=namespaced)
        self._max_runs, self._user_name = max_runs, user_name
        self._declarations: dict[str, Declaration] = {}  # by token; an ended one until it is booked
        self._stacks: dict[int, list[Declaration]] = {}  # by declaring process, the current one last
        self._used: Uses = {}
        self._departed: dict[int, tuple[Workload, int]] = {}  # process -> whose it was, and until when that counts
        self._ids = RunIds()
        self._steps = Steps(self._family.look)
        self._commands: dict[str, str] = {}  # by workload key
        self._tick_ns: int | None = None
        self._refused = ""
        self.changed = False  # something that should survive a restart, since ``stored`` was last called

    # -- what clients say ----------------------------------------------------------------------------------------------

    def declare(self, peer: Peer, message: Declare, boot_ns: int) -> str:
        """Begin a run, or take it up again under the same token. Returns the run around it, "" if there is none. Raises
        Refused."""
        with self._lock:
            try:
                return self._declare(peer, message, boot_ns)
            except Refused as error:
                self._refused = str(error)
                raise

    def _declare(self, peer: Peer, message: Declare, boot_ns: int) -> str:
        known = self._declarations.get(message.token)
        if known is not None:
            return self._declare_again(known, peer, message, boot_ns)
        check_words(message)
        self._check(peer, message)
        around = self._around(peer.pid)
        followed = self._follow(peer, boot_ns)
        home = self._family.identity(peer.pid) or RELATIVE
        declaration = declared(peer, message, self._user_name(str(peer.uid)), home)
        self._declarations[message.token] = declaration
        self._commands[declaration.template.key] = declaration.command
        if followed:
            self._stacks.setdefault(peer.pid, []).append(declaration)
        self._ids.remember(message.run, peer.uid)
        self._steps.declared(declaration.run, (message.token, peer))
        self.changed = True
        return around if around != message.run else ""

    def _declare_again(self, known: Declaration, peer: Peer, message: Declare, boot_ns: int) -> str:
        """The client lost its connection, or the daemon was restarted."""
        if (known.pid, known.start, known.uid, known.run) != (peer.pid, peer.start, peer.uid, message.run):
            raise Refused("This token belongs to another run.")
        if not known.ended:
            self._measure(peer.pid, boot_ns)
        elif self._follow(peer, boot_ns):
            self._stacks.setdefault(peer.pid, []).append(known)
        known.template = template_of(message)
        known.enter(message.phase)
        known.ended = known.drained = False
        known.attached = self.changed = True
        return ""

    def _around(self, pid: int) -> str:
        """The run that a process is in now."""
        stack = self._stacks.get(pid) or self._stacks.get(self._family.root_above(pid) or 0)
        return stack[-1].run if stack else ""

    def _follow(self, peer: Peer, boot_ns: int) -> bool:
        """What the process used so far belongs to the run around it, or to none. False: it has exited already, or its
        number is another process's by now; what it said it got done still counts. Raises Refused."""
        root = self._family.root_of(peer.pid)
        if root is not None:
            self._measure(root, boot_ns)
        if self._family.add(peer.pid, boot_ns) == peer.start:
            self._family.scan(boot_ns)
            return True
        self._drop(peer.pid)
        stat = self._family.look(peer.pid)
        if stat is not None and stat.start == peer.start:
            raise Refused("The runs of this node have too many processes to follow.")
        return False

    def _check(self, peer: Peer, message: Declare) -> None:
        lives = any(d.run == message.run and d.uid != peer.uid and not d.ended for d in self._declarations.values())
        if (lives and peer.uid != 0) or not self._ids.may_use(message.run, peer.uid):
            raise Refused(f"The run id {clean_label(message.run)} is another user's; choose another one.")
        mine = sum(1 for declaration in self._declarations.values() if declaration.uid == peer.uid)
        if len(self._declarations) >= self._max_runs or (peer.uid != 0 and mine >= self._max_runs // 2):
            raise Refused(f"There are too many runs ({len(self._declarations)} of {self._max_runs}).")

    def phase(self, uid: int, token: str, phase: str, boot_ns: int) -> None:
        """From now on the run is in this phase. Raises Refused."""
        with self._lock:
            declaration = self._find(uid, token)
            if boot_ns - declaration.measured_ns >= PHASE_PAUSE_NS:
                declaration.measured_ns = boot_ns
                self._measure(declaration.pid, boot_ns)
            declaration.enter(phase)
            self.changed = True

    def add(self, peer: Peer, token: str, units: Mapping[str, int]) -> None:
        """A process of the run got something done. Raises Refused, and then nothing is added."""
        with self._lock:
            declaration = self._find(peer.uid, token)
            declaration.check(units)
            declaration.add(self._steps.taken(declaration.run, (token, peer), units))

    def end(self, uid: int, token: str, boot_ns: int) -> None:
        """The run is over, its processes may go on. Raises Refused."""
        with self._lock:
            declaration = self._find(uid, token)
            self._family.scan(boot_ns)
            self._measure(declaration.pid, boot_ns)
            self._end(declaration)

    def _find(self, uid: int, token: str) -> Declaration:
        declaration = self._declarations.get(token)
        if declaration is None or declaration.ended or uid not in {declaration.uid, 0}:
            raise Refused("There is no such run, or it is over.")
        return declaration

    def _end(self, declaration: Declaration) -> None:
        declaration.ended = self.changed = True
        self._steps.leave(declaration.run, declaration.token)
        stack = self._stacks.get(declaration.pid, [])
        if declaration in stack:
            stack.remove(declaration)
        if not stack:
            self._drop(declaration.pid)

    def _drop(self, pid: int) -> None:
        if not self._stacks.get(pid):
            self._stacks.pop(pid, None)
            self._family.remove(pid)

    # -- what the agent takes ------------------------------------------------------------------------------------------

    def tick(self, boot_ns: int, name: Name, finish: Finish = lambda workload: workload) -> RunTick:
        """What the runs used since the last tick. ``name``: from a cgroup's identity to its workload; ``finish``: gives
        a run its last labels (rules). Called once per tick, before GPUs are split."""
        with self._lock:
            before_ns = self._tick_ns
            if before_ns is not None and boot_ns <= before_ns:
                return RunTick()  # asked twice in one instant: what was used is for the next tick
            self._tick_ns = boot_ns
            if self._declarations:
                self._family.scan(boot_ns, force=True)
                self._measure(None, boot_ns)
            used, self._used = self._used, {}
            names = self._name_all(used, name, finish)
            homes: dict[str, Workload] = {}
            charged = []
            for (pid, token, phase), use in used.items():
                home = homes.get(use.identity.key)
                if home is None:
                    home = homes[use.identity.key] = name(use.identity)
                charged.append(Charged(pid, names[token, phase], home, use))
            if before_ns is None:
                return RunTick()
            tick = tick_of(charged, boot_ns - before_ns, boot_ns)
            return RunTick(tick.cpu, tick.dram, {**self._ghosts(tick, charged, boot_ns), **tick.owners})

    def _name_all(self, used: Uses, name: Name, finish: Finish) -> dict[tuple[str, str], Workload]:
        """By token and phase: every phase in which something was used, or is still to be booked."""
        phases: dict[str, set[str]] = {token: {each.phase} for token, each in self._declarations.items()}
        for _, token, phase in used:
            phases[token].add(phase)
        names = {}
        for token, each in self._declarations.items():
            each.drained = each.drained or each.ended
            each.home = self._family.identity(each.pid) or each.home
            for phase in phases[token] | {phase for phase, _ in each.units}:
                names[token, phase] = each.name(phase, name, finish)
        return names

    def _ghosts(self, tick: RunTick, charged: Iterable[Charged], boot_ns: int) -> dict[int, Workload]:
        """Processes that are gone, and whose they were: the driver may still name them."""
        dead = {each.pid for each in charged if not each.use.alive}
        if not dead and not self._departed:
            return {}
        seen = {each.pid for each in charged}
        kept = {pid: item for pid, item in self._departed.items() if item[1] >= boot_ns and pid not in seen}
        self._departed = kept | {pid: (tick.owners[pid], boot_ns + DEPARTED_NS) for pid in dead}
        return {pid: workload for pid, (workload, _) in self._departed.items()}

    def drain_units(self) -> tuple[tuple[Workload, str, int], ...]:
        """(workload, unit, amount) of what was reported since the last call, for the next booking. A run that no tick
        has named yet waits."""
        with self._lock:
            found = []
            for declaration in self._declarations.values():
                for key, amount in list(declaration.units.items()):
                    workload = declaration.named.get(key[0])
                    if workload is not None:
                        found.append((workload, key[1], amount))
                        del declaration.units[key]
            return tuple(found)

    def committed(self) -> None:
        """Everything up to the last tick is booked: what ended before it is settled, and forgotten here."""
        with self._lock:
            over = [token for token, each in self._declarations.items() if each.drained and not each.units]
            for token in over:
                del self._declarations[token]
            if over:
                self._commands = {each.template.key: each.command for each in self._declarations.values()}

    def settled(self, token: str) -> bool:
        """Whether nothing of a run is still to be booked."""
        with self._lock:
            return token not in self._declarations

    def attributes(self, key: str) -> Mapping[str, str]:
        """What rules may match beside the labels: the ``command`` of a run, by ``Workload.key``."""
        command = self._commands.get(key)
        return {"command": command} if command else {}

    def check(self) -> tuple[Finding, ...]:
        """How many there are, and what was refused last."""
        with self._lock:
            active = sum(1 for each in self._declarations.values() if not each.ended)
            return findings(active, self._family.size, self._family.overflow, self._refused)

    # -- over a restart of the daemon ----------------------------------------------------------------------------------

    def stored(self) -> tuple[Declaration, ...]:
        """The live declarations in their order; clears ``changed``."""
        with self._lock:
            self.changed = False
            return tuple(each for each in self._declarations.values() if not each.ended)

    def restore(self, declarations: Iterable[Declaration], boot_ns: int) -> None:
        """Take up the runs of the daemon before this one, whose processes still live."""
        with self._lock:
            for each in declarations:
                if each.token not in self._declarations and self._family.add(each.pid, boot_ns) == each.start:
                    each.attached = False
                    self._declarations[each.token] = each
                    self._commands[each.template.key] = each.command
                    self._stacks.setdefault(each.pid, []).append(each)
                    self._ids.remember(each.run, each.uid)
                else:
                    self._drop(each.pid)

    def alone(self, peer: Peer, tokens: Iterable[str]) -> None:
        """A client has come back: of the runs its process had before, only these still are."""
        with self._lock:
            for declaration in list(self._stacks.get(peer.pid, ())):
                if not declaration.attached and declaration.token not in tokens:
                    self._end(declaration)

    # -- measuring -----------------------------------------------------------------------------------------------------

    def _measure(self, root: int | None, boot_ns: int) -> None:
        """Account what the processes of a root (None: of all) used to the runs they belong to now."""
        if root is None or root in self._stacks:
            self._account(self._family.measure(boot_ns, root))

    def _account(self, deltas: Iterable[Delta]) -> None:
        dead = set()
        for delta in deltas:
            stack = self._stacks.get(delta.root)
            if not stack:
                continue
            key = (delta.pid, stack[-1].token, stack[-1].phase)
            use = self._used.setdefault(key, Use(delta.identity, delta.start_ns))
            use.add(delta)
            if not delta.alive and delta.pid == delta.root:
                dead.add(delta.pid)
        for pid in dead:
            for declaration in list(self._stacks.get(pid, ())):
                self._end(declaration)
