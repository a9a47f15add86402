"""What is done when a closed month is known better: late energy, a final factor, a change of method.

    reported  rows of the closed version that counts
    posted    corrections for that version, in months that are closed or open
    best      rows of the same month as they are known now, by the same key

Every printed amount is an integer, so that ``reported + posted + delta = best`` holds exactly, row by row (P8).

A change is material when what moved between ``reported`` and ``best`` reaches the materiality of the period's total, in
any of ``JUDGED``. What moved is the larger of all that was added and all that was taken away: a shift from one team to
another counts although its sum is nought. It is measured against what was reported, with the corrections that were
posted since: many small steps are one large one. Below it the delta is posted as corrections in the open month; at or
above it, or where an addition cannot say it (``cannot_be_posted``), the month gets a new version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from tracker.core.amounts import COLUMNS, NOTHING, changes, gone, lost, minus, plus
from tracker.core.statement import Amounts, Correction, Line, Ratios, Statement

PPM = 1_000_000
#: The columns by which a change is judged: what an inventory states of the period.
JUDGED = {
    "energy_facility_wh": "facility energy",
    "location_g": "location-based emissions",
    "market_g": "market-based emissions",
}
_ENERGY = ("energy_it_wh", "measured_wh", "simulated_wh", "idle_wh", "device_mh")
_NO_RATIOS = Ratios(None, None, None)

#: Labels; or, where rows are told apart, labels with the scope and category that ``key_of`` puts behind them.
Key = tuple[str, ...]


class Reason(StrEnum):
    """Why a closed month is restated."""

    FACTOR_FINAL = "factor_final"
    ENERGY_LATE = "energy_late"
    METHOD_CHANGE = "method_change"
    ERROR = "error"


class Outcome(StrEnum):
    NOTHING = "nothing"  # what is reported and posted is what is known
    POST = "post"  # corrections in the open month
    NEW_VERSION = "new_version"


@dataclass(frozen=True, slots=True)
class Posting:
    """Corrections of one restatement, posted in the month ``into``. ``number`` counts those of the version. A posting
    that ``reverses`` takes back what was posted for a version that another one has replaced."""

    month: str
    version: int
    number: int
    into: str
    by: str
    posted_at_s: int
    as_of_s: int
    group_by: Key
    corrections: tuple[Correction, ...]
    note: str = ""
    reverses: bool = False


@dataclass(frozen=True, slots=True)
class Moved:
    """How much of a column changed, and of what. None of a total: it is not known."""

    column: str
    moved: int
    reported: int | None
    best: int | None

    @property
    def ppm(self) -> int | None:
        """Of the reported total; None: there was nothing, so that anything is material."""
        return self.moved * PPM // abs(self.reported) if self.reported else (None if self.moved else 0)


@dataclass(frozen=True, slots=True)
class Restated:
    """Why a month has another version: ``restated.json`` of it. ``settings``: which were others than those that it was
    closed with, in words."""

    month: str
    version: int
    supersedes: int
    reason: Reason
    by: str
    restated_at_s: int
    as_of_s: int
    moved: tuple[Moved, ...]
    note: str = ""
    settings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Another version that nobody reviewed is not wanted after all: ``withdrawn.json`` of it. Its number is spent."""

    month: str
    version: int
    by: str
    withdrawn_at_s: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do. ``corrections``: what is not reported or posted yet. ``because``: in words."""

    outcome: Outcome
    reason: Reason | None
    corrections: tuple[Correction, ...]
    moved: tuple[Moved, ...]
    because: str = ""


def key_of(line: Line) -> Key:
    """What tells a row apart: one team may have rows in two scopes, of own hardware and of a cloud's."""
    return (*line.key, line.scope, line.category)


def decide(
    reported: Statement,
    posted: Iterable[Posting],
    best: Statement,
    *,
    materiality_ppm: int,
    reason: Reason | None = None,
) -> Decision:
    """``posted``: for this version of this month. ``best`` is composed with the same grouping and filters. ``reason``:
    what somebody says it is; else it is read off the rows."""
    base = with_postings(reported.rows, posted)
    corrections = outstanding(reported, base, best, reason)
    moved = tuple(_moved(column, reported.rows, best.rows) for column in JUDGED)
    obstacle = cannot_be_posted(reported, base, best)
    if reason is Reason.METHOD_CHANGE or obstacle:
        because = obstacle or "The method changed."
        return Decision(Outcome.NEW_VERSION, reason or Reason.METHOD_CHANGE, corrections, moved, because)
    if not corrections:
        return Decision(Outcome.NOTHING, None, (), moved)
    why = reason or _reason(each.line.amounts for each in corrections)
    large = [each for each in moved if each.moved and (each.ppm is None or each.ppm >= materiality_ppm)]
    if large:
        told = ", ".join(f"{JUDGED[each.column]} by {_percent(each.ppm)}" for each in large)
        return Decision(Outcome.NEW_VERSION, why, corrections, moved, f"Material: it moves {told}.")
    return Decision(Outcome.POST, why, corrections, moved)


def outstanding(
    reported: Statement, base: Mapping[Key, Amounts], best: Statement, reason: Reason | None = None
) -> tuple[Correction, ...]:
    """What remains between what is reported and posted (``base``) and what is known, by key."""
    shapes = {key_of(line): line for line in (*reported.rows, *best.rows)}
    known = {key_of(line): line.amounts for line in best.rows}
    deltas = {}
    for key in sorted({*base, *known}):
        before = base.get(key, NOTHING)
        delta = minus(known.get(key, gone(before)), before)
        if changes(before, delta):
            deltas[key] = delta
    main = _reason(deltas.values())
    return tuple(
        Correction(
            best.period.month,
            str(reason or (main if _is_rounding(delta) else _reason([delta]))),
            replace(shapes.get(key) or _posted_line(key), amounts=delta, ratios=_NO_RATIOS),
        )
        for key, delta in deltas.items()
    )


def _posted_line(key: Key) -> Line:
    """Of a row that was posted, and that neither the reported rows nor the best ones have."""
    *labels, scope, category = key
    return Line("", tuple(labels), NOTHING, _NO_RATIOS, scope, category)


def _reason(deltas: Iterable[Amounts]) -> Reason:
    late = any(getattr(delta, column) for delta in deltas for column in _ENERGY)
    return Reason.ENERGY_LATE if late else Reason.FACTOR_FINAL


def _is_rounding(delta: Amounts) -> bool:
    """At most one in the last printed place: what changed in another row moved the rounding of this one."""
    return all(abs(getattr(delta, column) or 0) <= 1 for column in COLUMNS)


def with_postings(rows: Iterable[Line], posted: Iterable[Posting]) -> dict[Key, Amounts]:
    """Rows and what was posted for them, by ``key_of``."""
    sums = {key_of(line): line.amounts for line in rows}
    for posting in posted:
        for correction in posting.corrections:
            key = key_of(correction.line)
            sums[key] = plus(sums.get(key, NOTHING), correction.line.amounts)
    return sums


def cannot_be_posted(reported: Statement, base: Mapping[Key, Amounts], best: Statement) -> str:
    """Why a row that is added in another month could not say what changed; "": it could."""
    if reported.location_method != best.location_method:
        return f"Location-based figures go by {best.location_method} factors now, not by {reported.location_method}."
    if reported.period != best.period:
        return f"The month is one of {best.period.timezone} now, not of {reported.period.timezone}."
    if reported.currency and reported.currency != best.currency:
        return f"Costs are in {best.currency or 'no currency'} now, not in {reported.currency}."
    before, now = _scopes(reported.rows), _scopes(best.rows)
    for line in best.rows:
        was, is_now = before.get(line.key, set()), now[line.key]
        if was - is_now and is_now - was:
            return f"{_name(line.key)} belongs to another scope now."
        for column in lost(base.get(key_of(line), line.amounts), line.amounts):
            return f"{column} of {_name(line.key)} was known and is not known now."
    return ""


def _scopes(rows: Iterable[Line]) -> dict[Key, set[Key]]:
    """By labels."""
    found: dict[Key, set[Key]] = {}
    for line in rows:
        found.setdefault(line.key, set()).add((line.scope, line.category))
    return found


def reversal(posted: Sequence[Posting]) -> tuple[Correction, ...]:
    """What takes back all that was posted for a version that is replaced, by key and reason; nothing if it was."""
    sums: dict[tuple[str, Key], tuple[Correction, Amounts]] = {}
    for posting in posted:
        for each in posting.corrections:
            before = sums.get((each.reason, key_of(each.line)), (each, NOTHING))[1]
            sums[each.reason, key_of(each.line)] = (each, plus(before, each.line.amounts))
    return tuple(
        replace(each, line=replace(each.line, amounts=minus(gone(total), total)))
        for _, (each, total) in sorted(sums.items(), key=lambda item: item[0])
        if any(getattr(total, column) for column in COLUMNS)
    )


def by_group(posting: Posting, group_by: Key) -> tuple[Correction, ...]:
    """Its corrections in the columns of another statement: what that one does not tell apart is dropped, what the
    posting does not tell is empty."""
    if posting.group_by == group_by:
        return posting.corrections
    return tuple(
        replace(each, line=replace(each.line, key=tuple(values.get(name, "") for name in group_by)))
        for each in posting.corrections
        for values in (dict(zip(posting.group_by, each.line.key, strict=True)),)
    )


def total_of(corrections: Iterable[Correction]) -> Amounts:
    """Of a month's corrections, which foot by themselves and are in none of its rows."""
    total = NOTHING
    for each in corrections:
        total = plus(total, each.line.amounts)
    return total


def _moved(column: str, reported: Iterable[Line], best: Iterable[Line]) -> Moved:
    before = {key_of(line): getattr(line.amounts, column) for line in reported}
    after = {key_of(line): getattr(line.amounts, column) for line in best}
    deltas = [(after.get(key) or 0) - (before.get(key) or 0) for key in {*before, *after}]
    added, taken = sum(d for d in deltas if d > 0), -sum(d for d in deltas if d < 0)
    return Moved(column, max(added, taken), _known_total(before.values()), _known_total(after.values()))


def _known_total(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _name(key: Key) -> str:
    return " / ".join(part or "-" for part in key)


def _percent(ppm: int | None) -> str:
    return "what was nothing" if ppm is None else f"{ppm / 10_000:.1f} %"
