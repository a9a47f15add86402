"""What ``wattledger grid forecast`` says of one forecast: the greenest window, and what waiting for it would save."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from tracker.cli import factors
from tracker.core.factors import Scheme
from tracker.core.forecast import Forecast
from tracker.core.greenest import Window, greenest, mean_over

_HOUR_S = 3600
_G_PER_KG = 1000
_DECIMALS = 3
_KINDS = {
    Scheme.AVERAGE: "average: what a kWh is expected to weigh",
    Scheme.OPERATING_MARGIN: "marginal: what one kWh more or less now would change, by the stations that answer to it",
    Scheme.BUILD_MARGIN: "marginal: what one kWh more would change, by the stations it makes somebody build",
    Scheme.COMBINED_MARGIN: "marginal: what one kWh more would change, by running and by building stations",
}
_CAVEAT = "Advice, not inventory: no booked gram changes by it."


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to run: from ``now_s`` on, ``length_s`` long, done after ``within_s``. ``power_kw`` None: not
    said."""

    now_s: int
    length_s: int
    within_s: int
    power_kw: Decimal | None


@dataclass(frozen=True, slots=True)
class Advice:
    """``now_g_per_kwh`` None: the forecast does not cover a start now."""

    forecast: Forecast
    best: Window
    now_g_per_kwh: Fraction | None

    @property
    def saved_g_per_kwh(self) -> Fraction | None:
        return None if self.now_g_per_kwh is None else self.now_g_per_kwh - self.best.g_per_kwh

    @property
    def saved_percent(self) -> Fraction | None:
        """Of what a start now would weigh; None: that is unknown or nothing."""
        if self.saved_g_per_kwh is None or not self.now_g_per_kwh:
            return None
        return 100 * self.saved_g_per_kwh / self.now_g_per_kwh


def advise(forecast: Forecast, wish: Wish) -> Advice | None:
    """None: the forecast covers no such window."""
    best = greenest(forecast.points, wish.now_s, wish.now_s + wish.within_s, wish.length_s)
    if best is None:
        return None
    return Advice(forecast, best, mean_over(forecast.points, wish.now_s, wish.now_s + wish.length_s))


def lines(advice: Advice, wish: Wish, *, live: bool) -> Iterator[tuple[str, str]]:
    """Labels and texts, for people. ``live``: the service was asked for it now."""
    forecast, best = advice.forecast, advice.best
    waits_s = best.start_s - wish.now_s
    yield "start", f"{factors.minute(best.start_s)}, {f'in {span(waits_s)}' if waits_s else 'now'}"
    yield "end", f"{factors.minute(best.end_s)}, after {span(wish.length_s)}"
    yield "then", f"{_figure(best.g_per_kwh)} g/kWh, {forecast.gases}, {factors.TYPES[forecast.factor_type]}"
    yield "now", _now(advice)
    yield "saves", _saved(advice, wish)
    yield "kind", _KINDS[forecast.scheme]
    origin = "asked now" if live else "from the node's store"
    age = span(max(0, wish.now_s - forecast.generated_at_s))
    made = f"made {factors.minute(forecast.generated_at_s)}, {age} ago"
    yield "forecast", f"{forecast.provider} for {forecast.zone}, {origin}, {made}"
    yield "reaches", f"{factors.minute(forecast.points[-1].end_s)}{_holes(forecast)}"
    if forecast.licence:
        yield "licence", forecast.licence
    yield "note", _CAVEAT


def as_json(advice: Advice, wish: Wish, *, live: bool) -> dict[str, Any]:
    forecast, best = advice.forecast, advice.best
    return {
        "zone": forecast.zone,
        "provider": forecast.provider,
        "scheme": forecast.scheme,
        "marginal": forecast.scheme is not Scheme.AVERAGE,
        "inventory": False,
        "factor_type": forecast.factor_type,
        "gases": forecast.gases,
        "start": factors.second(best.start_s),
        "end": factors.second(best.end_s),
        "wait_s": best.start_s - wish.now_s,
        "g_per_kwh": _number(best.g_per_kwh),
        "now_g_per_kwh": _number(advice.now_g_per_kwh),
        "saved_g_per_kwh": _number(advice.saved_g_per_kwh),
        "saved_percent": _number(advice.saved_percent),
        "saved_kg": _number(_saved_kg(advice, wish)),
        "live": live,
        "generated_at": factors.second(forecast.generated_at_s),
        "age_s": wish.now_s - forecast.generated_at_s,
        "reaches": factors.second(forecast.points[-1].end_s),
        "licence": forecast.licence,
        "note": _CAVEAT,
    }


def span(duration_s: int) -> str:
    """9 h 56 min; seconds below a minute, days above two."""
    days, hours, minutes = duration_s // 86_400, duration_s // _HOUR_S, duration_s % _HOUR_S // 60
    if hours >= 48:  # noqa: PLR2004 - two days
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min" if minutes else f"{duration_s} s"


def _now(advice: Advice) -> str:
    if advice.now_g_per_kwh is None:
        return "unknown: the forecast does not cover a start now"
    return f"{_figure(advice.now_g_per_kwh)} g/kWh, when started now"


def _saved(advice: Advice, wish: Wish) -> str:
    saved, kilograms = advice.saved_g_per_kwh, _saved_kg(advice, wish)
    if saved is None:
        return "unknown"
    if not saved:
        return "nothing: no later start is better"
    percent = "" if advice.saved_percent is None else f", {_figure(advice.saved_percent, 1)} %"
    weight = "" if kilograms is None else f"; {_figure(kilograms)} kg for {span(wish.length_s)} at {wish.power_kw} kW"
    return f"{_figure(saved)} g/kWh{percent}{weight}"


def _saved_kg(advice: Advice, wish: Wish) -> Fraction | None:
    if wish.power_kw is None or advice.saved_g_per_kwh is None:
        return None
    return advice.saved_g_per_kwh * Fraction(wish.power_kw) * wish.length_s / _HOUR_S / _G_PER_KG


def _holes(forecast: Forecast) -> str:
    points = forecast.points
    holes = sum(point.start_s != before.end_s for before, point in pairwise(points))
    return f", with {holes} hole{'s'[: holes > 1]} that no window bridges" if holes else ""


def _number(value: Fraction | None, decimals: int = _DECIMALS) -> Decimal | None:
    """Rounded once, half to even."""
    return None if value is None else Decimal(round(value * 10**decimals)).scaleb(-decimals)


def _figure(value: Fraction, decimals: int = _DECIMALS) -> str:
    number = _number(value, decimals)
    return "none" if number is None else factors.plain(number)
