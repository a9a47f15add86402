"""Other processes of the ledger tests. Run as `python -m tests.ledger.child VERB PATH`, from the repository root.

hold PATH        open the ledger, say so, keep it until killed
try PATH UID     open it as this user and print how that went
crash PATH       serve requests (pickled) to book in a forked process that is killed, see `Crasher`
late PATH        start on a disk that is full to the last byte, free it, start again; print both
fill PATH HOW    fill the disk under a ledger, book until refused, free it, book on; print the outcome as JSON
"""

from __future__ import annotations

import json
import os
import pickle
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.ledger.books import TRAIN, booking, contents, entry, expected
from tracker.core.errors import WattledgerError
from tracker.core.model import Booking
from tracker.ledger.audit import audit
from tracker.ledger.interface import LedgerUnavailable
from tracker.ledger.store import SqliteLedger

REPO = Path(__file__).resolve().parent.parent.parent


def start(*arguments: str, before: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
    command = [*before, sys.executable, "-m", "tests.ledger.child", *arguments]
    return subprocess.Popen(command, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@dataclass(frozen=True)
class Request:
    """Book these, and be killed: after a number of SQLite instructions of the last one, or a time after the first."""

    path: Path
    bookings: tuple[Booking, ...]
    instructions: int | None
    delay_us: int = 0


class Crasher:
    """A process that forks one per request, because starting Python a hundred times would take minutes."""

    def __init__(self) -> None:
        self._process = start("crash", "-")

    def crash(self, request: Request) -> bool:
        """Tell whether it was killed, or had finished before."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        data = pickle.dumps(request)
        self._process.stdin.write(len(data).to_bytes(4, "big") + data)
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer in (b"killed\n", b"finished\n"), answer
        return answer == b"killed\n"

    def close(self) -> None:
        self._process.communicate(timeout=10)


def _serve() -> None:
    while header := sys.stdin.buffer.read(4):
        request: Request = pickle.loads(sys.stdin.buffer.read(int.from_bytes(header, "big")))
        ready, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            _book_and_die(request, tell)
        os.close(tell)
        os.read(ready, 1)
        os.close(ready)
        if request.instructions is None:
            until = time.monotonic_ns() + request.delay_us * 1000
            while time.monotonic_ns() < until:
                pass
            os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print({0: "finished", -signal.SIGKILL: "killed"}.get(status, f"failed {status}"), flush=True)


def _book_and_die(request: Request, tell: int) -> None:
    code = 1
    try:
        ledger = SqliteLedger(request.path)
        ledger.open()
        os.write(tell, b"x")
        for number, one in enumerate(request.bookings):
            if number == len(request.bookings) - 1 and request.instructions is not None:
                assert ledger._connection is not None
                ledger._connection.set_progress_handler(
                    lambda: os.kill(os.getpid(), signal.SIGKILL), request.instructions
                )
            ledger.book(one)
        code = 0
    finally:
        os._exit(code)  # no close(): as little as possible after the last booking


def _hold(path: Path) -> None:
    ledger = SqliteLedger(path)
    ledger.open()
    print("held", flush=True)
    sys.stdin.read()


def _try(path: Path, uid: int) -> None:
    """The refusal as an operator would see it. Everything is imported by now: the new user may not read this folder."""
    os.setgid(uid)
    os.setuid(uid)
    ledger = SqliteLedger(path)
    try:
        ledger.open()
        print("opened")
    except WattledgerError as error:
        print(f"{type(error).__name__} {error}")
    ledger.close()


def _fill(path: Path, how: str) -> None:
    ledger = SqliteLedger(path)
    ledger.open()
    bookings = [_large(number) for number in range(40)]
    for one in bookings[:5]:
        ledger.book(one)
    free = _fill_disk(path.parent) if how == "disk" else _limit_files(ledger.size_bytes())
    done = 5
    refusals: list[str] = []
    while done < len(bookings) and len(refusals) < 3:
        try:
            ledger.book(bookings[done])
            done += 1
        except LedgerUnavailable as error:
            refusals.append(str(error))
    whole = contents(path) == expected(bookings[:done])
    done_when_full = done
    free()
    for one in bookings[done:]:
        ledger.book(one)
    caught_up = contents(path) == expected(bookings)
    ledger.close()
    outcome = {"refusals": refusals, "done_when_full": done_when_full, "whole": whole, "caught_up": caught_up}
    print(json.dumps({**outcome, "findings": [str(f) for f in audit(path).findings if f.check != "held_time"]}))


def _late(path: Path) -> None:
    ledger = SqliteLedger(path)
    ledger.open()
    ledger.book(booking(entry()))
    ledger.close()
    free = _fill_disk(path.parent, room=0)
    said = []
    for _ in range(2):
        try:
            said.append(f"opened with {ledger.open().total_energy_uj} uJ, set aside: {ledger.set_aside}")
        except WattledgerError as error:
            said.append(f"{type(error).__name__} {error}")
            free()
    ledger.close()
    print(json.dumps(said))


def _large(number: int) -> Booking:
    """A booking that brings 200 new workloads, so that the file must grow."""
    rows = [entry(replace(TRAIN, key=f"pod/{number}-{index}", name="x" * 200), held_ms=0) for index in range(200)]
    return booking(*rows, until_ms=entry().slot_start_s * 1000 + number * 1000 + 1)


def _fill_disk(folder: Path, room: int = 300_000) -> Callable[[], None]:
    """Leave room for a few bookings, not for all. Returns the way back."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            pass
        os.ftruncate(file.fileno(), max(0, ballast.stat().st_size - room))
    return ballast.unlink


def _limit_files(size: int) -> Callable[[], None]:
    """The same for a file size limit, which needs no mount."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 300_000, hard))
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def main(verb: str, path: str, *rest: str) -> None:
    match verb:
        case "hold":
            _hold(Path(path))
        case "try":
            _try(Path(path), int(rest[0]))
        case "late":
            _late(Path(path))
        case "crash":
            _serve()
        case "fill":
            _fill(Path(path), rest[0])
        case _:
            sys.exit(f"unknown verb {verb}")


if __name__ == "__main__":
    main(*sys.argv[1:])
