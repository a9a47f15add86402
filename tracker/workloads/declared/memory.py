"""What the daemon remembers of the runs when it is restarted, in a file of its own beside the ledger.

A training job that only says ``with declare("run-42"):`` says nothing more for a week. It must stay run-42 when the
daemon is upgraded in between, so the live declarations are kept, with the boot they belong to and each process's start.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import msgspec

from tracker.core.model import Workload
from tracker.workloads.declared.declaration import Declaration
from tracker.workloads.declared.totals import Totals

FILE = "declared.json"


class _Run(msgspec.Struct, frozen=True):
    token: str
    run: str
    pid: int
    start: int
    uid: int
    user: str
    template: Workload
    phase: str
    command: str


class _State(msgspec.Struct, frozen=True):
    boot_id: str
    runs: tuple[_Run, ...]
    inner: dict[str, dict[str, Totals]]


class Memory:
    """The file. Its tokens are secrets of the clients: only the daemon's user may read it."""

    def __init__(self, path: Path, boot_id: str) -> None:
        self._path, self._boot_id = path, boot_id

    def write(self, runs: tuple[Declaration, ...], inner: dict[str, dict[str, Totals]]) -> None:
        """Replace the file as a whole. A failure costs only what a restart would have kept."""
        kept = tuple(_Run(r.token, r.run, r.pid, r.start, r.uid, r.user, r.template, r.phase, r.command) for r in runs)
        data = msgspec.json.encode(_State(self._boot_id, kept, inner))
        fresh = self._path.with_suffix(".new")
        with suppress(OSError):
            fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(fd, "wb") as file:
                file.write(data)
            fresh.replace(self._path)

    def read(self) -> tuple[tuple[Declaration, ...], dict[str, dict[str, Totals]]]:
        """Nothing when there is no file, it is damaged, or it is of another boot: its pids mean other processes now."""
        try:
            state = msgspec.json.decode(self._path.read_bytes(), type=_State)
        except (OSError, msgspec.DecodeError):
            return (), {}
        if not self._boot_id or state.boot_id != self._boot_id:
            return (), {}
        runs = tuple(
            Declaration(r.token, r.run, r.pid, r.start, r.uid, r.user, r.template, r.phase, r.command)
            for r in state.runs
        )
        return runs, state.inner
