"""Running somebody's command as if we were not there: signals reach it, its exit code is ours, its orphans are waited
for."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

from tracker.core.errors import WattledgerError

NOT_FOUND, NOT_EXECUTABLE = 127, 126
SIGNALLED = 128
UPKEEP_S = 5.0
_FORWARDED = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2})
_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class CommandNotRun(WattledgerError):
    """The command could not be started. Exit codes are those of a shell."""

    def __init__(self, sentence: str, exit_code: int) -> None:
        super().__init__(sentence)
        self.exit_code = exit_code


def run_command(command: Sequence[str], environ: Mapping[str, str], upkeep: Callable[[], object]) -> int:
    """Run a command to its end and return its exit code, 128 + n if signal n ended it. ``upkeep`` is called now and
    then. Raises CommandNotRun."""
    _adopt_orphans()
    waited = {*_FORWARDED, signal.SIGCHLD}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
    try:
        child = _spawn(command, environ, before)
        while True:
            info = signal.sigtimedwait(waited, UPKEEP_S)
            if info is None:
                upkeep()
            elif info.si_signo != signal.SIGCHLD:
                _forward(child, info)
            code = _reap(child)
            if code is not None:
                return code
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _spawn(command: Sequence[str], environ: Mapping[str, str], mask: Iterable[int]) -> int:
    """Python ignores SIGPIPE and SIGXFSZ; the command must not inherit that."""
    ignored = [signal.SIGPIPE, signal.SIGXFSZ]
    try:
        return os.posix_spawnp(command[0], list(command), dict(environ), setsigmask=mask, setsigdef=ignored)
    except FileNotFoundError as error:
        raise CommandNotRun(f"{command[0]}: there is no such command.", NOT_FOUND) from error
    except (PermissionError, OSError) as error:
        raise CommandNotRun(f"{command[0]}: {error.strerror}.", NOT_EXECUTABLE) from error


def _forward(child: int, info: signal.struct_siginfo) -> None:
    """What a terminal sends goes to the whole foreground group, the command included; only what somebody sent to us
    alone (``si_code`` <= 0, sigaction(2)) has to be passed on."""
    if info.si_code <= 0:
        with suppress(ProcessLookupError):
            os.kill(child, info.si_signo)


def _reap(child: int) -> int | None:
    """Wait for whatever has ended. The exit code once the command has."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        if pid == 0:
            return None
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else SIGNALLED - code


def _adopt_orphans() -> None:
    """What the command leaves behind stays below us, so that it stays in the run and its CPU time is counted."""
    import ctypes  # noqa: PLC0415 - for one call that Python does not have

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
