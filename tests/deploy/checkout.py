"""A small checkout that ``install.sh`` installs for real: its own scripts, one requirement, a package of one command.

Only what is installed is small: pip, hashes, the environment and the build are what users have."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

from tests.deploy.installing import DEPLOY

#: Not the tests' own: the services could not see an interpreter in a home folder.
PYTHON = "/usr/bin/python3"
SAYS = "wattledger, version 0"
_BUILD = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
_BACKEND = """
import zipfile

def build_wheel(folder, settings=None, metadata=None):
    name = "wattledger-0-py3-none-any.whl"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.write("main.py", "tracker/cli/main.py")
        about = "wattledger-0.dist-info"
        wheel.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\\nName: wattledger\\nVersion: 0\\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{about}/entry_points.txt", "[console_scripts]\\nwattledger = tracker.cli.main:main\\n")
        wheel.writestr(f"{about}/RECORD", "")
    return name
"""


def checkout(folder: Path, wheels: Path) -> Path:
    """Its ``install.sh``. The one requirement lies in ``wheels``."""
    ignored = shutil.ignore_patterns("helm", "compose", "container", "__pycache__")
    shutil.copytree(DEPLOY, folder / "deploy", ignore=ignored)
    wheels.mkdir()
    wheel = wheels / "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as made:
        made.writestr("tiny.py", "")
        made.writestr("tiny-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny\nVersion: 1\n")
        made.writestr("tiny-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        made.writestr("tiny-1.dist-info/entry_points.txt", "[console_scripts]\ntiny = tiny:main\n")
        made.writestr("tiny-1.dist-info/RECORD", "")
    (folder / "requirements").mkdir()
    pinned = f"tiny==1 --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"
    (folder / "requirements/run.txt").write_text(pinned, encoding="utf-8")
    (folder / "pyproject.toml").write_text(_BUILD, encoding="utf-8")
    (folder / "backend.py").write_text(_BACKEND, encoding="utf-8")
    (folder / "main.py").write_text(f"def main():\n    import tiny\n    print({SAYS!r})\n", encoding="utf-8")
    return folder / "deploy" / "install.sh"
