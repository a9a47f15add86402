"""The node page's grid section: both methods, the PUE and the making of hardware, each for itself."""

from __future__ import annotations

from dataclasses import replace

from tests.fakes import snapshots
from tests.fakes.snapshot_parts import MARKET
from tracker.web.node.grid import render


def test_both_methods_are_told_apart() -> None:
    """A market-based figure under the name of the place would be a wrong statement in a report."""
    shown = render(snapshots.eight_gpus())
    assert "<span>44.0</span> g CO₂e per kWh" in shown
    assert "Market-based" in shown
    assert "AIB, European Residual Mixes 2025" in shown
    assert "Market-based" not in render(replace(snapshots.eight_gpus(), market=None))


def test_a_market_without_a_value_says_why() -> None:
    unknown = replace(MARKET, intensity_mg_per_kwh=None, note="full disclosure: there is no residual mix")
    shown = render(replace(snapshots.eight_gpus(), market=unknown))
    assert "no value" in shown
    assert "full disclosure: there is no residual mix" in shown
    assert " 0 g" not in shown


def test_the_making_of_hardware_stands_apart() -> None:
    """29.95 g of eight H100 and 57.08 g of the host in an hour."""
    shown = render(snapshots.eight_gpus())
    assert "87.0" in shown
    assert "8 \N{MULTIPLICATION SIGN} <bdi>NVIDIA HGX H100 per GPU</bdi>" in shown
    assert "Never added to the emissions of electricity" in shown
    assert "Hardware" not in render(replace(snapshots.eight_gpus(), embodied=()))


def test_a_pue_that_nobody_set_is_marked() -> None:
    assumed = replace(snapshots.eight_gpus(), pue_permille=1560, pue_source="assumed: industry average")
    assert '<span class="warn">1.56 · <bdi>assumed: industry average</bdi></span>' in render(assumed)
    assert "1.21 · <bdi>operator, 2026-Q3</bdi>" in render(snapshots.eight_gpus())


def test_a_service_that_does_not_answer_is_named() -> None:
    assert "energycharts does not answer." in render(snapshots.in_trouble())
    assert "Service" not in render(snapshots.eight_gpus())
