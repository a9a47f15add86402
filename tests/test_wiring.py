"""Every part is made of the configuration that a user wrote."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.workloads.scheduler import pod, uid
from tests.workloads.world import Node
from tracker import registry, wiring
from tracker.config import Config, load
from tracker.core.errors import UsageError
from tracker.core.model import Own
from tracker.log import Log, Severity
from tracker.reporter import Reporter
from tracker.workloads.observer import CgroupObserver


def config_of(folder: Path, text: str = "", environ: dict[str, str] | None = None) -> Config:
    """With the roots of a node in a folder, and the parts of the real registry."""
    path = folder / "config.toml"
    path.write_text(f'[node]\nsysfs = "{folder}/sys"\nprocfs = "{folder}/proc"\n{text}')
    return load(path, environ={"WATTLEDGER_NODE__STATE_DIR": str(folder / "state"), **(environ or {})})


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_every_resolver_is_made_and_ends_without_its_system(node: Node, tmp_path: Path) -> None:
    """Absent sections are automatic: on a node without cluster or engine nothing happens and nothing fails."""
    config = config_of(tmp_path, "[workloads.declared]\nlisten = false\n")
    observer = wiring.observer_for(config, wiring.declared_for(config))
    node.tick_with(observer, {})
    observer.check()
    observer.close()


@pytest.mark.parametrize("name", registry.RESOLVER_OPTIONS)
def test_every_resolver_has_a_section(node: Node, tmp_path: Path, name: str) -> None:
    config = config_of(tmp_path, f"[workloads.{name}]\n")
    assert list(config.workloads.resolvers) == [name]
    wiring.cgroup_observer(config, wiring.declared_for(config)).close()


def owned(folder: Path, text: str = "", cgroup: str = "/") -> CgroupObserver:
    process = folder / "proc" / "self"
    process.mkdir(exist_ok=True)
    (process / "cgroup").write_text(f"0::{cgroup}\n")
    config = config_of(folder, f"[workloads]\nown_only = true\n{text}")
    return wiring.cgroup_observer(config, wiring.declared_for(config))


def test_a_sidecar_is_told_its_pod_by_the_downward_api(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("POD_UID", uid("a")), ("POD_NAME", "trainer-0"), ("POD_NAMESPACE", "nlp")):
        monkeypatch.setenv(name, value)
    node.hold(node.make(f"/kubepods/pod{uid('a')}"), 9)
    observer = owned(tmp_path, "gpu_replicas = 2\n")
    seen = node.tick_with(observer, {})
    assert seen.own == Own(frozenset({pod("a")}), 2)
    named = {each.workload.key: each.workload.name for each in observer.named()}
    assert named == {pod("a"): "trainer-0"}
    observer.close()


@pytest.mark.parametrize("key", [f"container/{'c' * 64}", "slurm/211"])
def test_a_sidecar_may_live_in_a_container_or_a_job(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.delenv("POD_UID", raising=False)
    cgroup = {"container": f"/docker/{'c' * 64}", "slurm": "/slurm/uid_1/job_211/step_0"}[key.partition("/")[0]]
    observer = owned(tmp_path, cgroup=cgroup)
    seen = node.tick_with(observer, {})
    assert seen.own == Own(frozenset({key}))
    observer.close()


def test_a_sidecar_that_does_not_know_whose_it_is_does_not_start(
    node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would book the whole node, or nothing, and nobody would notice."""
    monkeypatch.delenv("POD_UID", raising=False)
    with pytest.raises(UsageError, match=r"fieldPath: metadata\.uid"):
        owned(tmp_path)


def test_rules_carry_the_line_they_stand_on(tmp_path: Path) -> None:
    text = '[[workloads.rules]]\nset = { team = "a" }\n\n[[workloads.rules]]\nset = { team = "b" }\n'
    rules = wiring.rules_of(config_of(tmp_path, text))
    assert [rule.place.rpartition("/")[2] for rule in rules] == ["config.toml:4", "config.toml:7"]


def test_rules_from_the_environment_carry_its_name(tmp_path: Path) -> None:
    variable = "WATTLEDGER_WORKLOADS__RULES"
    (rule,) = wiring.rules_of(config_of(tmp_path, "", {variable: '[{ set = { team = "a" } }]'}))
    assert rule.place == f"environment {variable}"


def test_a_daemon_ships_only_when_it_is_told_to(tmp_path: Path) -> None:
    """The child gets the daemon's own state folder and configuration."""
    told = Reporter(Log(io.StringIO(), level=Severity.INFO, style="logfmt", environ={}))
    quiet = load(None, environ={}, flags={"node.state_dir": str(tmp_path)})
    assert wiring.shipper_for(quiet, told) is None
    path = tmp_path / "config.toml"
    path.write_text('[books]\nship = "1h"\n', encoding="utf-8")
    shipper = wiring.shipper_for(load(path, environ={}, flags={"node.state_dir": str(tmp_path)}), told)
    assert shipper is not None
    assert shipper.command[-4:] == ("--state-dir", str(tmp_path), "--config", str(path))
    assert shipper.state is None
