"""The sheets for people: README, Summary with its charts, Method. Tonnes stand on the summary only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_never

from tracker.core import percent
from tracker.core.statement import Statement
from tracker.exports import summary as sums
from tracker.exports.columns import fixed
from tracker.exports.facts import facts
from tracker.exports.sheets import Book, printable
from tracker.exports.summary_charts import Lines, draw

_CONTENTS = (
    ("Summary", "The month by scope in tonnes of CO2e, by team and over twelve months, with charts."),
    ("Rows", "One line for each group, in kWh and kg. Sums of the lines are the total, to the last digit."),
    ("Daily", "The same total by day of the period's time zone."),
    ("Corrections", "What this month books for closed months. They are not in the total of Rows."),
    ("Factors", "Every factor that weighed something, as its publisher printed it, with source and licence."),
    ("Coverage", "For each node: hours expected and present, gaps by reason, and hours without any data."),
    ("Sites", "Zone, control and PUE of each place, who said so, and what was assumed."),
    ("Reconciliation", "Our totals beside those of others."),
    ("Method", "Boundary, scopes, factors, overhead, hardware, exclusions and limits."),
    ("Manifest", "The files that the statement was made from, with their SHA-256."),
)
_READING = (
    "Columns ending in _kwh, _hours and _kgco2e may be summed; ratios and intensities may not.",
    "An empty number is not known: there was no factor, no tariff or no figure. It is never 0.",
    "Location-based and market-based are two answers to one question. They are never added.",
    "embodied_kgco2e is amortised hardware. It is never added to scope 2.",
    "Below each total stands a check: a formula that compares it with the sum of the lines above.",
)
_LONG_HEADER = 22
RATIO = 6  # decimals, shown as per cent
#: A text, a number with its decimals, or a number that is not known.
Cells = list[str | tuple[int, int] | None]
#: A header, then lines.
Block = list[Cells]


def readme(book: Book, statement: Statement) -> None:
    lines: list[tuple[str, str]] = [*facts(statement), ("", ""), *_CONTENTS, ("", "")]
    lines += [("How to read" if not place else "", text) for place, text in enumerate(_READING)]
    _pairs(book, "README", f"Energy and carbon statement {statement.period.month}", lines)


def method(book: Book, statement: Statement) -> None:
    lines = [*statement.method, ("Software", f"wattledger {statement.software}")]
    lines += [
        (f"Factor {each.factor_id}", "; ".join(filter(None, (each.source, each.licence, each.attribution))))
        for each in statement.factors
    ]
    _pairs(book, "Method", "Method", [*dict.fromkeys(lines)])  # a factor may weigh on more than one basis


def _pairs(book: Book, name: str, title: str, lines: Sequence[tuple[str, str]]) -> None:
    sheet = book.made.add_worksheet(name)
    sheet.set_column(0, 0, 28)
    sheet.set_column(1, 1, 100)
    printable(sheet)
    sheet.write_string(0, 0, title, book.style(bold=True, font_size=14))
    for row, (label, text) in enumerate(lines, 2):
        sheet.write_string(row, 0, label, book.style(bold=True, valign="top", text_wrap=True))
        sheet.write_string(row, 1, text, book.style(valign="top", text_wrap=True))


def summary(book: Book, statement: Statement) -> None:
    sheet = book.made.add_worksheet("Summary")
    sheet.set_column(0, 0, 32)
    sheet.set_column(1, 7, 17)
    printable(sheet)
    title = f"{statement.entity} {statement.period.month}: energy and carbon".strip()
    sheet.write_string(0, 0, title, book.style(bold=True, font_size=14))
    soft = book.style(font_color="#5A6066")
    sheet.write_string(1, 0, _note(statement), soft)
    unknown = sums.unknown_text(statement)
    if unknown:
        sheet.write_string(2, 0, f"Energy that is not in {unknown}", soft)
    at = _table(book, sheet, 4 if unknown else 3, _scopes(statement))
    teams = _teams(statement)
    first_team = at + 1
    at = _table(book, sheet, first_team, teams)
    first_month = at + 1
    months = _months(statement)
    at = _table(book, sheet, first_month, months)
    # without the headers, and without the total of the teams
    team_lines = Lines(first_team + 1, first_team + len(teams) - 2)
    sheet.set_h_pagebreaks([at + 1])  # so that no chart is cut when it is printed
    draw(book.made, sheet, at + 2, team_lines, Lines(first_month + 1, first_month + len(months) - 1))


def _note(statement: Statement) -> str:
    amounts = statement.total.amounts
    parts = [f"{statement.status.value}, version {statement.version}"]
    coverage = statement.total.ratios.coverage_ppm
    if coverage is not None:
        parts.append(f"{percent.cut(coverage)} of device time covered")
    measured = sums.cut_ppm(amounts.measured_wh, amounts.energy_it_wh)
    if measured is not None:
        parts.append(f"{percent.cut(measured)} measured")
    if amounts.unweighed_wh:
        parts.append(f"{fixed(amounts.unweighed_wh, 3)} kWh had no factor and are not in the emissions")
    if amounts.unpriced_wh and sums.is_priced(statement):
        parts.append(f"{fixed(amounts.unpriced_wh, 3)} kWh had no price and are not in the cost")
    return "; ".join(parts)


_TONNES = {
    "location_tco2e": "location_g",
    "market_tco2e": "market_g",
    "upstream_tco2e (scope 3, category 3)": "upstream_g",
    "embodied_tco2e (amortised, not added)": "embodied_g",
}


def _scopes(statement: Statement) -> Block:
    """Tonnes, as an inventory states them; each column adds up."""
    parts, whole = sums.by_scope(statement), statement.total.amounts
    tonnes = [sums.footed([getattr(p.amounts, n) for p in parts], getattr(whole, n)) for n in _TONNES.values()]
    head: Cells = ["by scope of electricity", "energy_facility_kwh", *_TONNES]
    lines = [
        [part.name, (part.amounts.energy_facility_wh, 3), *(_kept(column[1][place], 3) for column in tonnes)]
        for place, part in enumerate(parts)
    ]
    total: Cells = ["Total", (whole.energy_facility_wh, 3), *(_kept(column[0], 3) for column in tonnes)]
    return [head, *lines, total]


def _teams(statement: Statement) -> Block:
    named = sums.by_team(statement)
    head: Cells = [f"by {sums.team_dimension(statement)}", *_COLUMNS]
    return [head, *(_amounts(each) for each in named), _amounts(sums.Part("Total", statement.total.amounts))]


def _months(statement: Statement) -> Block:
    return [["by month", *_COLUMNS], *(_amounts(each) for each in sums.trend(statement))]


_COLUMNS = ("energy_facility_kwh", "energy_it_kwh", "idle_kwh", "idle_ratio", "location_kgco2e", "market_kgco2e")


def _amounts(part: sums.Part) -> Cells:
    of = part.amounts
    return [
        part.name,
        (of.energy_facility_wh, 3),
        (of.energy_it_wh, 3),
        (of.idle_wh, 3),
        _kept(sums.ppm(of.idle_wh, of.energy_it_wh), RATIO),
        _kept(of.location_g, 3),
        _kept(of.market_g, 3),
    ]


def _kept(value: int | None, places: int) -> tuple[int, int] | None:
    return None if value is None else (value, places)


def _table(book: Book, sheet: Any, top: int, block: Block) -> int:
    """Returns the first free line below."""
    sheet.set_row(top, 42 if max(len(str(cell)) for cell in block[0]) > _LONG_HEADER else 15)
    for row, cells in enumerate(block, top):
        is_total = cells[0] == "Total"
        for column, cell in enumerate(cells):
            match cell:
                case None:
                    pass
                case str() if row == top:
                    style = book.header(right=column > 0)
                    sheet.write_string(row, column, cell, style)
                case str():
                    sheet.write_string(row, column, cell, book.style(bold=is_total, top=int(is_total)))
                case (value, places):
                    look = {"bold": is_total, "top": int(is_total)}
                    style = book.style(num_format="0.0%", **look) if places == RATIO else book.number(places, **look)
                    sheet.write_number(row, column, float(fixed(value, places)), style)
                case _:
                    assert_never(cell)
    return top + len(block)
