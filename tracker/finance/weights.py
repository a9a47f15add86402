"""The weights of every place and hour of a month, and afterwards the list of what they were made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from tracker.books.market import Claimed, Markets, ZoneHour, allocate_markets
from tracker.books.statement import Cell
from tracker.core.accounting import Pue, facility_uj, pue_at
from tracker.core.factors import MEASURED, OFFICIAL, Choice, FactorRow, FactorType, NoFactor
from tracker.core.pairing import Pair, pair_step
from tracker.core.tariff import Tariff, price_at
from tracker.core.weights import NO_DIRECT, NO_LIFECYCLE, Loss, Place, UpstreamRate, Weight, ng_per_kwh, upstream_rate
from tracker.finance.factors import Answer, FactorBook
from tracker.finance.places import SiteBook
from tracker.grid.catalogue import WORLD
from tracker.grid.chain import NO_RESIDUAL
from tracker.grid.zones import find_zone, zone_path

_SURE = (MEASURED, OFFICIAL)


@dataclass(frozen=True, slots=True)
class Terms:
    """What weights are made of beside factors. ``method``: annual | hourly, which of the two counts. ``cautions``: of
    claims, by key."""

    method: str
    places: Mapping[tuple[str, str], Place]
    sites: Mapping[str, SiteBook]
    claims: tuple[Claimed, ...] = ()
    cautions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tariffs: tuple[Tariff, ...] = ()
    loss: Loss | None = None


@dataclass(frozen=True, slots=True)
class Rest:
    """What weighs electricity that no instrument covers. ``g_per_kwh`` None: nothing does, and ``note`` says why."""

    g_per_kwh: Fraction | None
    answers: tuple[Answer, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Supply:
    """Scope 3.3 of an hour, and the (direct, life-cycle) rows that it is the difference of."""

    rate: UpstreamRate
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True, slots=True)
class ZoneWeight:
    """A zone's hour: numbers, and the answers behind them."""

    annual: Answer
    hourly: tuple[Answer, ...]
    rest: Rest
    supply: Supply
    annual_ng: int | None
    hourly_ng: int | None
    market_ng: int | None


class Weighing:
    """Chosen once for all cells of a month: ``weights`` go into the query."""

    def __init__(self, cells: Sequence[Cell], terms: Terms, book: FactorBook, start_s: int, end_s: int) -> None:
        """[``start_s``, ``end_s``): the time that the cells are of. Raises UsageError: claims of more than was used."""
        self.terms, self.book = terms, book
        self._cells = cells
        used_uj: dict[ZoneHour, int] = {}
        for cell in cells:
            at = (self.place(cell).zone, cell.hour_s)
            used_uj[at] = used_uj.get(at, 0) + facility_uj(cell.it_uj, self.pue(cell.site, cell.hour_s).permille)
        zones = {zone for zone, _ in used_uj} - {WORLD.code}
        reach = {zone: [step.zone for step in zone_path(find_zone(zone))] for zone in zones}
        self.markets: Markets = allocate_markets(used_uj, terms.claims, reach, start_s, end_s)
        self._zones = {at: self._weigh(*at) for at in sorted(used_uj)}

    def weights(self) -> list[Weight]:
        """One for each place and hour."""
        return [self._weight(cell) for cell in self._cells]

    def of(self, zone: str, hour_s: int) -> ZoneWeight:
        return self._zones[zone, hour_s]

    def place(self, cell: Cell) -> Place:
        return self.terms.places[cell.site, cell.zone_written]

    def pue(self, site: str, hour_s: int) -> Pue:
        return pue_at(self.terms.sites[site].pues, hour_s)

    def _weight(self, cell: Cell) -> Weight:
        zone = self._zones[self.place(cell).zone, cell.hour_s]
        clock = self.terms.sites[cell.site].clock
        return Weight(
            site=cell.site,
            zone_written=cell.zone_written,
            hour_s=cell.hour_s,
            pue_permille=self.pue(cell.site, cell.hour_s).permille,
            annual_ng_per_kwh=zone.annual_ng,
            hourly_ng_per_kwh=zone.hourly_ng,
            market_ng_per_kwh=zone.market_ng,
            upstream_ng_per_kwh=zone.supply.rate.ng_per_kwh,
            price_micro_per_kwh=price_at(self.terms.tariffs, cell.site, cell.hour_s, clock),
            annual_estimated=_is_estimated((zone.annual,)),
            hourly_estimated=_is_estimated(zone.hourly),
        )

    def _weigh(self, zone: str, hour_s: int) -> ZoneWeight:
        annual, hourly = self.book.annual(zone, hour_s), self.book.hourly(zone, hour_s)
        located = (annual,) if self.terms.method == "annual" else hourly
        rest = self._rest(zone, hour_s, located)
        return ZoneWeight(
            annual=annual,
            hourly=hourly,
            rest=rest,
            supply=self._supply(zone, hour_s, located),
            annual_ng=_ng(mean((annual,))),
            hourly_ng=_ng(mean(hourly)),
            market_ng=_ng(self.markets.rate((zone, hour_s), rest.g_per_kwh)),
        )

    def _rest(self, zone: str, hour_s: int, located: tuple[Answer, ...]) -> Rest:
        """The residual mix; where none is published, the location's factor with a note, as the Scope 2 Guidance allows;
        none where a market has none by its rules, and for the whole world, which is no market."""
        if zone == WORLD.code:
            return Rest(None, note="The whole world is no market.")
        match self.book.residual(zone, hour_s):
            case Choice() as choice:
                return Rest(mean((choice,)), (choice,))
            case NoFactor(reason, by_rule=True):
                return Rest(None, note=f"There is no residual mix by rule: {reason}")
            case _:
                return Rest(mean(located), located, NO_RESIDUAL)

    def _supply(self, zone: str, hour_s: int, located: tuple[Answer, ...]) -> Supply:
        """Of the hour's own values where the hourly method has both, else of yearly ones."""
        rows = [answer.row for answer in located if isinstance(answer, Choice)]
        if len(rows) < len(located) or any(row.factor_type is not FactorType.DIRECT for row in rows):
            return Supply(UpstreamRate(None, (NO_DIRECT,)))
        pairs: list[Pair] = []
        if self.terms.method == "hourly":
            pairs = [(row, own) for row in rows if (own := self.book.lifecycle_of_hour(row, hour_s)) is not None]
        flags: list[str] = []
        if len(pairs) < len(rows):
            yearly = self.book.pair(zone, hour_s)
            if yearly is None:
                return Supply(UpstreamRate(None, (NO_LIFECYCLE,)))
            pairs, flags = [yearly], _pair_flags(yearly, rows)
        rate = upstream_rate(rows, pairs, self.terms.loss)
        return Supply(replace(rate, flags=(*flags, *rate.flags)), tuple(pairs))


def _pair_flags(pair: Pair, located: Sequence[FactorRow]) -> list[str]:
    """What the difference of two yearly factors is less than was asked for."""
    own, its = located[0].zone, pair[0].zone
    elsewhere = "" if its == own else f"It is what is upstream of {its}: there are no two factors of {own} to tell it."
    return list(filter(None, (elsewhere, pair_step(pair))))


def mean(answers: Iterable[Answer]) -> Fraction | None:
    """Of the parts of an hour, in g/kWh; None: one of them has no value."""
    values = [answer.row.value_g_per_kwh if isinstance(answer, Choice) else None for answer in answers]
    known = [Fraction(value) for value in values if value is not None]
    return sum(known, Fraction(0)) / len(known) if known and len(known) == len(values) else None


def _ng(g_per_kwh: Fraction | None) -> int | None:
    return None if g_per_kwh is None else ng_per_kwh(g_per_kwh)


def _is_estimated(answers: Iterable[Answer]) -> bool:
    return any(isinstance(answer, Choice) and answer.row.quality_tier not in _SURE for answer in answers)
