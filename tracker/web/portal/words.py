"""Numbers as the portal prints them: the integers of a statement, exact to the last digit, so that a figure on the page
is the figure in the file. Every column has one unit, in its heading."""

from __future__ import annotations

from datetime import UTC, datetime

from tracker.core.percent import cut

NOT_KNOWN = "not known"
#: Not calendar.month_name, which follows the locale.
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def thousandths(value: int | None) -> str:
    """1911325590 -> "1,911,325.590": Wh as kWh, grams as kg."""
    if value is None:
        return NOT_KNOWN
    whole, rest = divmod(abs(value), 1000)
    return f"{'-' if value < 0 else ''}{whole:,}.{rest:03}"


def percent(ppm: int | None) -> str:
    """As statements print it: cut, not rounded."""
    return NOT_KNOWN if ppm is None else cut(ppm).replace(" ", "\N{NO-BREAK SPACE}")


def month_name(month: str) -> str:
    """2026-10 -> "October 2026"."""
    year, number = month.split("-")
    return f"{_MONTHS[int(number) - 1]} {year}"


def minute(at_s: int) -> str:
    """2026-11-03 09:12 UTC."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d %H:%M} UTC"


def day(at_s: int) -> str:
    """2026-11-03, in UTC."""
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%d}"
