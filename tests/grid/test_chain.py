"""What the agent is told: the hour's value, the year's, the market's, and how old the newest one is."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from tests.core.test_chain import HOUR, OFFICIAL, T, live
from tracker.core.chain import choose_hourly
from tracker.core.factors import Basis, Choice, FactorRow, FactorType, Step, choose_location
from tracker.core.instruments import Instrument, Kind
from tracker.core.known import FactorRecord
from tracker.finance.factors import Policy, factor_book
from tracker.grid.chain import ChainProvider, Rates
from tracker.grid.interface import UnknownZone
from tracker.grid.tables import TablesProvider

RESIDUAL = replace(OFFICIAL, factor_id="aib", value_printed="37.5", basis=Basis.RESIDUAL)
BY_RULE = replace(RESIDUAL, value_printed="", edition="AIB", source_ref="full disclosure")


def known(*rows: FactorRow, recorded_at_s: int = T + 600) -> list[FactorRecord]:
    return [FactorRecord(row, recorded_at_s, number) for number, row in enumerate(rows, 1)]


def provider(
    *,
    rows: Sequence[FactorRow] = (OFFICIAL,),
    tiers: Sequence[int] = (1, 2, 3, 4, 5),
    hourly: bool = True,
    rates: Rates | None = None,
    patience_s: int = 0,
) -> ChainProvider:
    tables = TablesProvider({}, "cc", 1_000, rows=rows, tiers=[tier for tier in tiers if tier > 3])
    return ChainProvider(tables, tiers=tiers, chain=("a", "b"), hourly=hourly, rates=rates, patience_s=patience_s)


def test_an_hour_has_its_own_factor_with_everything_that_an_auditor_asks_for() -> None:
    chain = provider()
    chain.learn(known(live("a", "30.25")))
    factor = chain.factor("FR", T + 60)
    assert (factor.factor_id, factor.intensity_mg_per_kwh) == (f"a:FR:direct:{T}", 30_250)
    assert (factor.tier, factor.provider, factor.factor_type, factor.basis) == (1, "a", "direct", "location")
    assert (factor.valid_from_s, factor.valid_to_s, factor.recorded_at_s) == (T, T + HOUR, T + 600)
    assert (factor.flagged, factor.note) == (False, "")


def test_before_anything_is_learnt_the_yearly_factor_stands_in_and_says_so() -> None:
    factor = provider().factor("FR", T)
    assert (factor.factor_id, factor.intensity_mg_per_kwh, factor.tier) == ("fr2024", 21_700, 4)
    assert factor.note == (
        "No service has a value of this time: the official yearly factor stands in. It describes 2024."
    )
    assert factor.flagged


def test_by_the_year_hours_change_nothing_and_both_are_told() -> None:
    chain = provider(hourly=False)
    chain.learn(known(live("a", "30")))
    assert chain.factor("FR", T).intensity_mg_per_kwh == 21_700
    assert [factor.intensity_mg_per_kwh for factor in chain.both("FR", T)] == [21_700, 30_000]
    assert chain.both("FR", T)[0].note == "It describes 2024.", "nobody asked for hours: nothing stands in"


def test_what_is_learnt_takes_the_place_of_what_was_remembered() -> None:
    chain = provider()
    assert chain.factor("FR", T).intensity_mg_per_kwh == 21_700
    chain.learn(known(live("a", "30")))
    assert chain.factor("FR", T).intensity_mg_per_kwh == 30_000
    chain.learn(known(live("a", "31"), recorded_at_s=T + 9_000))
    corrected = chain.factor("FR", T)
    assert (corrected.intensity_mg_per_kwh, corrected.recorded_at_s) == (31_000, T + 9_000)


def test_quarters_of_an_hour_are_told_apart() -> None:
    chain = provider()
    chain.learn(known(*(live("a", str(30 + n), start_s=T + n * 900, length_s=900) for n in range(4))))
    told = [chain.factor("FR", T + n * 300).intensity_mg_per_kwh for n in range(12)]
    assert told == [30_000] * 3 + [31_000] * 3 + [32_000] * 3 + [33_000] * 3


def test_the_newest_value_stands_in_as_an_estimate_of_its_own() -> None:
    """Two factors with one id would make the ledger write a new row at every booking."""
    chain = provider(patience_s=HOUR)
    chain.learn(known(live("a", "30")))
    own, later = chain.factor("FR", T), chain.factor("FR", T + HOUR)
    assert (later.tier, later.flagged, later.intensity_mg_per_kwh) == (2, True, 30_000)
    assert own.factor_id != later.factor_id
    assert later.recorded_at_s == T + 600


def test_without_any_value_there_is_a_reason_and_it_is_remembered_what_is_missing() -> None:
    chain = provider(rows=(), tiers=(1, 2))
    factor = chain.factor("FR", T)
    assert factor.intensity_mg_per_kwh is None
    assert factor.note.startswith("No emissions for France: no service has a value of this time")
    assert chain.missing == {T}
    chain.learn(known(live("a", "30")))
    assert chain.missing == set()
    assert chain.factor("FR", T).intensity_mg_per_kwh == 30_000
    assert chain.missing == set()


def test_the_age_of_the_newest_value_is_told_however_old_it_is() -> None:
    chain = provider()
    assert chain.live_state(T) is None
    chain.learn(known(live("a", "30"), live("a", "29", start_s=T - HOUR)))
    state = chain.live_state(T + 60)
    assert state is not None
    assert (state.provider, state.zone, state.intensity_mg_per_kwh, state.age_s) == ("a", "FR", 30_000, 0)
    a_month_later = chain.live_state(T + HOUR + 30 * 86_400)
    assert a_month_later is not None
    assert (a_month_later.intensity_mg_per_kwh, a_month_later.age_s) == (30_000, 30 * 86_400)


def rate(value: str = "5", start_s: int = T, end_s: int = T + HOUR) -> Rates:
    tariff = Instrument("green", Kind.SUPPLIER, Decimal(value), start_s, end_s, source="Contract 7")

    def at(path: Sequence[Step], at_s: int) -> Instrument | None:
        return tariff if path[0].zone == "FR" and start_s <= at_s < end_s else None

    return at


def test_the_market_goes_by_the_suppliers_rate_then_the_residual_mix() -> None:
    chain = provider(rows=(OFFICIAL, RESIDUAL), rates=rate())
    supplier, residual = chain.market("FR", T), chain.market("FR", T + HOUR)
    assert supplier is not None
    assert residual is not None
    assert (supplier.factor_id, supplier.intensity_mg_per_kwh, supplier.basis) == ("supplier:green", 5_000, "market")
    assert (supplier.source, supplier.valid_to_s) == ("Contract 7", T + HOUR)
    assert (residual.factor_id, residual.intensity_mg_per_kwh, residual.basis) == ("aib", 37_500, "market")


def test_where_no_residual_mix_is_known_the_grids_average_says_so_and_has_its_own_id() -> None:
    chain = provider(hourly=False)
    market = chain.market("FR", T)
    assert market is not None
    assert (market.factor_id, market.intensity_mg_per_kwh, market.basis) == ("fr2024:market", 21_700, "market")
    assert market.flagged
    assert market.note == (
        "No residual mix is available for this market: the average of the grid stands in. It describes 2024."
    )


def test_a_market_without_a_residual_mix_by_its_rules_gets_no_other_value() -> None:
    market = provider(rows=(OFFICIAL, BY_RULE)).market("FR", T)
    assert market is not None
    assert (market.intensity_mg_per_kwh, market.basis) == (None, "market")
    assert market.note == "No residual mix: AIB: full disclosure"


def test_the_world_is_no_market_and_an_unknown_zone_is_an_error() -> None:
    chain = provider()
    assert chain.market("WORLD", T) is None
    assert chain.factor("WORLD", T).intensity_mg_per_kwh is None
    for ask in (chain.factor, chain.both, chain.market):
        with pytest.raises(UnknownZone):
            ask("FRR", T)


def test_check_says_whether_the_store_has_anything() -> None:
    chain = provider()
    assert chain.check()[-1].message == "The store has nothing of a, b for this zone."
    chain.learn(known(live("a", "30")))
    assert chain.check()[-1].message == "The store has 1 value of a, b for this zone."


def test_memory_is_bounded_and_a_thread_may_learn_meanwhile() -> None:
    """A year of slots, while another thread swaps what is known: never an answer that is half of each."""
    chain = provider()
    values = {21_700, 30_000, 31_000}
    stop = threading.Event()

    def teach() -> None:
        while not stop.is_set():
            chain.learn(known(live("a", "30")))
            chain.learn(known(live("a", "31")))

    thread = threading.Thread(target=teach)
    thread.start()
    try:
        end = time.monotonic() + 0.3
        n = 0
        while time.monotonic() < end:
            n += 1
            assert chain.factor("FR", T + n % 24 * 300).intensity_mg_per_kwh in values
            assert chain.factor("FR", T).intensity_mg_per_kwh in values
    finally:
        stop.set()
        thread.join()
    for n in range(2_000):
        chain.factor("FR", T + n * 300)
    assert len(chain._hours) <= 512


def test_check_says_that_hours_are_of_a_type_that_scope_2_does_not_want() -> None:
    """The counter is flagged hour by hour; whoever sets a node up should not have to find that out there."""
    lifecycle = live("a", "30", factor_type=FactorType.LIFECYCLE)
    for chain, rows, warned in (
        (provider(), [lifecycle], True),
        (provider(), [lifecycle, live("b", "20")], False),
        (provider(hourly=False), [lifecycle], False),
    ):
        chain.learn(known(*rows))
        said = [found.message for found in chain.check() if "no Scope 2 figure" in found.message]
        assert bool(said) == warned


@pytest.mark.parametrize("days", [1, 30])
def test_the_statement_and_grid_show_take_a_value_where_the_daemon_does(days: int) -> None:
    """The mean of a month is no hour's value: not for one of them."""
    row = replace(live("a", "30", length_s=days * 24 * HOUR), factor_id="a:FR")
    chain, tiers = provider(), (1, 2, 3, 4, 5)
    chain.learn(known(row))
    annual = choose_location((OFFICIAL,), (Step("FR"),), T)
    shown = choose_hourly((row,), annual, (Step("FR"),), T, tiers, ("a", "b"))
    (stated,) = factor_book((OFFICIAL,), known(row), {"FR": Policy(tiers, ("a", "b"))}, T + 600_000_000).hourly("FR", T)
    names = [answer.row.factor_id for answer in (shown, stated) if isinstance(answer, Choice)]
    assert [chain.factor("FR", T).factor_id, *names] == (["a:FR"] * 3 if days == 1 else ["fr2024"] * 3)
    assert (chain.live_state(T) is None) == (days == 30), "nor is it shown as the newest one"


def test_yearly_factors_and_residual_mixes_that_somebody_brought_in_count_at_once() -> None:
    """In the annual figure, in the hours without a value of their own, and in the market's."""
    chain = provider(rows=(OFFICIAL, RESIDUAL))
    assert [chain.factor("FR", T).factor_id, market_id(chain)] == ["fr2024", "aib"]
    newer = replace(
        OFFICIAL, factor_id="fr2025", value_printed="20", valid_from_s=T - 400 * 86_400, valid_to_s=T - 86_400
    )
    mix = replace(newer, factor_id="aib2025", basis=Basis.RESIDUAL)
    chain.learn(known(newer, mix, live("a", "30", start_s=T + HOUR)))
    assert [chain.factor("FR", T).factor_id, market_id(chain)] == ["fr2025", "aib2025"]
    assert chain.factor("FR", T).recorded_at_s == T + 600
    assert [each.factor_id for each in chain.both("FR", T + HOUR)] == ["fr2025", f"a:FR:direct:{T + HOUR}"]
    chain.learn(known(live("a", "30")))
    assert [chain.factor("FR", T).factor_id, market_id(chain)] == [f"a:FR:direct:{T}", "aib"]


def market_id(chain: ChainProvider) -> str:
    market = chain.market("FR", T)
    assert market is not None
    return market.factor_id
