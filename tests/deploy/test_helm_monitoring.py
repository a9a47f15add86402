"""What Prometheus and Grafana get from the chart: rules, dashboards, and targets whose series survive an update."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.deploy import helm
from tests.deploy.helm import CHART, Manifest, render

FILES = ("recording", "alerts", "compat")
RULES = {"prometheusRule": {"enabled": True, "files": [*FILES]}}


def groups(values: helm.Values) -> list[Manifest]:
    found: list[Manifest] = helm.only(render(values), "PrometheusRule")["spec"]["groups"]
    return found


def test_rules_are_rendered_to_the_letter() -> None:
    """Templates of Prometheus ({{ $labels.team }}) must come through those of Helm."""
    folder = CHART / "files" / "rules"
    files = [folder / f"{name}.yml" for name in FILES]
    wanted = [group for path in files for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]]
    assert groups(RULES) == wanted
    assert "{{ $labels." in json.dumps(wanted)


@pytest.mark.needs("promtool")
def test_promtool_accepts_the_rendered_rules(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": groups(RULES)}), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_runbooks_get_their_prefix_and_budgets_their_place() -> None:
    extra = [{"name": "budgets", "rules": [{"record": "team:wattledger_budget:joules", "expr": "1"}]}]
    settings = {"enabled": True, "runbookPrefix": "https://wiki.example.com/w/", "extraGroups": extra}
    found = groups({"prometheusRule": settings})
    urls = [rule["annotations"]["runbook_url"] for group in found for rule in group["rules"] if "annotations" in rule]
    assert urls
    assert all(url.startswith("https://wiki.example.com/w/runbooks/") for url in urls)
    assert found[-1] == extra[0]


def test_every_dashboard_is_in_a_configmap_that_grafana_finds() -> None:
    maps = [
        each
        for each in helm.of_kind(render({"dashboards": {"enabled": True}}), "ConfigMap")
        if each["metadata"]["labels"].get("grafana_dashboard") == "1"
    ]
    shipped = {name: json.loads(text) for each in maps for name, text in each["data"].items()}
    made = {path.name: json.loads(path.read_bytes()) for path in (CHART / "files" / "dashboards").glob("*.json")}
    assert shipped == made
    assert len(maps) == len(made) > 1
    assert all(len(json.dumps(each)) < 1_000_000 for each in maps), "a ConfigMap holds at most 1 MiB"


@pytest.mark.parametrize(
    ("values", "kind", "field"),
    [
        ({"serviceMonitor": {"enabled": True}}, "ServiceMonitor", "endpoints"),
        ({"podMonitor": {"enabled": True}}, "PodMonitor", "podMetricsEndpoints"),
    ],
)
@pytest.mark.needs("promtool")
def test_a_target_keeps_its_series_through_an_update(
    values: helm.Values, kind: str, field: str, tmp_path: Path
) -> None:
    """The instance is the node, not an address that the next pod has not; the pod's own name is in no label."""
    objects = render(values)
    spec = helm.only(objects, kind)["spec"]
    (endpoint,) = spec[field]
    assert endpoint["honorLabels"] is True, "a site or namespace that the daemon says would be exported_site"
    assert "scrapeTimeout" not in endpoint, "one that is longer than the interval is refused"
    steps = [{helm.snake(name): value for name, value in step.items()} for step in endpoint["relabelings"]]
    assert steps[0]["target_label"] == "instance"
    assert steps[0]["source_labels"] == ["__meta_kubernetes_pod_node_name"]
    assert {"action": "labeldrop", "regex": "namespace|pod|container|service|endpoint"} in steps
    assert {"action": "replace", "target_label": "job", "replacement": "wattledger"} in steps
    job = {"job_name": "w", "relabel_configs": steps, "static_configs": [{"targets": ["127.0.0.1:9837"]}]}
    path = tmp_path / "prometheus.yml"
    path.write_text(yaml.safe_dump({"scrape_configs": [job]}), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "config", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    # it finds what there is
    wanted = spec["selector"]["matchLabels"].items()
    found = (
        helm.only(objects, "Service")
        if kind == "ServiceMonitor"
        else helm.only(objects, "DaemonSet")["spec"]["template"]
    )
    assert wanted <= found["metadata"]["labels"].items()
    assert spec["namespaceSelector"] == {"matchNames": [helm.NAMESPACE]}


def test_the_silence_of_a_node_is_noticed_whatever_the_chart_is_called() -> None:
    """The alert looks for a job that is called wattledger."""
    (silent,) = (
        rule["expr"]
        for group in groups(RULES)
        for rule in group["rules"]
        if rule.get("alert") == "WattledgerNodeSilent"
    )
    (pattern,) = re.findall(r'up\{job=~"([^"]+)"\}', silent)
    values = {"nameOverride": "watt", "fullnameOverride": "carbon", "podMonitor": {"enabled": True}}
    (endpoint,) = helm.only(render(values), "PodMonitor")["spec"]["podMetricsEndpoints"]
    (job,) = (each["replacement"] for each in endpoint["relabelings"] if each.get("targetLabel") == "job")
    assert re.fullmatch(pattern, job)


def test_the_service_and_the_daemon_find_each_other() -> None:
    objects = render({"web": {"port": 9999}})
    service, pod = helm.only(objects, "Service")["spec"], helm.daemon({"web": {"port": 9999}})
    assert service["selector"].items() <= pod.metadata["labels"].items()
    assert service["clusterIP"] == "None"
    container = pod.container("wattledger")
    assert container["ports"] == [{"name": "http", "containerPort": 9999, "protocol": "TCP"}]
    assert "--listen=:9999" in container["args"]
    selector = helm.only(objects, "DaemonSet")["spec"]["selector"]["matchLabels"]
    assert selector.items() <= pod.metadata["labels"].items()


def test_tls_is_told_to_whoever_asks() -> None:
    values = {"web": {"configSecret": "web", "tls": True}, "serviceMonitor": {"enabled": True}}
    (endpoint,) = helm.only(render(values), "ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["scheme"] == "https"
    assert "--web.config.file=/etc/wattledger-web/web.yml" in helm.daemon(values).container("wattledger")["args"]
    test = helm.only(render(values), "Pod")["spec"]["containers"][0]
    assert test["args"][1:] == ["https://prod-wattledger.carbon.svc:9837", "metrics"]
