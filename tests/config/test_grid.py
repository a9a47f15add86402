"""[grid]: which services are asked about which zone, and where their keys come from."""

from __future__ import annotations

from pathlib import Path

from tests.config.kit import Open, Service, loaded


def test_without_anything_said_the_tables_are_all_there_is(tmp_path: Path) -> None:
    grid = loaded(tmp_path).grid
    assert (grid.live_chain("FR"), grid.providers, grid.cloud_metadata) == ((), {}, "")
    assert grid.tiers_of("FR") == (1, 2, 3, 4, 5), "never the world's average without being asked"


def test_one_provider_is_a_chain_of_one(tmp_path: Path) -> None:
    grid = loaded(tmp_path, '[grid]\nprovider = "neso"\n').grid
    assert (grid.live_chain("GB"), grid.providers) == (("neso",), {"neso": Open()})


def test_a_zone_may_have_its_own_chain_and_tiers(tmp_path: Path) -> None:
    text = """
[grid]
chain = ["electricitymaps", "tables"]
tiers = [1, 4]
[grid.zone.uk]
chain = ["neso", "electricitymaps"]
[grid.zone."aws:eu-west-1"]
tiers = [4]
[grid.zone.NO]
chain = ["tables"]
"""
    grid = loaded(tmp_path, text).grid
    assert grid.live_chain("GB") == ("neso", "electricitymaps"), "by the catalogue's code, however it is written"
    assert grid.live_chain("FR") == ("electricitymaps",)
    assert grid.live_chain("NO") == ()
    assert [grid.tiers_of(zone) for zone in ("GB", "aws:eu-west-1")] == [(1, 4), (4,)]


def test_a_token_in_the_environment_reaches_the_provider(tmp_path: Path) -> None:
    text = '[grid]\nprovider = "electricitymaps"\n'
    short = loaded(tmp_path, text, {"WATTLEDGER_GRID__TOKEN": "s3cr3t"})
    whole = loaded(tmp_path, text, {"WATTLEDGER_GRID__ELECTRICITYMAPS__TOKEN": "s3cr3t"})
    for config in (short, whole):
        assert config.grid.providers["electricitymaps"] == Service(token="s3cr3t")
    assert short.origins["grid.electricitymaps.token"] == "grid.token"


def test_the_providers_own_setting_goes_before_the_short_one(tmp_path: Path) -> None:
    text = '[grid]\nprovider = "electricitymaps"\ntoken_file = "/a"\n[grid.electricitymaps]\ntoken_file = "/b"\n'
    assert loaded(tmp_path, text).grid.providers["electricitymaps"] == Service(token_file="/b")


def test_a_service_with_a_section_that_no_chain_names_is_kept_and_not_asked(tmp_path: Path) -> None:
    """For ``wattledger grid fetch --provider``."""
    grid = loaded(tmp_path, '[grid.electricitymaps]\ntoken_file = "/a"\n').grid
    assert (grid.live_chain("FR"), grid.providers) == ((), {"electricitymaps": Service(token_file="/a")})
