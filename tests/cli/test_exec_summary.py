"""What the summary says of numbers that a small daemon does not have: GPUs, models, missing factors."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tracker.cli.summary import ASSUMED, GONE, LATE, NO_DAEMON, NO_FACTOR, NOTHING, STARTING, summarise, text_of
from tracker.declare import Energy
from tracker.declare.energy import energy_of

FACTOR = {
    "zone": "FR",
    "intensity_mg_per_kwh": 44_000,
    "factor_type": "lifecycle",
    "tier": 5,
    "source": "Ember 2025",
    "assumed": False,
}
NODE: dict[str, Any] = {
    "ok": True,
    "hostname": "gpu-017",
    "site": "par1",
    "pue_permille": 1210,
    "pue_source": "operator, 2026-Q3",
    "factor": FACTOR,
    "components": {"gpu": "measured", "cpu": "measured", "dram": "modelled"},
}
ANSWER = {
    "ok": True,
    "parts": [
        {"component": "dram", "method": "modelled", "energy_uj": 100_000_000_000, "idle_uj": 0, "held_ms": 5},
        {"component": "cpu", "method": "measured", "energy_uj": 900_000_000_000, "idle_uj": 0, "held_ms": 5},
        {"component": "gpu", "method": "measured", "energy_uj": 9 * 10**12, "idle_uj": 10**11, "held_ms": 7_200_000},
    ],
    "emissions_ug": {"location": 134_444_444},
    "units": {"tokens": 4_096_000},
    "committed_wall_s": 1.0,
    "booked": True,
    "ledger_ok": True,
    "message": "",
}  # fmt: skip


def told(energy: Energy | None, node: dict[str, Any] | None = NODE, *, gone: bool = False) -> list[str]:
    return text_of(summarise("run-42", ["x"], 0, 3725.0, energy, node, gone=gone)).splitlines()


def test_a_long_run_on_gpus() -> None:
    assert told(energy_of(ANSWER)) == [
        "wattledger: run-42 ended with 0 after 1 h 2 min on gpu-017",
        "  energy      2.778 kWh, 99 % measured",
        "    gpu       2.5 kWh",
        "    cpu       250 Wh",
        "    dram      27.78 Wh",
        "  of it idle  27.78 Wh",
        "  emissions   134.4 g CO2e, location-based, with PUE 1.21 (operator, 2026-Q3)",
        "  factor      44 g/kWh in FR, lifecycle, tier 5: Ember 2025",
        "  GPUs held   2 h",
        "  tokens      4,096,000, 2.441 J each",
    ]


ENERGY = energy_of(ANSWER) or Energy()


@pytest.mark.parametrize(
    ("energy", "node", "notes"),
    [
        (None, None, [NO_DAEMON]),
        (None, {"error": "has booked nothing yet"}, [STARTING]),
        (None, NODE, [NOTHING]),
        (replace(ENERGY, joules_by_component={"cpu": 0.0}), NODE, [NOTHING]),
        (ENERGY, NODE, []),
        (replace(ENERGY, booked=False), NODE, [LATE]),
        (replace(ENERGY, grams=None), NODE, [NO_FACTOR]),
        (ENERGY, {**NODE, "factor": {**FACTOR, "assumed": True}}, [ASSUMED]),
        (replace(ENERGY, note="The disk is full."), NODE, ["The ledger does not book now: The disk is full."]),
    ],
)
def test_what_is_not_known_is_said(energy: Energy | None, node: dict[str, Any] | None, notes: list[str]) -> None:
    assert list(summarise("r", ["x"], 0, 1.0, energy, node).notes) == notes


def test_a_daemon_that_went_away_is_not_the_same_as_nothing_used() -> None:
    assert summarise("r", ["x"], 0, 1.0, None, NODE, gone=True).notes == (GONE,)


@pytest.mark.parametrize(
    ("components", "word"), [({"cpu": "modelled"}, "No GPU is measured"), ({"gpu": "simulated"}, "invented")]
)
def test_a_node_without_gpus_or_without_truth(components: dict[str, str], word: str) -> None:
    (note,) = summarise("r", ["x"], 0, 1.0, ENERGY, {**NODE, "components": components}).notes
    assert word in note


def test_a_factor_without_a_value_weighs_nothing() -> None:
    node = {**NODE, "factor": {**FACTOR, "intensity_mg_per_kwh": None}}
    lines = told(replace(ENERGY, grams=None), node)
    assert "  emissions   unknown" in lines
    assert not [line for line in lines if "0 g" in line and "note" not in line]


def test_nothing_reported_is_no_price_per_token() -> None:
    assert ENERGY.per("images") is None
    assert energy_of({**ANSWER, "parts": [], "units": {}}) is None
    assert energy_of({"error": "x"}) is None
    assert energy_of(None) is None
