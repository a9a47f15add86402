"""``wattledger config show|check`` as a person and a script use it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from tracker.cli.config import config

FILE = '[node]\nhostname = "gpu-017"\n\n[site.par1]\nzone = "FR"\npue = 1.21\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_show_prints_every_value_with_its_origin(file: Path) -> None:
    result = CliRunner(env={"WATTLEDGER_LOG__LEVEL": "debug"}).invoke(
        config, ["show", "--config", str(file), "--state-dir", "/srv/ledger"]
    )
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"# Effective configuration with {file}"
    assert f'hostname = "gpu-017"                        # {file}:2' in lines
    assert 'state_dir = "/srv/ledger"                   # flag --state-dir' in lines
    assert 'level = "debug"                             # environment WATTLEDGER_LOG__LEVEL' in lines
    assert 'tick = "5s"                                 # default' in lines
    assert "\x1b" not in result.output, "plain text in a pipe"


def test_what_show_prints_can_be_used_as_the_file(file: Path, tmp_path: Path) -> None:
    shown = CliRunner().invoke(config, ["show", "--config", str(file)]).stdout
    again = tmp_path / "again.toml"
    again.write_text(shown, encoding="utf-8")
    values = [
        json.loads(CliRunner().invoke(config, ["show", "--json", "--config", str(path)]).stdout)["settings"]
        for path in (file, again)
    ]
    assert values[0] == values[1]
    assert values[0]["site"]["par1"] == {
        "zone": "FR",
        "pue": 1.21,
        "pue_source": "",
        "timezone": "UTC",
        "control": "owned",
    }


def test_check_says_ok(file: Path) -> None:
    result = CliRunner().invoke(config, ["check", "--config", str(file)])
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"ok: {file}\n", "")


@pytest.mark.parametrize("command", ["check", "show"])
def test_a_mistake_is_one_sentence_and_exit_code_2(file: Path, command: str) -> None:
    file.write_text(FILE + "puee = 1\n", encoding="utf-8")
    result = CliRunner().invoke(config, [command, "--config", str(file)])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (f"wattledger: {file}:7: There is no setting site.par1.puee. Did you mean site.par1.pue?\n")


def test_a_missing_file_is_exit_code_2(tmp_path: Path) -> None:
    result = CliRunner().invoke(config, ["check", "--config", str(tmp_path / "absent.toml")])
    assert result.exit_code == 2
    assert "absent.toml does not exist." in result.stderr


def test_an_unknown_source_names_the_nearest_real_one(file: Path) -> None:
    """Over the real registry: the names that the daemon itself knows."""
    file.write_text("[sources]\nrappl = {}\n", encoding="utf-8")
    result = CliRunner().invoke(config, ["check", "--config", str(file)])
    assert result.stderr.endswith("There is no setting sources.rappl. Did you mean sources.rapl?\n")
