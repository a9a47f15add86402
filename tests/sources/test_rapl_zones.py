"""Parsers of powercap: what a folder name, a zone name and a counter mean."""

from __future__ import annotations

import pytest

from tracker.core.model import Component
from tracker.sources.rapl_zones import (
    Domain,
    ZoneId,
    bound_mw,
    parse_counter,
    parse_range,
    parse_zone_id,
    plan_zone,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("intel-rapl:0", ZoneId("intel-rapl", (0,))),
        ("intel-rapl:0:2", ZoneId("intel-rapl", (0, 2))),
        ("intel-rapl:a", ZoneId("intel-rapl", (10,))),
        ("intel-rapl:1f:b", ZoneId("intel-rapl", (31, 11))),
        ("intel-rapl-mmio:0", ZoneId("intel-rapl-mmio", (0,))),
        ("intel-rapl", None),
        ("intel-rapl:", None),
        ("intel-rapl:g", None),
        ("intel-rapl:0:", None),
        ("intel-rapl-msr:0", None),
        ("dtpm:0", None),
        ("power", None),
    ],
)
def test_zone_ids_are_hex(text: str, expected: ZoneId | None) -> None:
    """An eleventh socket is intel-rapl:a; who reads decimal loses it."""
    assert parse_zone_id(text) == expected


def test_the_parent_of_a_zone() -> None:
    assert ZoneId("intel-rapl", (1, 0)).parent == ZoneId("intel-rapl", (1,))
    assert ZoneId("intel-rapl", (1,)).parent is None


@pytest.mark.parametrize(
    ("control", "name", "parent", "key", "component", "scopes", "preference"),
    [
        ("intel-rapl", "package-0", None, "package-0", "cpu", ("node/cpu/0",), 90),
        ("intel-rapl", "package-10", None, "package-10", "cpu", ("node/cpu/10",), 90),
        ("intel-rapl", "package-1-die-3", None, "package-1-die-3", "cpu", ("node/cpu/1/die/3",), 90),
        ("intel-rapl", "core", "package-1", "core-1", "cpu", ("node/cpu/1/core",), 20),
        ("intel-rapl", "uncore", "package-0", "uncore-0", "cpu", ("node/cpu/0/uncore",), 20),
        ("intel-rapl", "core", "package-1-die-0", "core-1-die-0", "cpu", ("node/cpu/1/die/0/core",), 20),
        ("intel-rapl", "dram", "package-1", "dram-1", "dram", ("node/dram/1",), 90),
        ("intel-rapl", "dram", "package-1-die-1", "dram-1-die-1", "dram", ("node/dram/1/die/1",), 90),
        ("intel-rapl", "psys", None, "psys", "cpu", ("node/cpu", "node/dram"), 10),
        ("intel-rapl-mmio", "package-0", None, "mmio-package-0", "cpu", ("node/cpu/0",), 80),
        ("intel-rapl-mmio", "dram", "package-0", "mmio-dram-0", "dram", ("node/dram/0",), 80),
    ],
)
def test_what_a_zone_measures(
    control: str, name: str, parent: str | None, key: str, component: str, scopes: tuple[str, ...], preference: int
) -> None:
    plan = plan_zone(control, name, parent)
    assert plan is not None
    assert (plan.key, plan.component, plan.scopes, plan.preference) == (key, Component(component), scopes, preference)


@pytest.mark.parametrize(
    ("name", "parent"),
    [("gpu", "package-0"), ("core", None), ("dram", "psys"), ("package-", None), ("Package-0", None), ("", None)],
)
def test_a_zone_of_unknown_kind_is_not_guessed(name: str, parent: str | None) -> None:
    assert plan_zone("intel-rapl", name, parent) is None


def test_a_counter() -> None:
    assert parse_counter(b"262143328850\n", 262143328850) == 262143328850
    assert parse_counter(b"61              \n", 262143328850) == 61
    assert parse_counter(b"0\n", None) == 0


@pytest.mark.parametrize("raw", [b"", b"\n", b"n/a", b"-1", b"+5", b"1_000", b"1.5", b"1 2", b"\xff", b"0x10"])
def test_what_is_no_number_is_no_reading(raw: bytes) -> None:
    with pytest.raises(ValueError, match="energy_uj"):
        parse_counter(raw, None)


def test_a_counter_beyond_its_range_is_no_reading() -> None:
    with pytest.raises(ValueError, match="more than max_energy_range_uj"):
        parse_counter(b"262143328851", 262143328850)


def test_the_range_is_taken_as_the_kernel_prints_it() -> None:
    assert parse_range("65712999613") == 65712999613


@pytest.mark.parametrize("text", ["", "0", "-1", "unlimited", "²"])
def test_a_range_that_says_nothing(text: str) -> None:
    assert parse_range(text) is None


@pytest.mark.parametrize(
    ("domain", "declared_uw", "tdp_mw", "expected_mw"),
    [
        ("package", (350_000_000, 420_000_000), None, 840_000),  # twice the largest
        ("package", (), 360_000, 720_000),  # AMD declares nothing: twice the TDP
        ("package", (), None, 1_000_000),
        ("package", (15_000_000,), None, 500_000),  # a laptop draws 64 W for seconds
        ("package", (4_096_000_000,), None, 1_000_000),  # a register full of ones
        ("package", (0,), None, 1_000_000),
        ("dram", (36_000_000,), 360_000, 200_000),  # the TDP says nothing about memory
        ("dram", (), None, 400_000),
        ("psys", (), 360_000, 20_000_000),
    ],
)
def test_the_plausibility_bound_is_never_below_a_true_reading(
    domain: str, declared_uw: tuple[int, ...], tdp_mw: int | None, expected_mw: int
) -> None:
    assert bound_mw(Domain(domain), declared_uw, tdp_mw) == expected_mw
