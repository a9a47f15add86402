"""The tour: what its files say, and what can be started of it through a real engine's Docker API."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.deploy.podman import Engine, require, until
from tests.deploy.tour import PROMETHEUS, Tour, answer, api, compose, on_this_network, prometheus_image, secrets_of
from tests.e2e.prometheus import Prometheus, free_port

pytestmark = pytest.mark.timeout(280)


@pytest.fixture
def tour(tmp_path: Path) -> Tour:
    require("docker-compose")
    made = Tour(tmp_path)
    assert made.sh("env").returncode == 0
    return made


def test_every_port_is_on_loopback_and_every_service_is_bounded(tour: Tour) -> None:
    """A tour on a laptop in a café opens nothing to the café."""
    services = tour.config("compose.yaml")["services"]
    assert sorted(services) == ["agent", "grafana", "portal", "prometheus"]
    for name, service in services.items():
        assert [port.rpartition(":")[0].rpartition(":")[0] for port in service["ports"]] == ["127.0.0.1"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
    assert services["agent"]["command"] == ["run", "--demo"]
    assert services["agent"]["read_only"] is services["portal"]["read_only"] is True


def test_passwords_are_nobodys_default(tour: Tour, tmp_path: Path) -> None:
    """Two tours have different ones, only their owner can read them, they survive another start, and without them
    nothing starts."""
    (tmp_path / "other").mkdir()
    other = Tour(tmp_path / "other")
    other.sh("env")
    first, second = secrets_of(tour), secrets_of(other)
    assert len({*first, *second}) == 4
    assert all(len(secret) == 48 for secret in (*first, *second))
    assert (tour.folder / ".env").stat().st_mode & 0o077 == 0
    assert (tour.folder / "secrets").stat().st_mode & 0o077 == 0
    tour.sh("env")
    assert secrets_of(tour) == first
    grafana = tour.config("compose.yaml")["services"]["grafana"]["environment"]
    assert grafana["GF_SECURITY_ADMIN_PASSWORD"] == first[0]
    assert grafana["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    (tour.folder / ".env").unlink()
    without = compose(tour.folder, "config")
    assert without.returncode != 0
    assert "there is no password yet, run deploy/compose/tour.sh" in without.stderr


def test_the_real_machine_takes_one_variable_and_a_place(tour: Tour) -> None:
    """NODE=real: the host read-only, uid 0 without a capability, books of its own. The place is never guessed."""
    refused = tour.sh("real")
    assert refused.returncode == 2
    assert "make tour NODE=real ZONE=DE" in refused.stderr
    path = tour.folder / "real.yaml"
    text = path.read_text("utf-8")
    assert "    cgroup: host\n" in text
    path.write_text(text.replace("    cgroup: host\n", ""), "utf-8")  # Compose 1.29, which is here, has no such key
    services = tour.config("compose.yaml", "real.yaml", "gpu.yaml")["services"]
    agent = services["agent"]
    assert agent["command"] == ["run"]
    roots = {"WATTLEDGER_NODE__SYSFS": "/host/sys", "WATTLEDGER_NODE__PROCFS": "/host/proc"}
    assert roots.items() <= agent["environment"].items(), "of check in this container, too"
    assert {"/proc:/host/proc:ro", "/sys:/host/sys:ro", "real:/var/lib/wattledger:rw"} <= {*agent["volumes"]}
    assert (agent["user"], agent["pid"], agent["cap_drop"]) == ("0:0", "host", ["ALL"])
    assert agent["environment"]["WATTLEDGER_SITE__TOUR__ZONE"] == "DE"
    assert agent["deploy"]["resources"]["reservations"]["devices"][0]["driver"] == "nvidia"
    assert "real-books:/var/lib/wattledger-books:rw" in agent["volumes"]
    assert "real-books:/var/lib/wattledger-books:ro" in services["portal"]["volumes"]
    assert not any(line.startswith(("state:", "books:")) for line in agent["volumes"] + services["portal"]["volumes"])


def test_the_start_remembers_its_files_and_shows_no_password(tour: Tour, tmp_path: Path) -> None:
    """With a program in the place of docker: what it is asked, and that "docker compose" in the folder goes on with the
    same files."""
    said = tmp_path / "said"
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\n[ "$2" = version ] || [ "$1" = info ] || echo "$*" >> {said}\n', "utf-8")
    docker.chmod(0o755)
    env = {"PATH": f"{docker.parent}:{os.environ['PATH']}", "WATTLEDGER_IMAGE": "registry.example/wattledger:1"}
    first = secrets_of(tour)
    shown = []
    for word, zone, files in (("real", "DE", "compose.yaml:real.yaml"), ("demo", "", "compose.yaml")):
        done = tour.sh(word, env={**env, **({"ZONE": zone} if zone else {})})
        assert done.returncode == 0, done.stderr
        settings = (tour.folder / ".env").read_text("utf-8").splitlines()
        assert [line for line in settings if line.startswith("COMPOSE_FILE")] == [f"COMPOSE_FILE={files}"]
        assert f"ZONE={zone or 'FR'}" in settings
        shown.append(done.stdout)
    assert tour.sh("down", env=env).returncode == 0
    assert said.read_text("utf-8").splitlines() == ["compose up --detach", "compose up --detach", "compose down"]
    assert secrets_of(tour) == first
    assert "http://127.0.0.1:3000/" in shown[0]
    assert not any(secret in text for secret in first for text in shown)


def test_an_image_that_is_named_in_the_settings_is_not_built(tour: Tour, tmp_path: Path) -> None:
    said = tmp_path / "said"
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(f'#!/bin/sh\n[ "$2" = version ] || [ "$1" = info ] || echo "$*" >> {said}\n', "utf-8")
    docker.chmod(0o755)
    with (tour.folder / ".env").open("a") as settings:
        settings.write("WATTLEDGER_IMAGE=registry.example/wattledger:1\n")
    done = tour.sh("demo", env={"PATH": f"{docker.parent}:{os.environ['PATH']}"})
    assert done.returncode == 0, done.stderr
    assert said.read_text("utf-8") == "compose up --detach\n"


def test_unknown_words_are_refused(tour: Tour) -> None:
    done = tour.sh("reel")
    assert done.returncode == 2
    assert "'reel' is none of demo, real, down, wipe, env." in done.stderr


def test_grafana_finds_the_data_source_and_the_dashboards(tour: Tour) -> None:
    """Provisioning files name what is mounted. Grafana itself is not run: no package of it can be had here."""
    source = yaml.safe_load((tour.folder / "grafana/datasources/prometheus.yaml").read_text("utf-8"))["datasources"][0]
    provider = yaml.safe_load((tour.folder / "grafana/dashboards/wattledger.yaml").read_text("utf-8"))["providers"][0]
    service = tour.config("compose.yaml")["services"]["grafana"]
    mounts = {line.split(":")[1]: Path(line.split(":")[0]) for line in service["volumes"] if line.startswith("/")}
    assert (source["type"], source["url"], source["isDefault"]) == ("prometheus", "http://prometheus:9090", True)
    shown = mounts[provider["options"]["path"]]
    home = Path(service["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (shown / home.name).is_file()
    assert home.parent == Path(provider["options"]["path"])
    found = {json.loads(path.read_text("utf-8"))["uid"] for path in shown.rglob("*.json")}
    assert {"wattledger-overview", "wattledger-node"} <= found
    assert {"/etc/grafana/provisioning/datasources", "/etc/grafana/provisioning/dashboards"} <= mounts.keys()


@pytest.mark.needs("prometheus")
def test_the_tour_starts(tour: Tour, engine: Engine, tmp_path: Path) -> None:
    """Agent, portal and Prometheus by docker-compose: power of eight simulated GPUs by the dashboards' labels, rules
    loaded, and a portal that wants its token."""
    (tmp_path / "p").mkdir()
    prometheus_image(engine, tmp_path / "p")
    ports = {name: free_port() for name in ("agent", "portal", "prometheus")}
    images = {"WATTLEDGER_IMAGE": "localhost/wattledger:latest", "PROMETHEUS_IMAGE": PROMETHEUS}
    with (tour.folder / ".env").open("a") as settings:
        settings.writelines(f"{name}={value}\n" for name, value in images.items())
    file = on_this_network(tour, ports)
    project = f"--project-name=t{os.getpid()}"
    with api(engine) as address:
        env = {"DOCKER_HOST": address}
        try:
            up = compose(tour.folder, project, "up", "--detach", files=(file.name,), env=env)
            assert up.returncode == 0, up.stderr
            server = Prometheus(f"http://127.0.0.1:{ports['prometheus']}")
            until(server.up, "Prometheus became ready")
            portal = f"http://127.0.0.1:{ports['portal']}"
            until(lambda: answer(f"{portal}/-/healthy", secrets_of(tour)[1])[0] == 200, "the portal answered")
            assert answer(f"{portal}/")[0] == 401
            assert answer(f"{portal}/", secrets_of(tour)[1])[0] == 200
            power = 'sum by (cluster) (wattledger_device_power_watts{cluster="tour", site="tour", component="gpu"})'
            until(lambda: server.query(power), "Prometheus scraped the node")
            assert server.query('count(wattledger_device_info{component="gpu"})') == {(): 8.0}
            groups = server.get("/api/v1/rules")["groups"]
            assert {"wattledger-power", "wattledger-teams"} <= {group["name"] for group in groups}
            done = compose(tour.folder, project, "stop", files=(file.name,), env=env)
            assert done.returncode == 0, done.stderr
            logs = compose(tour.folder, project, "logs", "--no-color", "agent", files=(file.name,), env=env)
            assert "Everything is booked and closed" in logs.stdout + logs.stderr
        finally:
            compose(tour.folder, project, "down", "--volumes", "--timeout=5", files=(file.name,), env=env)
