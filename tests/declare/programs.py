"""Programs of users: little scripts, run by an interpreter of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]

#: Uses CPU time of this process.
BURN = """
import time
def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
"""


def program(text: str, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end. Warnings are errors in it, as in these tests."""
    return subprocess.run(command(text, *arguments), env=env(**environ), capture_output=True, text=True, check=False)


def started(text: str, *arguments: str, **environ: str) -> subprocess.Popen[str]:
    """Start one that is spoken to over its standard streams."""
    return subprocess.Popen(
        command(text, *arguments), env=env(**environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def command(text: str, *arguments: str) -> list[str]:
    return [sys.executable, "-W", "error", "-c", BURN + text, *arguments]


def env(**environ: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPO), "PYTHONUNBUFFERED": "1", **environ}
