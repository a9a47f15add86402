"""What is known of a zone and an instant, from the tables and the node's store: one object for people and programs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tracker.cli import factors
from tracker.config import Config
from tracker.core.chain import INTERVAL_TIERS, LATEST, choose_hourly
from tracker.core.factors import Choice, FactorRow, NoFactor, choose_residual, ladder
from tracker.core.known import FactorRecord, lineage
from tracker.grid.catalogue import WORLD, Zone
from tracker.grid.chain import PATIENCE_S
from tracker.grid.shipped import COLLECTED_S, read_history
from tracker.grid.store_reader import FactorReader
from tracker.grid.zones import zone_path
from tracker.grid_wiring import store_path

Answer = Choice | NoFactor
_DAY_S = 86_400
_NOTHING = NoFactor("no value of this time is known")


@dataclass(frozen=True, slots=True)
class Known:
    """``annual`` and ``hourly`` are what the two ways of weighing take, and ``used`` is the one of ``method``.

    ``tiers``: what each by itself would say. ``histories``: every record of each factor_id, as of then, of the store
    and of the tables that ship; codecarbon's averages have none. ``taken_back``: values of this time that their
    services took back, and yearly ones that whoever imported them did, each with the record that says so. ``note``: why
    tables lack something.
    """

    zone: Zone
    at_s: int
    now_s: int
    as_of_s: int | None  # None: now
    method: str  # annual | hourly
    annual: Answer
    hourly: Answer
    tiers: Mapping[int, Answer]
    residual: Answer
    histories: Mapping[str, Sequence[FactorRecord]]
    taken_back: Sequence[tuple[FactorRecord, FactorRecord]]
    note: str

    @property
    def seen_s(self) -> int:
        """What was recorded later is not in it."""
        return self.now_s if self.as_of_s is None else min(self.as_of_s, self.now_s)

    @property
    def used(self) -> Answer:
        return self.hourly if self.method == "hourly" else self.annual

    def recorded_at_s(self, row: FactorRow) -> int:
        """Since when it is known here."""
        history = self._history(row)
        return lineage(history[-1], history)[0].recorded_at_s if history else COLLECTED_S

    def superseded(self, row: FactorRow) -> Sequence[FactorRecord]:
        """What its value took the place of, the newest first."""
        history = self._history(row)
        return lineage(history[-1], history)[1:] if history else ()

    def _history(self, row: FactorRow) -> Sequence[FactorRecord]:
        return self.histories.get(row.factor_id.removesuffix(LATEST), ())

    @property
    def difference(self) -> tuple[Decimal, Decimal] | None:
        """How much more the hourly factor is than the annual one: in g/kWh, and in percent to one decimal. None: one of
        them is missing or 0, or both are the same."""
        match self.annual, self.hourly:
            case Choice(row=annual), Choice(row=hourly) if annual != hourly:
                before, after = annual.value_g_per_kwh, hourly.value_g_per_kwh
                if before and after is not None:
                    return after - before, round(100 * (after - before) / before, 1)
        return None


def known_of(config: Config, zone: Zone, at_s: int, as_of_s: int | None, now_s: int) -> Known:
    """Raises StoreError for a store that cannot be read; one that is not there knows nothing."""
    seen_s = now_s if as_of_s is None else min(as_of_s, now_s)
    path, tiers = zone_path(zone), config.grid.tiers_of(zone.code)
    places, chain = [step.zone for step in path], config.grid.live_chain(zone.code)
    store = FactorReader(store_path(config))
    tables = factors.open_tables(seen_s, [tier for tier in tiers if tier not in INTERVAL_TIERS], seen_s)
    yearly = store.yearly((*places, WORLD.code), seen_s)
    tables.learn(yearly)
    rows = list(tables.rows())
    annual = tables.choose(zone, at_s) if rows else _nothing_known(seen_s)
    records = store.records(places, at_s - PATIENCE_S, at_s + _DAY_S, seen_s)
    live = [record.row for record in records if record.row.quality_tier in INTERVAL_TIERS]
    hourly = choose_hourly(live, annual, path, at_s, tiers, chain, PATIENCE_S)
    ladder_of: dict[int, Answer] = {}
    for tier in INTERVAL_TIERS:
        answer = choose_hourly(live, _NOTHING, path, at_s, (tier,), chain, PATIENCE_S)
        ladder_of[tier] = answer if isinstance(answer, Choice) else _NOTHING
    ladder_of |= ladder(rows, path, at_s)
    residual = choose_residual(rows, path, at_s)
    answers = (annual, hourly, *ladder_of.values(), residual)
    ids = {answer.row.factor_id.removesuffix(LATEST) for answer in answers if isinstance(answer, Choice)}
    histories = _histories(store, ids, seen_s)
    method = config.accounting.location_factor
    return Known(
        zone, at_s, now_s, as_of_s, method, annual, hourly, ladder_of, residual, histories,
        (*_taken_back(store, records, at_s, chain), *_withdrawn(store, yearly)), tables.note,
    )  # fmt: skip


def _taken_back(
    store: FactorReader, records: Sequence[FactorRecord], at_s: int, chain: Sequence[str]
) -> Iterator[tuple[FactorRecord, FactorRecord]]:
    """What services said of this time and do not say any more."""
    for record in records:
        row = record.row
        is_gone = not row.value_printed and row.valid_from_s <= at_s < row.valid_to_s
        if is_gone and (not chain or row.origin.provider in chain):
            gone, *before = lineage(record, store.history(row.factor_id))
            yield from ((value, gone) for value in before[:1])


def _withdrawn(store: FactorReader, yearly: Sequence[FactorRecord]) -> Iterator[tuple[FactorRecord, FactorRecord]]:
    """Yearly factors that somebody imported and took back, of whatever year."""
    for record in yearly:
        if not record.row.value_printed:
            gone, *before = lineage(record, store.history(record.row.factor_id))
            yield from ((value, gone) for value in before[:1])


def _histories(store: FactorReader, ids: Collection[str], seen_s: int) -> dict[str, list[FactorRecord]]:
    """Every record of these factors, as of then."""
    shipped = read_history(ids)

    def seen(records: Sequence[FactorRecord]) -> list[FactorRecord]:
        return [record for record in records if record.recorded_at_s <= seen_s]

    return {each: _merged(seen(shipped.get(each, ())), seen(store.history(each))) for each in ids}


def _merged(shipped: list[FactorRecord], imported: list[FactorRecord]) -> list[FactorRecord]:
    """One history of both, as they take each other's place: by when they were read."""
    if not shipped or not imported:
        return shipped or imported
    if not imported[-1].row.value_printed:  # taken back: what ships holds, as if nothing had been brought in
        return shipped

    def read_s(record: FactorRecord) -> int:
        fetched_at_s = record.row.origin.fetched_at_s
        return record.recorded_at_s if fetched_at_s is None else fetched_at_s

    both = enumerate(sorted((*shipped, *imported), key=read_s), start=1)
    return [FactorRecord(each.row, each.recorded_at_s, n, n - 1 or None) for n, each in both]


def _nothing_known(seen_s: int) -> NoFactor:
    return NoFactor(
        f"on {factors.day(seen_s)} nothing of it was known here; "
        f"the tables that ship were collected on {factors.day(COLLECTED_S)}"
    )
