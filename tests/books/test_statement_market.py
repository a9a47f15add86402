"""The market-based method over several zones: volumes conserve and never exceed what was used."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.books.market import Claimed, Markets, ZoneHour, allocate_markets
from tracker.core.errors import UsageError
from tracker.core.instruments import Instrument, Kind
from tracker.core.units import UJ_PER_KWH

KWH = UJ_PER_KWH
REACH = {"CAMX": ("CAMX", "US"), "ERCT": ("ERCT", "US"), "FR": ("FR",)}
END_S = 10 * 3600


def _claim(key: str, market: str, kind: Kind = Kind.CERTIFICATE, **how: object) -> Claimed:
    told = {"g_per_kwh": Decimal(0), "valid_from_s": 0, "valid_to_s": END_S, **how}
    return Claimed(Instrument(key, kind, **told), market)  # type: ignore[arg-type]  # names are the fields


def _allocated(used_kwh: dict[ZoneHour, int], *claims: Claimed, end_s: int = END_S) -> Markets:
    return allocate_markets({at: kwh * KWH for at, kwh in used_kwh.items()}, claims, REACH, 0, end_s)


def _covered(markets: Markets) -> dict[ZoneHour, list[tuple[str, int]]]:
    return {at: [(one.key, one.energy_uj // KWH) for one in covers] for at, covers in markets.covered.items()}


def test_a_national_certificate_covers_its_regions_in_proportion() -> None:
    markets = _allocated({("CAMX", 0): 30, ("ERCT", 0): 10, ("FR", 0): 7}, _claim("rec", "US", volume_uj=20 * KWH))
    assert _covered(markets) == {("CAMX", 0): [("rec", 15)], ("ERCT", 0): [("rec", 5)]}
    assert markets.uncovered_uj["FR", 0] == 7 * KWH


def test_a_regions_own_comes_before_the_nations_and_rates_take_what_is_left() -> None:
    markets = _allocated(
        {("CAMX", 0): 10, ("ERCT", 0): 10},
        _claim("tariff", "CAMX", Kind.SUPPLIER, g_per_kwh=Decimal(300)),
        _claim("nation", "US", volume_uj=8 * KWH),
        _claim("region", "CAMX", volume_uj=6 * KWH),
    )
    camx = dict(_covered(markets)["CAMX", 0])
    assert camx["region"] == 6
    assert camx["tariff"] > 0
    assert markets.uncovered_uj["CAMX", 0] == 0


def test_an_hourly_volume_covers_its_hour_alone() -> None:
    markets = _allocated({("FR", 0): 5, ("FR", 3600): 5}, _claim("ppa", "FR", Kind.CONTRACT, hourly_uj={3600: 4 * KWH}))
    assert _covered(markets) == {("FR", 3600): [("ppa", 4)]}


def test_a_years_certificate_gives_each_month_its_part_by_time() -> None:
    """What October is given does not change with November's consumption; the parts add up to the whole."""
    year = _claim("go", "FR", valid_from_s=0, valid_to_s=7 * END_S, volume_uj=700 * KWH + 3)
    parts = []
    for month in range(7):
        used = {("FR", month * END_S): 500 * KWH}
        markets = allocate_markets(used, (year,), REACH, month * END_S, (month + 1) * END_S)
        parts.append(500 * KWH - sum(markets.uncovered_uj.values()))
    assert sum(parts) == 700 * KWH + 3
    assert max(parts) - min(parts) <= 1


def test_a_month_that_used_less_than_its_part_leaves_the_rest_unused() -> None:
    """Twelve of a year, of which August used half of one: no claim of too much, and no export that is refused."""
    year = _claim("go", "FR", valid_from_s=0, valid_to_s=12 * END_S, volume_uj=12 * KWH)
    markets = allocate_markets({("FR", 0): KWH // 2}, (year,), REACH, 0, END_S)
    assert markets.uncovered_uj == {("FR", 0): 0}
    assert markets.unused_uj == {"go": KWH // 2}
    assert _allocated({("FR", 0): 10}, _claim("go", "FR", volume_uj=4 * KWH)).unused_uj == {}


def test_a_claim_of_more_than_was_used_is_refused_in_kilowatt_hours() -> None:
    with pytest.raises(UsageError, match=r"market FR claim 12\.000 kWh of this month, where 10\.000 kWh are uncovered"):
        _allocated({("FR", 0): 10}, _claim("go", "FR", volume_uj=12 * KWH))


def test_a_market_in_which_nothing_runs_is_not_looked_at() -> None:
    assert _covered(_allocated({("FR", 0): 1}, _claim("rec", "DE", volume_uj=KWH))) == {}


def test_the_rate_of_an_hour_is_the_mean_of_what_covered_it() -> None:
    markets = _allocated({("FR", 0): 4}, _claim("ppa", "FR", volume_uj=KWH, g_per_kwh=Decimal(8)))
    assert markets.rate(("FR", 0), Fraction(40)) == (8 + 3 * 40) / Fraction(4)
    assert markets.rate(("FR", 0), None) is None, "a part without a rate is not known"
    full = _allocated({("FR", 0): 4}, _claim("ppa", "FR", volume_uj=4 * KWH, g_per_kwh=Decimal(8)))
    assert full.rate(("FR", 0), None) == 8


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(sorted(REACH)), st.integers(0, 9).map(lambda hour: hour * 3600)),
        st.integers(0, 10**15),
        max_size=12,
    ),
    st.lists(st.tuples(st.sampled_from(["US", "CAMX", "FR"]), st.integers(0, 10**15)), max_size=4),
    st.booleans(),
)
def test_every_hour_conserves(used_uj: dict[ZoneHour, int], volumes: list[tuple[str, int]], rated: bool) -> None:
    claims = [_claim(f"{n}", market, volume_uj=uj) for n, (market, uj) in enumerate(volumes)]
    if rated:
        claims.append(_claim("rate", "US", Kind.SUPPLIER))
    try:
        markets = allocate_markets(used_uj, claims, REACH, 0, END_S)
    except UsageError:
        return
    for at, uj in used_uj.items():
        assert uj == markets.uncovered_uj[at] + sum(cover.energy_uj for cover in markets.covered.get(at, ()))
        assert markets.uncovered_uj[at] >= 0
        if rated and at[0] != "FR":
            assert markets.uncovered_uj[at] == 0
