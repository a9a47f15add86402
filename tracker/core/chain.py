"""Which value weighs an instant when services know hours: the first tier that has one, and what that is less than.

    tier 1, 2, 3   rows of intervals, from services and profiles, in the order of the zone's chain
    tier 4, 5, 6   rows of years, from tables (``factors.choose_location``)

Nothing is interpolated: an interval without a value goes to the next tier, and ``Choice.steps`` says so. What is still
to be published is no hole: whoever books as time goes by may let the newest value stand in for it (``patience_s``); it
is then an estimate, whatever it was for its own time. As-of questions need nothing here: whoever asks hands in the rows
that were known then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from tracker.core.factors import (
    ESTIMATED,
    MEASURED,
    OFFICIAL,
    PROFILE,
    Choice,
    FactorRow,
    FactorType,
    NoFactor,
    Step,
    choose_location,
    is_located,
)

#: Ends the id of a value that stands in for a later time: it is another factor than the value of its own time.
LATEST = "+latest"
_LATEST_STEP = "The value of this time is not known yet: the newest one stands in."
INTERVAL_TIERS = (MEASURED, ESTIMATED, PROFILE)
#: A longer interval is no hour's value: the mean of a month would pass for each of its hours.
LONGEST_S = 2 * 86_400
_WORDS: Mapping[int, str] = {MEASURED: "measured value", ESTIMATED: "estimate", PROFILE: "profile"}
_INSTEAD: Mapping[int, str] = {
    MEASURED: "a measured one stands in.",
    ESTIMATED: "an estimated one stands in.",
    PROFILE: "the yearly factor in the shape of a usual day stands in.",
}


def choose_hourly(
    live: Iterable[FactorRow],
    yearly: Choice | NoFactor,
    path: Sequence[Step],
    at_s: int,
    tiers: Sequence[int],
    chain: Sequence[str] = (),
    patience_s: int = 0,
) -> Choice | NoFactor:
    """The factor of ``path[0]`` at ``at_s``: the first of ``tiers`` that has a value, in it the first provider of
    ``chain``, in that the nearest zone of the path, in that a direct factor before others, and at last the shortest
    interval.

    ``yearly``: what the tables say, by ``choose_location`` with those of the ``tiers`` that are theirs. ``chain``:
    whose rows may be used; empty: everybody's, by name. ``patience_s``: how long after the end of its interval the
    newest value stands in for what is not known yet.
    """
    distance = {step.zone: place for place, step in reversed(list(enumerate(path)))}
    usable = [
        row for row in live if row.zone in distance and may_be_used(row) and (not chain or row.origin.provider in chain)
    ]
    now = [row for row in usable if row.valid_from_s <= at_s < row.valid_to_s and row.quality_tier in tiers]
    latest = _latest(usable, at_s, patience_s) if ESTIMATED in tiers else []
    best = min([*now, *latest], key=lambda row: _rank(row, at_s, distance, tiers, chain), default=None)
    if best is None or _place(yearly, tiers) < tiers.index(best.quality_tier):
        return _yearly(yearly, tiers)
    return _chosen(best, path, at_s, tiers, chain, _rival_step(best, now))


def may_be_used(row: FactorRow) -> bool:
    """By an inventory, for the time of an interval."""
    return row.value_printed != "" and row.quality_tier in INTERVAL_TIERS and is_located(row) and is_of_hours(row)


def is_of_hours(row: FactorRow) -> bool:
    """Whether its interval is short enough to be that of an hour."""
    return 0 < row.valid_to_s - row.valid_from_s <= LONGEST_S


def _latest(usable: Iterable[FactorRow], at_s: int, patience_s: int) -> list[FactorRow]:
    """The newest row of each provider that has nothing for the instant or after it, as an estimate."""
    newest: dict[str, FactorRow] = {}
    for row in sorted(usable, key=lambda row: (row.valid_to_s, -list(FactorType).index(row.factor_type))):
        newest[row.origin.provider] = row
    return [
        replace(row, factor_id=f"{row.factor_id}{LATEST}", quality_tier=ESTIMATED)
        for row in newest.values()
        if row.quality_tier != PROFILE and 0 <= at_s - row.valid_to_s < patience_s
    ]


def _rank(
    row: FactorRow, at_s: int, distance: Mapping[str, int], tiers: Sequence[int], chain: Sequence[str]
) -> tuple[int, bool, int, str, int, int, int, str]:
    """The smaller the better."""
    provider = row.origin.provider
    return (
        tiers.index(row.quality_tier),
        at_s >= row.valid_to_s,
        chain.index(provider) if chain else 0,
        provider,
        distance[row.zone],
        list(FactorType).index(row.factor_type),
        row.valid_to_s - row.valid_from_s,
        row.factor_id,
    )


def _chosen(
    row: FactorRow, path: Sequence[Step], at_s: int, tiers: Sequence[int], chain: Sequence[str], rival: str
) -> Choice | NoFactor:
    inside_s = min(at_s, row.valid_to_s - 1)
    choice = choose_location((row,), path, inside_s, (row.quality_tier,))
    if isinstance(choice, NoFactor):
        return choice
    late = at_s >= row.valid_to_s
    own = _LATEST_STEP if late else _tier_step(row.quality_tier, tiers)
    return replace(choice, steps=tuple(filter(None, (own, _provider_step(row, chain), rival, *choice.steps))))


def _place(yearly: Choice | NoFactor, tiers: Sequence[int]) -> int:
    """Where its tier stands among those that may be used; behind all of them when it is there by another rule (the
    world's average for a node without a zone)."""
    if isinstance(yearly, Choice) and yearly.row.quality_tier in tiers:
        return tiers.index(yearly.row.quality_tier)
    return len(tiers)


def _yearly(yearly: Choice | NoFactor, tiers: Sequence[int]) -> Choice | NoFactor:
    """A yearly factor where one of an hour was asked for is a step down."""
    better = [tier for tier in tiers if tier in INTERVAL_TIERS]
    match yearly:
        case NoFactor(reason, by_rule):
            return NoFactor(f"no service has a value of this time, and {reason}", by_rule) if better else yearly
        case Choice(row=row):
            if better and tiers.index(better[0]) < _place(yearly, tiers):
                kind = "official yearly factor" if row.quality_tier == OFFICIAL else "yearly average"
                step = f"No service has a value of this time: the {kind} stands in."
                return replace(yearly, steps=(step, *yearly.steps))
            return yearly


def _tier_step(tier: int, tiers: Sequence[int]) -> str:
    before = [_WORDS[each] for each in tiers[: tiers.index(tier)] if each in _WORDS]
    if not before:
        return ""
    return f"There is no {' and no '.join(before)} of this time: {_INSTEAD[tier]}"


def _provider_step(row: FactorRow, chain: Sequence[str]) -> str:
    provider = row.origin.provider
    if not chain or chain[0] == provider:
        return ""
    return f"{chain[0]} has no {_WORDS[row.quality_tier]} of this time: that of {provider} stands in."


def _rival_step(row: FactorRow, now: Iterable[FactorRow]) -> str:
    """Two own tables of a zone (the meters of two sites) are both right, and none is the other site's."""

    def of(row: FactorRow) -> tuple[object, ...]:
        return row.origin.provider, row.zone, row.factor_type, row.valid_from_s, row.valid_to_s

    rivals = [each for each in now if of(each) == of(row) and each.factor_id != row.factor_id]
    whose = {each.publisher for each in rivals if each.value_g_per_kwh != row.value_g_per_kwh}
    if not whose:
        return ""
    others = " and ".join(sorted(whose - {row.publisher})) or "another table of theirs"
    return f"{row.publisher} and {others} differ about this time: the first of them by name was taken."
