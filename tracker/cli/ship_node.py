"""What ``wattledger ship`` does once: from the ledger, the factor store and the configuration into the books.

A statement is weighed by what is in the books and by nothing else: what a machine without a ledger learns of the grid
(finance imports it, or fetches it) gets there by ``ship --factors``.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tracker import __version__, clock
from tracker.books.factorfiles import record_factors
from tracker.books.interface import BookStore
from tracker.books.shelf import DAY_S
from tracker.books.shipping import Hours, Shipped, ship
from tracker.books.sites import SiteFacts, record_site
from tracker.books.store import folder_of, open_store
from tracker.config import Config
from tracker.config.pue import statements
from tracker.config.schema import Site
from tracker.core.errors import WattledgerError
from tracker.core.hours import NodeFacts
from tracker.core.known import FactorRecord
from tracker.core.units import NS_PER_S
from tracker.grid.bundle import encode_bundle
from tracker.grid.store_reader import FactorReader
from tracker.grid_wiring import node_zone, store_path
from tracker.ledger.files import LEDGER_FILE
from tracker.ledger.hours import Head, days_of, head_of, hours_of

#: Days that are compared with the ledger though nothing of them is missing.
_CHECKED_S = 2 * DAY_S
#: How far the daemon's runs look back for what is missing; its first run after a start looks at everything.
_DUE_DAYS = 4
#: The daemon ships factors this often: in a fleet every file counts.
_FACTORS_S = DAY_S
#: Factor records in one bundle, some ten megabytes.
_RECORDS = 10_000
_EVER_S = 2**62
_STATE_FILE = "shipped-factors.json"
_LOCK_FILE = ".ship.lock"

Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """``check``: compare everything. ``due``: only what is new in the last days. ``factors``: nothing but what this
    machine knows of the grid; it needs no ledger."""

    check: bool = False
    due: bool = False
    factors: bool = False


def ship_node(config: Config, url: str | None, wanted: Wanted, tell: Tell) -> tuple[Shipped, str]:
    """What was done, and where the books are. Raises WattledgerError: nothing is half written then."""
    if wanted.factors:
        return _ship_factors(config, url)
    ledger = config.node.state_dir / LEDGER_FILE
    head = head_of(ledger)
    store = books_to_fill(config, url)
    with _alone(config.node.state_dir):
        node = _node(config, head)
        now_s = clock.now().wall_ns // NS_PER_S
        factors = _record_factors(config, store, now_s, due=wanted.due)
        site = record_site(store, _site(config, node, now_s))
        done = _ship_hours(ledger, head, store, node, wanted, tell)
    done.created[:0] = [*factors.created, *([site] if site else [])]
    done.factors = factors.factors
    if head.closed_s > now_s + DAY_S:
        done.notes.append(
            f"The ledger reaches {(head.closed_s - now_s) // DAY_S} days into the future: a clock was wrong. Its hours "
            "are shipped as they are."
        )
    return done, store.url


def _ship_factors(config: Config, url: str | None) -> tuple[Shipped, str]:
    """What this machine knows of the grid, into books that are there: whose address is mistyped would believe that its
    factors are in. Raises WattledgerError if that is nothing, BooksRefused where there are no books."""
    path = store_path(config)
    if not FactorReader(path).zones():
        raise WattledgerError(
            f"This machine knows no grid factors: {path} has none.",
            "Read some first: wattledger grid import FILE, or wattledger grid fetch ZONE --from T --to T",
        )
    store = books_of(config, url)
    with _alone(config.node.state_dir):
        return _record_factors(config, store, clock.now().wall_ns // NS_PER_S, due=False), store.url


def books_of(config: Config, url: str | None) -> BookStore:
    """The books at this address, or at books.url, or the node's own folder: to read, so that an address that is
    mistyped has no empty books. Raises BooksRefused, BooksUnavailable."""
    return open_store(_address(config, url), config.books.cache)


def books_to_fill(config: Config, url: str | None) -> BookStore:
    """The same, to ship into. A folder is made if the one above it is there."""
    address = _address(config, url)
    folder = folder_of(address)
    return open_store(address, config.books.cache, create=folder is not None and folder.parent.is_dir())


def _address(config: Config, url: str | None) -> str:
    return url or config.books.url or str(config.node.state_dir / "books")


def _ship_hours(ledger: Path, head: Head, store: BookStore, node: NodeFacts, wanted: Wanted, tell: Tell) -> Shipped:
    if head.first_s is None:
        return Shipped()
    start_s = head.first_s // DAY_S * DAY_S
    if wanted.due:
        start_s = max(start_s, (head.closed_s // DAY_S - _DUE_DAYS) * DAY_S)
    check_from_s = 0 if wanted.check else _EVER_S if wanted.due else head.closed_s - _CHECKED_S

    def read(start_s: int, end_s: int) -> Hours:
        hours = hours_of(ledger, head.identity, start_s, end_s)
        return hours.entries, hours.states, hours.emissions

    days = days_of(ledger, start_s, head.closed_s)
    return ship(store, node, days, head.closed_s, read, check_from_s=check_from_s, tell=tell)


def _node(config: Config, head: Head) -> NodeFacts:
    zone = "" if config.here.zone is None else node_zone(config).code
    return NodeFacts(
        config.node.hostname, head.identity, config.node.cluster, config.node.site, zone, version=__version__
    )


def _site(config: Config, node: NodeFacts, now_s: int) -> SiteFacts:
    return msgspec.structs.replace(
        said_of(config.here),
        site=node.site,
        zone=node.zone,
        hostname=node.hostname,
        ledger=node.ledger,
        recorded_at_s=now_s,
    )


def said_of(site: Site) -> SiteFacts:
    """What a configuration says of a site, with the defaults for what it does not say; its name and zone are not in
    it."""
    told = {name: getattr(site, name) for name in ("timezone", "control", "operational_control", "colo_overhead")}
    return SiteFacts(pue=statements(site), **{name: value for name, value in told.items() if value is not None})


def _record_factors(config: Config, store: BookStore, now_s: int, *, due: bool) -> Shipped:
    """Records that this node has learnt since it last shipped some, by their number. A state that is lost costs
    nothing but a file that says again what the books know."""
    path = config.node.state_dir / _STATE_FILE
    state = _read_state(path)
    number, at_s = state.get(store.url, (0, 0))
    if due and now_s - at_s < _FACTORS_S:
        return Shipped()
    with FactorReader(store_path(config)) as reader:
        known = reader.records(reader.zones(), 0, _EVER_S)
    fresh = sorted((each for each in known if each.number > number), key=lambda each: each.number)
    done = Shipped()
    for some in _in_parts(fresh):
        name = record_factors(store, encode_bundle(some))
        if name is not None:
            done.created.append(name)
            done.factors += len(some)
    last = fresh[-1].number if fresh else number
    with suppress(OSError):
        _write_state(path, {**state, store.url: (last, now_s)})
    return done


def _in_parts(records: list[FactorRecord]) -> Iterator[list[FactorRecord]]:
    for start in range(0, len(records), _RECORDS):
        yield records[start : start + _RECORDS]


def _read_state(path: Path) -> dict[str, tuple[int, int]]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[int, int]])
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return {}


def _write_state(path: Path, state: dict[str, tuple[int, int]]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_bytes(msgspec.json.encode(state))
    part.replace(path)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two runs at once would ship the same hours in different pieces. Where the folder may not be written (somebody
    else's ledger), there is no lock; the books refuse what contradicts."""
    try:
        lock = (folder / _LOCK_FILE).open("ab")
    except OSError:
        yield
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WattledgerError("Another wattledger ship of this ledger is running.", "Wait for its end.") from error
        yield
