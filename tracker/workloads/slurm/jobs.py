"""The jobs of this node as they are remembered: bounded in number and in age.

A job is remembered while anything speaks of it (a job file, a cgroup, a tick that met it) and 15 minutes longer: its
last energy still arrives. Whether it still *holds* its GPUs is another question. It does while its cgroup is there, and
for five minutes after the last sign of it; then the scheduler must say so. A job without cgroup is one between two
steps, or one whose epilog did not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tracker.core.units import NS_PER_S
from tracker.workloads.slurm.cgroups import Place
from tracker.workloads.slurm.facts import UNKNOWN, Facts, merge
from tracker.workloads.slurm.files import Prolog

MAX_JOBS = 4096
KEEP_NS = 15 * 60 * NS_PER_S
HOLD_NS = 5 * 60 * NS_PER_S
ASK_AGAIN_NS = 4 * 60 * NS_PER_S  # before HOLD_NS is over
AWAY_NS = 60 * NS_PER_S  # Slurm waits two minutes before it starts a requeued job again
MAX_ASKED = 5  # answers that brought nothing
MAX_ENVIRON_TRIES = 30  # a batch script starts some seconds after its cgroup


@dataclass(slots=True)
class Job:
    """``name``: what cgroups and files call it, a number or an SLUID."""

    name: str
    seen_ns: int
    place: Place | None = None
    prolog: Prolog | None = None
    scheduler: Facts | None = None
    environ: Facts | None = None
    sign_ns: int = 0  # the last sign that it is on the node
    over: bool = False  # the scheduler said so, or its file was removed
    stale: bool = False  # it was away and came back: what was learned may be of its last run
    asked: int = 0
    asked_ns: int | None = None
    environ_tries: int = 0
    _sources: tuple[Prolog | None, Facts | None, Facts | None] | None = None  # of which ``_facts`` are made
    _facts: tuple[Facts, Facts] = (UNKNOWN, UNKNOWN)

    @property
    def facts(self) -> Facts:
        """The prolog's word before the scheduler's, and both before the job's own."""
        return self._merge()[1]

    @property
    def trusted(self) -> Facts:
        """What the user of the job cannot have made up."""
        return self._merge()[0]

    def _merge(self) -> tuple[Facts, Facts]:
        sources = (self.prolog, self.scheduler, self.environ)
        if self._sources is None or any(new is not old for new, old in zip(sources, self._sources, strict=True)):
            self._sources = sources
            trusted = merge((self.prolog.facts if self.prolog is not None else None, self.scheduler))
            self._facts = (trusted, merge((trusted, self.environ, Facts(self.name if self.name.isdecimal() else ""))))
        return self._facts

    def holds(self, now_ns: int) -> bool:
        """Whether its GPUs are given to it now."""
        if (self.prolog is not None and self.prolog.ended) or (self.over and self.place is None):
            return False
        return now_ns - self.sign_ns < HOLD_NS

    def wants_environ(self) -> bool:
        """Whether its processes could add something."""
        if self.place is None or self.environ_tries >= MAX_ENVIRON_TRIES:
            return False
        if self.environ is not None and not self.stale:
            return False
        facts = self.trusted
        return self.stale or not (facts.name and facts.gpus is not None)

    def wants_scheduler(self, now_ns: int) -> bool:
        """Whether only the scheduler can help: it is not named by anybody to be trusted, or gave no sign for long."""
        if not self.sign_ns or self.over or self.asked >= MAX_ASKED or (self.prolog is not None and self.prolog.ended):
            return False
        if self.asked_ns is not None and now_ns - self.asked_ns < ASK_AGAIN_NS:
            return False
        silent = self.place is None and now_ns - self.sign_ns >= ASK_AGAIN_NS
        return silent or (self.scheduler is None and not self._is_known()) or (self.stale and self.prolog is None)

    def hear_scheduler(self, answer: tuple[Facts, bool] | None, now_ns: int) -> None:
        """What it said when asked; None: it does not know the job any more."""
        facts, running = answer if answer is not None else (None, False)
        if facts is not None:
            self.scheduler = facts if running or self.scheduler is None else self.scheduler
            self.asked, self.stale = 0, False
        if running:
            self.sign_ns = now_ns
        self.over = not running and self.place is None

    def _is_known(self) -> bool:
        """Any user may write account and partition into the environment of a process; its name is the user's choice
        anyway."""
        facts = self.trusted
        named = bool(facts.name) or (self.environ is not None and bool(self.environ.name))
        return named and bool(facts.user and facts.partition) and facts.gpus is not None

    def begin_anew(self) -> None:
        """Another run under the same number (a requeue), or another job: what was said about the last one is void."""
        self.prolog = self.scheduler = self.environ = None
        self.renew()
        self.stale = False

    def renew(self) -> None:
        """Learn it again; what is known holds meanwhile."""
        self.asked_ns = None
        self.asked = self.environ_tries = 0
        self.over, self.stale = False, True


class Jobs:
    """All of them, by name."""

    def __init__(self) -> None:
        self.by_name: dict[str, Job] = {}

    def meet(self, name: str, now_ns: int) -> Job:
        """The job of this name, which something speaks of now."""
        job = self.by_name.get(name)
        if job is None:
            job = self.by_name[name] = Job(name, now_ns)
        job.seen_ns = now_ns
        return job

    def take_prologs(self, prologs: Mapping[str, Prolog], now_ns: int, *, complete: bool) -> None:
        """The job files as they are now. ``complete`` False: the folder could not be read."""
        told = {self._name_of(prolog): prolog for prolog in prologs.values()}
        for name, prolog in told.items():
            job = self.meet(name, now_ns)
            if job.prolog == prolog:
                continue
            if job.prolog is not None and job.prolog.run != prolog.run:
                job.begin_anew()
            job.prolog, job.over = prolog, False
            job.sign_ns = job.sign_ns if prolog.ended else now_ns
        for name, job in self.by_name.items():
            if complete and name not in told and job.prolog is not None and not job.prolog.ended:
                job.over = True  # an epilog of another make has removed the file

    def _name_of(self, prolog: Prolog) -> str:
        """Since 26.05 cgroups have the SLUID's name, unless configured otherwise: as those of this node have."""
        sluid, number = prolog.facts.sluid, prolog.facts.job
        if not sluid or number in self.by_name:
            return number
        uses_sluids = sluid in self.by_name or any(not name.isdecimal() for name in self.by_name)
        return sluid if uses_sluids or not self.by_name else number

    def take_places(self, places: Mapping[str, Place], now_ns: int) -> None:
        """The cgroups as they are now."""
        for name, place in places.items():
            job = self.meet(name, now_ns)
            if job.place is None and job.sign_ns and now_ns - job.sign_ns > AWAY_NS:
                job.renew()
            if job.place is not None and job.place.uid != place.uid:
                job.begin_anew()
            job.place, job.sign_ns = place, now_ns
        for name, job in self.by_name.items():
            if name not in places:
                job.place = None
            if job.prolog is not None and not job.prolog.ended and not job.over:
                job.seen_ns = now_ns  # its file is there

    def forget(self, now_ns: int) -> None:
        """Those that nobody has spoken of for 15 minutes, and the least known and longest silent ones beyond 4096."""
        gone = [name for name, job in self.by_name.items() if now_ns - job.seen_ns > KEEP_NS]
        for name in gone:
            del self.by_name[name]
        excess = len(self.by_name) - MAX_JOBS
        if excess > 0:
            for job in sorted(self.by_name.values(), key=_worth)[:excess]:
                del self.by_name[job.name]


def _worth(job: Job) -> tuple[bool, int]:
    """Numbers that only a cgroup's name has brought up go first: a container may make such names by the thousand."""
    return job.sign_ns > 0, job.seen_ns
