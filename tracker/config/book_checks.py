"""What types cannot say of [books] and [accounting.grid_loss]."""

from __future__ import annotations

import re
from collections.abc import Callable

from tracker.config.books import BooksTariff
from tracker.config.decode import in_words, nearest
from tracker.config.layers import KeyPath, Layers
from tracker.config.schema import Config, Duration
from tracker.core.errors import UsageError
from tracker.core.statement import DIMENSIONS

CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")
MIDNIGHT = "24:00"
MIN_SHIP = Duration.parse("10m")
#: No kilowatt-hour costs more in any currency that has hundredths worth printing.
MAX_PRICE = 1_000_000.0
MIN_MEMORY_MIB = 128


def check_books(config: Config, layers: Layers, check_timezone: Callable[[str, Layers, KeyPath], None]) -> None:
    """Raises UsageError for the first thing that cannot be."""
    books = config.books
    check_timezone(books.timezone, layers, ("books", "timezone"))
    for name in books.group_by:
        if name not in DIMENSIONS:
            near = nearest(name, DIMENSIONS)
            remedy = f"Did you mean {in_words(near)}?" if near else f"There are: {', '.join(DIMENSIONS)}."
            raise layers.error(("books", "group_by"), f"books.group_by names {name!r}, which is no column.", remedy)
    if len(set(books.group_by)) < len(books.group_by):
        raise layers.error(("books", "group_by"), "books.group_by names a column twice.", "Name each once.")
    for name in ("coverage_threshold", "tier5_threshold", "materiality"):
        share = getattr(books, name)
        if not 0 <= share <= 1:  # also false for nan
            raise layers.error(
                ("books", name), f"books.{name} is {share:g}, but is a share: between 0 and 1.", "5 % is 0.05."
            )
    if books.memory_mib < MIN_MEMORY_MIB:
        raise layers.error(
            ("books", "memory_mib"), f"books.memory_mib is {books.memory_mib}, but must be at least {MIN_MEMORY_MIB}."
        )
    _check_ship(books.ship, layers)
    for i, tariff in enumerate(books.tariffs):
        _check_tariff(tariff, config, layers, ("books", "tariffs", str(i)))
    ratio = config.accounting.grid_loss.ratio
    if ratio is not None and not 0 <= ratio < 1:
        raise layers.error(
            ("accounting", "grid_loss", "ratio"),
            f"accounting.grid_loss.ratio is {ratio:g}, but is a share: at least 0 and below 1.",
            "4.1 % is 0.041.",
        )


def _check_ship(ship: bool | str, layers: Layers) -> None:
    if isinstance(ship, bool):
        if not ship:
            return
        raise layers.error(("books", "ship"), "books.ship does not say how often.", 'Write ship = "1h", or false.')
    try:
        every: Duration | None = Duration.parse(ship)
    except ValueError:
        every = None
    if every is None or every < MIN_SHIP:
        raise layers.error(
            ("books", "ship"),
            f'books.ship is "{ship[:40]}", but must be false or a duration of at least {MIN_SHIP}.',
            'Closed hours are shipped: ship = "1h" is enough.',
        )


def _check_tariff(tariff: BooksTariff, config: Config, layers: Layers, path: KeyPath) -> None:
    name = ".".join(path)
    if not config.books.currency.strip():
        raise layers.error(path, f"{name} has a price, and books.currency does not say of what.", 'currency = "EUR"')
    if tariff.site and config.site and tariff.site not in config.site:
        near = nearest(tariff.site, config.site)
        remedy = f"Did you mean {in_words(near)}?" if near else f"There are: {', '.join(sorted(config.site))}."
        raise layers.error((*path, "site"), f"{name}.site is {tariff.site!r}, which is no site here.", remedy)
    if tariff.begin is not None and tariff.to is not None and tariff.to <= tariff.begin:
        raise layers.error(path, f"{name} ends before it begins.", 'The day "to" is not in it any more.')
    for price in (tariff.price, *(window.price for window in tariff.windows)):
        if not 0 <= price <= MAX_PRICE:  # also false for nan
            raise layers.error(path, f"{name} has the price {price:g}, which no kilowatt-hour has.")
    for i, window in enumerate(tariff.windows):
        for text in (window.begin, window.to):
            try:
                minutes(text)
            except UsageError as error:
                raise layers.error(
                    (*path, "windows", str(i)), f"{name}.windows.{i}: {error.sentence}", error.remedy
                ) from error


def minutes(text: str) -> int:
    """A time of day in minutes since midnight. Raises UsageError."""
    if text == MIDNIGHT:
        return 24 * 60
    found = CLOCK.fullmatch(text)
    if found is None:
        raise UsageError(f'"{text[:20]}" is no time of day.', 'Write it like "07:00"; the end of the day is "24:00".')
    return int(found[1]) * 60 + int(found[2])
