"""``wattledger estimate``: energy and emissions from device-hours or kilowatt-hours, before or without measuring."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

import click

from tracker.cli import factors
from tracker.cli.estimate_show import Per, Question, as_json, lines
from tracker.core.accounting import ASSUMED_PUE, PERMILLE, Pue
from tracker.core.embodied import DEFAULT_LIFETIME_H, MS_PER_H, Device, find_device, with_overrides
from tracker.core.errors import UsageError
from tracker.core.factors import Choice, NoFactor, choose_residual
from tracker.core.footprint import Hardware, energy_of_hours, footprint
from tracker.core.units import UJ_PER_KWH
from tracker.grid.shipped import devices as table_of_devices
from tracker.grid.zones import find_zone, zone_path

Flags = Mapping[str, str | None]

_NUMBER = re.compile(r"\d{1,15}(\.\d{1,15})?")
#: No grid is above it: such a rate is one of another unit (g per MWh, lb/MWh).
_MOST_G_PER_KWH = 2000
_MOST_PUE = 10
#: Flagged as well: nobody's building is that good.
NO_OVERHEAD = Pue(PERMILLE, "assumed: no overhead is counted (the industry's average is about 1.56)", assumed=True)
_HELP = "See: wattledger estimate --help"

EXAMPLES = """\b
Examples:
  BLOOM, by the numbers of its paper (24.69 t):
    wattledger estimate --device-hours 1082990 --watts 400 \\
        --pue 1 --intensity-g-per-kwh 57
  Llama 2 7B (31.22 t). The paper's rows for 13B, 62.44 t, and 34B,
  153.90 t, are cut off and not rounded: 62.4476 t and 153.9074 t.
    wattledger estimate --device-hours 184320 --watts 400 --pue 1.1 \\
        --intensity-g-per-kwh 385
  A month of eight H100 in Paris:
    wattledger estimate --device-hours 5840 --watts 620 --pue 1.21 \\
        --zone FR --device H100 --devices 8
  The same per token that it made, as an SCI score (ISO/IEC 21031):
    wattledger estimate --device-hours 5840 --watts 620 --pue 1.21 \\
        --zone FR --device H100 --units 9000000000 --per token
"""


@click.command(epilog=EXAMPLES)
@click.option("--device-hours", metavar="N", help="Hours that devices were held, summed over them.")
@click.option("--watts", metavar="W", help="Mean power of one device.")
@click.option("--kwh", metavar="E", help="IT energy, instead of hours times watts.")
@click.option(
    "--pue",
    metavar="P",
    help="Facility energy over IT energy. Left out: 1.56 with --zone, none beside a stated rate; flagged.",
)
@click.option("--zone", metavar="Z", help="Grid zone, for factors from the tables: wattledger grid list")
@click.option("--date", metavar="D", help="Day in the reporting period, which chooses the edition [today].")
@click.option("--intensity-g-per-kwh", "intensity", metavar="X", help="Location-based factor, instead of a zone.")
@click.option("--market-g-per-kwh", "market", metavar="Y", help="Market-based rate, of your contract or supplier.")
@click.option("--device", metavar="NAME", help="Device whose making is counted, such as H100.")
@click.option("--devices", metavar="N", help="How many were bought: the whole of it, for the year of purchase.")
@click.option("--device-kgco2e", metavar="K", help="Your own figure for one device, instead of the table's.")
@click.option("--lifetime-hours", metavar="H", help=f"Life of a device [{DEFAULT_LIFETIME_H}, five years].")
@click.option("--units", metavar="R", help="How many of UNIT it was for, such as 5000000 tokens: adds the SCI score.")
@click.option("--per", "unit", metavar="UNIT", help="What the score is per: token, request, training run.")
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
def estimate(json_wanted: bool, **flags: str | None) -> None:
    """Estimate energy and emissions from device-hours and watts, or from kWh.

    Both Scope 2 methods stand side by side; the making of the devices is counted apart, by held time.
    """
    question = _question(flags)
    location, market = _rates(question, flags)
    result = footprint(question.energy_it_uj, question.pue.permille, location, market, question.hardware)
    if json_wanted:
        click.echo(factors.encode(as_json(question, result)))
        return
    for line in lines(question, result):
        click.echo(line)


def _question(flags: Flags) -> Question:
    """What was asked, checked. Raises UsageError."""
    hours, watts = _number("--device-hours", flags["device_hours"]), _number("--watts", flags["watts"])
    zone = flags["zone"]
    if (zone is None) == (flags["intensity"] is None):
        remedy = "Look for a zone: wattledger grid list TEXT"
        raise UsageError("Say what a kWh weighs: either --zone Z or --intensity-g-per-kwh X.", remedy)
    return Question(
        energy_it_uj=_energy_uj(hours, watts, _number("--kwh", flags["kwh"])),
        device_hours=hours,
        watts=watts,
        pue=_pue(flags["pue"], named=zone is not None),
        zone=None if zone is None else find_zone(zone),
        at_s=factors.instant(flags["date"]),
        hardware=_hardware(flags, hours),
        per=_per(flags),
    )


def _per(flags: Flags) -> Per | None:
    units, unit = _number("--units", flags["units"]), (flags["unit"] or "").strip()
    if units is None and flags["unit"] is None:
        return None
    if not units or not unit or not unit.isprintable():
        raise UsageError("A score needs both, how many and of what.", "Write it like --units 5000000 --per token.")
    return Per(units, unit)


def _energy_uj(hours: Decimal | None, watts: Decimal | None, kwh: Decimal | None) -> int:
    if kwh is not None and watts is not None:
        raise UsageError("--kwh is the energy, and --watts would say it again.", "Leave one of them out.")
    if kwh is not None:
        energy_uj = round(kwh * UJ_PER_KWH)
    elif hours is not None and watts is not None:
        energy_uj = energy_of_hours(hours, watts)
    else:
        raise UsageError("Say how much energy: --device-hours N --watts W, or --kwh E.", _HELP)
    if not energy_uj:
        raise UsageError("There is no energy: hours, watts and kWh have to be above 0.", _HELP)
    return energy_uj


def _rates(question: Question, flags: Flags) -> tuple[Choice | NoFactor | Decimal, Choice | NoFactor | Decimal]:
    """For the location and for the market: as stated, else from the tables."""
    stated = _rate("--intensity-g-per-kwh", flags["intensity"])
    market = _rate("--market-g-per-kwh", flags["market"])
    nothing = NoFactor("no zone was named")
    if question.zone is None:
        return nothing if stated is None else stated, nothing if market is None else market
    tables = factors.open_tables(question.at_s)
    location = tables.choose(question.zone, question.at_s)
    if market is not None:
        return location, market
    if question.zone.kind == "world":
        return location, NoFactor("the whole world is no market", by_rule=True)
    return location, choose_residual(tables.rows(), zone_path(question.zone), question.at_s)


def _hardware(flags: Flags, hours: Decimal | None) -> Hardware | None:
    count = _whole("--devices", flags["devices"])
    name, kgco2e = flags["device"], _number("--device-kgco2e", flags["device_kgco2e"])
    lifetime_h = _whole("--lifetime-hours", flags["lifetime_hours"])
    if name is None:
        if count is not None or kgco2e is not None or lifetime_h is not None:
            raise UsageError("Of which device? Add --device NAME.", _HELP)
        return None
    held_ms = None if hours is None else round(hours * MS_PER_H)
    return Hardware(_device(name, kgco2e), held_ms, count, lifetime_h or DEFAULT_LIFETIME_H)


def _device(name: str, kgco2e: Decimal | None) -> Device:
    table = table_of_devices()
    if kgco2e is not None:
        table = with_overrides(table, {name: kgco2e}, "given with --device-kgco2e")
    found = find_device(table, name)
    if found is None:
        import difflib  # noqa: PLC0415 - only on the way to an error message

        names = [text for device in table for text in (*device.aliases, device.name)]
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"Did you mean {', '.join(near)}? " if near else f"Known are {', '.join(d.name for d in table)}. "
        raise UsageError(f"No figure is known for the device {name[:60]!r}.", hint + "Or give yours: --device-kgco2e K")
    return found


def _number(flag: str, text: str | None) -> Decimal | None:
    """A number from 0 up. Raises UsageError."""
    if text is None:
        return None
    if not _NUMBER.fullmatch(text.strip()):
        raise UsageError(f"{flag} {text[:40]!r} is not a number from 0 up.", "Write it like 1082990 or 0.385.")
    return Decimal(text.strip())


def _whole(flag: str, text: str | None) -> int | None:
    number = _number(flag, text)
    if number is None:
        return None
    if number % 1 or not number:
        raise UsageError(f"{flag} {text} is not a whole number from 1 up.", _HELP)
    return int(number)


def _rate(flag: str, text: str | None) -> Decimal | None:
    number = _number(flag, text)
    if number is not None and number > _MOST_G_PER_KWH:
        raise UsageError(f"{flag} {text} is more than any grid's {_MOST_G_PER_KWH} g/kWh.", "Is it in another unit?")
    return number


def _pue(text: str | None, *, named: bool) -> Pue:
    """``named``: a place is, and what nobody says of it is filled in as for a site. A rate that somebody states belongs
    to a formula of theirs, such as a paper's: nothing is put into that."""
    pue = _number("--pue", text)
    if pue is None:
        return ASSUMED_PUE if named else NO_OVERHEAD
    if not 1 <= pue <= _MOST_PUE or (pue * PERMILLE) % 1:
        raise UsageError(
            f"--pue {text} is no PUE.", f"It lies between 1 and {_MOST_PUE}, with at most three decimals: 1.21"
        )
    return Pue(int(pue * PERMILLE), "stated on the command line")
