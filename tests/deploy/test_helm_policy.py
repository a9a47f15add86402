"""What no pod of the chart may ever be, looked at in every pair of switches; and what each part needs to work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.deploy import helm
from tests.deploy.helm import BOOKS, CLAIM, EXPORT, Manifest, Pod, merged, render

#: Everything of the host that any switch may bring in, and whether it may be written.
HOST_PATHS = {
    "/sys": False,
    "/var/lib/kubelet/pod-resources": False,
    "/var/log/pods": False,
    "/var/lib/wattledger": True,  # the ledger
    "/run/wattledger": True,  # the socket of declared runs, off by default
}
SHIP = {**BOOKS, "ship": {"enabled": True}}


def every_pod() -> Iterator[tuple[str, Pod]]:
    for name, objects in helm.matrix():
        for pod in helm.pods(objects):
            yield f"{name}: {pod.part}", pod


def every_container() -> Iterator[tuple[str, Pod, Manifest]]:
    for name, pod in every_pod():
        for container in pod.containers:
            yield f"{name}/{container['name']}", pod, container


def test_no_container_is_privileged_or_can_become_so() -> None:
    for name, _, container in every_container():
        security = container["securityContext"]
        assert security["privileged"] is False, name
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["readOnlyRootFilesystem"] is True, name
        assert security["capabilities"]["drop"] == ["ALL"], name


def test_no_capability_is_added_unless_somebody_asks() -> None:
    for name, pod, container in every_container():
        added = set(container["securityContext"]["capabilities"].get("add", ()))
        asked = "rights.0" in name and pod.part == "daemon" and container["name"] == "wattledger"
        assert added <= ({"DAC_READ_SEARCH", "SYS_PTRACE"} if asked else set()), name


def test_no_pod_shares_the_network_or_the_ipc_of_its_host() -> None:
    for name, pod in every_pod():
        assert not {"hostNetwork", "hostIPC", "shareProcessNamespace"} & {*pod.spec}, name
        assert pod.spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not any("hostPort" in port for c in pod.containers for port in c.get("ports", ())), name


def test_only_a_daemon_that_measures_sees_the_host() -> None:
    for name, pod in every_pod():
        measures = pod.part == "daemon" and "demo.0" not in name
        assert pod.spec.get("hostPID", False) is measures, name
        paths = {each["hostPath"]["path"] for each in pod.volumes.values() if "hostPath" in each}
        if not measures:
            assert paths <= {"/var/lib/wattledger"}, name
            assert pod.part == "daemon" or not paths, name


def test_folders_of_the_host_are_read_only_but_for_the_state() -> None:
    for name, pod, container in every_container():
        for mount in container.get("volumeMounts", ()):
            path = pod.volumes[mount["name"]].get("hostPath", {}).get("path")
            if path is not None:
                assert path in HOST_PATHS, name
                assert mount.get("readOnly", False) is not HOST_PATHS[path], (name, mount)


def test_cgroups_below_sys_cannot_be_written_either() -> None:
    """A read-only mount leaves the mounts below it as they are, and uid 0 owns the cgroups of the node."""
    mounts = {each["name"]: each for each in helm.daemon().container("wattledger")["volumeMounts"]}
    assert mounts["sys"]["recursiveReadOnly"] == "IfPossible"


def test_every_mount_has_its_volume_and_every_volume_is_used() -> None:
    for name, pod in every_pod():
        used = {mount["name"] for c in pod.containers for mount in c.get("volumeMounts", ())}
        assert used == {*pod.volumes}, name


def test_only_the_daemon_is_root_and_only_where_it_reads_what_is_roots() -> None:
    for name, pod in every_pod():
        security = pod.spec["securityContext"]
        if pod.part == "daemon":
            assert security["runAsUser"] == (65532 if "rights.1" in name else 0), name
        else:
            assert security["runAsUser"] > 0, name
        assert security.get("runAsNonRoot", False) is (security["runAsUser"] > 0), name


def test_a_token_is_mounted_only_where_the_api_is_asked() -> None:
    for name, objects in helm.matrix():
        for pod in helm.pods(objects):
            asks = pod.part == "daemon" and "api.0" not in name and "demo.0" not in name
            assert pod.spec["automountServiceAccountToken"] is asks, name
            assert pod.spec["enableServiceLinks"] is False, name
        roles = helm.of_kind(objects, "ClusterRole")
        wanted = not {"api.0", "demo.0", "daemon.0", "rbac.0"} & {*re.split(r"\+", name)}
        assert len(roles) == len(helm.of_kind(objects, "ClusterRoleBinding")) == wanted, name
        assert not helm.of_kind(objects, "Role"), name
        for role in roles:
            assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}], name


def test_the_token_is_not_in_the_container_that_ships() -> None:
    """Kubernetes mounts it nowhere where something else is mounted at its place."""
    place = "/var/run/secrets/kubernetes.io/serviceaccount"
    pod = helm.daemon(SHIP)
    (mount,) = [each for each in pod.container("ship")["volumeMounts"] if each["mountPath"] == place]
    assert "emptyDir" in pod.volumes[mount["name"]]
    assert place not in {each["mountPath"] for each in pod.container("wattledger")["volumeMounts"]}


def test_the_binding_is_for_the_account_that_the_daemon_has() -> None:
    for values in ({}, {"serviceAccount": {"name": "own"}}, {"serviceAccount": {"create": False, "name": "mine"}}):
        objects = render(values)
        (subject,) = helm.only(objects, "ClusterRoleBinding")["subjects"]
        assert subject["name"] == next(p for p in helm.pods(objects) if p.part == "daemon").spec["serviceAccountName"]
        assert subject["namespace"] == helm.NAMESPACE


def test_requests_are_what_was_measured_and_memory_is_limited_everywhere() -> None:
    """tests/benchmarks/results/latest.md: the daemon's peak, and a request that holds it without a multiple of it."""
    for name, _, container in every_container():
        resources = container["resources"]
        assert {"cpu", "memory"} <= {*resources["requests"]}, name
        assert mib(resources["requests"]["memory"]) < mib(resources["limits"]["memory"]), name
    requests = helm.daemon().container("wattledger")["resources"]["requests"]
    peak_mib, cpu_s_per_min = measured()
    assert peak_mib <= mib(requests["memory"]) <= 2 * peak_mib
    assert cpu_s_per_min / 60 * 1000 <= int(requests["cpu"].removesuffix("m")) <= 10
    assert "cpu" not in helm.daemon().container("wattledger")["resources"]["limits"], "throttling delays ticks"


def measured() -> tuple[float, float]:
    text = (REPO / "tests" / "benchmarks" / "results" / "latest.md").read_text(encoding="utf-8")
    (peak,) = re.findall(r"(?m)^\| wattledger: peak RSS \| ([0-9.]+) MiB", text)
    (cpu,) = re.findall(r"(?m)^\| wattledger: CPU \| ([0-9.]+) CPU-s/min", text)
    return float(peak), float(cpu)


def mib(text: str) -> float:
    return float(text[:-2]) * {"Mi": 1, "Gi": 1024}[text[-2:]]


def test_probes_never_touch_metrics() -> None:
    for name, pod, container in every_container():
        probes = {key: probe for key, probe in container.items() if key.endswith("Probe")}
        wanted = {"wattledger": 3, "portal": 2}.get(container["name"], 0)
        assert len(probes) == wanted, name
        for probe in probes.values():
            if pod.part == "portal":
                assert probe["tcpSocket"] == {"port": "portal"}, "the kubelet has no token"
                continue
            if "web.2" in name:
                assert probe["tcpSocket"] == {"port": "http"}, "the kubelet has no password"
                continue
            asked = probe["httpGet"]
            assert asked["path"] in {"/-/healthy", "/-/ready"}, name
            assert asked["scheme"] == ("HTTPS" if "web.1" in name else "HTTP"), name


def test_an_update_never_puts_two_daemons_on_one_ledger() -> None:
    """A surge would start the new pod beside the old one."""
    for name, objects in helm.matrix():
        for each in helm.of_kind(objects, "DaemonSet"):
            rolling = each["spec"]["updateStrategy"]["rollingUpdate"]
            assert rolling["maxSurge"] == 0, name
            assert rolling["maxUnavailable"], name


def test_a_changed_configuration_starts_the_pods_anew() -> None:
    before, after = (
        helm.daemon({"config": text}).metadata["annotations"]["checksum/config"] for text in ("a=1", "a=2")
    )
    assert before != after


def test_what_is_booked_last_is_shipped_last() -> None:
    """An init container that stays is ended after the daemon: its last turn finds a closed ledger. The pod's time must
    hold both."""
    pod = helm.daemon(SHIP)
    ship = pod.spec["initContainers"][0]
    assert (ship["name"], ship["restartPolicy"]) == ("ship", "Always")
    assert pod.spec["terminationGracePeriodSeconds"] >= 5 + 60
    assert helm.environ(ship)["WATTLEDGER_BOOKS__URL"] == "s3://carbon-books/prod"
    assert {"name": "state", "mountPath": "/var/lib/wattledger"} in ship["volumeMounts"]


def test_credentials_of_the_books_are_not_in_the_daemons_container() -> None:
    pod = helm.daemon(SHIP)
    assert pod.container("ship")["envFrom"] == [{"secretRef": {"name": "s3"}}]
    assert "envFrom" not in pod.container("wattledger")


def test_a_claim_is_mounted_where_the_books_are_written() -> None:
    values = merged(CLAIM, {"ship": {"enabled": True}, "export": {"enabled": True, "destination": "/books/out"}})
    mounts = {
        (pod.part, container["name"])
        for pod in helm.pods(render(values))
        for container in pod.containers
        if {"name": "books", "mountPath": "/books"} in container.get("volumeMounts", ())
    }
    assert mounts == {("daemon", "ship"), ("export", "export")}


def test_a_portal_is_never_open_to_all() -> None:
    """Statements are for those who bring a token or a password, whatever else is switched."""
    for name, pod, container in every_container():
        if pod.part == "portal":
            flags = {word.partition("=")[0] for word in container["args"]}
            assert {"--token-file", "--web-config"} & flags, name


def test_the_state_is_the_hosts_or_says_what_is_lost() -> None:
    assert helm.daemon().volumes["state"]["hostPath"] == {"path": "/var/lib/wattledger", "type": "DirectoryOrCreate"}
    assert helm.daemon({"state": {"type": "emptyDir"}}).volumes["state"]["emptyDir"] == {"sizeLimit": "2Gi"}
    claim = helm.daemon({"state": {"type": "ephemeral", "storageClassName": "fast"}}).volumes["state"]["ephemeral"]
    assert claim["volumeClaimTemplate"]["spec"]["storageClassName"] == "fast"


def test_gpus_are_asked_for_by_the_daemon_alone() -> None:
    """The image asks for all of them, so whoever needs none has to say so."""
    for name, pod, container in every_container():
        seen = helm.environ(container)["NVIDIA_VISIBLE_DEVICES"]
        measures = pod.part == "daemon" and container["name"] == "wattledger" and "demo.0" not in name
        assert seen == ("all" if measures and "gpus.1" not in name else "void"), name
        assert not any("gpu" in key for key in container["resources"].get("limits", ())), "it takes no GPU from anybody"


def test_it_runs_on_nodes_that_are_kept_for_gpus() -> None:
    tolerations = helm.daemon().spec["tolerations"]
    assert {"key": "nvidia.com/gpu", "operator": "Exists"} in tolerations
    assert helm.daemon({"daemon": {"priorityClassName": "high"}}).spec["priorityClassName"] == "high"


def test_the_network_is_open_where_it_has_to_be_and_nowhere_else() -> None:
    policy = helm.only(render({"networkPolicy": {"enabled": True}}), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]
    ports = [port["port"] for rule in policy["egress"] for port in rule["ports"]]
    assert ports == [53, 53, 9837, 443, 6443]
    assert all("ports" in rule for rule in policy["egress"])
    peers = [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]
    (rule,) = helm.only(render({"networkPolicy": {"enabled": True, "from": peers}}), "NetworkPolicy")["spec"]["ingress"]
    assert rule["from"][0] == peers[0]
    assert rule["from"][1]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "test"


@pytest.mark.parametrize(
    ("url", "port"),
    [("http://prometheus.monitoring:9090", 9090), ("https://mimir.example.com/prometheus", 443), ("http://p/x", 80)],
)
def test_the_history_reaches_its_prometheus_and_the_others_do_not(url: str, port: int) -> None:
    history = merged(BOOKS, {"history": {"enabled": True, "prometheusUrl": url}, "networkPolicy": {"enabled": True}})
    objects = render(history)
    policy = helm.only(objects, "NetworkPolicy", "-history")["spec"]
    assert policy["egress"] == [{"ports": [{"port": port, "protocol": "TCP"}]}]
    labels = {pod.part: pod.metadata["labels"] for pod in helm.pods(objects)}
    assert [part for part, own in labels.items() if policy["podSelector"]["matchLabels"].items() <= own.items()] == [
        "history"
    ]


def test_nothing_is_made_that_nobody_asked_for() -> None:
    kinds = sorted(each["kind"] for each in render())
    assert kinds == [
        "ClusterRole", "ClusterRoleBinding", "ConfigMap", "DaemonSet", "Pod", "Service", "ServiceAccount",
    ]  # fmt: skip
    bare = {"daemon": {"enabled": False}, "serviceAccount": {"create": False}}
    assert [each["kind"] for each in render(bare)] == ["ConfigMap"]
    jobs = merged(bare, BOOKS, EXPORT)
    assert sorted(each["kind"] for each in render(jobs)) == ["ConfigMap", "CronJob"]


def test_templates_name_no_machine() -> None:
    """A registry, a path of a workplace or a person would end up in other people's clusters."""
    for path in Path(helm.CHART.parent).rglob("*"):
        if path.is_file() and path.suffix != ".json":
            text = path.read_text(encoding="utf-8")
            assert not re.search(r"/(?:work|root|home)/|docker\.io|ghcr\.io|quay\.io", text), path
