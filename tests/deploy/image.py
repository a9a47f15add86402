"""Base images made of this very machine: no registry is asked.

The run base holds Python with what it links to, and nothing else: no shell, no tool. What starts on it needs none. The
build base is the same with pip.
"""

from __future__ import annotations

import importlib.util
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

from deploy.container import assemble

REPO = Path(__file__).resolve().parent.parent.parent
TRIPLET = f"{platform.machine()}-linux-gnu"
VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
#: Not in a base for servers either.
_ABSENT = (
    "__pycache__",
    "site-packages",
    "dist-packages",
    "test",
    "tests",
    "tkinter",
    "idlelib",
    "lib2to3",
    "config-*",
)
_PASSWD = "root:x:0:0::/:/none\nnonroot:x:65532:65532::/:/none\n"
#: What wheels link to: C++, and the names that glibc kept of its parts.
_MORE = ("libstdc++.so.6", "libgcc_s.so.1", "libdl.so.2", "libpthread.so.0", "librt.so.1", "libutil.so.1", "libm.so.6")


def linked(program: Path) -> dict[str, Path]:
    """The shared libraries of a program, by the name that it asks for."""
    said = subprocess.run(["ldd", program], capture_output=True, text=True, check=False, timeout=30).stdout
    return {name: Path(path) for name, path in re.findall(r"^\s+(\S+) => (/\S+)", said, re.MULTILINE)}


def _copy_libraries(programs: Iterable[Path], target: Path) -> None:
    target.mkdir(parents=True)
    libraries: dict[str, Path] = {}
    for program in programs:
        libraries |= linked(program)
    beside = next(path.parent for name, path in libraries.items() if name.startswith("libc.so"))
    for name, path in {**libraries, **{name: beside / name for name in _MORE}}.items():
        shutil.copyfile(path, target / name)


def make_root(root: Path) -> None:
    """The file system of the run base."""
    interpreter = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    stdlib = Path(sysconfig.get_path("stdlib", vars={"installed_base": sys.base_prefix, "base": sys.base_prefix}))
    target = root / "usr" / "lib" / VERSION
    shutil.copytree(stdlib, target, ignore=shutil.ignore_patterns(*_ABSENT, "_tkinter*", "_test*"), symlinks=False)
    (root / "usr" / "bin").mkdir()
    shutil.copy2(interpreter, root / "usr" / "bin" / VERSION)
    (root / "usr" / "bin" / "python3").symlink_to(VERSION)
    libraries = root / "usr" / "lib" / TRIPLET
    _copy_libraries([interpreter, *(target / "lib-dynload").glob("*.so")], libraries)
    (root / "lib").symlink_to("usr/lib")
    loader = _loader(interpreter)
    (root / loader.parent.relative_to("/")).mkdir(parents=True, exist_ok=True)
    shutil.copy2(loader, root / loader.relative_to("/"))
    for name in ("tmp", "etc", "var/lib", "run", "proc", "sys", "dev"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc" / "passwd").write_text(_PASSWD, encoding="utf-8")


def _loader(interpreter: Path) -> Path:
    """The dynamic loader, by the one place that it must have."""
    said = subprocess.run(["ldd", interpreter], capture_output=True, text=True, check=True, timeout=30).stdout
    found = re.search(r"^\s+(/\S*/ld-linux\S*)", said, re.MULTILINE)
    assert found, said
    return Path(found[1])


def make_pip(folder: Path) -> None:
    """Pip alone."""
    spec = importlib.util.find_spec("pip")
    assert spec is not None
    assert spec.origin is not None
    shutil.copytree(Path(spec.origin).parent, folder / "pip", ignore=shutil.ignore_patterns("__pycache__"))


def download_wheels(folder: Path) -> None:
    """The pinned wheels of the image, by pip as it is set up here: the build itself asks no network."""
    pinned = assemble.parse_requirements((REPO / assemble.REQUIREMENTS).read_text("utf-8"))
    left_out = assemble.parse_left_out((REPO / "deploy/container/left-out.txt").read_text("utf-8"))
    names = (pinned.keys() - left_out) | assemble.BUILD_TOOLS
    folder.mkdir()
    wanted = folder / "wanted.txt"
    wanted.write_text("\n".join(pinned[name] for name in sorted(names)) + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", "--only-binary=:all:", f"--requirement={wanted}", f"--dest={folder}"]
    subprocess.run(command, check=True, timeout=240, capture_output=True)


def make_prometheus(root: Path) -> None:
    """The Prometheus that is installed here, with what it links to, as a root file system."""
    found = shutil.which("prometheus")
    assert found is not None
    program = Path(found).resolve()
    (root / "bin").mkdir(parents=True)
    shutil.copy2(program, root / "bin" / "prometheus")
    for name in ("etc", "tmp", "prometheus"):
        (root / name).mkdir()
    libraries = linked(program)
    for path in libraries.values():
        target = root / path.relative_to("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if libraries:
        loader = _loader(program)
        (root / loader.parent.relative_to("/")).mkdir(parents=True, exist_ok=True)
        shutil.copy2(loader, root / loader.relative_to("/"))
