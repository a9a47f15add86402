"""``make image`` and ``make tour`` take an engine that works: a docker client without a server is none."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPO


def programs(folder: Path, **scripts: str) -> dict[str, str]:
    """An environment in which these programs come first, and no others of their names."""
    for name, script in scripts.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
        path.chmod(0o755)
    for name in ("sh", "sed", "git", "dirname"):
        (folder / name).symlink_to(next(p for d in os.get_exec_path() if (p := Path(d, name)).exists()))
    return {"PATH": str(folder), "HOME": str(folder)}


@pytest.mark.parametrize(("server", "built_by"), [("exit 1", "podman"), ("exit 0", "docker")])
def test_an_image_is_built_by_whoever_can(tmp_path: Path, server: str, built_by: str) -> None:
    docker = f'[ "$1" != info ] || {server}\n[ "$1" = info ] || echo docker'
    env = programs(tmp_path, docker=docker, podman="echo podman")
    done = subprocess.run(
        [REPO / "deploy" / "container" / "build.sh"], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{built_by}\n"


def test_without_any_engine_it_says_what_to_install(tmp_path: Path) -> None:
    env = programs(tmp_path, docker="exit 1")
    done = subprocess.run(
        [REPO / "deploy" / "container" / "build.sh"], env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("There is no docker (with a server that answers), podman or buildah here. Install")


def test_demo_takes_arguments_as_run_does() -> None:
    """The advice beside a taken port is --listen."""
    arguments = ["make", "-n", "demo", "ARGS=--listen 127.0.0.1:9951"]
    done = subprocess.run(arguments, cwd=REPO, capture_output=True, text=True, check=True)
    assert "run --state-dir state --demo --listen 127.0.0.1:9951" in done.stdout
