"""What the README tells operators to write is a configuration."""

from __future__ import annotations

import re
from pathlib import Path

from tracker.config import load
from tracker.config.pue import statements
from tracker.core.accounting import pue_at
from tracker.grid.instruments import parse_instruments

README = Path(__file__).parents[2] / "README.md"


def blocks() -> list[str]:
    return re.findall(r"```toml\n(.*?)```", README.read_text("utf-8"), re.DOTALL)


def test_its_instruments_are_taken_as_they_stand() -> None:
    (text,) = [block for block in blocks() if "[[instrument]]" in block]
    claims = parse_instruments(text, "README.md", lambda _: "").claims
    assert [(claim.instrument.key, claim.cautions) for claim in claims] == [("tariff", ()), ("go-2026-0001", ())]


def test_its_examples_are_taken_as_they_stand(tmp_path: Path) -> None:
    """Also with the lines that are commented out."""
    text = "\n".join(block for block in blocks() if "[grid" in block or "[site" in block)
    for written in (text, re.sub(r"^# (?=[a-z_]+ = )", "", text, flags=re.MULTILINE)):
        file = tmp_path / "config.toml"
        file.write_text(written, "utf-8")
        config = load(file, environ={}, flags={})
        assert config.here.zone == "FR"
        assert config.grid.live_chain("FR")[-1] == "electricitymaps"
        assert config.grid.live_chain("GB") == ("neso",)
        assert config.accounting.location_factor == "hourly"
        assert config.accounting.embodied.devices == {"NVIDIA H100 80GB HBM3": 164.0}
        assert pue_at(statements(config.here), 1_795_000_000).permille == 1210
