"""What ``wattledger estimate`` prints: a table with its method, sources and licences, or JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import click

from tracker.cli import factors, layout
from tracker.core.accounting import G_PER_KG, PERMILLE, Pue, Sci, printed, sci
from tracker.core.footprint import Figure, Footprint, Hardware
from tracker.core.units import UJ_PER_KWH
from tracker.grid.catalogue import Zone

_LABEL = 16
_NUMBER = 18
_SCORE_DIGITS = 12  # decimals of a gram: a token weighs microgrammes
_MICROGRAMS = 9  # decimals of a kilogram: the ledger's own unit


@dataclass(frozen=True, slots=True)
class Per:
    """What a score is per, and how many of them there were."""

    units: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked. ``zone`` None: a rate was stated."""

    energy_it_uj: int
    device_hours: Decimal | None
    watts: Decimal | None
    pue: Pue
    zone: Zone | None
    at_s: int
    hardware: Hardware | None
    per: Per | None = None


def as_json(question: Question, result: Footprint) -> dict[str, Any]:
    """Kilograms and kWh as exact decimal numbers; null has its reason in ``notes``."""
    figures = {
        "location_kgco2e": result.location,
        "market_kgco2e": result.market,
        "embodied_kgco2e": result.embodied,
        "embodied_acquisition_kgco2e": result.acquisition,
    }
    notes = {name: figure.note for name, figure in figures.items() if figure.note}
    if question.pue.assumed:
        notes["pue"] = _why(question)
    score = _score(question, result)
    if question.per is not None and score is None:
        notes["sci"] = _no_score(result)
    return {
        "date": factors.day(question.at_s),
        "zone": question.zone.code if question.zone else None,
        "energy_it_kwh": _kwh(result.energy_it_uj),
        "energy_facility_kwh": _kwh(result.energy_facility_uj),
        "pue": Decimal(question.pue.permille) / PERMILLE,
        "pue_assumed": question.pue.assumed,
        **{name: _kg(figure) for name, figure in figures.items()},
        "sci": _score_json(question.per, score),
        "notes": notes,
        "factors": {
            "location": _rate_json(result.location),
            "market": _rate_json(result.market),
            "embodied": _device_json(question.hardware),
        },
        "method": _method(question),
    }


def lines(question: Question, result: Footprint) -> Iterator[str]:
    """For people."""
    where = f" in {question.zone.code} ({question.zone.name})" if question.zone else ""
    yield click.style(f"Estimate{where}, reporting date {factors.day(question.at_s)}", bold=True)
    yield ""
    yield click.style(f"  {'energy':<{_LABEL}}{'kWh':>{_NUMBER}}", bold=True)
    yield from _line("IT", _amount(_kwh(result.energy_it_uj)), _how_much(question))
    pue = f"PUE {_plain_pue(question)}" + (f", {_why(question)}" if question.pue.assumed else "")
    yield from _line("facility", _amount(_kwh(result.energy_facility_uj)), pue)
    yield ""
    yield click.style(f"  {'emissions':<{_LABEL}}{'kg CO2e':>{_NUMBER}}", bold=True)
    yield from _line("location-based", _shown(result.location), _rate(result.location))
    yield from _line("market-based", _shown(result.market), _rate(result.market))
    yield from _line("embodied", _shown(result.embodied), _life(result.embodied, question.hardware))
    if result.acquisition.emissions_g is not None and question.hardware is not None:
        count = (
            f"{question.hardware.count} x {question.hardware.device.name}, in the year of purchase; never add the two"
        )
        yield from _line("  acquisition", _shown(result.acquisition), count)
    if question.per is not None:
        yield from _score_line(question.per, _score(question, result), result)
    yield ""
    for label, text in _footnotes(question, result):
        yield from layout.entry(label, text, label_width=_LABEL - 2, within=layout.width())


def _score(question: Question, result: Footprint) -> Sci | None:
    """By the location-based method, and with the making of the hardware: without one of them there is no score."""
    operational_g, embodied_g = result.location.emissions_g, result.embodied.emissions_g
    if question.per is None or operational_g is None or embodied_g is None:
        return None
    return sci(operational_g, embodied_g, question.per.units, question.per.unit)


def _score_json(per: Per | None, score: Sci | None) -> dict[str, Any] | None:
    if per is None or score is None:
        return None
    return {"g_per_unit": _grams(score), "unit": per.unit, "units": per.units}


def _no_score(result: Footprint) -> str:
    missing = result.embodied if result.embodied.emissions_g is None else result.location
    return f"The score is of energy and hardware together. {missing.note}"


def _score_line(per: Per, score: Sci | None, result: Footprint) -> Iterator[str]:
    yield ""
    yield click.style(f"  {'score':<{_LABEL}}{'g CO2e':>{_NUMBER}}", bold=True)
    number = "unknown" if score is None else _amount(_grams(score))
    told = f"per {per.unit}, of {per.units:,f}: (location-based + embodied) / {per.unit}s, ISO/IEC 21031"
    yield from _line("SCI", number, _no_score(result) if score is None else told)


def _grams(score: Sci) -> Decimal:
    return Decimal(factors.plain(printed(score.g_per_unit, _SCORE_DIGITS)))


def _line(label: str, number: str, text: str) -> Iterator[str]:
    """A row whose last column is wrapped under itself."""
    first = f"{label:<{_LABEL}}{number:>{_NUMBER}}"
    yield from layout.entry(first, text, label_width=_LABEL + _NUMBER, within=layout.width())


def _footnotes(question: Question, result: Footprint) -> Iterator[tuple[str, str]]:
    yield "method", _method(question)
    figures = {"location": result.location, "market": result.market, "embodied": result.embodied}
    for name, figure in figures.items():
        if figure.note and figure.emissions_g is not None:
            yield f"note, {name}", figure.note
    rows = [figure.choice.row for figure in (result.location, result.market) if figure.choice]
    for row in dict.fromkeys(rows):
        yield "source", f"{row.source} ({factors.CONFIDENCE.get(row.confidence, 'not checked')})"
        yield "licence", factors.licence(row)
    if question.hardware and question.hardware.device.kgco2e is not None:
        device = question.hardware.device
        yield "source", f"{device.name}: {device.source_ref}. {device.note}".strip()
        yield "licence", device.licence


def _method(question: Question) -> str:
    """What was multiplied, and what that leaves out."""
    sum_of = f"{_how_much(question)} x PUE {_plain_pue(question)} x g/kWh, exact and rounded once."
    if question.watts is None:
        return f"{sum_of} It weighs the energy that was stated, and nothing beside it."
    return f"{sum_of} It counts the power that was named: host, network and idle time beside it are left out."


def _how_much(question: Question) -> str:
    if question.watts is None or question.device_hours is None:
        return f"{_kwh(question.energy_it_uj):,f} kWh as stated"
    hours, watts = (Decimal(factors.plain(number)) for number in (question.device_hours, question.watts))
    return f"{hours:,f} device-hours x {watts:,f} W"


def _plain_pue(question: Question) -> str:
    return f"{Decimal(question.pue.permille) / PERMILLE:.3f}".rstrip("0").rstrip(".")


def _why(question: Question) -> str:
    """Of a PUE that nobody stated."""
    return question.pue.source.partition(", set ")[0] + "; state yours with --pue"


def _rate(figure: Figure) -> str:
    if figure.g_per_kwh is None:
        return figure.note
    rate = f"{factors.grams(figure.g_per_kwh)} g/kWh"
    if figure.choice is None:
        return f"{rate}, as stated"
    row = figure.choice.row
    basis = ", residual mix" if row.basis == "residual" else ""
    return f"{rate}, {row.edition}{basis}, {row.factor_type} {row.gases}, tier {row.quality_tier}"


def _life(figure: Figure, hardware: Hardware | None) -> str:
    if figure.emissions_g is None or hardware is None or hardware.device.kgco2e is None:
        return figure.note
    per = f"{factors.plain(hardware.device.kgco2e)} kg per {hardware.device.unit}"
    return f"{per}, by held time over {hardware.lifetime_h:,} h of life"


def _shown(figure: Figure) -> str:
    kg = _kg(figure)
    return "unknown" if kg is None else _amount(kg)


def _amount(value: Decimal) -> str:
    """Three decimals, six where there is less than one, nine where there is less than a thousandth."""
    places = 3 if value >= 1 or not value else 6 if value >= Decimal("0.001") else 9
    return f"{value:,.{places}f}"


def _kg(figure: Figure) -> Decimal | None:
    if figure.emissions_g is None:
        return None
    return Decimal(factors.plain(printed(figure.emissions_g / G_PER_KG, _MICROGRAMS)))


def _kwh(energy_uj: int) -> Decimal:
    return Decimal(factors.plain(printed(Fraction(energy_uj, UJ_PER_KWH), _MICROGRAMS)))


def _rate_json(figure: Figure) -> dict[str, Any] | None:
    if figure.choice is not None:
        return factors.as_json(figure.choice)
    if figure.g_per_kwh is None:
        return None
    return {"value_g_per_kwh": figure.g_per_kwh, "source": "stated on the command line", "factor_type": "unspecified"}


def _device_json(hardware: Hardware | None) -> dict[str, Any] | None:
    if hardware is None:
        return None
    device = hardware.device
    return {
        "device": device.name,
        "kgco2e": device.kgco2e,
        "unit": device.unit,
        "lifetime_hours": hardware.lifetime_h,
        "publisher": device.publisher,
        "source": device.source_ref,
        "licence": device.licence,
        "confidence": device.confidence,
        "note": device.note,
    }
