"""[books]: where the fleet's books are, and how its months are stated."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

import msgspec

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class TariffWindow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"begin": "from"}):
    """[[books.tariffs.windows]]: a time of day with a price of its own, by the site's clocks."""

    begin: str  # written "from": "22:00"
    to: str  # exclusive; at or before "from": it runs past midnight
    price: float  # per kWh
    days: tuple[Weekday, ...] = ()  # on which it starts; empty: every day


class BooksTariff(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"begin": "from"}):
    """[[books.tariffs]]: what a kilowatt-hour costs, in ``books.currency``."""

    price: float  # per kWh, outside the windows
    site: str = ""  # "": every site that has no tariff of its own
    begin: date | None = None  # written "from"; days of the site's time zone
    to: date | None = None  # exclusive; None: until further notice
    source: str = ""  # the contract
    windows: tuple[TariffWindow, ...] = ()  # the first that holds wins


class Books(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The month is that of ``timezone``; everything else that has a threshold or a default is here too."""

    url: str = ""  # a folder, s3://…, gs://…, az://…; "": <state_dir>/books
    cache: Path | None = None  # copies of a bucket's files; None: the user's cache folder
    timezone: str = "UTC"  # in which a month begins and ends
    entity: str = ""  # the company that reports
    currency: str = ""  # of the tariffs: "EUR"
    group_by: tuple[str, ...] = ()  # the columns of rows; empty: core.statement.DEFAULT_GROUP
    ship: bool | str = False  # "1h": the daemon ships this often, and at its end
    coverage_threshold: float = 0.95  # a month below it cannot be closed
    tier5_threshold: float = 0.05  # share of energy weighed by generic factors above which it cannot
    materiality: float = 0.05  # of a month's total: above it a change makes a new version, below it corrections
    same_person: bool = False  # whether who prepares a month may approve it
    retired: dict[str, date] = {}  # hostname -> the day from which it is no longer expected
    csv_bom: bool = False  # a byte order mark, for Excel by double click
    tariffs: tuple[BooksTariff, ...] = ()
    memory_mib: int = 700  # what the query engine may use before it spills to disk
