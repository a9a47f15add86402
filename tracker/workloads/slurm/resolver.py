"""Slurm jobs: their user, account, partition, QOS, name and GPUs.

The job itself is known from its cgroup. Who it is, this resolver learns in a thread of its own, from the best of:

1. the job file that our prolog wrote (``files.py``): immediate, free; prologs are not told the job's name;
2. the scheduler (``scheduler.py``): at most every 60 s, only about jobs that are not known otherwise;
3. the environment of the job's processes (``environ.py``): needs rights, and the user may have changed it.

A job that holds GPUs and does nothing pays for them: ``allocations`` has it.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from tracker.core.model import Finding, Kind, Moment, Workload
from tracker.core.units import NS_PER_S
from tracker.sysfs import Roots
from tracker.workloads.interface import Allocation, Identity, Resolver
from tracker.workloads.learner import Clock, Learner
from tracker.workloads.slurm.cgroups import Place, find_jobs, is_job, is_populated
from tracker.workloads.slurm.checks import Health, findings
from tracker.workloads.slurm.environ import read_facts
from tracker.workloads.slurm.facts import Facts, attributes_of, key_of, workload_of
from tracker.workloads.slurm.files import JobFolder
from tracker.workloads.slurm.gpus import device_of, has_instances, read_minors
from tracker.workloads.slurm.jobs import Job, Jobs
from tracker.workloads.slurm.scheduler import MAX_JOBS as MAX_ASKED
from tracker.workloads.slurm.scheduler import Scheduler

LOOK_S = 2.0  # at the job files; the rest is seldomer
NO_SLURM_S = 30.0  # on a node without
SCAN_NS = 10 * NS_PER_S  # for cgroups
SLOW_NS = 60 * NS_PER_S  # what changes hardly ever, or costs more
_MAX_UNKNOWN = 1024


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of Slurm naming. Nothing has to be set where the prolog of ``deploy/slurm`` is installed."""

    #: Where the prolog leaves job files.
    jobs_dir: str = "/run/wattledger/jobs"
    #: Who slurmd runs as (SlurmdUser): job files of others are not believed.
    jobs_owner_uid: int = 0
    #: What Slurm calls this node, if it is not the host's name. Needed only for jobs on several nodes without job file.
    node: str = ""
    #: Whether the scheduler may be asked, and how seldom at least.
    ask: bool = True
    ask_every_s: Annotated[float, msgspec.Meta(ge=60)] = 60.0
    scontrol: str = "scontrol"
    squeue: str = "squeue"
    #: SLURM_CONF for these commands; "": as in our environment.
    slurm_conf: str = ""
    #: Whether the environment of a job's processes may be read. It takes CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.
    environ: bool = True
    #: Which label the account becomes unless a rule sets it; "": none.
    account_label: Literal["", "team", "project", "cost_centre"] = "project"


@dataclass(slots=True)
class _Known:
    """A job as the tick sees it. The learning thread makes it, the agent's thread fills in the last two."""

    facts: Facts
    attributes: Mapping[str, str]
    bare: Workload  # labelled from facts alone
    plain: Workload | None = None
    workload: Workload | None = None


@dataclass(frozen=True, slots=True)
class _View:
    """Everything the tick may see: swapped by reference."""

    known: Mapping[str, _Known] = field(default_factory=dict)  # by workload key
    held: tuple[tuple[str, str], ...] = ()  # (device, workload key)


class SlurmResolver(Resolver):
    """Names Slurm jobs. ``turn`` is what its thread does; tests call it themselves."""

    name = "slurm"

    def __init__(self, options: Options, roots: Roots, clock: Clock) -> None:
        self._options, self._roots, self._clock = options, roots, clock
        self._folder = JobFolder(Path(options.jobs_dir), options.jobs_owner_uid)
        self._scheduler = Scheduler(options.scontrol, options.squeue, options.slurm_conf) if options.ask else None
        self._learner = Learner(self.name, self.turn, clock)
        self._jobs = Jobs()
        self._view = _View()
        self._unknown: deque[str] = deque(maxlen=_MAX_UNKNOWN)
        self._nodes = {options.node or os.uname().nodename.partition(".")[0]}
        self._prologs: object = None
        self._minors: Mapping[str, str] = {}
        self._partitioned = False
        self._empty: frozenset[str] = frozenset()
        self._health = Health()
        self._scanned_ns = self._slow_ns = self._asked_ns = None  # type: int | None

    def start(self) -> None:
        self._learner.start()

    def close(self) -> None:
        self._learner.close()

    def resolve(self, identity: Identity, workload: Workload) -> Workload | None:
        if identity.kind is not Kind.SLURM or not identity.slurm_job:
            return None  # OAR's jobs share the kind
        known = self._view.known.get(identity.key)
        if known is None:
            self._unknown.append(identity.slurm_job)
            return None
        if known.plain is not workload or known.workload is None:
            known.workload = workload_of(identity.slurm_job, known.facts, workload, self._options.account_label)
            known.plain = workload
        return known.workload

    def attributes(self, key: str) -> Mapping[str, str]:
        known = self._view.known.get(key)
        return known.attributes if known is not None else {}

    def allocations(self) -> tuple[Allocation, ...]:
        view = self._view
        jobs = ((device, view.known[key]) for device, key in view.held)
        return tuple(Allocation(device, known.workload or known.bare) for device, known in jobs)

    def check(self) -> tuple[Finding, ...]:
        if not self._learner.alive:
            try:
                self.turn(self._clock())
            except Exception as error:  # noqa: BLE001 - it must not raise
                self._health.trouble = f"{type(error).__name__}: {error}"
        self._health.trouble = self._learner.trouble() or self._health.trouble
        return findings(self._health, self._folder, self._options.jobs_dir)

    def turn(self, now: Moment) -> float:
        """Learn what has changed. Called from one thread; returns the seconds to the next call."""
        now_ns = now.mono_ns
        changed = self._look_at_files(now)
        if self._scanned_ns is None or now_ns - self._scanned_ns >= SCAN_NS or self._unknown:
            self._scanned_ns = now_ns
            self._scan(now_ns)
            changed = True
        for job in self._jobs.by_name.values() if changed else ():
            if self._options.environ and job.wants_environ() and job.place is not None:
                self._read_environ(job, job.place)
        if changed:
            self._ask(now_ns)
            self._jobs.forget(now_ns)
            self._publish(now_ns)
        return LOOK_S if self._health.has_slurm or self._folder.present or self._jobs.by_name else NO_SLURM_S

    def _look_at_files(self, now: Moment) -> bool:
        prologs = self._folder.read(now.wall_ns)
        if prologs is self._prologs:
            return False
        self._prologs = prologs
        complete = self._folder.present and not self._folder.trouble
        self._jobs.take_prologs(prologs, now.mono_ns, complete=complete)
        self._nodes.update(node for prolog in prologs.values() for node in prolog.nodes)
        return True

    def _scan(self, now_ns: int) -> None:
        """Which jobs are on the node now."""
        while self._unknown:
            self._jobs.meet(self._unknown.popleft(), now_ns)
        places = find_jobs(self._roots.sysfs / "fs" / "cgroup")
        self._health.has_slurm = places is not None
        places = places or {}
        if self._slow_ns is None or now_ns - self._slow_ns >= SLOW_NS:
            self._slow_ns = now_ns
            self._minors = read_minors(self._roots.procfs)
            self._partitioned = has_instances(self._roots.procfs)
            self._empty = frozenset(name for name, place in places.items() if not is_populated(place))
        self._nodes.update(place.node for place in places.values() if place.node)
        self._jobs.take_places({name: p for name, p in places.items() if name not in self._empty}, now_ns)

    def _read_environ(self, job: Job, place: Place) -> None:
        job.environ_tries += 1
        try:
            facts = read_facts(self._roots.procfs, place, job.name)
        except PermissionError:
            self._health.denied = True
            return
        if facts is not None:
            self._health.denied = False
            job.environ, job.environ_tries = facts, 0
            job.stale = job.stale and self._scheduler is not None

    def _ask(self, now_ns: int) -> None:
        """Ask the scheduler if it is time and somebody is unknown."""
        if self._scheduler is None:
            return
        if self._asked_ns is not None and now_ns - self._asked_ns < self._options.ask_every_s * NS_PER_S:
            return
        jobs = self._jobs.by_name.values()
        wanting = [job for job in jobs if job.wants_scheduler(now_ns) and is_job(job.name)]
        if not wanting:
            return
        self._asked_ns = now_ns
        wanting = sorted(wanting, key=lambda job: job.asked)[:MAX_ASKED]
        answers = self._scheduler.ask([job.name for job in wanting], self._nodes)
        for job in wanting:
            job.asked += 1
            job.asked_ns = now_ns
            if job.name in answers:
                job.hear_scheduler(answers[job.name], now_ns)
        self._health.ask_trouble = self._scheduler.trouble

    def _publish(self, now_ns: int) -> None:
        before = self._view.known
        known: dict[str, _Known] = {}
        held: list[tuple[str, str]] = []
        health = self._health
        health.jobs = health.unnamed = health.without_gpus = 0
        for name, job in self._jobs.by_name.items():
            facts, key = job.facts, key_of(name)
            old = before.get(key)
            if old is not None and (old.facts is facts or old.facts == facts):
                known[key] = old
            elif job.prolog or job.scheduler or job.environ:
                bare = workload_of(name, facts, None, self._options.account_label)
                known[key] = _Known(facts, attributes_of(facts), bare)
            if not job.holds(now_ns):
                continue
            health.jobs += 1
            health.unnamed += key not in known
            devices = [device_of(gpu, self._minors, partitioned=self._partitioned) for gpu in facts.gpus or ()]
            health.without_gpus += facts.gpus is None or None in devices
            if key in known:
                held += [(device, key) for device in devices if device is not None]
        self._view = _View(known, tuple(held))
