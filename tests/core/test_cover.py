"""No joule twice (P4): of sensors that contain one another one is booked, and nothing that could be booked is left."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.cover import choose, overlap
from tracker.core.model import Component, Method, Sensor


def sensor(key: str, preference: int, *scopes: str, component: Component = Component.CPU) -> Sensor:
    return Sensor(key, "test", component, scopes, preference, Method.MEASURED, key, 1_000_000)


def package(number: str, *, mmio: bool = False) -> Sensor:
    return sensor(f"mmio-package-{number}" if mmio else f"package-{number}", 80 if mmio else 90, f"node/cpu/{number}")


def inner(number: str, domain: str) -> Sensor:
    return sensor(f"{domain}-{number}", 20, f"node/cpu/{number}/{domain}")


def dram(number: str) -> Sensor:
    return sensor(f"dram-{number}", 90, f"node/dram/{number}", component=Component.DRAM)


def gpu(uuid: str, *more: str) -> Sensor:
    return sensor(uuid, 100, f"node/gpu/{uuid}", *more, component=Component.GPU)


PSYS = sensor("psys", 10, "node/cpu", "node/dram")
BMC = sensor("bmc", 5, "node", component=Component.OTHER)
ESTIMATE = (sensor("cpu", 1, "node/cpu"), sensor("dram", 1, "node/dram", component=Component.DRAM))
INTEL = (*(package(n) for n in "01"), *(inner(n, d) for n in "01" for d in ("core", "uncore")), dram("0"), dram("1"))

NODES = {
    "a server with two sockets: packages and their DRAM, neither cores nor mmio nor psys again": (
        (*INTEL, package("0", mmio=True), package("1", mmio=True), PSYS, *ESTIMATE),
        {"package-0", "package-1", "dram-0", "dram-1"},
    ),
    "a laptop whose psys is all there is": ((PSYS, *ESTIMATE), {"psys"}),
    "psys beside packages: the DRAM in it stays unbooked, the estimate names it": (
        (package("0"), PSYS, *ESTIMATE),
        {"package-0", "dram"},
    ),
    "only mmio can be read": ((package("0", mmio=True), *ESTIMATE), {"mmio-package-0", "dram"}),
    "only the cores can be read": ((inner("0", "core"), inner("0", "uncore"), PSYS), {"core-0", "uncore-0"}),
    "AMD: packages and cores, no DRAM zone, so DRAM is modelled": (
        (package("0"), package("1"), inner("0", "core"), inner("1", "core"), *ESTIMATE),
        {"package-0", "package-1", "dram"},
    ),
    "package 10 is no part of package 1": (
        (package("1"), package("10"), inner("10", "core"), dram("1"), dram("10")),
        {"package-1", "package-10", "dram-1", "dram-10"},
    ),
    "four dies of one package with counters of their own": (
        tuple(sensor(f"package-0-die-{i}", 90, f"node/cpu/0/die/{i}") for i in range(4)),
        {f"package-0-die-{i}" for i in range(4)},
    ),
    "four dies that mirror one counter": (
        (
            sensor("package-0-die-0", 90, "node/cpu/0/die/0"),
            *(sensor(f"package-0-die-{i}", 45, "node/cpu/0/die/0") for i in range(1, 4)),
        ),
        {"package-0-die-0"},
    ),
    "a whole package beside its dies": (
        (package("0"), *(sensor(f"package-0-die-{i}", 90, f"node/cpu/0/die/{i}") for i in range(2))),
        {"package-0"},
    ),
    "Grace-Hopper: the GPU's counter covers the module, Grace's own sensors are in it": (
        (
            gpu("GPU-1", "node/cpu/0", "node/dram/0"),
            sensor("grace-0", 80, "node/cpu/0", "node/dram/0"),
            sensor("module-0", 70, "node/cpu/0", "node/dram/0", "node/gpu/GPU-1"),
            *ESTIMATE,
        ),
        {"GPU-1"},
    ),
    "Grace-Hopper whose GPU has power only: Grace beside it": (
        (gpu("GPU-1"), sensor("grace-0", 80, "node/cpu/0", "node/dram/0"), *ESTIMATE),
        {"GPU-1", "grace-0"},
    ),
    "a BMC beside everything": ((*INTEL, gpu("GPU-1"), BMC), {"package-0", "package-1", "dram-0", "dram-1", "GPU-1"}),
    "a BMC alone": ((BMC,), {"bmc"}),
    "a virtual machine with GPUs": ((gpu("GPU-1"), gpu("GPU-2"), *ESTIMATE), {"GPU-1", "GPU-2", "cpu", "dram"}),
    "nothing": ((), set()),
}


@pytest.mark.parametrize("node", NODES)
def test_p4_what_is_booked_on_real_nodes(node: str) -> None:
    sensors, booked = NODES[node]
    assert choose(sensors) == booked
    assert choose(reversed(sensors)) == booked


def test_equal_sensors_are_decided_by_key() -> None:
    """The same one after every restart, or the device's counter would stop and another begin."""
    twins = [sensor("b", 7, "node/cpu/0"), sensor("a", 7, "node/cpu/0"), sensor("c", 7, "node/cpu/0")]
    assert choose(twins) == choose(twins[::-1]) == {"a"}


def test_overlap_is_by_whole_names() -> None:
    assert overlap(sensor("a", 1, "node/cpu/1"), sensor("b", 1, "node/cpu/1/core"))
    assert overlap(sensor("a", 1, "node/cpu/1/core"), sensor("b", 1, "node/cpu/1"))
    assert overlap(sensor("a", 1, "node/cpu/1"), sensor("b", 1, "node/cpu/1"))
    assert not overlap(sensor("a", 1, "node/cpu/1"), sensor("b", 1, "node/cpu/10"))
    assert not overlap(sensor("a", 1, "node/cpu/1"), sensor("b", 1, "node/dram/1"))
    assert overlap(sensor("a", 1, "node/gpu/x", "node/cpu/0"), sensor("b", 1, "node/dram/0", "node/cpu/0/core"))


# A complete tree, three wide and three deep, whose leaves are the joules: an independent view of the same question.
NAMES = ("1", "10", "a")
LEAVES = frozenset(f"node/{x}/{y}/{z}" for x in NAMES for y in NAMES for z in NAMES)
PARTS = sorted({"/".join(leaf.split("/")[:depth]) for leaf in LEAVES for depth in range(1, 5)})


def leaves(one: Sensor) -> set[str]:
    return {leaf for leaf in LEAVES for scope in one.scopes if f"{leaf}/".startswith(f"{scope}/")}


trees = st.lists(
    st.builds(
        sensor,
        st.uuids(version=4).map(str),
        st.integers(0, 3),
        st.sampled_from(PARTS),
        st.sampled_from(PARTS),
        st.sampled_from(PARTS),
    ),
    max_size=25,
    unique_by=lambda s: s.key,
)


@thorough
@given(trees)
def test_p4_no_joule_is_in_two_booked_sensors_and_none_could_be_added(sensors: list[Sensor]) -> None:
    booked = choose(sensors)
    chosen = [s for s in sensors if s.key in booked]
    assert len(chosen) == len(booked)
    for a, b in combinations(chosen, 2):
        assert not leaves(a) & leaves(b)
    covered = set().union(*(leaves(s) for s in chosen))
    for left_out in sensors:
        assert left_out.key in booked or leaves(left_out) & covered


@thorough
@given(trees)
def test_p4_nobody_is_left_out_for_somebody_less_preferred(sensors: list[Sensor]) -> None:
    booked = choose(sensors)
    for left_out in (s for s in sensors if s.key not in booked):
        rivals = [s for s in sensors if s.key in booked and leaves(s) & leaves(left_out)]
        assert any((-s.preference, s.key) < (-left_out.preference, left_out.key) for s in rivals)


@thorough
@given(trees.flatmap(lambda sensors: st.tuples(st.just(sensors), st.permutations(sensors))))
def test_p4_the_order_of_sensors_does_not_matter(pair: tuple[list[Sensor], list[Sensor]]) -> None:
    assert choose(pair[0]) == choose(pair[1])


@thorough
@given(trees)
def test_p4_overlap_is_sharing_a_leaf(sensors: list[Sensor]) -> None:
    for a, b in combinations(sensors, 2):
        assert overlap(a, b) == overlap(b, a) == bool(leaves(a) & leaves(b))
