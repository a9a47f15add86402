"""Why a node's live counter and a statement differ: both weigh the same energy, with what each knew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tracker.books.trace import HourSum, NodeSum
from tracker.core.footing import half_even
from tracker.core.units import UG_PER_G
from tracker.core.weights import G
from tracker.finance.trace_factors import source_names
from tracker.finance.weights import Weighing


@dataclass(frozen=True, slots=True)
class LiveCounter:
    """What nodes booked for the row's workloads in its hours (of all their components), and the same energy as the
    statement weighs it: exact over ``denominator`` grams; None: nothing of it is weighed."""

    booked: tuple[NodeSum, ...]
    booked_ug: int
    energy_uj: int
    statement_exact: int | None
    denominator: int
    explanation: tuple[str, ...]


def live_counter(booked: Sequence[NodeSum], work: Sequence[HourSum], weighing: Weighing) -> LiveCounter:
    basis = f"location_{weighing.terms.method}"
    rates = [each.annual_ng if weighing.terms.method == "annual" else each.hourly_ng for each in work]
    weighed = [
        each.energy_uj * each.pue_permille * rate for each, rate in zip(work, rates, strict=True) if rate is not None
    ]
    booked_ug = sum(each.emissions_ug for each in booked)
    exact = sum(weighed) if weighed else None
    return LiveCounter(
        tuple(booked),
        booked_ug,
        sum(each.energy_uj for each in work),
        exact,
        G,
        tuple(_explained(booked, work, booked_ug, exact, basis, weighing)),
    )


def _explained(
    booked: Sequence[NodeSum],
    work: Sequence[HourSum],
    booked_ug: int,
    exact: int | None,
    basis: str,
    weighing: Weighing,
) -> Iterator[str]:
    if not booked:
        yield "The nodes booked no emissions for these hours: they knew no factor then, or their files are not here."
        return
    ours_ug = 0 if exact is None else half_even(exact * UG_PER_G, G)
    yield (
        f"The nodes' counters rose by {_grams(booked_ug)} g for the workloads of this row, all components together; "
        f"the statement weighs the same energy at {_grams(ours_ug)} g."
    )
    if abs(ours_ug - booked_ug) <= len(work):
        yield "They agree: what is left is the rounding of single bookings."
        return
    ids = sorted({each.factor_id for each in booked})
    ours = sorted({name for each in work for name in source_names(basis, weighing, each)})
    if ids != ours:
        yield f"Factors: the nodes knew {_some(ids)} when they booked; the statement uses {_some(ours)}."
    theirs_pue = sorted({each.pue_permille for each in booked})
    ours_pue = sorted({each.pue_permille for each in work})
    if theirs_pue != ours_pue:
        theirs, ours_now = _some(map(str, theirs_pue)), _some(map(str, ours_pue))
        yield f"PUE in permille: the nodes had {theirs}, the statement {ours_now}."
    if ids == ours and theirs_pue == ours_pue:
        yield "Factors and PUE are the same: a factor's value was revised, or some hours were booked without one."
    yield "A counter never falls, so it keeps what was known when it was booked; the statement uses what is known now."


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - 4} more" if len(listed) > 4 else ""  # noqa: PLR2004 - a sentence holds a few
    return ", ".join(listed[:4]) + more


def _grams(ug: int) -> str:
    return f"{ug // UG_PER_G}.{ug % UG_PER_G:06}"
