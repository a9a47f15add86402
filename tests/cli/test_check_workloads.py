"""``wattledger check`` says who lives on the node and which rule gave each its team."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.workloads.world import Node
from tracker.cli import workloads
from tracker.cli.main import main
from tracker.core.model import Kind, Workload
from tracker.core.rules import parse_rules
from tracker.workloads.names import Named

(NLP,) = parse_rules([{"set": {"team": "nlp"}}], ["config.toml:14"])
POD = Workload("pod/1", Kind.POD, "trainer-0", namespace="ml", team="nlp", project="bert", phase="training")
UNIT = Workload("unit/nginx.service", Kind.UNIT, "nginx.service")


def printed(capsys: pytest.CaptureFixture[str], *named: Named) -> list[str]:
    workloads.show(workloads.section(named))
    return capsys.readouterr().out.splitlines()


def test_who_has_no_team_comes_first_and_each_rule_has_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, Named(POD, NLP), Named(UNIT, None)) == [
        "Workloads: 2 live, 1 without a team",
        "  unit  nginx.service  no team                no rule",
        "  pod   ml/trainer-0   nlp / bert / training  rule 1 (config.toml:14)",
        '  fix: Add a rule: [[workloads.rules]] match = { … } set = { team = "…" }',
    ]


def test_nobody_lives_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys) == ["Workloads: 0 live, 0 without a team"]


def test_a_full_node_does_not_flood_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Those that nobody pays for are shown before the others."""
    many = [Named(Workload(f"pod/{n}", Kind.POD, f"{n:03}", team="t"), NLP) for n in range(600)]
    lines = printed(capsys, *many, Named(UNIT, None))
    assert lines[0] == "Workloads: 601 live, 1 without a team"
    assert "nginx.service" in lines[1]
    assert lines[-2] == "  … and 551 more"
    assert len(lines) == 53


def test_a_name_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, Named(Workload("pod/1", Kind.POD, "x" * 128, team="t"), NLP))
    assert "x" * 47 + "…" in lines[1]
    assert len(lines[1]) < 100


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(tmp_path / "node")
    for path in (f"/docker/{'a' * 64}", "/user.slice/user-987654.slice"):
        node.hold(node.make(path), 1 << 20)
    for path in node.memory_bytes:
        node._write(path)
    return node


def checked(node: Node, folder: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    config = folder / "config.toml"
    config.write_text('[sources]\nrapl = {}\n[[workloads.rules]]\nmatch = { kind = "user" }\nset = { team = "desk" }\n')
    roots = ["--path.sysfs", str(node.sysfs), "--path.procfs", str(node.procfs)]
    state = ["--state-dir", str(folder / "state")]
    with pytest.raises(SystemExit) as end:
        main(["check", "--config", str(config), *roots, *state, *arguments])
    assert end.value.code == 1, "nothing is measured on such a node"
    return capsys.readouterr().out.replace(f"{folder}/", "")


def test_the_command_prints_the_section(node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = checked(node, tmp_path, capsys).splitlines()
    start = lines.index("Workloads: 2 live, 1 without a team")
    assert lines[start + 1].split() == ["container", "aaaaaaaaaaaa", "no", "team", "no", "rule"]
    assert lines[start + 2].split() == ["user", "987654", "desk", "rule", "1", "(config.toml:3)"]


def test_the_same_as_json(node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    section = json.loads(checked(node, tmp_path, capsys, "--json"))["workloads"]
    assert (section["live"], section["without_team"]) == (2, 1)
    assert [(row["workload"], row["team"], row["rule"]) for row in section["rows"]] == [
        (f"container/{'a' * 64}", "", None),
        ("user/987654", "desk", 1),
    ]
    assert section["rows"][1]["place"] == "config.toml:3"
