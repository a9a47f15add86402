"""Every part is made of the configuration that a user wrote."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.workloads.world import Node
from tracker import registry, wiring
from tracker.config import Config, load


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
    observer = wiring.observer_for(config_of(tmp_path), demo=False)
    node.tick_with(observer, {})
    observer.check()
    observer.close()


@pytest.mark.parametrize("name", registry.RESOLVER_OPTIONS)
def test_every_resolver_has_a_section(node: Node, tmp_path: Path, name: str) -> None:
    config = config_of(tmp_path, f"[workloads.{name}]\n")
    assert list(config.workloads.resolvers) == [name]
    wiring.cgroup_observer(config).close()


def test_rules_carry_the_line_they_stand_on(tmp_path: Path) -> None:
    text = '[[workloads.rules]]\nset = { team = "a" }\n\n[[workloads.rules]]\nset = { team = "b" }\n'
    rules = wiring.rules_of(config_of(tmp_path, text))
    assert [rule.place.rpartition("/")[2] for rule in rules] == ["config.toml:4", "config.toml:7"]


def test_rules_from_the_environment_carry_its_name(tmp_path: Path) -> None:
    variable = "WATTLEDGER_WORKLOADS__RULES"
    (rule,) = wiring.rules_of(config_of(tmp_path, "", {variable: '[{ set = { team = "a" } }]'}))
    assert rule.place == f"environment {variable}"
