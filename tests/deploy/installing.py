"""What ``deploy/install.sh`` puts where, below a folder that stands for the root of a machine."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.daemon import COMMAND

REPO = Path(__file__).resolve().parents[2]
DEPLOY = REPO / "deploy"
PREFIX = "/opt/wattledger"
UNITS = "usr/local/lib/systemd/system"


@dataclass(frozen=True, slots=True)
class Machine:
    """``root``: its DESTDIR."""

    root: Path
    prefix: str = PREFIX

    def run(self, script: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        given = {"DESTDIR": str(self.root), "PREFIX": self.prefix, **variables}
        env = {"PATH": os.environ["PATH"], **given}
        return subprocess.run(["sh", str(script)], env=env, capture_output=True, text=True, timeout=60, check=False)

    def install(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """With the command of this checkout instead of an environment of its own."""
        return self.run(DEPLOY / "install.sh", **{"COMMAND": COMMAND, **variables})

    def uninstall(self) -> subprocess.CompletedProcess[str]:
        """By the script that was installed."""
        return self.run(self.root / self.prefix[1:] / "share/uninstall.sh")

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Mode and content of everything, links by where they lead."""
        return {
            str(path.relative_to(self.root)): (
                path.lstat().st_mode,
                str(path.readlink()).encode() if path.is_symlink() else path.read_bytes(),
            )
            for path in self.root.rglob("*")
            if path.is_symlink() or path.is_file()
        }
