"""The sidecar in somebody else's chart: the example renders, and has what the daemon asks a sidecar for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped] # ships none
import pytest
import yaml
from helm_python import Chart

from tests.deploy import helm
from tests.deploy.helm import Pod, merged
from tracker.config import load

EXAMPLE = helm.CHART.parent / "examples" / "trainer"


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Chart:
    return helm.package(tmp_path_factory.mktemp("charts") / "trainer", EXAMPLE)


def job(trainer: Chart, **sidecar: Any) -> Pod:
    objects = helm.render({"wattledger": sidecar}, trainer)
    (pod,) = helm.pods([each for each in objects if each["kind"] == "Job"])
    return pod


VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"sidecar": {"gpus": "none", "hostSys": False, "runAsUser": 65532}},
    {"sidecar": {"gpus": "claim", "claimName": "gpu", "gpuReplicas": 4}},
    {"secretName": "tokens", **helm.BOOKS, "ship": {"enabled": True}},
    {**helm.CLAIM, "ship": {"enabled": True}},
)


@pytest.mark.parametrize("values", VARIANTS)
def test_kubernetes_accepts_the_pod_and_every_mount_has_its_volume(trainer: Chart, values: dict[str, Any]) -> None:
    objects = helm.render({"wattledger": values}, trainer)
    for each in objects:
        kubernetes_validate.validate(each, "1.37", strict=True)
    pod = job(trainer, **values)
    assert {mount["name"] for mount in pod.container("wattledger")["volumeMounts"]} == {*pod.volumes}


def test_nothing_but_the_job_and_the_configuration_is_made(trainer: Chart) -> None:
    """No DaemonSet, no rights: a team may use it that administers nothing."""
    kinds = sorted(each["kind"] for each in helm.render({}, trainer))
    assert kinds == ["ConfigMap", "Job"]
    names = {each["metadata"]["name"] for each in helm.render({}, trainer) if each["kind"] == "ConfigMap"}
    assert names == {job(trainer).volumes["wattledger-config"]["configMap"]["name"]}


def test_a_chart_may_make_it_optional(trainer: Chart) -> None:
    """By Helm's idiom, condition: wattledger.enabled."""
    kinds = {each["kind"] for each in helm.render({"wattledger": {"enabled": True}}, trainer)}
    assert kinds == {"ConfigMap", "Job"}


def test_a_job_ends_when_its_work_does(trainer: Chart) -> None:
    """A second ordinary container would keep it for ever."""
    pod = job(trainer)
    assert [each["name"] for each in pod.spec["containers"]] == ["train"]
    assert pod.container("wattledger")["restartPolicy"] == "Always"


@pytest.mark.parametrize("values", VARIANTS)
def test_it_is_as_small_a_guest_as_the_daemon(trainer: Chart, values: dict[str, Any]) -> None:
    pod = job(trainer, **values)
    container = pod.container("wattledger")
    security = container["securityContext"]
    assert (security["privileged"], security["allowPrivilegeEscalation"]) == (False, False)
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["runAsNonRoot"] is (security["runAsUser"] > 0)
    assert not {"hostPID", "hostNetwork"} & {*pod.spec}
    for mount in container["volumeMounts"]:
        assert mount.get("readOnly") or "hostPath" not in pod.volumes[mount["name"]]


def test_without_gpus_of_the_kubelet_and_sys_it_has_nothing_of_the_host(trainer: Chart) -> None:
    """As in the README: a namespace of Pod Security level "restricted" takes it."""
    text = (EXAMPLE.parents[1] / "README.md").read_text(encoding="utf-8")
    (line,) = re.findall(r"`sidecar: (\{hostSys.*?\})`", text)
    pod = job(trainer, sidecar=yaml.safe_load(line.replace("…", "gpu")))
    security = pod.container("wattledger")["securityContext"]
    assert (security["runAsNonRoot"], security["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    assert not [volume for volume in pod.volumes.values() if "hostPath" in volume]


def test_it_knows_its_pod_its_labels_and_its_neighbours(trainer: Chart, tmp_path: Path) -> None:
    """What tracker/workloads/own.py and kubernetes/downward.py ask for."""
    pod = job(trainer)
    container = pod.container("wattledger")
    fields = {
        each["name"]: each["valueFrom"]["fieldRef"]["fieldPath"] for each in container["env"] if "valueFrom" in each
    }
    assert fields == {
        "NODE_NAME": "spec.nodeName",
        "POD_NAME": "metadata.name",
        "POD_NAMESPACE": "metadata.namespace",
        "POD_UID": "metadata.uid",
    }
    items = pod.volumes["wattledger-podinfo"]["downwardAPI"]["items"]
    assert {each["path"] for each in items} == {"labels", "annotations"}
    assert pod.spec["shareProcessNamespace"] is True
    assert "--own-only" in container["args"]
    assert helm.environ(container)["WATTLEDGER_NODE__SYSFS"] == "/host/sys"


def test_its_variables_are_settings_that_the_daemon_takes(trainer: Chart, tmp_path: Path) -> None:
    values = {**helm.BOOKS, "ship": {"enabled": True}, "sidecar": {"gpuReplicas": 4}}
    objects = helm.render({"wattledger": values}, trainer)
    path = tmp_path / "config.toml"
    path.write_text(helm.only(objects, "ConfigMap")["data"]["config.toml"], encoding="utf-8")
    container = job(trainer, **values).container("wattledger")
    config = load(path, environ=helm.environ(container, "gpu-017"))
    assert (config.workloads.gpu_replicas, config.books.ship, config.books.url) == (4, "1h", "s3://carbon-books/prod")
    assert (config.node.hostname, config.here.zone, config.node.cluster) == ("gpu-017", "FR", "paris-1")


def test_gpus_come_from_the_kubelet_from_a_claim_or_not_at_all(trainer: Chart) -> None:
    kubelet = job(trainer).container("wattledger")
    assert helm.environ(kubelet)["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert "/var/lib/kubelet/pod-resources" in {mount["mountPath"] for mount in kubelet["volumeMounts"]}
    claimed = job(trainer, sidecar={"gpus": "claim", "claimName": "gpu"}).container("wattledger")
    assert claimed["resources"]["claims"] == [{"name": "gpu"}]
    assert helm.environ(claimed)["NVIDIA_VISIBLE_DEVICES"] == "void", "the image would ask for all"
    none = job(trainer, sidecar=merged({"gpus": "none"})).container("wattledger")
    assert helm.environ(none)["NVIDIA_VISIBLE_DEVICES"] == "void"
