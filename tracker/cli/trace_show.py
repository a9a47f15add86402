"""How a traced row looks: sections from the printed amounts down to entries, each number with its unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from tracker.books.finding import ranges, some, utc
from tracker.books.trace import SUMS_OF_PRINTED, EntrySum, Product, Rounded
from tracker.cli import layout
from tracker.core.weights import EMBODIED_G, HUNDREDTH, G
from tracker.finance.trace import Basis, RowTrace
from tracker.finance.trace_factors import FactorDetail

_SHOWN = 12
_TITLES = {
    "location_annual": "Location-based, yearly factors",
    "location_hourly": "Location-based, factors of the hour",
    "market": "Market-based",
    "upstream": "Upstream (scope 3.3)",
    "cost": "Cost",
}
_RATES = {"cost": "price_micro_per_kwh"}


def show(found: RowTrace, *, each_hour: bool) -> None:
    """Print it. ``each_hour``: nothing is left out."""
    shown = None if each_hour else _SHOWN
    state = f"v{found.version}, closed" if found.version else "draft"
    layout.echo(f"{found.month} ({state}), row {found.line.row_id}", bold=True)
    for line in _heading(found):
        layout.echo(f"  {line}")
    _section("Printed = whole + step", _rounding(found.rounding))
    for basis in found.bases:
        if basis.products and (basis.name != "cost" or any(each.rate is not None for each in basis.products)):
            _section(_TITLES[basis.name], _basis(basis, found, shown))
    _section("Making of the hardware, held_ms x fg_per_ms", _makings(found))
    _section("Places and PUE", _sites(found))
    _section("Factors", _factors(found.factors, shown))
    _section("Entries of the ledgers", _entries(found.entries, shown))
    _section("The nodes' own counters", iter(found.live.explanation))
    _section("Policy", (f"{title}: {' '.join(text.split())}" for title, text in found.policy))
    for note in found.notes:
        layout.echo(note, fg="yellow")


def _section(title: str, lines: Iterator[str]) -> None:
    listed = list(lines)
    if listed:
        layout.echo()
        layout.echo(title, bold=True)
        for line in listed:
            layout.echo(f"  {line}".rstrip())


def _heading(found: RowTrace) -> Iterator[str]:
    for name, value in zip(found.group_by, found.line.key, strict=True):
        yield f"{name:<14} {value or '-'}"
    category = f", category {found.line.category}" if found.line.category else ""
    yield f"{'scope':<14} {found.line.scope}{category}"
    yield f"{'as of':<14} {datetime.fromtimestamp(found.as_of_s, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _rounding(rounding: Sequence[Rounded]) -> Iterator[str]:
    for one in rounding:
        column = one.column
        yield f"{column.amount} = {one.printed} {column.unit}   sum of {column.formula}"
        yield f"    {one.exact} / {column.denominator} = {one.whole} + {one.remainder} / {column.denominator}"
        yield f"    {_step(one)}"


def _step(one: Rounded) -> str:
    if one.column.amount in SUMS_OF_PRINTED:
        return f"{one.step:+}: printed as {' + '.join(SUMS_OF_PRINTED[one.column.amount])}"
    if one.rows == 1 and one.step in (0, 1):
        return f"+{one.step}: the only row is rounded to the nearest, half to even"
    if one.exact == one.step == 0:
        return "+0: it has none of it"
    if one.left == one.step == 0:
        return "+0: whole numbers add up to the printed total, no row gets 1 more"
    if one.step == (one.rank <= one.left):
        who = (
            "the row with the largest remainder gets"
            if one.left == 1
            else f"the {one.left} rows with the largest remainders get"
        )
        return f"+{one.step}: of {one.rows} rows {who} 1 more; this is number {one.rank}"
    return f"{one.step:+}: a column beside this one bounds it (idle <= IT)"


def _basis(basis: Basis, found: RowTrace, shown: int | None) -> Iterator[str]:
    rate = _RATES.get(basis.name, "ng_per_kwh")
    denominator = HUNDREDTH if basis.name == "cost" else G
    yield f"energy_uj x pue_permille x {rate} = product; the sum / {denominator}"
    known = [each.product for each in basis.products if each.product is not None]
    for each in basis.products[:shown]:
        yield from _product(each)
    if shown is not None and len(basis.products) > shown:
        yield f"… and {len(basis.products) - shown} more (--all)"
    yield f"sum {sum(known)}" if known else "nothing of it is known: it is empty, not 0"
    if basis.name == f"location_{found.location_method}":
        yield "this is what location_kgco2e says"


def _product(each: Product) -> Iterator[str]:
    where = f"{each.site or '-'} / {each.zone}, {some(ranges(each.hours_s), 3)}"
    yield f"{where}: {some(each.source, 3)}"
    if each.rate is None:
        yield f"    {each.energy_uj} x {each.pue_permille} x not known"
    else:
        yield f"    {each.energy_uj} x {each.pue_permille} x {each.rate} = {each.product}"


def _makings(found: RowTrace) -> Iterator[str]:
    for each in found.makings:
        if each.fg_per_ms is None:
            yield f"{each.component}: {each.held_ms} ms, of which nobody published a figure"
        else:
            product = each.held_ms * each.fg_per_ms
            yield f"{each.component}: {each.held_ms} x {each.fg_per_ms} = {product}, / {EMBODIED_G} g"


def _sites(found: RowTrace) -> Iterator[str]:
    for each in found.sites:
        zone = f"{each.zone} (assumed: nobody set one)" if each.zone_assumed else each.zone
        assumed = ", assumed" if each.pue_assumed else ""
        pue = f"PUE {each.pue_permille} permille{assumed} ({each.pue_source or 'no source'})"
        yield f"{each.site or '-'}: zone {zone}, {each.control}, {pue} for {each.hours} h"


def _factors(factors: Sequence[FactorDetail], shown: int | None) -> Iterator[str]:
    for each in factors[:shown]:
        value = f"{each.value} {each.unit}"
        if each.unit != "g/kWh" and each.value_g_per_kwh is not None:
            value += f" = {each.value_g_per_kwh.normalize():f} g/kWh"
        yield f"{each.basis}  {each.factor_id}: {value}, {each.hours} h from {utc(each.first_s)}"
        yield f"    {each.publisher}, {each.edition}, of {each.data_year}; {each.factor_type}, tier {each.tier}"
        yield f"    {each.source}"
        since = f"known here since {utc(each.recorded_at_s)}" if each.recorded_at_s else "shipped with the tables"
        yield f"    {since}{f', answer sha256 {each.raw_sha256}' if each.raw_sha256 else ''}"
        for former in each.former:
            yield f"    took the place of {former.value} {former.unit}, known since {utc(former.recorded_at_s)}"
        for later in each.later:
            yield f"    superseded by {later.value} {later.unit}, known since {utc(later.recorded_at_s)}: not used here"
        for note in each.notes:
            yield f"    {note}"
    if shown is not None and len(factors) > shown:
        yield f"… and {len(factors) - shown} more (--all)"


def _entries(entries: Sequence[EntrySum], shown: int | None) -> Iterator[str]:
    largest = entries if shown is None else sorted(entries, key=lambda each: -each.energy_uj)[:shown]
    header = ("hours", "node", "component", "device", "workload", "method", "energy_uj", "idle_uj", "held_ms")
    rows = [
        (
            f"{each.hours} h" if each.hour_s is None else utc(each.hour_s),
            each.hostname,
            each.component,
            each.device,
            f"{each.workload} {each.workload_name}".strip(),
            each.method,
            str(each.energy_uj),
            str(each.idle_uj),
            str(each.held_ms),
        )
        for each in largest
    ]
    if rows:
        within = layout.width()
        yield from layout.table(
            header, rows, right=(6, 7, 8), flexible=(3, 4), within=None if within is None else within - 2
        )
    if len(entries) > len(rows):
        rest_uj = sum(each.energy_uj for each in entries) - sum(each.energy_uj for each in largest)
        yield f"… and {len(entries) - len(rows)} more with {rest_uj} uJ (--all)"
    if entries:
        yield f"sum {sum(each.energy_uj for each in entries)} uJ"
