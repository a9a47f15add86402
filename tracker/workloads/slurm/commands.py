"""Running ``scontrol`` and ``squeue``: with a deadline, a bound on what they may say, and no shell.

``subprocess`` is imported where it is used: a node whose jobs all have job files never needs it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import IO

MAX_REASON = 200  # characters of what a failing command said


class AskFailed(Exception):
    """The command gave no answer; one clause says why. ``said``: what it wrote to standard error, if it ended."""

    def __init__(self, clause: str, said: str | None = None) -> None:
        super().__init__(clause)
        self.said = said


def run(command: Sequence[str], deadline_s: float, max_bytes: int, env: Mapping[str, str]) -> bytes:
    """What the command prints. It and its children are killed at the deadline, and when they print more. Raises
    AskFailed."""
    import subprocess  # noqa: PLC0415 - see above; a fixed command without a shell

    try:
        process = subprocess.Popen(  # noqa: S603 - no shell; the arguments are job ids
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            start_new_session=True,
        )
    except OSError as error:
        raise AskFailed(f"{command[0]} cannot be run: {error.strerror}") from error
    end_s = time.monotonic() + deadline_s
    with process:
        try:
            output, errors = _drain((process.stdout, process.stderr), end_s, max_bytes)
            status = process.wait(max(0.0, end_s - time.monotonic()))
        except (TimeoutError, subprocess.TimeoutExpired):
            _kill(process.pid)
            raise AskFailed(f"{command[0]} did not answer within {deadline_s:g} s") from None
        except OverflowError:
            _kill(process.pid)
            raise AskFailed(f"{command[0]} said more than {max_bytes} bytes") from None
    if status != 0:
        said = errors.decode("utf-8", "replace").strip()
        reason = said.splitlines()[-1][:MAX_REASON] if said else f"exit code {status}"
        raise AskFailed(f"{command[0]} failed: {reason}", said)
    return output


def _drain(pipes: Sequence[IO[bytes] | None], end_s: float, max_bytes: int) -> list[bytes]:
    """What comes out of the pipes until all are closed. Raises TimeoutError, OverflowError."""
    import selectors  # noqa: PLC0415 - loaded with subprocess

    said = [bytearray() for _ in pipes]
    with selectors.DefaultSelector() as selector:
        for pipe, data in zip(pipes, said, strict=True):
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, data)
        while selector.get_map():
            left_s = end_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            for key, _ in selector.select(left_s):
                part = os.read(key.fd, 1 << 16)
                key.data.extend(part)
                if not part:
                    selector.unregister(key.fileobj)
                if len(key.data) > max_bytes:
                    raise OverflowError
    return [bytes(data) for data in said]


def _kill(group: int) -> None:
    """End the command, which is not reaped yet, and whatever it has started: that may hold our pipes open."""
    try:
        os.killpg(group, signal.SIGKILL)
    except OSError:
        return
