"""Other processes of the store's tests. Run as ``python -m tests.grid.store_child VERB PATH ...`` from the repository.

crash            serve lines "PATH INSTRUCTIONS": add hours in a forked process that is killed after so many of SQLite's
add PATH NAME N  add N hours of a provider NAME, one transaction each
hold PATH        open the store, say so, keep it until killed
look PATH UID    read as this user and print what came of it
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.grid.hours import NOON_S, hour
from tracker.core.errors import WattledgerError
from tracker.grid.store import FactorReader, FactorStore

REPO = Path(__file__).resolve().parent.parent.parent
HOURS = 40


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.grid.store_child", *arguments]
    return subprocess.Popen(command, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _serve() -> None:
    for line in sys.stdin:
        path, instructions = line.split()
        pid = os.fork()
        if pid == 0:
            _add_and_die(Path(path), int(instructions))
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print({0: "finished", -signal.SIGKILL: "killed"}.get(status, f"failed {status}"), flush=True)


def _add_and_die(path: Path, instructions: int) -> None:
    code = 1
    try:
        store = FactorStore(path).open()
        assert store._connection is not None
        store._connection.set_progress_handler(lambda: os.kill(os.getpid(), signal.SIGKILL), instructions)
        store.append([hour(number, "60") for number in range(HOURS)], NOON_S + 1)
        code = 0
    finally:
        os._exit(code)  # no close(): as little as possible after the addition


def _add(path: Path, provider: str, count: int) -> None:
    with FactorStore(path) as store:
        for number in range(count):
            store.append([hour(number, provider=provider), hour(number, provider="both")], NOON_S + number)


def _hold(path: Path) -> None:
    with FactorStore(path):
        print("held", flush=True)
        sys.stdin.read()


def _look(path: Path, uid: int) -> None:
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    try:
        print(len(FactorReader(path).records(["FR"], 0, 2**40)))
    except WattledgerError as error:
        print(error)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["crash"]:
            _serve()
        case ["add", path, provider, count]:
            _add(Path(path), provider, int(count))
        case ["hold", path]:
            _hold(Path(path))
        case ["look", path, uid]:
            _look(Path(path), int(uid))
        case _:
            sys.exit(__doc__)
