"""The printable page: what the template ``templates/statement.html`` is given. Self-contained, without a script.

Energies are kWh and emissions tonnes; each column adds up to its printed total.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tracker.core import percent
from tracker.core.statement import Amounts, Correction, CoverageLine, Statement
from tracker.exports import charts, summary, table
from tracker.exports.columns import fixed
from tracker.exports.facts import facts
from tracker.exports.head import utc
from tracker.exports.summary import NOT_KNOWN

# fmt: off
# (words in lines, not one a line; strftime would ask the locale)
_MONTH_NAMES = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)
# fmt: on
_IN_TITLE = {"Entity", "Version", "Status", "Software"}  # and in the footer
MOST_MISSING = 12  # nodes with missing hours that the page names; the JSON export names all


@dataclass(frozen=True, slots=True)
class TeamLine:
    """A line of the table by team. Widths of its bars are permille of the widest."""

    name: str
    energy: str
    share: str
    idle: str
    location: str
    market: str
    busy_permille: int
    idle_permille: int
    location_permille: int
    market_permille: int


def render(statement: Statement) -> str:
    """HTML. Every text is escaped by the template engine."""
    import jinja2  # noqa: PLC0415 - heavy

    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    base = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return base.get_template("statement.html").render(_content(statement))


def _content(statement: Statement) -> dict[str, Any]:
    month = statement.period.month
    return {
        "statement": statement,
        "title": f"{_MONTH_NAMES[int(month[5:]) - 1]} {month[:4]}",
        "facts": [(name, text) for name, text in facts(statement) if name not in _IN_TITLE],
        "digest": table.digest(statement),
        "figures": _figures(statement),
        "scopes": _scopes(statement),
        "dimension": summary.team_dimension(statement).replace("_", " "),
        "teams": list(_teams(statement)),
        "charts": _charts(statement),
        "chart": charts,
        "quality": _quality(statement),
        "missing": [each for each in statement.coverage if each.missing][:MOST_MISSING],
        "missing_more": max(0, sum(bool(each.missing) for each in statement.coverage) - MOST_MISSING),
        "gaps": _gaps(statement.coverage),
        "corrections": [_correction(each) for each in statement.corrections],
        "css_name": _css_name(statement),
        "printed": summary.printed,
        "utc": utc,
        "kwh": _kwh,
        "fixed": fixed,
    }


def _css_name(statement: Statement) -> str:
    """Text inside quotes of a style sheet, where escaping for HTML does not hold: letters, digits and . - only."""
    kept = (each if each.isascii() and (each.isalnum() or each in ".-") else " " for each in statement.statement_id)
    return f"wattledger {''.join(kept)}"


def _covered(ppm: int | None) -> str:
    return NOT_KNOWN if ppm is None else percent.cut(ppm)


def _share(part: int, whole: int) -> str:
    return percent.nearest(part, whole) or NOT_KNOWN


def _share_of_ppm(ppm: int | None) -> str:
    return NOT_KNOWN if ppm is None else _share(ppm, summary.PPM)


def _thousands(value: int | None, places: int = 0) -> str:
    """With commas; ``places``: of the last printed digits."""
    if value is None:
        return NOT_KNOWN
    if not places:
        return f"{value:,}"
    whole, _, rest = fixed(abs(value), places).partition(".")
    return f"{'-' if value < 0 else ''}{int(whole):,}.{rest}"


def _kwh(value_wh: int | None) -> str:
    return _thousands(value_wh, 3)


def _figures(statement: Statement) -> list[tuple[str, str, str]]:
    """What stands first: name, value, unit."""
    whole = statement.total.amounts
    (energy, _), (location, _), (market, _) = (
        summary.footed([], value) for value in (whole.energy_facility_wh, whole.location_g, whole.market_g)
    )
    return [
        ("Energy with overhead", _thousands(energy), "kWh"),
        ("Location-based", _thousands(location, 3), "t CO2e"),
        ("Market-based", _thousands(market, 3), "t CO2e"),
        ("Idle share of IT energy", _share(whole.idle_wh, whole.energy_it_wh), ""),
        ("Coverage", _covered(statement.total.ratios.coverage_ppm), ""),
        ("Measured", _covered(summary.cut_ppm(whole.measured_wh, whole.energy_it_wh)), ""),
    ]


def _scopes(statement: Statement) -> list[list[str]]:
    """Lines of the table by scope, the last of them the total."""
    parts, whole = summary.by_scope(statement), statement.total.amounts
    names = ("energy_facility_wh", "location_g", "market_g", "upstream_g", "embodied_g")
    columns = [summary.footed([getattr(p.amounts, name) for p in parts], getattr(whole, name)) for name in names]
    places = (0, 3, 3, 3, 3)
    lines = [
        [part.name, *(_thousands(column[1][at], digits) for column, digits in zip(columns, places, strict=True))]
        for at, part in enumerate(parts)
    ]
    total = [_thousands(column[0], digits) for column, digits in zip(columns, places, strict=True)]
    return [*lines, ["Total", *total]]


def _teams(statement: Statement) -> Iterator[TeamLine]:
    """The last one is the total."""
    parts, whole = summary.by_team(statement), statement.total.amounts
    energy = summary.footed([part.amounts.energy_facility_wh for part in parts], whole.energy_facility_wh)
    location = summary.footed([part.amounts.location_g for part in parts], whole.location_g)
    market = summary.footed([part.amounts.market_g for part in parts], whole.market_g)
    shares = [
        *summary.shares([part.amounts.energy_facility_wh for part in parts], whole.energy_facility_wh),
        _share(whole.energy_facility_wh, whole.energy_facility_wh),
    ]
    widest_wh = max((part.amounts.energy_it_wh for part in parts), default=0)
    widest_g = max((max(p.amounts.location_g or 0, p.amounts.market_g or 0) for p in parts), default=0)
    for at, part in enumerate([*parts, summary.Part("Total", whole)]):
        of, is_total = part.amounts, at == len(parts)
        yield TeamLine(
            name=part.name,
            energy=_thousands(energy[0] if is_total else energy[1][at]),
            share=shares[at],
            idle=_share(of.idle_wh, of.energy_it_wh),
            location=_thousands(location[0] if is_total else location[1][at], 3),
            market=_thousands(market[0] if is_total else market[1][at], 3),
            busy_permille=_permille(of.energy_it_wh - of.idle_wh, widest_wh),
            idle_permille=_permille(of.idle_wh, widest_wh),
            location_permille=_permille(of.location_g or 0, widest_g),
            market_permille=_permille(of.market_g or 0, widest_g),
        )


def _permille(part: int, whole: int) -> int:
    return max(0, min(1000, part * 1000 // whole)) if whole > 0 else 0


def _charts(statement: Statement) -> list[charts.Chart]:
    months = summary.trend(statement)
    energy = [charts.Month(each.name, _layers(each.amounts)) for each in months]
    emissions = [charts.Month(each.name, (each.amounts.location_g, each.amounts.market_g)) for each in months]
    layers = ("IT energy in use", "IT energy idle", "overhead of the building")
    methods = ("location-based", "market-based")
    return [
        charts.columns("energy", "Energy over twelve months", "MWh", layers, energy, stacked=True),
        charts.columns("emissions", "Location-based and market-based", "t CO2e", methods, emissions, stacked=False),
    ]


def _layers(of: Amounts) -> tuple[int, int, int]:
    return of.energy_it_wh - of.idle_wh, of.idle_wh, of.energy_overhead_wh


def _quality(statement: Statement) -> list[tuple[str, str]]:
    whole, ratios = statement.total.amounts, statement.total.ratios
    nodes = statement.coverage
    present, expected = sum(each.present_h for each in nodes), sum(each.expected_h for each in nodes)
    return [
        ("Device time covered", _covered(ratios.coverage_ppm)),
        ("Node-hours present", f"{present:,} of {expected:,} ({len(nodes)} nodes)" if nodes else NOT_KNOWN),
        ("Measured", f"{_kwh(whole.measured_wh)} kWh"),
        ("Modelled", f"{_kwh(whole.modelled_wh)} kWh"),
        ("Simulated", f"{_kwh(whole.simulated_wh)} kWh"),
        ("Energy without a factor", f"{_kwh(whole.unweighed_wh)} kWh, in no emissions"),
        *(
            [("Energy without a price", f"{_kwh(whole.unpriced_wh)} kWh, in no cost")]
            if summary.is_priced(statement)
            else []
        ),
        ("Energy with an estimated factor", _share_of_ppm(ratios.estimated_factor_ppm)),
        *((f"Not in: {name}", f"{_kwh(energy_wh)} kWh") for name, energy_wh in summary.unknown(statement)),
    ]


def _gaps(nodes: Sequence[CoverageLine]) -> list[tuple[str, str]]:
    """Hours without a reading, by reason, over all nodes."""
    summed: dict[str, int] = {}
    for node in nodes:
        for reason, seconds in node.gaps_s:
            summed[reason] = summed.get(reason, 0) + seconds
    return [(reason.replace("_", " "), f"{fixed(summed[reason] * 1000 // 3600, 3)} h") for reason in sorted(summed)]


def _correction(each: Correction) -> list[str]:
    key = " / ".join(summary.printed(value) for value in each.line.key if value)
    amounts = each.line.amounts
    numbers = (amounts.energy_facility_wh, amounts.location_g, amounts.market_g)
    return [each.restates_period, each.reason.replace("_", " "), key, *(_thousands(value, 3) for value in numbers)]
