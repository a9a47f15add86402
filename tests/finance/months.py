"""A small fleet's October in books of its own, and people who review, close and restate it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec

from tests.books.small_lake import NODE, Hours, day, put
from tracker.books.interface import BookStore
from tracker.books.names import day_start_s
from tracker.books.store import open_store
from tracker.config import Config
from tracker.config.books import Books
from tracker.config.schema import Site
from tracker.core.closing import Manifest, Review, parse_waivers
from tracker.core.conditions import CONDITIONS
from tracker.core.hours import NodeFacts
from tracker.core.restating import Reason
from tracker.finance import closing, sealing
from tracker.finance.restating import Shadow, carry_out, shadow

MONTH = "2026-10"
NEXT = "2026-11"
J = 1_000_000
HOUR_UJ = 700 * 3600 * J
#: The first of November and ten days more: the month is over and its files are there.
NOW_S = day_start_s("2026-11-11")
GPU_2 = "GPU-22222222-2222-3333-4444-555555555555"
SECOND = NodeFacts("gpu-2", "1b2c3d4e" * 4, cluster="paris-1", site="par1", zone="FR", version="0.1.0")
CONFIG = Config(
    site={"par1": Site(zone="FR", pue=1.21, pue_source="operator, 2026-Q3")},
    books=Books(entity="Example SA", retired={}),
)


def with_books(config: Config = CONFIG, **changed: Any) -> Config:
    return msgspec.structs.replace(config, books=msgspec.structs.replace(config.books, **changed))


def with_pue(pue: float) -> Config:
    return msgspec.structs.replace(CONFIG, site={"par1": Site(zone="FR", pue=pue, pue_source="operator, final")})


#: The days of the node in October: it is new, and expected from its first hour on.
FIRST, LAST = 29, 31


def fill(
    store: BookStore, month: str = MONTH, days: tuple[int, int] = (FIRST, LAST), node: NodeFacts = NODE, **how: Any
) -> None:
    """Whole days of one node, the first and the last."""
    for number in range(days[0], days[1] + 1):
        date = f"{month}-{number:02}"
        put(store, date, day(date, **how), node=node)


def make(folder: Path) -> Path:
    """The end of October of one node, without a gap."""
    fill(open_store(str(folder), create=True))
    return folder


def make_closed(lake: Path, folder: Path) -> Path:
    store = copied(lake, folder)
    review(store)
    close(store)
    return folder


def copied(lake: Path, to: Path) -> BookStore:
    shutil.copytree(lake, to)
    return open_store(str(to))


def late(store: BookStore, energy_uj: int, date: str = "2026-10-30", node: NodeFacts = SECOND) -> None:
    """A node that was off ships one hour of one day after all."""
    put(store, date, Hours().add(day_start_s(date), energy_uj, device=GPU_2), node=node)


def review(
    store: BookStore,
    who: str = "alice",
    config: Config = CONFIG,
    *,
    month: str = MONTH,
    now_s: int = NOW_S,
    waive: tuple[str, ...] = (),
) -> Review:
    waivers = parse_waivers(waive, who, CONDITIONS)
    prospect = closing.to_review(config, store, month, waivers, now_s=now_s, as_of_s=now_s)
    return closing.review(store, prospect, who, now_s=now_s)


def close(
    store: BookStore,
    who: str = "bob",
    config: Config = CONFIG,
    *,
    month: str = MONTH,
    now_s: int = NOW_S,
    waive: tuple[str, ...] = (),
) -> Manifest:
    claim = closing.unfinished(store, month, who)
    if claim is None:
        waivers = parse_waivers(waive, who, CONDITIONS)
        prospect = closing.to_close(config, store, month, who, waivers, now_s=now_s)
        claim = closing.close(store, prospect, who, now_s=now_s)
    return sealing.finish(config, store, claim)


def restate(
    store: BookStore,
    config: Config = CONFIG,
    *,
    month: str = MONTH,
    now_s: int = NOW_S + 3600,
    reason: Reason | None = None,
) -> tuple[Shadow, str]:
    found = shadow(config, store, month, as_of_s=now_s, reason=reason)
    return found, carry_out(store, found, "carol", now_s=now_s)
