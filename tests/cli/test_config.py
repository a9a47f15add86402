"""``wattledger config show|check`` as a person and a script use it, over the real registry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tracker.cli.main import main

FILE = '[node]\nhostname = "gpu-017"\n\n[site.par1]\nzone = "FR"\npue = 1.21\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE, encoding="utf-8")
    return path


class Command:
    """Runs ``wattledger config ...`` and keeps what it printed."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def __call__(self, *arguments: str | Path) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["config", *map(str, arguments)])
        printed = self.capsys.readouterr()
        return end.value.code, printed.out, printed.err


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def test_show_prints_every_value_with_its_origin(command: Command, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTLEDGER_LOG__LEVEL", "debug")
    code, out, err = command("show", "--config", file, "--state-dir", "/srv/ledger")
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0] == f"# Effective configuration with {file}"
    assert f'hostname = "gpu-017"                        # {file}:2' in lines
    assert 'state_dir = "/srv/ledger"                   # flag --state-dir' in lines
    assert 'level = "debug"                             # environment WATTLEDGER_LOG__LEVEL' in lines
    assert 'tick = "5s"                                 # default' in lines
    assert "\x1b" not in out, "plain text in a pipe"


def test_what_show_prints_can_be_used_as_the_file(command: Command, file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.toml"
    again.write_text(command("show", "--config", file)[1], encoding="utf-8")
    first, second = (json.loads(command("show", "--json", "--config", path)[1])["settings"] for path in (file, again))
    assert first == second
    assert first["site"]["par1"] == {
        "zone": "FR",
        "pue": 1.21,
        "pue_source": "",
        "pue_from": None,
        "pue_periods": [],
        "timezone": None,
        "control": None,
        "operational_control": None,
        "colo_overhead": None,
    }


def test_check_says_ok(command: Command, file: Path) -> None:
    assert command("check", "--config", file) == (0, f"ok: {file}\n", "")


@pytest.mark.parametrize("name", ["check", "show"])
def test_a_mistake_is_one_sentence_and_exit_code_2(command: Command, file: Path, name: str) -> None:
    file.write_text(FILE + "puee = 1\n", encoding="utf-8")
    sentence = f"wattledger: {file}:7: There is no setting site.par1.puee. Did you mean site.par1.pue?\n"
    assert command(name, "--config", file) == (2, "", sentence)


def test_a_missing_file_is_exit_code_2(command: Command, tmp_path: Path) -> None:
    code, out, err = command("check", "--config", tmp_path / "absent.toml")
    assert (code, out) == (2, "")
    assert "absent.toml does not exist." in err


def test_check_knows_the_zones_and_the_web_configuration_too(command: Command, file: Path, tmp_path: Path) -> None:
    """What would stop the daemon at its start is found before a rollout, for every site of a shared file."""
    file.write_text('node.site = "par1"\n[site.par1]\nzone = "FR"\n[site.osl]\nzone = "Norwai"\n', encoding="utf-8")
    code, out, err = command("check", "--config", file)
    assert (code, out) == (2, "")
    assert err.startswith(f"wattledger: {file}:5: The zone 'Norwai' is not known. Did you mean NO (Norway)?")
    web = tmp_path / "web.yml"
    web.write_text("basic_auth_user: {}\n", encoding="utf-8")
    file.write_text(f'[web]\nweb_config_file = "{web}"\n', encoding="utf-8")
    code, out, err = command("check", "--config", file)
    assert (code, out) == (2, "")
    assert "basic_auth_users" in err


def test_an_unknown_source_names_the_nearest_real_one(command: Command, file: Path) -> None:
    file.write_text("[sources]\nrappl = {}\n", encoding="utf-8")
    _, _, err = command("check", "--config", file)
    assert err.endswith("There is no setting sources.rappl. Did you mean sources.rapl?\n")


def test_the_simulated_node_cannot_be_mixed_with_real_sources(command: Command, file: Path) -> None:
    file.write_text("[sources]\nrapl = {}\ndemo = {}\n", encoding="utf-8")
    code, _, err = command("check", "--config", file)
    assert (code, "There is no setting sources.demo." in err) == (2, True)


def test_every_option_of_every_real_source_can_be_written(command: Command, file: Path) -> None:
    """The sources' own defaults, as shown, are accepted in the file."""
    file.write_text("[sources]\nnvml = {}\nrapl = {}\nestimate = {}\n", encoding="utf-8")
    code, out, _ = command("show", "--config", file)
    assert code == 0
    assert "[sources.nvml]" in out
    file.write_text(out, encoding="utf-8")
    assert command("check", "--config", file)[0] == 0
