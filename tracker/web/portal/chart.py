"""Where the bars of the last twelve months stand. The template draws them: places along the chart are per cent of its
width and heights are pixels, so that it fits every screen and its words keep their size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracker.core.statement import Status
from tracker.web.node.charts import nice_step
from tracker.web.portal.interface import Figures, Month
from tracker.web.portal.words import month_name, thousandths

MONTHS = 12
HEIGHT = 150  # px of the plot
TOP = 8  # px above it, for half of the uppermost label
_SLOT = 100 / MONTHS  # per cent of the width
_BAR = 0.32  # of a slot
_G_PER_T, _G_PER_KG = 1_000_000, 1_000


@dataclass(frozen=True, slots=True)
class Bar:
    """``x`` and ``width`` in per cent; ``y`` and ``height`` in px."""

    css: str  # location | market
    x: float
    width: float
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Slot:
    """A month: its bars, and its name below them. ``draft``: its figures may still change."""

    centre: float  # per cent
    name: str  # Oct
    year: str  # under January and the first month, else ""
    draft: bool
    words: str  # all of it, for those who hover or listen
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """``levels``: y in px and label of each line. ``drafts``: whether there are any."""

    unit: str
    slots: tuple[Slot, ...]
    levels: tuple[tuple[int, str], ...]
    title: str

    @property
    def drafts(self) -> bool:
        return any(slot.draft and slot.bars for slot in self.slots)


def draw(months: Sequence[Month]) -> Chart | None:
    """Of the twelve months that end with the newest; None where no month has emissions that are known."""
    known = {month.month: month for month in months}
    if not known:
        return None
    names = _twelve(max(known))
    shown = [known[name] for name in names if name in known]
    highest = max((value for month in shown for value in _values(month.figures)), default=None)
    if highest is None:
        return None
    scale, unit = (_G_PER_T, "t") if highest >= 2 * _G_PER_T else (_G_PER_KG, "kg")
    top = max(1, -(-highest // scale))
    step = nice_step(top)
    ceiling = step * -(-top // step)
    levels = tuple((TOP + HEIGHT - HEIGHT * at // ceiling, f"{at:,}") for at in range(0, ceiling + 1, step))
    slots = tuple(_slot(n, name, known.get(name), ceiling * scale) for n, name in enumerate(names))
    title = f"Location-based and market-based emissions of each month from {month_name(names[0])} to "
    return Chart(f"{unit}CO2e", slots, levels, f"{title}{month_name(names[-1])}, in {unit}CO2e")


def _values(figures: Figures | None) -> list[int]:
    if figures is None:
        return []
    return [max(0, value) for value in (figures.location_g, figures.market_g) if value is not None]


def _slot(number: int, name: str, month: Month | None, ceiling_g: int) -> Slot:
    left = number * _SLOT
    figures = None if month is None else month.figures
    bars, said = [], []
    if figures is not None:
        for place, (css, value) in enumerate((("location", figures.location_g), ("market", figures.market_g))):
            said.append(f"{css}-based {thousandths(value)}{' kgCO2e' if value is not None else ''}")
            if value is not None:
                height = max(1, HEIGHT * max(0, value) // ceiling_g)  # a zero is there, and what is not known is not
                x = round(left + _SLOT * (0.16 + place * (_BAR + 0.04)), 3)
                bars.append(Bar(css, x, round(_SLOT * _BAR, 3), TOP + HEIGHT - height, height))
    draft = month is not None and month.status is not Status.CLOSED
    words = f"{month_name(name)}{' (draft)' if draft else ''}: {', '.join(said) or 'no figures'}"
    year = name[:4] if number == 0 or name.endswith("-01") else ""
    return Slot(round(left + _SLOT / 2, 3), month_name(name)[:3], year, draft, words, tuple(bars))


def _twelve(last: str) -> list[str]:
    """The names of twelve months in a row."""
    at = int(last[:4]) * 12 + int(last[5:]) - 1
    return [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(at - MONTHS + 1, at + 1)]
