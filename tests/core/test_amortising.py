"""The making of devices by held time: the figure of the right model, exact sums, and no figure where none is known."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.amortising import (
    EmbodiedRates,
    Rate,
    amortise,
    check_embodied,
    embodied_rates,
    per_hour,
    rates_for,
)
from tracker.core.embodied import amortised_g
from tracker.core.model import Component, Entry, Kind, Level, Method, Sensor, Workload
from tracker.grid.shipped import devices

H = 3_600_000
ONE, TWO = Workload("pod/1", Kind.POD, "one"), Workload("pod/2", Kind.POD, "two")
GPU = Sensor(
    "GPU-1", "nvml", Component.GPU, ("node/gpu/1",), 100, Method.MEASURED, "", 700_000, model="NVIDIA H100 80GB HBM3"
)
CPUS = tuple(
    Sensor(f"package-{n}", "rapl", Component.CPU, (f"node/cpu/{n}",), 90, Method.MEASURED, "", 400_000) for n in (0, 1)
)
RATES = embodied_rates(devices(), {}, Decimal(2500))


def entry(workload: Workload, held_ms: int, device: str = "GPU-1", slot: int = 0) -> Entry:
    return Entry(slot, device, workload, Method.MEASURED, 0, 0, held_ms)


def rates(*sensors: Sensor, by: EmbodiedRates = RATES) -> dict[str, Rate]:
    return rates_for(sensors, by, 7)


@pytest.mark.parametrize(
    ("model", "kgco2e"),
    [
        ("NVIDIA H100 80GB HBM3", "164"),
        ("NVIDIA A100-SXM4-80GB", "127.6"),
        ("NVIDIA A100-SXM4-40GB", "127.6"),
        ("A100-SXM4-40GB", "127.6"),
        ("NVIDIA B200", "284.25"),
    ],
)
def test_the_names_that_drivers_tell_have_their_figure(model: str, kgco2e: str) -> None:
    (rate,) = rates(replace(GPU, model=model)).values()
    assert f"{kgco2e} kg CO2e for one GPU from cradle to gate, over 43800 h of held time." in rate.factor.note
    assert Fraction(rate.ug, rate.ms) == Fraction(Decimal(kgco2e)) * 10**9 / (43_800 * H)


@pytest.mark.parametrize("model", ["NVIDIA H100 PCIe", "NVIDIA H100 NVL", "NVIDIA H200", "HGX H100", "host", ""])
def test_a_name_that_only_looks_alike_has_none(model: str) -> None:
    """A card is no eighth of a baseboard, and a GPU is no server: a guess would be exported as a fact."""
    assert rates(replace(GPU, model=model)) == {}


def test_a_gpu_hour_of_an_h100_is_3_744_g() -> None:
    rows, factors = amortise([entry(ONE, H)], rates(GPU), {})
    assert [(row.basis, row.pue_permille, row.emissions_ug) for row in rows] == [("embodied", 1000, 3_744_292)]
    (factor,) = factors.values()
    assert (factor.factor_id, factor.basis, factor.intensity_mg_per_kwh, factor.recorded_at_s) == (
        "embodied:NVIDIA HGX H100 per GPU:164kg:43800h:1",
        "embodied",
        None,
        7,
    )
    assert factor.source == "NVIDIA PCF summary; baseboard / 8"


def test_packages_share_the_host() -> None:
    """2,500 kg over five years are 57.08 g an hour, whatever the number of sockets."""
    both = rates(*CPUS)
    rows, _ = amortise([entry(ONE, H, "package-0"), entry(TWO, H, "package-1")], both, {})
    assert [row.emissions_ug for row in rows] == [28_538_812, 28_538_812]
    assert "2500 kg CO2e for one server from cradle to gate, shared evenly by 2 CPU packages" in (
        both["package-0"].factor.note
    )
    assert [(state.name, state.count, state.ug_per_h) for state in per_hour(both)] == [("host", 1, 57_077_625)]
    assert amortise([entry(ONE, H, "package-0")], rates(CPUS[0]), {})[0][0].emissions_ug == 57_077_625


def test_without_a_figure_there_is_no_row() -> None:
    """P11: 0 g would say that making an MI300X costs nothing."""
    unknown = replace(GPU, model="AMD Instinct MI300X")
    assert rates(unknown, *CPUS, by=embodied_rates(devices(), {}, None)) == {}
    assert amortise([entry(ONE, H)], {}, {}) == ((), {})


def test_a_users_own_figure_and_lifetime_are_used_and_told() -> None:
    own = embodied_rates(devices(), {"AMD Instinct MI300X": Decimal(200)}, None, 26_280, "vendor's PCF")
    (rate,) = rates(replace(GPU, model="AMD Instinct MI300X"), by=own).values()
    assert rate.factor.source == "own figure: vendor's PCF"
    assert "200 kg CO2e" in rate.factor.note
    assert "over 26280 h" in rate.factor.note
    with pytest.raises(ValueError, match="must be positive"):
        embodied_rates(devices(), {}, None, 0)


@thorough
@given(st.lists(st.tuples(st.sampled_from([ONE, TWO]), st.sampled_from(["GPU-1", "package-0"]), st.integers(0, 10**6))))
def test_booking_by_booking_nothing_is_lost(held: list[tuple[Workload, str, int]]) -> None:
    """To the microgram for each workload and device, however often it is booked."""
    table = rates(GPU, CPUS[0])
    remainders: dict[tuple[Workload, str], int] = {}
    sums: dict[tuple[Workload, str], int] = {}
    for workload, device, ms in held:
        for row in amortise([entry(workload, ms, device)], table, remainders)[0]:
            sums[workload, device] = sums.get((workload, device), 0) + row.emissions_ug
    for (workload, device), ug in sums.items():
        ms = sum(each for owner, which, each in held if (owner, which) == (workload, device))
        kgco2e = Decimal(164) if device == "GPU-1" else Decimal(2500)
        assert ug == amortised_g(kgco2e, ms) * 1_000_000 // 1


def test_slots_and_workloads_stay_apart_and_devices_of_one_figure_fall_together() -> None:
    twin = replace(GPU, key="GPU-2")
    held = [entry(ONE, H), entry(ONE, H, "GPU-2"), entry(ONE, H, slot=300), entry(TWO, H), entry(TWO, 0, slot=300)]
    rows, _ = amortise(held, rates(GPU, twin), {})
    assert [(row.slot_start_s, row.workload.name, row.emissions_ug) for row in rows] == [
        (0, "one", 7_488_584),
        (300, "one", 3_744_292),
        (0, "two", 3_744_292),
    ]
    assert [(state.name, state.count, state.ug_per_h) for state in per_hour(rates(GPU, twin))] == [
        ("NVIDIA HGX H100 per GPU", 2, 7_488_584)
    ]


def test_check_says_what_has_no_figure_and_how_to_give_one() -> None:
    unknown = replace(GPU, key="GPU-2", model="AMD Instinct MI300X")
    pcie = replace(GPU, key="GPU-3", model="NVIDIA H100 PCIe")
    found = check_embodied((GPU, unknown, pcie), embodied_rates(devices(), {}, None))
    assert [(finding.level, finding.message) for finding in found] == [
        (Level.WARN, "The making of AMD Instinct MI300X has no figure. Nobody published one."),
        (
            Level.WARN,
            "The making of NVIDIA H100 PCIe has no figure. It is not in the table of published figures.",
        ),
        (Level.WARN, "The making of the host has no figure."),
    ]
    assert found[1].remedy == 'State it: [accounting.embodied] devices = { "NVIDIA H100 PCIe" = <kg CO2e> }.'
    assert check_embodied((GPU, *CPUS), RATES) == ()
    assert "none is measured" in check_embodied((GPU,), RATES)[0].message
