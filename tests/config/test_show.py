"""The effective configuration, printed: it loads again as the same, says where values are from, and shows no secret."""

from __future__ import annotations

import json
from pathlib import Path

from tests.config.kit import loaded
from tests.config.test_load import FULL
from tracker.config.show import as_json, toml_lines

ENVIRON = {"WATTLEDGER_SOURCES__NVML__TOKEN": "s3cr3t", "WATTLEDGER_LOG__LEVEL": "error"}


def test_what_is_shown_loads_again_as_the_same(tmp_path: Path) -> None:
    for text in (FULL, "", '[site."a b.c"]\nzone = "\\u007f \\" \\\\ ü"\n'):
        config = loaded(tmp_path, text)
        (tmp_path / "again").mkdir(exist_ok=True)
        again = loaded(tmp_path / "again", "\n".join(line for line, _ in toml_lines(config)))
        assert [getattr(again, name) for name in SETTINGS] == [getattr(config, name) for name in SETTINGS]


def test_each_value_has_its_origin(tmp_path: Path) -> None:
    config = loaded(tmp_path, '[node]\nhostname = "a"\n', ENVIRON, {"node.state_dir": "/x"})
    shown = dict(toml_lines(config))
    assert shown['hostname = "a"'] == f"{tmp_path}/config.toml:2"
    assert shown['level = "error"'] == "environment WATTLEDGER_LOG__LEVEL"
    assert shown['state_dir = "/x"'] == "flag --state-dir"
    assert shown['tick = "5s"'] == "default"
    assert shown["# gpu_w ="] == "default", "what is not set is shown as a comment"
    assert "[node]" in shown


def test_without_a_file_and_sources_that_is_said(tmp_path: Path) -> None:
    lines = [text for text, _ in toml_lines(loaded(tmp_path))]
    assert lines[0] == "# Effective configuration: there is no file"
    assert "# [sources]: automatic, everything that is present is used" in lines


def test_secrets_are_masked_and_paths_of_secrets_are_not(tmp_path: Path) -> None:
    config = loaded(tmp_path, '[sources]\nnvml = { token_file = "/run/secrets/em" }\n', ENVIRON)
    for text in ("\n".join(line for line, _ in toml_lines(config)), json.dumps(as_json(config))):
        assert "s3cr3t" not in text
        assert "********" in text
        assert "/run/secrets/em" in text


def test_a_key_of_a_service_is_masked_where_it_is_and_where_it_came_from(tmp_path: Path) -> None:
    config = loaded(tmp_path, FULL, {"WATTLEDGER_GRID__TOKEN": "s3cr3t"})
    assert config.grid.providers["electricitymaps"].token == "s3cr3t"  # type: ignore[attr-defined] # as the kit's
    for text in ("\n".join(line for line, _ in toml_lines(config)), json.dumps(as_json(config))):
        assert "s3cr3t" not in text
    lines = dict(toml_lines(config))
    assert lines['# token = "********"'] == "grid.token"
    assert "[grid.electricitymaps]" in lines
    assert "[grid.zone.GB]" in lines
    assert "[accounting.embodied]" in lines


def test_a_key_in_the_query_of_an_address_is_masked(tmp_path: Path) -> None:
    config = loaded(tmp_path, '[books]\nurl = "https://books.example/prod?sig=s3cr3t"\n')
    for text in ("\n".join(line for line, _ in toml_lines(config)), json.dumps(as_json(config))):
        assert "s3cr3t" not in text
        assert "https://books.example/prod?********" in text


def test_json_for_programs(tmp_path: Path) -> None:
    shown = as_json(loaded(tmp_path, FULL, ENVIRON))
    assert json.loads(json.dumps(shown)) == shown
    assert shown["file"] == f"{tmp_path}/config.toml"
    assert shown["settings"]["site"]["par1"]["pue"] == 1.21
    assert shown["settings"]["sampling"]["commit"] == "1m30s"
    assert shown["settings"]["grid"]["zone"]["GB"]["tiers"] == [1, 4]
    assert shown["settings"]["grid"]["electricitymaps"]["regions"] == {"FR": "fr"}
    assert shown["settings"]["site"]["osl"]["pue_periods"][0]["from"] == "2025-01-01"
    assert shown["settings"]["sources"]["rapl"] == {}
    assert shown["origins"]["log.level"] == "environment WATTLEDGER_LOG__LEVEL"
    assert as_json(loaded(tmp_path))["settings"]["sources"] is None


SETTINGS = ("node", "site", "sampling", "sources", "workloads", "grid", "accounting", "books", "web", "idle", "log")
