"""Quantities for people: three significant digits and a unit. What is unknown is said in words, never as 0."""

from __future__ import annotations

from dataclasses import dataclass

from tracker.core.units import MS_PER_S, MW_PER_W, UG_PER_G

NOT_MEASURED = "not measured"
NO_FACTOR = "no factor"
NOTHING = "\u2013"
_NOW_MS = 50  # nearer than that is now
_NBSP = "\u00a0"
_WH_UJ = 3_600_000_000

Ladder = tuple[tuple[int, str], ...]
_POWER: Ladder = ((MW_PER_W, "W"), (10**3 * MW_PER_W, "kW"), (10**6 * MW_PER_W, "MW"))
_ENERGY: Ladder = ((_WH_UJ, "Wh"), (10**3 * _WH_UJ, "kWh"), (10**6 * _WH_UJ, "MWh"))
_MASS: Ladder = ((UG_PER_G, "g"), (10**3 * UG_PER_G, "kg"), (10**6 * UG_PER_G, "t"))
_SIZE: Ladder = ((1 << 10, "KiB"), (1 << 20, "MiB"), (1 << 30, "GiB"))


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and its unit, apart so that a large one can be set in two sizes."""

    number: str
    unit: str

    def __str__(self) -> str:
        return f"{self.number}{_NBSP}{self.unit}"


def figure(value: int, ladder: Ladder) -> Figure:
    """``value`` >= 0 (in the unit that a ladder step of 1 would be) with three significant digits, rounded half up,
    in the first unit of the ladder in which it has at most three digits before the point. 0 is an exact 0."""
    smallest, unit = ladder[0]
    if 0 < value * 200 < smallest:
        return Figure("<0.01", unit)
    for step, name in ladder:
        for decimals in (2, 1, 0):
            scaled = (2 * value * 10**decimals + step) // (2 * step)
            if scaled < 1000:  # noqa: PLR2004 - three digits
                return Figure(_point(scaled, decimals), name)
    step, name = ladder[-1]
    return Figure(f"{(2 * value + step) // (2 * step):,}", name)


def _point(scaled: int, decimals: int) -> str:
    if scaled == 0 or decimals == 0:
        return str(scaled)
    whole, part = divmod(scaled, 10**decimals)
    return f"{whole}.{part:0{decimals}d}"


def power(power_mw: int) -> Figure:
    """W, kW, MW."""
    return figure(power_mw, _POWER)


def energy(energy_uj: int) -> Figure:
    """Wh, kWh, MWh."""
    return figure(energy_uj, _ENERGY)


def mass(emissions_ug: int) -> Figure:
    """g, kg, t."""
    return figure(emissions_ug, _MASS)


def size(size_bytes: int) -> Figure:
    """KiB, MiB, GiB."""
    return figure(size_bytes, _SIZE)


def power_or_words(power_mw: int | None) -> str:
    """The power, or that there is none."""
    return NOT_MEASURED if power_mw is None else str(power(power_mw))


def mass_or_words(emissions_ug: int | None) -> str:
    """The emissions, or that no factor weighed them."""
    return NO_FACTOR if emissions_ug is None else str(mass(emissions_ug))


def percent(part: int, whole: int) -> str:
    """``part`` of ``whole``: "12.3 %", "<0.1 %"; a dash of nothing."""
    if whole <= 0:
        return NOTHING
    if part == 0:
        return f"0{_NBSP}%"
    permille = (2000 * part + whole) // (2 * whole)
    if permille == 0:
        return f"<0.1{_NBSP}%"
    return f"{permille / 10:.1f}{_NBSP}%" if permille < 1000 else f"{permille // 10}{_NBSP}%"  # noqa: PLR2004 - 100 %


def ratio(permille: int) -> str:
    """A ratio near one: 1.004."""
    return f"{permille / 1000:.3f}"


def duration(duration_ms: int) -> str:
    """The two largest units: "2 h 3 min", "4.2 s", "12 ms"."""
    if 0 < duration_ms < 100:  # noqa: PLR2004 - below, tenths of a second say nothing
        return f"{duration_ms}{_NBSP}ms"
    if duration_ms < 10 * MS_PER_S:
        return f"{duration_ms / MS_PER_S:.1f}{_NBSP}s"
    seconds = duration_ms // MS_PER_S
    parts = [(seconds // 86_400, "d"), (seconds // 3600 % 24, "h"), (seconds // 60 % 60, "min"), (seconds % 60, "s")]
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return _NBSP.join(f"{count}{_NBSP}{unit}" for count, unit in parts[first : first + 2] if count)


def ago(now_s: float, then_s: float) -> str:
    """How long before ``now_s``; a clock that was set back makes it "just now"."""
    passed_ms = int((now_s - then_s) * MS_PER_S)
    return f"{duration(passed_ms)} ago" if passed_ms >= _NOW_MS else "just now"
