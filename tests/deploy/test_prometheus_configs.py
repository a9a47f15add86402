"""Our Prometheus configurations in a real Prometheus: accepted, and with the labels that rules and dashboards need."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bcrypt
import pytest
import yaml

from tests.deploy import helm
from tests.deploy.installing import DEPLOY, REPO
from tests.e2e.daemon import Daemon, until
from tests.e2e.prometheus import Prometheus, free_port
from tests.web.certificates import Pki

FOLDER = DEPLOY / "prometheus"
CONFIGS = sorted(path.name for path in FOLDER.glob("*.yml"))
RULES = sorted((REPO / "dashboards" / "rules").glob("*.yml"))
CONFIG = '[node]\nhostname = "node-1"\n[site.par1]\nzone = "FR"\npue = 1.2\n[sampling]\ntick = "1s"\ncommit = "1s"\n'
#: Debian builds its Prometheus without these discoveries; VictoriaMetrics knows the same sections.
DISCOVERED = ("kubernetes.yml", "consul.yml")
POWER = 'wattledger_device_power_watts{component="gpu"}'

pytestmark = [pytest.mark.needs("prometheus", "promtool"), pytest.mark.timeout(120)]


def stage(folder: Path) -> Path:
    """The configurations and what they name, as README.md says to lay them out."""
    shutil.copytree(FOLDER, folder)
    (folder / "wattledger").mkdir()
    for path in RULES:
        shutil.copy(path, folder / "wattledger")
    (folder / "tls").mkdir()
    (folder / "tls" / "password").write_text("secret\n")
    Pki(folder / "tls")
    return folder


def load(folder: Path, name: str) -> Any:
    return yaml.safe_load((folder / name).read_text(encoding="utf-8"))


@contextmanager
def serving(folder: Path, name: str, config: Mapping[str, Any], *flags: str) -> Iterator[Prometheus]:
    """A Prometheus with a configuration, made quick: every second."""
    quick = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    quick |= {} if "agent" in name else {"evaluation_interval": "1s"}
    changed = {**config, "global": {**config["global"], **quick}}
    (folder / f"quick-{name}").write_text(yaml.safe_dump(changed), encoding="utf-8")
    for path in (folder / "wattledger").iterdir():
        path.write_text(path.read_text().replace("interval: 30s", "interval: 1s"))
    address = f"127.0.0.1:{free_port()}"
    storage = "--storage.agent.path" if "agent" in name else "--storage.tsdb.path"
    command = ["prometheus", f"--config.file={folder / f'quick-{name}'}", f"{storage}={folder / f'data-{name}'}"]
    with (folder / f"log-{name}").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address={address}", *flags], stdout=log, stderr=log)
        try:
            server = Prometheus(f"http://{address}")
            until(lambda: server.up() or process.poll() is not None, "Prometheus became ready")
            assert process.poll() is None, (folder / f"log-{name}").read_text()
            yield server
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    config = tmp_path / "config.toml"
    config.write_text(CONFIG)
    with Daemon(tmp_path / "state", "--demo", "--config", str(config)) as running:
        running.wait_ready()
        yield running


def address_of(daemon: Daemon) -> str:
    return daemon.url.split("://")[1].rstrip("/")


@pytest.mark.parametrize("name", CONFIGS)
def test_promtool_accepts_it_with_our_rules(tmp_path: Path, name: str) -> None:
    folder = stage(tmp_path / "etc")
    if name in DISCOVERED:
        (folder / name).write_text(yaml.safe_dump(without_discovery(load(folder, name))))
    agent = ["--agent"] if name == "agent.yml" else []
    done = subprocess.run(
        ["promtool", "check", "config", *agent, str(folder / name)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr + done.stdout
    assert "WARN" not in done.stdout + done.stderr
    if not agent:
        assert f"{len(RULES)} rule files found" in done.stdout
        assert done.stdout.count("rules found") == len(RULES)


def without_discovery(config: dict[str, Any]) -> dict[str, Any]:
    """The same with nothing in the place of what finds the nodes."""
    (job,) = config["scrape_configs"]
    kept = {key: value for key, value in job.items() if not key.endswith("_sd_configs")}
    return {**config, "scrape_configs": [{**kept, "static_configs": []}]}


@pytest.mark.needs("victoria-metrics")
@pytest.mark.parametrize("name", [*DISCOVERED, "file-sd.yml", "agent.yml"])
def test_victoriametrics_takes_the_same_nodes(tmp_path: Path, name: str) -> None:
    """A strict reader of its own: a key that it does not know is an error."""
    config = {"scrape_configs": load(FOLDER, name)["scrape_configs"]}
    (tmp_path / name).write_text(yaml.safe_dump(config))
    flags = [f"-promscrape.config={tmp_path / name}", "-promscrape.config.dryRun", "-promscrape.config.strictParse"]
    command = ["victoria-metrics", *flags, f"-storageDataPath={tmp_path / 'data'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", CONFIGS)
def test_every_configuration_keeps_the_labels_that_the_daemon_gives(name: str) -> None:
    """And has a guard against a node that exports without end."""
    for job in load(FOLDER, name)["scrape_configs"]:
        assert (job["job_name"], job["honor_labels"]) == ("wattledger", True)
        assert name == "agent.yml" or job["sample_limit"] == 20_000
        changes = [*job.get("relabel_configs", []), *job.get("metric_relabel_configs", [])]
        assert not [rule for rule in changes if rule.get("target_label") == "hostname"]
        assert not [rule for rule in changes if rule.get("action") in {"labeldrop", "labelkeep", "labelmap"}]


def test_scraped_from_a_file_and_sent_by_an_agent(tmp_path: Path, daemon: Daemon) -> None:
    """One node by both ways: the same hostname, cluster and site, and the recorded series over them."""
    folder = stage(tmp_path / "etc")
    place = {"cluster": "paris-1", "site": "par1"}
    target = [{"targets": [address_of(daemon)], "labels": place}]
    (folder / "targets" / "gpu-nodes.yml").write_text(yaml.safe_dump(target))
    with serving(folder, "file-sd.yml", load(folder, "file-sd.yml"), "--web.enable-remote-write-receiver") as central:
        agent = load(folder, "agent.yml")
        agent["scrape_configs"][0]["static_configs"][0]["targets"] = [address_of(daemon)]
        agent["remote_write"][0]["url"] = f"{central.url}/api/v1/write"
        with serving(folder, "agent.yml", agent, "--enable-feature=agent"):
            until(lambda: len(instances(central)) == 2, "both ways brought the power of the GPUs", 60)
            assert instances(central) == {address_of(daemon), "gpu-017"}
            for series in central.query(POWER):
                assert dict(series).items() >= {"hostname": "node-1", "job": "wattledger", **place}.items()
            for series in central.query("wattledger_pue_ratio"):
                assert dict(series)["site"] == "par1"
                assert "exported_site" not in dict(series)
            recorded = "count(hostname:wattledger_device_power_watts:rate5m{cluster='paris-1', hostname='node-1'})"
            until(lambda: central.query(recorded), "the rules were evaluated")
            assert central.query("process_resident_memory_bytes{instance='gpu-017'}"), "an alert looks at it"
            assert not central.query("count({__name__=~'go_.*|scrape_.*', instance='gpu-017'})"), "only ours is sent"


def test_the_charts_monitor_gives_the_same_labels(tmp_path: Path, daemon: Daemon) -> None:
    """With what the Prometheus operator adds to a target first: the pod's namespace and name, and a job."""
    place = [{"targetLabel": "cluster", "replacement": "paris-1"}, {"targetLabel": "site", "replacement": "par1"}]
    monitor = {"enabled": True, "relabelings": place}
    ((endpoint,),) = (
        each["spec"]["endpoints"]
        for each in helm.render({"serviceMonitor": monitor})
        if each["kind"] == "ServiceMonitor"
    )
    pod = {"namespace": "carbon", "pod": "wattledger-x7", "container": "wattledger", "service": "w", "endpoint": "http"}
    target = {"targets": [address_of(daemon)], "labels": {**pod, "__meta_kubernetes_pod_node_name": "gpu-017"}}
    job = {
        "job_name": "serviceMonitor/carbon/prod-wattledger/0",
        "honor_labels": endpoint["honorLabels"],
        "static_configs": [target],
        "relabel_configs": [
            {helm.snake(name): value for name, value in step.items()} for step in endpoint["relabelings"]
        ],
    }
    with serving(stage(tmp_path / "etc"), "chart.yml", {"global": {}, "scrape_configs": [job]}) as server:
        until(lambda: server.query("wattledger_pue_ratio"), "it was scraped", 60)
        own = {"job": "wattledger", "instance": "gpu-017", "cluster": "paris-1", "site": "par1"}
        (up,) = server.query("up")
        assert {name: value for name, value in up if name != "__name__"} == own
        (ratio,) = server.query("wattledger_pue_ratio")
        assert {name: value for name, value in ratio if name != "__name__"} == own
        names = {name for series in server.query("{__name__=~'wattledger_.*'}") for name, _ in series}
        assert not [name for name in names if name.startswith("exported_")]


def instances(central: Prometheus) -> set[str]:
    return {dict(series)["instance"] for series in central.query(POWER)}


def test_scraped_with_tls_and_a_password(tmp_path: Path) -> None:
    folder = stage(tmp_path / "etc")
    pki = Pki(folder / "tls")
    pki.server()
    word = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    web = {
        "tls_server_config": {"cert_file": str(pki.folder / "server.crt"), "key_file": str(pki.folder / "server.key")},
        "basic_auth_users": {"prometheus": word},
    }
    (tmp_path / "web.yml").write_text(yaml.safe_dump(web))
    with Daemon(tmp_path / "state", "--demo", "--web.config.file", str(tmp_path / "web.yml")) as daemon:
        config = load(folder, "tls.yml")
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [address_of(daemon)]
        with serving(folder, "tls.yml", config) as server:
            until(lambda: server.query('up{job="wattledger"} == 1'), "it was let in", 60)


def test_a_pod_and_a_service_are_known_by_their_node(tmp_path: Path) -> None:
    """The relabeling of kubernetes.yml and consul.yml, on what those would have found."""
    folder = stage(tmp_path / "etc")
    pod = {
        "__meta_kubernetes_pod_node_name": "gpu-017",
        "__meta_kubernetes_pod_phase": "Running",
        "__meta_kubernetes_pod_container_port_name": "metrics",
        "__meta_kubernetes_namespace": "monitoring",
    }
    service = {
        "__meta_consul_node": "gpu-101",
        "__meta_consul_dc": "osl1",
        "__meta_consul_health": "passing",
        "__meta_consul_service_metadata_cluster": "oslo-1",
    }
    found = {
        "kubernetes.yml": [pod, {**pod, "__meta_kubernetes_pod_phase": "Failed"}],
        "consul.yml": [service, {**service, "__meta_consul_health": "maintenance"}],
    }
    jobs = []
    for name, targets in found.items():
        (job,) = without_discovery(load(folder, name))["scrape_configs"]
        static = [{"targets": [f"127.0.0.1:{port}"], "labels": labels} for port, labels in enumerate(targets, 1)]
        jobs.append({**job, "job_name": name, "static_configs": static})
    with serving(folder, "both.yml", {"global": {}, "scrape_configs": jobs}) as server:
        until(lambda: len(server.get("/api/v1/targets")["activeTargets"]) == 2, "both were discovered", 60)
        labels = [target["labels"] for target in server.get("/api/v1/targets")["activeTargets"]]
    assert sorted(labels, key=lambda each: each["instance"]) == [
        {"instance": "gpu-017", "job": "kubernetes.yml", "cluster": "paris-1", "site": "par1"},
        {"instance": "gpu-101", "job": "consul.yml", "cluster": "oslo-1", "site": "osl1"},
    ]
