"""The chart through the real Helm engine: rendered objects, every pod in them, and the switches of the values."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from helm_python import Chart, HelmRenderError
from yaml import CSafeLoader, load_all

from tests.conftest import REPO

CHART = REPO / "deploy" / "helm" / "wattledger"
RELEASE, NAMESPACE = "prod", "carbon"
NAME = "prod-wattledger"

Values = dict[str, Any]
Manifest = dict[str, Any]


@cache
def chart() -> Chart:
    """The chart, loaded once: it cannot change."""
    return Chart.load(CHART)


def render(values: Mapping[str, Any] | None = None, loaded: Chart | None = None) -> list[Manifest]:
    """Every object, tests of the chart included. Raises HelmValuesError, HelmRenderError."""
    files = (loaded or chart()).render(dict(values or {}), name=RELEASE, namespace=NAMESPACE)
    return [each for name, text in sorted(files.items()) if not name.endswith("NOTES.txt") for each in _parsed(text)]


@cache
def _parsed(text: str) -> tuple[Manifest, ...]:
    """Most switches change one file of many."""
    return tuple(each for each in load_all(text, CSafeLoader) if each)


def notes(values: Mapping[str, Any] | None = None) -> str:
    files = chart().render(dict(values or {}), name=RELEASE, namespace=NAMESPACE)
    return next(text for name, text in files.items() if name.endswith("NOTES.txt"))


def of_kind(objects: list[Manifest], kind: str) -> list[Manifest]:
    return [each for each in objects if each["kind"] == kind]


def only(objects: list[Manifest], kind: str, ending: str = "") -> Manifest:
    """The one object of a kind whose name ends so."""
    (found,) = [each for each in of_kind(objects, kind) if each["metadata"]["name"].endswith(ending)]
    return found


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod's template wherever it stands, with what it is for: daemon, export, history, test."""

    part: str
    metadata: Manifest
    spec: Manifest

    @property
    def containers(self) -> list[Manifest]:
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]

    @property
    def volumes(self) -> dict[str, Manifest]:
        return {volume["name"]: volume for volume in self.spec.get("volumes", ())}

    def container(self, name: str) -> Manifest:
        (found,) = [each for each in self.containers if each["name"] == name]
        return found


def pods(objects: list[Manifest]) -> Iterator[Pod]:
    for each in objects:
        match each["kind"]:
            case "Pod":
                template = each
            case "DaemonSet" | "Deployment" | "Job":
                template = each["spec"]["template"]
            case "CronJob":
                template = each["spec"]["jobTemplate"]["spec"]["template"]
            case _:
                continue
        labels = template["metadata"].get("labels", {})
        yield Pod(labels.get("app.kubernetes.io/component", ""), template["metadata"], template["spec"])


def daemon(values: Mapping[str, Any] | None = None) -> Pod:
    (found,) = [pod for pod in pods(render(values)) if pod.part == "daemon"]
    return found


def environ(container: Manifest, node: str = "node-1") -> dict[str, str]:
    """The variables of a container on a node."""
    return {each["name"]: each.get("value", node) for each in container.get("env", ())}


def snake(name: str) -> str:
    """A key of the Prometheus operator's API as one of Prometheus: targetLabel, target_label."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


BOOKS: Values = {"books": {"url": "s3://carbon-books/prod", "credentialsSecret": "s3"}}
CLAIM: Values = {"books": {"url": "/books/prod", "persistentVolumeClaim": "books"}}
EXPORT: Values = {"export": {"enabled": True, "destination": "s3://finance/carbon"}}

#: Every switch of the chart with each of its positions beside the default.
SWITCHES: dict[str, tuple[Values, ...]] = {
    "names": ({"nameOverride": "watt"}, {"fullnameOverride": "carbon"}, {"commonLabels": {"team": "platform"}}),
    "image": ({"image": {"digest": "sha256:" + "a" * 64}, "imagePullSecrets": [{"name": "registry"}]},),
    "config": ({"config": '[node]\ncluster = "paris-1"\n[site.par1]\nzone = "FR"\n', "secretName": "tokens"},),
    "daemon": ({"daemon": {"enabled": False}},),
    "demo": ({"daemon": {"demo": True}},),
    "gpus": ({"daemon": {"runtimeClassName": "nvidia"}}, {"daemon": {"nvidia": {"enabled": False}}}),
    "rights": ({"daemon": {"capabilities": ["DAC_READ_SEARCH", "SYS_PTRACE"]}}, {"daemon": {"runAsUser": 65532}}),
    "selinux": ({"daemon": {"seLinuxOptions": {"type": "spc_t"}}},),
    "scheduling": (
        {"daemon": {"priorityClassName": "system-node-critical", "tolerations": [], "maxUnavailable": 1}},
        {"daemon": {"affinity": {"nodeAffinity": {}}, "podLabels": {"a": "b"}, "podAnnotations": {"c": "d"}}},
        {"daemon": {"extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]}},
    ),
    "state": ({"state": {"type": "emptyDir"}}, {"state": {"type": "ephemeral", "storageClassName": "fast"}}),
    "kubelet": ({"kubernetes": {"kubeletSocket": False}},),
    "api": ({"kubernetes": {"api": False}},),
    "logs": ({"kubernetes": {"podLogs": True}},),
    "declare": ({"declare": {"enabled": True}},),
    "web": (
        {"web": {"port": 9999}},
        {"web": {"configSecret": "web", "tls": True}},
        {"web": {"configSecret": "web", "tls": True, "authenticated": True}},
    ),
    "account": (
        {"serviceAccount": {"create": False, "name": "mine"}},
        {"serviceAccount": {"name": "own", "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/w"}}},
    ),
    "rbac": ({"rbac": {"create": False}},),
    "service": ({"service": {"annotations": {"a": "b"}}},),
    "ship": ({**BOOKS, "ship": {"enabled": True}}, {**CLAIM, "ship": {"enabled": True}}),
    "history": (
        {**BOOKS, "history": {"enabled": True, "prometheusUrl": "http://p:9090", "args": ["--match={a='b'}"]}},
    ),
    "export": (
        {**BOOKS, **EXPORT},
        {**BOOKS, "export": {**EXPORT["export"], "month": "2026-10", "args": ["--allocate-idle"]}},
        {**CLAIM, "export": {"enabled": True, "destination": "/books/exports"}},
    ),
    "portal": (
        {**BOOKS, "portal": {"enabled": True, "tokenSecret": "tokens"}},
        {**CLAIM, "portal": {"enabled": True, "webConfigSecret": "web", "tokenSecret": "tokens"}},
    ),
    "jobs": ({"jobs": {"tolerations": [{"operator": "Exists"}], "runAsUser": 1000}},),
    "monitor": (
        {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
        {"serviceMonitor": {"enabled": True, "endpoint": {"tlsConfig": {"insecureSkipVerify": True}}}},
        {"podMonitor": {"enabled": True, "relabelings": [{"action": "labeldrop", "regex": "x"}]}},
    ),
    "rules": (
        {"prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}}},
        {"prometheusRule": {"enabled": True, "files": ["recording", "alerts", "compat"]}},
    ),
    "dashboards": ({"dashboards": {"enabled": True, "annotations": {"grafana_folder": "Carbon"}}},),
    "policy": (
        {"networkPolicy": {"enabled": True}},
        {"networkPolicy": {"enabled": True, "from": [{"namespaceSelector": {"matchLabels": {"a": "b"}}}]}},
        {"networkPolicy": {"enabled": True, "egressPorts": [], "extraEgress": [{"ports": [{"port": 9090}]}]}},
    ),
}

#: Positions that exclude one another, by what the chart then says.
CONFLICTS = ("daemon.demo measures nothing", "There is no daemon to scrape")


def merged(*parts: Values) -> Values:
    """As ``helm -f one -f two``: maps are merged, everything else is replaced."""
    whole: Values = {}
    for part in parts:
        for name, value in part.items():
            before = whole.get(name)
            whole[name] = merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return whole


@cache
def matrix() -> tuple[tuple[str, list[Manifest]], ...]:
    """The default, and every pair of positions of two switches that can be together, rendered; each with its name."""
    places = [(f"{name}.{index}", name, values) for name, some in SWITCHES.items() for index, values in enumerate(some)]
    found = [("default", render())]
    for (one, first, a), (two, second, b) in itertools.combinations_with_replacement(places, 2):
        if first == second and one != two:
            continue
        try:
            found.append((f"{one}+{two}", render(merged(a, b))))
        except HelmRenderError as error:
            assert any(known in str(error) for known in CONFLICTS), (one, two, str(error))  # noqa: PT017 - by its text
    return tuple(found)


def package(folder: Path, example: Path) -> Chart:
    """A chart that depends on this one, as ``helm dependency build`` leaves it."""
    import shutil

    shutil.copytree(example, folder)
    shutil.copytree(CHART, folder / "charts" / "wattledger")
    return Chart.load(folder)
