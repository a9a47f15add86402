"""Runs the child that composes drafts: one at a time, with a deadline, and ended with the portal."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from tracker.core.errors import WattledgerError
from tracker.finance.portal_child import Job, Outcome
from tracker.web.portal.interface import Busy, Missing, Unavailable

COMMAND = (sys.executable, "-P", "-m", "tracker.finance.portal_child")
WAIT_S = 60.0  # how long a draft waits for its turn
DEADLINE_S = 900.0  # how long a child may take
_SAID = 300


class Composer:
    """Runs the child; at most one."""

    def __init__(
        self, command: Sequence[str] = COMMAND, deadline_s: float = DEADLINE_S, wait_s: float = WAIT_S
    ) -> None:
        self._command, self._deadline_s, self._wait_s = tuple(command), deadline_s, wait_s
        self._turn = threading.Semaphore(1)
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._closed = False

    def __call__(self, job: Job) -> None:
        """Compose it. Raises Busy while another draft is composed, Unavailable, or another WattledgerError."""
        if not self._turn.acquire(timeout=self._wait_s):
            raise Busy("Another draft is being put together.", "Ask again in a moment.", retry_after_s=30)
        try:
            self._run(job)
        finally:
            self._turn.release()

    def close(self) -> None:
        """End the child, for good."""
        with self._lock:
            self._closed = True
            if self._child is not None:
                self._child.kill()

    def _run(self, job: Job) -> None:
        path = os.pathsep.join(entry for entry in sys.path if entry)
        with self._lock:
            if self._closed:
                raise Unavailable("The portal is being stopped.")
            try:
                child = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env={**os.environ, "PYTHONPATH": path},
                )
            except OSError as error:
                sentence = f"The process that composes drafts cannot be started: {error.strerror}."
                raise WattledgerError(sentence, "See what limits the processes or the memory of this user.") from error
            self._child = child
        try:
            said, complaint = _converse(child, msgspec.json.encode(job) + b"\n", self._deadline_s)
        except subprocess.TimeoutExpired:
            child.kill()
            child.communicate()
            sentence = f"The draft of {job.month} was not put together within {self._deadline_s:g} s."
            raise WattledgerError(
                sentence, "Compose it by hand, to see what takes so long: wattledger export"
            ) from None
        finally:
            with self._lock:
                self._child = None
        _judge(job, child.returncode, said, complaint)


def _converse(child: subprocess.Popen[bytes], job: bytes, deadline_s: float) -> tuple[bytes, bytes]:
    """Hand over the job and wait for the end. Standard input stays open meanwhile: its end would end the child."""
    stdin, child.stdin = child.stdin, None  # communicate() would close it
    if stdin is None:
        raise ValueError("the child has no standard input")
    try:
        with suppress(BrokenPipeError):  # it ended already, and said why on its standard error
            stdin.write(job)
            stdin.flush()
        return child.communicate(timeout=deadline_s)
    finally:
        with suppress(BrokenPipeError):
            stdin.close()


def _judge(job: Job, code: int, said: bytes, complaint: bytes) -> None:
    """Raises what the child said."""
    try:
        outcome = msgspec.json.decode(said, type=Outcome)
    except msgspec.MsgspecError:
        last = complaint.decode("utf-8", "replace").strip().rpartition("\n")[2][:_SAID]
        sentence = f"The draft of {job.month} was not put together: {last or f'its process ended with code {code}'}."
        raise WattledgerError(sentence, "Compose it by hand, to see more: wattledger export") from None
    match outcome.kind:
        case "":
            return
        case "nothing":
            raise Missing(outcome.sentence, outcome.remedy)
        case "unavailable":
            raise Unavailable(outcome.sentence, outcome.remedy)
        case "failed":
            raise WattledgerError(outcome.sentence, outcome.remedy)
