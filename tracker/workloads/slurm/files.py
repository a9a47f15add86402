"""The job files that Slurm's prolog leaves on the node: one JSON object per job, in a folder of root's.

Contract (written by ``deploy/slurm/prolog.sh``): ``<job>.json``, or ``<job>.<node>.json`` where the slurmd has a name
of its own; at the job's end the epilog appends ``.ended`` to the name. A file appears by a rename: it is whole. Its
fields are those of ``JobFile``; unknown ones are for later versions.

What is in it is charged to people, so only files that nobody but their owner could have written are believed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import msgspec

from tracker.core.units import NS_PER_S
from tracker.workloads.slurm.facts import Facts, cleaned, parse_indices

MAX_FILES = 4096
MAX_BYTES = 64 << 10
_NAME = re.compile(r"^(\d{1,12})(?:\.([^/]{1,128}?))?\.json(\.ended)?$", re.ASCII)
_SETTLED_NS = 2 * NS_PER_S  # a folder's time stamp is that coarse on no file system worth a job file
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


class JobFile(msgspec.Struct, frozen=True, kw_only=True):
    """What the prolog writes. ``gpus``: ``SLURM_JOB_GPUS``; ``devices``: UUIDs of the same GPUs, if all are known."""

    version: int
    job: str
    sluid: str = ""
    node: str = ""
    user: str = ""
    account: str = ""
    partition: str = ""
    qos: str = ""
    name: str = ""
    array_job: str = ""
    array_task: str = ""
    het_job: str = ""
    het_offset: str = ""
    gpus: str = ""
    devices: tuple[str, ...] = ()
    restart: str = ""
    started: int = 0  # seconds since 1970


@dataclass(frozen=True, slots=True)
class Prolog:
    """A job of this node, according to its file. ``run`` tells one run of a requeued job from the next."""

    facts: Facts
    nodes: frozenset[str]  # what Slurm calls this host
    run: tuple[int, str]
    ended: bool


def parse_job_file(text: str) -> tuple[Facts, str, tuple[int, str]]:
    """(facts, Slurm's name of the node, run). Raises ValueError."""
    try:
        file = msgspec.json.decode(text, type=JobFile, strict=False)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ValueError(f"it is no job file: {error}") from error
    if file.version != 1:
        raise ValueError(f"it is of version {file.version}; this wattledger knows version 1")
    named = tuple(device for device in file.devices if device.startswith(("GPU-", "MIG-")))
    facts = Facts(
        file.job,
        file.sluid,
        file.user,
        file.account,
        file.partition,
        file.qos,
        file.name,
        file.array_job,
        file.array_task,
        file.het_job,
        file.het_offset,
        named or parse_indices(file.gpus),
    )
    return cleaned(facts), file.node, (file.started, file.restart)


class JobFolder:
    """Reads the folder again when it has changed. Never raises."""

    def __init__(self, path: Path, owner_uid: int) -> None:
        self._path, self._owner_uid = path, owner_uid
        self._stamp: tuple[int, int] | None = None
        self._files: dict[str, tuple[int, Prolog]] = {}  # name -> (inode, what it says)
        self._jobs: Mapping[str, Prolog] = {}
        self.refused: dict[str, str] = {}  # file -> why it is not believed
        self.trouble = ""  # with the folder itself
        self.present = False

    def read(self, wall_ns: int) -> Mapping[str, Prolog]:
        """Every job with a believable file, by number. The same object as before when nothing has changed."""
        try:
            folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            self.present = not isinstance(error, FileNotFoundError)
            self.trouble = "" if isinstance(error, FileNotFoundError) else f"{error.strerror}"
            return self._forget()
        try:
            self.present = True
            status = os.fstat(folder)
            self.trouble = self._distrust(status)
            if self.trouble:
                return self._forget()
            stamp = (status.st_ino, status.st_mtime_ns)
            if stamp != self._stamp:
                self._read_all(folder)
                # What is renamed into it right now may leave the same time stamp: then look again.
                self._stamp = stamp if wall_ns - status.st_mtime_ns > _SETTLED_NS else None
        except OSError as error:
            self.trouble = f"{error.strerror}"
        finally:
            os.close(folder)
        return self._jobs

    def _forget(self) -> Mapping[str, Prolog]:
        self._stamp = None
        if self._files or self.refused:
            self._files, self.refused, self._jobs = {}, {}, {}
        return self._jobs

    def _distrust(self, status: os.stat_result) -> str:
        """Why something cannot be believed, "" if it can."""
        if status.st_uid != self._owner_uid:
            return f"belongs to uid {status.st_uid}, not to uid {self._owner_uid}"
        if status.st_mode & _OTHERS_MAY_WRITE:
            return "can be written by others than its owner"
        return ""

    def _read_all(self, folder: int) -> None:
        """A file that is replaced by a rename has another inode: what is known of the others still holds."""
        with os.scandir(folder) as entries:
            inodes = dict(islice(((e.name, e.inode()) for e in entries if _NAME.match(e.name)), MAX_FILES))
        before, self._files = self._files, {}
        self.refused = {}
        for name, inode in inodes.items():
            known = before.get(name)
            try:
                self._files[name] = known if known is not None and known[0] == inode else self._read(folder, name)
            except FileNotFoundError:
                continue  # ended meanwhile
            except OSError as error:
                self.refused[name] = error.strerror or str(error)
            except ValueError as error:
                self.refused[name] = str(error)
        jobs = _by_job(self._files)
        self._jobs = self._jobs if jobs == self._jobs else jobs

    def _read(self, folder: int, name: str) -> tuple[int, Prolog]:
        # O_NONBLOCK: a pipe in this place must not stop us
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode):
                raise ValueError("it is no regular file")
            if distrust := self._distrust(status):
                raise ValueError(f"it {distrust}")
            if status.st_size > MAX_BYTES:
                raise ValueError(f"it has {status.st_size} bytes, more than {MAX_BYTES}")
            text = os.read(file, MAX_BYTES).decode("utf-8", "replace")
        finally:
            os.close(file)
        facts, node, run = parse_job_file(text)
        match = _NAME.match(name)
        if match is None or facts.job != match[1]:
            raise ValueError(f"it speaks of job {facts.job}")
        return status.st_ino, Prolog(facts, frozenset({node} if node else ()), run, ended=match[3] is not None)


def _by_job(files: Mapping[str, tuple[int, Prolog]]) -> dict[str, Prolog]:
    """One job per number: several slurmd of one host wrote a file each, and a requeued job left an ended one."""
    jobs: dict[str, Prolog] = {}
    for _, (_, new) in sorted(files.items()):
        old = jobs.get(new.facts.job)
        if old is None or (old.ended and not new.ended):
            jobs[new.facts.job] = new
        elif old.ended == new.ended:
            gpus = tuple(dict.fromkeys((*(old.facts.gpus or ()), *(new.facts.gpus or ()))))
            first, last = sorted((old, new), key=lambda prolog: prolog.run)
            jobs[new.facts.job] = replace(
                last, facts=replace(last.facts, gpus=gpus), nodes=first.nodes | last.nodes, run=first.run
            )
    return jobs
