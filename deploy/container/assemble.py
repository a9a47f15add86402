"""Puts together what the image holds: ``python3 -m deploy.container.assemble OUT``, from the root of the repository.

OUT/opt/wattledger   lib/ (pinned distributions and wattledger), bin/wattledger, sbom.cdx.json, health.py, warm.py
OUT/etc/wattledger   the image's configuration file
OUT/state            what comes into /var/lib: empty folders for the state and for books
Needs Python with pip, and no shell. pip takes its settings from the environment (PIP_NO_INDEX, PIP_FIND_LINKS).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from deploy.container import sbom

HERE = Path(__file__).resolve().parent
REQUIREMENTS = Path("requirements/run.txt")
#: pyproject.toml: the build backend, and what it needs.
BUILD_TOOLS = frozenset({"hatchling", "packaging", "pathspec", "pluggy", "trove-classifiers"})
#: Of codecarbon: what ``tracker/codecarbon_child.py`` reads lies in these.
CODECARBON_PARTS = ("_version.py", "data")
#: ``-P``: what lies beside the script is never imported.
SCRIPT = "#!/usr/bin/python3 -P\nimport sys\n\nfrom tracker.cli.main import main\n\nsys.exit(main())\n"


def parse_requirements(text: str) -> dict[str, str]:
    """Pinned requirements by name, each with its hashes; those for other environments too."""
    blocks: dict[str, str] = {}
    for block in re.findall(r"^[A-Za-z0-9].*(?:\n[ \t].*)*", text, re.MULTILINE):
        name = re.split(r"[=\s;\[]", block, maxsplit=1)[0].lower()
        blocks[name] = f"{blocks[name]}\n{block}" if name in blocks else block
    return blocks


def parse_left_out(text: str) -> frozenset[str]:
    return frozenset(line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#"))


def pip(*arguments: str, extra: Mapping[str, str] | None = None) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-cache-dir", *arguments]
    subprocess.run(command, check=True, env={**os.environ, **(extra or {})})  # noqa: S603 - our own interpreter


def install(names: Iterable[str], pinned: Mapping[str, str], target: Path, scratch: Path) -> None:
    """Exactly these, nothing that they ask for besides, each of a hash that is written down; wheels only: no code of a
    distribution runs."""
    wanted = scratch / f"{target.name}.txt"
    wanted.write_text("\n".join(pinned[name] for name in sorted(names)) + "\n", encoding="utf-8")
    flags = ("--require-hashes", "--no-deps", "--only-binary=:all:", "--no-compile", "--no-warn-script-location")
    pip("install", *flags, "--root-user-action=ignore", f"--target={target}", f"--requirement={wanted}")
    shutil.rmtree(target / "bin", ignore_errors=True)  # scripts that name the builder's Python


def install_wattledger(tools: Path, target: Path, scratch: Path) -> None:
    wheels = scratch / "own"
    path = os.pathsep.join(filter(None, [str(tools), os.environ.get("PYTHONPATH", "")]))
    pip("wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={wheels}", ".", extra={"PYTHONPATH": path})
    (wheel,) = wheels.glob("wattledger-*.whl")
    flags = ("--no-deps", "--no-index", "--no-compile", "--root-user-action=ignore", "--no-warn-script-location")
    pip("install", *flags, f"--target={target}", str(wheel))
    shutil.rmtree(target / "bin")


def forget_origin(lib: Path) -> None:
    """Where our own wheel lay at its installation (direct_url.json, PEP 610): a folder with another name each time."""
    for path in lib.glob("*.dist-info/direct_url.json"):
        path.unlink()
        record = path.with_name("RECORD")
        kept = [line for line in record.read_text("utf-8").splitlines() if "/direct_url.json," not in line]
        record.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def set_times(folder: Path, epoch_s: str) -> None:
    """Give everything the time of the commit, where that is known: SOURCE_DATE_EPOCH."""
    for path in (folder, *folder.rglob("*")) if epoch_s else ():
        os.utime(path, (int(epoch_s), int(epoch_s)), follow_symlinks=False)


def prune(lib: Path) -> None:
    """Of codecarbon its data; nothing compiled: the image's own Python does that."""
    for path in (lib / "codecarbon").iterdir():
        if path.name not in CODECARBON_PARTS:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for folder in lib.rglob("__pycache__"):
        shutil.rmtree(folder)


def main(out: Path) -> None:
    pinned = parse_requirements(REQUIREMENTS.read_text("utf-8"))
    left_out = parse_left_out((HERE / "left-out.txt").read_text("utf-8"))
    home = out / "opt" / "wattledger"
    lib, bin_ = home / "lib", home / "bin"
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        install(BUILD_TOOLS, pinned, scratch / "tools", scratch)
        install(pinned.keys() - left_out, pinned, lib, scratch)
        install_wattledger(scratch / "tools", lib, scratch)
    prune(lib)
    forget_origin(lib)
    bin_.mkdir()
    (bin_ / "wattledger").write_text(SCRIPT, encoding="utf-8")
    (bin_ / "wattledger").chmod(0o755)
    (home / "sbom.cdx.json").write_text(sbom.document(lib), encoding="utf-8")
    for name in ("health.py", "warm.py"):
        shutil.copyfile(HERE / name, home / name)
    (out / "etc" / "wattledger").mkdir(parents=True)
    shutil.copyfile(HERE / "config.toml", out / "etc" / "wattledger" / "config.toml")
    for name in ("wattledger", "wattledger-books"):
        folder = out / "state" / name
        folder.mkdir(parents=True)
        folder.chmod(0o771)  # its group is root: uid 0 without capabilities may write to a volume made of it too
    set_times(out, os.environ.get("SOURCE_DATE_EPOCH", ""))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
