"""``wattledger verify`` of a node's own ledger: what is in it that nobody measured or stated is said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.node import GPU, PACKAGE, FixedGrid, Node, ScriptedFeed
from tracker.cli.verify import verify
from tracker.core.model import Method


def run(node: Node, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        verify(["--state-dir", str(node.folder), *arguments], standalone_mode=False)
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_what_is_simulated_and_assumed_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Of a demonstration: its ledger adds up, and says that it is none of a real node."""
    node = Node(
        tmp_path,
        ScriptedFeed("nvml", replace(GPU, method=Method.SIMULATED)),
        ScriptedFeed("rapl", PACKAGE),
        pue_permille=1560,
    )
    node.grid = FixedGrid(475_000, assumed=True)
    node.restart()
    node.first_tick()
    node.run(700)

    said = run(node, capsys)
    assert "\nsimulated 0.019444 kWh (70000000000 µJ): Simulated by run --demo: this energy is invented.\n" in said
    assert "\nnote: Nobody set this site's zone: the mean of the world is assumed." in said
    assert "\nnote: Nobody stated the PUE: the industry's average is assumed." in said
    assert "Everything adds up." in said

    report = json.loads(run(node, capsys, "--json"))
    assert (report["simulated_uj"], report["energy_uj"]) == (70_000_000_000, 140_000_000_000)
    assert (report["assumed_zones"], report["pues_permille"], report["pue_assumed"]) == (["FR"], [1560], True)


def test_nothing_is_said_of_what_is_measured_and_stated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    node = Node(tmp_path, ScriptedFeed("nvml", GPU))
    node.first_tick()
    node.run(700)
    said = run(node, capsys)
    assert "simulated" not in said.lower()
    assert "assumed" not in said
    report = json.loads(run(node, capsys, "--json"))
    assert (report["simulated_uj"], report["assumed_zones"], report["pue_assumed"]) == (0, [], False)
