"""For every switch the chart renders what Kubernetes and the Prometheus operator accept; what is wrong is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate  # type: ignore[import-untyped] # ships none
import pytest
import yaml
from helm_python import HelmRenderError, HelmValuesError
from jsonschema import Draft202012Validator  # type: ignore[import-untyped] # ships none

from tests.conftest import REPO
from tests.deploy import helm
from tests.deploy.helm import BOOKS, CHART, EXPORT, Manifest, Values, merged, render
from tests.deploy.helm_operator import SCHEMAS
from tracker import __version__
from tracker.config import Config, load

#: The three newest, each once ("1.37.0").
VERSIONS = list(dict.fromkeys(kubernetes_validate.utils.all_versions()))[-3:]


def unique(*, singles: bool) -> Iterator[tuple[str, Manifest]]:
    """Every different object of the matrix; of ``singles``, those of one switch alone."""
    seen: set[str] = set()
    for name, objects in helm.matrix():
        one, _, two = name.partition("+")
        if singles and two and one != two:
            continue
        for each in objects:
            text = json.dumps(each, sort_keys=True)
            if text not in seen:
                seen.add(text)
                yield name, each


def test_lint_has_nothing_to_say_but_that_there_is_no_icon() -> None:
    report = helm_python.lint(CHART, strict=True)
    assert report["errors"] == []
    assert [message["error"] for message in report["messages"]] == ["icon is recommended"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_switch_renders_what_kubernetes_accepts(version: str) -> None:
    """Strictly: an unknown field is an error. The newest version sees every pair of switches."""
    count = 0
    for name, each in unique(singles=version != VERSIONS[-1]):
        if each["kind"] in SCHEMAS:
            continue
        try:
            kubernetes_validate.validate(each, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            pytest.fail(f"{name}: {each['kind']}: {error.message}")
        count += 1
    assert count > 75


def test_the_newest_versions_are_looked_at() -> None:
    assert [version.rpartition(".")[0] for version in VERSIONS] == ["1.35", "1.36", "1.37"]


def test_every_switch_renders_what_the_prometheus_operator_accepts() -> None:
    validators = {kind: Draft202012Validator(schema) for kind, schema in SCHEMAS.items()}
    seen = set()
    for name, each in unique(singles=False):
        if each["kind"] in validators:
            errors = [error.message for error in validators[each["kind"]].iter_errors(each)]
            assert not errors, (name, each["kind"], errors)
            seen.add(each["kind"])
    assert seen == {*SCHEMAS}


def test_our_operator_schemas_refuse_a_wrong_key() -> None:
    monitor = helm.only(render({"serviceMonitor": {"enabled": True}}), "ServiceMonitor")
    monitor = json.loads(json.dumps(monitor).replace('"honorLabels"', '"honourLabels"'))
    assert not Draft202012Validator(SCHEMAS["ServiceMonitor"]).is_valid(monitor)


def test_no_name_is_used_twice_and_all_carry_the_labels() -> None:
    for name, objects in helm.matrix():
        names = [(each["kind"], each["metadata"]["name"]) for each in objects]
        assert len(names) == len({*names}), name
        for each in objects:
            labels = each["metadata"]["labels"]
            assert {"app.kubernetes.io/name", "app.kubernetes.io/instance", "helm.sh/chart"} <= {*labels}, name


def test_a_long_release_name_leaves_room_for_what_is_added_to_it() -> None:
    """Kubernetes adds 11 letters to a CronJob's name and 63 is the end."""
    values = merged(BOOKS, EXPORT, {"history": {"enabled": True, "prometheusUrl": "http://p:9090"}})
    files = helm.chart().render(values, name="r" * 53, namespace="n")
    names = re.findall(r"(?m)^  name: (\S+)$", "\n".join(files.values()))
    assert max(map(len, names)) <= 52
    assert len(names) >= 6


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"daemn": {}}, "'daemn' not allowed"),
        ({"daemon": {"privileged": True}}, "at '/daemon': additional properties 'privileged' not allowed"),
        ({"daemon": {"hostNetwork": True}}, "'hostNetwork' not allowed"),
        ({"daemon": {"capabilities": ["SYS_ADMIN"]}}, "'DAC_READ_SEARCH', 'SYS_PTRACE'"),
        ({"daemon": {"resources": {"request": {}}}}, "'request' not allowed"),
        ({"daemon": {"maxUnavailable": 0}}, "at '/daemon/maxUnavailable'"),
        ({"daemon": {"log": {"level": "verbose"}}}, "'debug', 'info', 'warning', 'error'"),
        ({"state": {"type": "pvc"}}, "'hostPath', 'emptyDir', 'ephemeral'"),
        ({"state": {"hostPath": "data"}}, "at '/state/hostPath'"),
        ({"state": {"hostPath": "/"}}, "at '/state/hostPath'"),
        ({"declare": {"hostPath": "/run/"}}, "at '/declare/hostPath'"),
        ({"web": {"port": 80}}, "at '/web/port'"),
        ({"portal": {"port": 443}}, "at '/portal/port'"),
        ({"serviceMonitor": {"scrapeTimeout": "soon"}}, "at '/serviceMonitor/scrapeTimeout'"),
        ({"config": {"node": {}}}, "at '/config': got object, want string"),
        ({"web": {"port": "9837"}}, "got string, want integer"),
        ({"books": {"url": "ftp://x"}}, "at '/books/url'"),
        ({"books": {"uri": "s3://x"}}, "'uri' not allowed"),
        ({"export": {"month": "2026-13"}}, "at '/export/month'"),
        ({"export": {"formats": ["pdf"]}}, "at '/export/formats/0'"),
        ({"ship": {"every": "hourly"}}, "at '/ship/every'"),
        ({"jobs": {"runAsUser": 0}}, "at '/jobs/runAsUser'"),
        ({"image": {"digest": "sha256:1"}}, "at '/image/digest'"),
        ({"serviceMonitor": {"endpoint": {"path": "/x"}}}, "'path' not allowed"),
        ({"commonLabels": {"app.kubernetes.io/name": "x"}}, "at '/commonLabels/app.kubernetes.io~1name'"),
        (
            {"daemon": {"podLabels": {"app.kubernetes.io/component": "x"}}},
            "at '/daemon/podLabels/app.kubernetes.io~1component'",
        ),
        ({"prometheusRule": {"files": ["alerts", "alerts"]}}, "at '/prometheusRule/files'"),
        ({"prometheusRule": {"runbookPrefix": "https://wiki"}}, "at '/prometheusRule/runbookPrefix'"),
        ({"sidecar": {"gpus": "all"}}, "'kubelet', 'claim', 'none'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(values: Values, said: str) -> None:
    with pytest.raises(HelmValuesError) as refused:
        render(values)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"serviceMonitor": {"enabled": True}, "podMonitor": {"enabled": True}}, "Enable one of them."),
        ({"serviceMonitor": {"enabled": True}, "daemon": {"enabled": False}}, "There is no daemon to scrape"),
        ({"ship": {"enabled": True}}, "Set books.url, such as"),
        ({"ship": {"enabled": True}, "books": {"url": "/data/books"}}, "set books.persistentVolumeClaim"),
        ({**BOOKS, "ship": {"enabled": True}, "daemon": {"demo": True}}, "Disable ship.enabled."),
        ({**BOOKS, "history": {"enabled": True}}, "Set history.prometheusUrl"),
        ({**BOOKS, "export": {"enabled": True}}, "Set export.destination"),
        ({**BOOKS, "export": {"enabled": True, "destination": "/out"}}, "Name a bucket, or"),
        ({**BOOKS, "portal": {"enabled": True}}, "Set portal.tokenSecret or portal.webConfigSecret."),
        ({"portal": {"enabled": True, "tokenSecret": "t"}}, "Set books.url, such as"),
        ({"web": {"tls": True}}, "Set it too."),
        ({"daemon": {"runAsUser": 65532, "capabilities": ["SYS_PTRACE"]}}, "Set daemon.runAsUser to 0"),
        ({"serviceAccount": {"create": False}}, "Set serviceAccount.name, or kubernetes.api to false."),
        *(
            ({"config": text}, "Take ship out of config and set ship.enabled.")
            for text in (
                '[books]\nship = "1h"\n',
                'books = {url = "s3://x", ship="1h"}\n',
                '[books]\n"ship" = "1h"\n',
                'books.ship = "1h"\n',
            )
        ),
        (
            {**BOOKS, "ship": {"enabled": True}, "history": {"enabled": True, "prometheusUrl": "http://p:9090"}},
            "say with --match in history.args",
        ),
        ({"prometheusRule": {"enabled": True, "files": ["alert"]}}, "there is no alert.yml in the chart's files/rules"),
        ({"prometheusRule": {"enabled": True, "files": []}}, "has no rules"),
        ({"sidecar": {"gpus": "claim"}}, "set sidecar.claimName"),
    ],
)
def test_what_cannot_be_together_is_refused_with_what_to_do(values: Values, said: str) -> None:
    with pytest.raises(HelmRenderError) as refused:
        render(values)
    assert said in str(refused.value)


def test_the_schema_knows_every_value_and_no_other() -> None:
    """So that a new key in one of the two files cannot be forgotten in the other."""

    def keys(values: Any, schema: Any, place: str = "") -> Iterator[str]:
        properties = schema.get("properties")
        if properties is None:
            return
        assert schema.get("additionalProperties") is False, f"{place} lets unknown keys through"
        for name in {*properties, *values} - ({"global", "enabled"} if place == "" else set()):
            if name not in properties or (name not in values and place.rpartition(".")[2] not in FREE):
                yield f"{place}.{name}"
            elif name in properties and isinstance(values.get(name), dict):
                yield from keys(values[name], properties[name], f"{place}.{name}")

    FREE = {"resources", "endpoint", "seLinuxOptions"}  # noqa: N806 - maps that are empty or partial by default
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    assert [*keys(helm.chart().values, schema)] == []


def config_of(values: Values, folder: Path) -> Config:
    """What the daemon makes of the chart's ConfigMap and of its variables."""
    path = folder / "config.toml"
    path.write_text(helm.only(render(values), "ConfigMap", helm.NAME)["data"]["config.toml"], encoding="utf-8")
    return load(path, environ=helm.environ(helm.daemon(values).container("wattledger"), "gpu-017"))


def test_the_default_configuration_is_one_and_names_the_node(tmp_path: Path) -> None:
    config = config_of({}, tmp_path)
    assert (config.node.hostname, config.here.zone) == ("gpu-017", None)


def test_the_commented_example_is_a_configuration(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^# (?=[\[a-z])", "", helm.chart().values["config"].partition("\n")[2])
    config = config_of({"config": text}, tmp_path)
    assert (config.here.zone, config.here.pue, config.node.cluster) == ("FR", 1.21, "paris-1")
    assert config.workloads.rules[0]["set"]["cost_centre"] == "CC-1042"


def test_without_the_api_the_daemon_does_not_ask_it(tmp_path: Path) -> None:
    options = config_of({"kubernetes": {"api": False}}, tmp_path).workloads.resolvers["kubernetes"]
    assert not options.api  # type: ignore[attr-defined] # Options of the resolver


def test_notes_say_what_is_missing() -> None:
    text = helm.notes()
    for said in (
        "wattledger check",
        "No grid zone is set",
        "enforce=privileged",
        "Nothing is shipped",
        "helm uninstall",
    ):
        assert said in text
    text = helm.notes(merged(BOOKS, {"ship": {"enabled": True}, "config": '[site.a]\nzone = "FR"\n'}))
    assert "No grid zone" not in text
    assert "Nothing is shipped" not in text
    assert "the ledger goes with its pod" in helm.notes({"state": {"type": "emptyDir"}})
    assert "nothing here is measured" in helm.notes({"daemon": {"demo": True}})


def test_the_readmes_values_are_values(tmp_path: Path) -> None:
    text = (CHART.parent / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"(?s)```yaml\n# my-values.yaml\n(.*?)```", text)
    values = yaml.safe_load(example)
    assert config_of(values, tmp_path).here.zone == "FR"
    kinds = {each["kind"] for each in render(values)}
    assert {"DaemonSet", "CronJob", "ServiceMonitor", "PrometheusRule", "NetworkPolicy"} <= kinds


def test_copies_in_the_chart_are_up_to_date() -> None:
    """Helm reads nothing outside its chart: dashboards, rules and the version are copied by sync.py."""
    command = [sys.executable, str(REPO / "deploy" / "helm" / "sync.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert helm.chart().version == helm.chart().metadata["appVersion"] == __version__


def test_the_packaged_chart_fits_into_a_release_secret(tmp_path: Path) -> None:
    """Helm keeps a release, its chart included, in a Secret of at most 1 MiB."""
    assert 0 < Path(helm.chart().save(tmp_path)).stat().st_size < 300_000
