"""A process that does what it is told: burns CPU, has children, waits for them or not. A script and its remote control.

Commands, one a line; the answer is one line when it is done:
``burn S``        this process uses S seconds of CPU time
``child S``       a child burns, exits, and is waited for
``keep S``        a child burns and stays; answers its pid
``orphan S``      a grandchild burns and stays, its parent is gone; answers its pid
``reap PID``      ends a child that was kept and waits for it
``ignore``        from now on nobody waits for children (SIGCHLD is ignored)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from types import TracebackType
from typing import Self


def burn(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def kept(seconds: float) -> int:
    """A child that burns, says so, and stays. Returns its pid once it has burnt."""
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        burn(seconds)
        os.write(done, b".")
        os.close(done)
        signal.pause()
    os.close(done)
    os.read(ready, 1)
    os.close(ready)
    return pid


def orphaned(seconds: float) -> int:
    ready, done = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.write(done, str(kept(seconds)).encode())
        os._exit(0)
    os.close(done)
    pid = int(os.read(ready, 32))
    os.close(ready)
    os.waitpid(middle, 0)
    return pid


def obey(command: str, argument: str) -> str:
    match command:
        case "burn":
            burn(float(argument))
        case "child":
            pid = os.fork()
            if pid == 0:
                burn(float(argument))
                os._exit(0)
            os.waitpid(pid, 0)
        case "keep":
            return str(kept(float(argument)))
        case "orphan":
            return str(orphaned(float(argument)))
        case "reap":
            os.kill(int(argument), signal.SIGKILL)
            os.waitpid(int(argument), 0)
        case "ignore":
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        case _:
            return f"what is {command}?"
    return "ok"


class Puppet:
    """The remote control. Use as a context manager; what it started is ended by pid."""

    def __init__(self) -> None:
        self._extra: list[int] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-S", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.pid = self._process.pid
        assert self._answer() == "ready"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        for pid in self._extra:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def __call__(self, command: str, argument: object = "") -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{command} {argument}\n")
        self._process.stdin.flush()
        answer = self._answer()
        if command in {"keep", "orphan"}:
            self._extra.append(int(answer))
        return answer

    def end(self) -> None:
        self._process.kill()
        self._process.wait(60)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def main() -> None:
    print("ready", flush=True)
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        print(obey(command, argument), flush=True)


if __name__ == "__main__":
    main()
