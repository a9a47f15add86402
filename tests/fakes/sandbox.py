"""What a systemd unit forbids, put on a process of ours: no new privileges, no capabilities, no writable code, and the
unit's own list of system calls, by libseccomp. Read from the unit, so that the unit is what is tested.

    python -m tests.fakes.sandbox UNIT COMMAND …       runs COMMAND as root that may not do more than anybody else
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

_PR_SET_NO_NEW_PRIVS, _PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN = 38, 65, 1  # linux/prctl.h
_ALLOW, _ERRNO_EPERM = 0x7FFF0000, 0x00050001  # seccomp.h: SCMP_ACT_ALLOW, SCMP_ACT_ERRNO(EPERM)
_PR_CAPBSET_DROP, _LAST_CAPABILITY = 24, 40


def settings(unit: Path, name: str) -> list[str]:
    """Every value that a unit gives a setting, in order."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    return [line.partition("=")[2].strip() for line in lines if line.startswith(f"{name}=")]


def allowed_calls(unit: Path) -> set[str]:
    """SystemCallFilter= as systemd.exec(5) reads it: the first line allows, lines with ``~`` take away."""
    allowed: set[str] = set()
    for value in settings(unit, "SystemCallFilter"):
        names = set().union(*(_expand(word) for word in value.removeprefix("~").split()))
        allowed = allowed - names if value.startswith("~") else allowed | names
    return allowed | _expand("@default")


def _expand(name: str) -> set[str]:
    if not name.startswith("@"):
        return {name}
    command = ["systemd-analyze", "syscall-filter", name]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1:]
    words = (line.strip() for line in lines if not line.strip().startswith("#"))
    return set().union(*(_expand(word) for word in words if word))


def confine(unit: Path) -> None:
    """Put it on for good, also over an execve(2). Needs root, who stays the owner of root's files. Raises OSError."""
    libc, calls = ctypes.CDLL(None, use_errno=True), allowed_calls(unit)
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    assert settings(unit, "CapabilityBoundingSet") == [""], "only units without capabilities are put on here"
    for capability in range(_LAST_CAPABILITY + 1):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails where this kernel or container has none of it
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(_ERRNO_EPERM)))
    for name in calls:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # negative: not on this architecture
            _must(seccomp.seccomp_rule_add(context, ctypes.c_uint32(_ALLOW), number, 0))
    _must(seccomp.seccomp_load(context))
    if settings(unit, "MemoryDenyWriteExecute") == ["yes"]:
        libc.prctl(_PR_SET_MDWE, _MDWE_REFUSE_EXEC_GAIN, 0, 0, 0)  # Linux 6.3; before, this part is not tested


def _must(answer: int) -> None:
    if answer != 0:
        raise OSError(-answer, "the sandbox could not be made")


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
