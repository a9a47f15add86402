"""A copy of deploy/compose and what starts it: docker-compose on podman's Docker API."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.image import REPO, make_prometheus
from tests.deploy.podman import Engine, until

PROMETHEUS = "localhost/prometheus:test"
LIMITED = ("nofile", "nproc")  # a container's root may not raise them


class Tour:
    """A copy of deploy/compose, and the dashboards beside it as they are in the repository."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "deploy" / "compose"
        ignored = shutil.ignore_patterns(".env", "secrets")
        shutil.copytree(REPO / "deploy" / "compose", self.folder, ignore=ignored)
        shutil.copytree(REPO / "dashboards", folder / "dashboards", ignore=shutil.ignore_patterns("__pycache__"))

    def sh(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        environ = {name: value for name, value in os.environ.items() if name not in {"ZONE", "COMPOSE_FILE"}}
        command = [str(self.folder / "tour.sh"), *arguments]
        return subprocess.run(
            command, env={**environ, **(env or {})}, capture_output=True, text=True, timeout=60, check=False
        )

    def config(self, *files: str, zone: str = "DE") -> dict[str, Any]:
        """What docker-compose makes of the files."""
        done = compose(self.folder, "config", files=files, env={"ZONE": zone})
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = yaml.safe_load(done.stdout)
        return found


def compose(
    folder: Path, *arguments: str, files: tuple[str, ...] = ("compose.yaml",), env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = ["docker-compose", *(f"--file={folder / name}" for name in files), *arguments]
    environ = {**os.environ, **(env or {})}
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False)


def secrets_of(tour: Tour) -> tuple[str, str]:
    password = re.search(r"^GRAFANA_PASSWORD=(.+)$", (tour.folder / ".env").read_text("utf-8"), re.MULTILINE)
    assert password
    return password[1], (tour.folder / "secrets" / "portal.token").read_text("utf-8").split()[0]


@contextmanager
def api(engine: Engine) -> Iterator[str]:
    """Podman's Docker API, at this address."""
    socket = engine.folder / f"{os.getpid()}.sock"
    command = [*engine.podman_command, "system", "service", "--time=0", f"unix://{socket}"]
    with (engine.folder / "service.log").open("wb") as log:
        service = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until(socket.exists, "the service listened", deadline_s=120)
            yield f"unix://{socket}"
        finally:
            service.terminate()
            service.wait(20)
            socket.unlink(missing_ok=True)


def prometheus_image(engine: Engine, folder: Path) -> None:
    make_prometheus(folder / "root")
    (folder / "File").write_text('FROM scratch\nCOPY root /\nENTRYPOINT ["/bin/prometheus"]\n', "utf-8")
    engine.build(folder / "File", folder, PROMETHEUS)


def on_this_network(tour: Tour, ports: Mapping[str, int]) -> Path:
    """The tour as docker-compose reads it, on the host's network: its own needs more than a container in CI may do.
    Names of services become ports of loopback."""
    whole = tour.config("compose.yaml", zone="FR")
    services = {name: whole["services"][name] for name in ("agent", "portal", "prometheus")}
    for service in services.values():
        del service["ports"]
        service |= {"network_mode": "host", "ulimits": {name: {"soft": 1024, "hard": 1024} for name in LIMITED}}
        service.pop("healthcheck", None)
        service["restart"] = "no"
    services["agent"]["command"].append(f"--listen=127.0.0.1:{ports['agent']}")
    services["portal"]["command"][2] = f"127.0.0.1:{ports['portal']}"
    services["prometheus"]["command"].append(f"--web.listen-address=127.0.0.1:{ports['prometheus']}")
    services["prometheus"]["user"] = "0:0"  # the image that is made here has no user
    scrape = tour.folder / "prometheus.yml"
    scrape.write_text(scrape.read_text("utf-8").replace("agent:9837", f"127.0.0.1:{ports['agent']}"), "utf-8")
    volumes: dict[str, Any] = {name: {} for name in ("state", "books", "prometheus")}
    path = tour.folder / "here.yaml"
    path.write_text(yaml.safe_dump({"services": services, "volumes": volumes}), "utf-8")
    return path


def answer(url: str, token: str = "") -> tuple[int, str]:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urllib.request.urlopen(request, timeout=60) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:
        return 0, ""
