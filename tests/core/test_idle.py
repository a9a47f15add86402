"""The idle floor: learned while nobody uses the device, and never more than the device used."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.idle import idle_energy, learn
from tracker.core.units import NS_PER_S, UJ_PER_J, energy_of

S = NS_PER_S


def test_nothing_is_learned_while_somebody_uses_it() -> None:
    assert learn(None, 400_000, used=True) is None
    assert learn(70_000, 20_000, used=True) == 70_000
    assert learn(70_000, 400_000, used=True) == 70_000


def test_the_first_unused_tick_is_the_floor() -> None:
    assert learn(None, 70_000, used=False) == 70_000


def test_less_power_lowers_the_floor_at_once() -> None:
    assert learn(90_000, 70_000, used=False) == 70_000


def test_more_power_raises_it_slowly() -> None:
    """An hour of ticks of 5 s (720) closes 63 % of the difference: a warm room moves it, a passing process does not."""
    assert learn(70_000, 142_000, used=False) == 70_100
    floor_mw: int | None = 70_000
    for _ in range(720):
        floor_mw = learn(floor_mw, 142_000, used=False)
    assert floor_mw is not None
    assert 114_000 < floor_mw < 116_500


def test_the_floor_settles_and_does_not_creep() -> None:
    assert learn(70_000, 70_000, used=False) == 70_000
    assert learn(70_000, 70_500, used=False) == 70_000


@pytest.mark.parametrize("power_mw", [0, -1])
def test_p3_a_tick_without_energy_does_not_wipe_out_the_floor(power_mw: int) -> None:
    """A counter that stood still for a tick: an hour of idle energy would count as used."""
    assert learn(70_000, power_mw, used=False) == 70_000
    assert learn(None, power_mw, used=False) is None


@pytest.mark.parametrize(
    ("energy_uj", "floor_mw", "idle_uj"),
    [
        (2_000 * UJ_PER_J, 70_000, 350 * UJ_PER_J),
        (350 * UJ_PER_J, 70_000, 350 * UJ_PER_J),
        (100 * UJ_PER_J, 70_000, 100 * UJ_PER_J),  # never more than it used
        (0, 70_000, 0),
        (2_000 * UJ_PER_J, None, 0),  # never seen unused: nothing is invented
        (2_000 * UJ_PER_J, 0, 0),
    ],
)
def test_idle_energy_of_five_seconds(energy_uj: int, floor_mw: int | None, idle_uj: int) -> None:
    assert idle_energy(energy_uj, floor_mw, 5 * S) == idle_uj


@thorough
@given(st.integers(0, 10**15), st.none() | st.integers(0, 10**7), st.integers(0, 10**15))
def test_p1_idle_is_a_part_of_the_energy(energy_uj: int, floor_mw: int | None, duration_ns: int) -> None:
    idle_uj = idle_energy(energy_uj, floor_mw, duration_ns)
    assert 0 <= idle_uj <= energy_uj
    assert idle_uj <= energy_of(floor_mw or 0, duration_ns)


@thorough
@given(st.lists(st.tuples(st.integers(0, 10**6), st.booleans()), max_size=60))
def test_the_floor_stays_among_the_powers_that_were_seen_unused(ticks: list[tuple[int, bool]]) -> None:
    floors: list[int | None] = [None]
    for power_mw, used in ticks:
        floors.append(learn(floors[-1], power_mw, used=used))
    unused = [power_mw for power_mw, used in ticks if not used and power_mw > 0]
    if unused:
        assert min(unused) <= (floors[-1] or 0) <= max(unused)
    else:
        assert floors[-1] is None
    for before, after in pairwise(floors):
        if before is not None and after is not None:
            assert after - before <= 10**6 // 720  # never up in a jump
