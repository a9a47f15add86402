"""``wattledger verify --books``: prove that the books are whole and their closed months can be made again."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import click
import msgspec

from tracker import clock
from tracker.books.audit import LakeAudit, audit_lake
from tracker.books.finding import BooksFinding
from tracker.books.interface import BookStore
from tracker.cli import layout
from tracker.cli.beside import Theirs, compared
from tracker.cli.ship_node import books_of
from tracker.cli.show import show_findings
from tracker.config import Config
from tracker.config.pue import midnight_s, zone_of
from tracker.core.closing import checked_month
from tracker.core.errors import UsageError
from tracker.core.model import Finding, Level
from tracker.core.period import hours_of, period_of
from tracker.core.statement import Reconciled
from tracker.core.units import NS_PER_S
from tracker.finance.audit import ClosedAudit, audit_closed, is_ok

_FEW_BYTES = 1024
Tell = Callable[[int, int, str], object]


def verify_books(config: Config, url: str, month: str | None, theirs: Theirs, *, as_json: bool) -> bool:
    """Print what is found; whether all is well. ``url`` "": as configured. Raises UsageError,
    BooksUnavailable, HistoryUnavailable."""
    _check(month, theirs)
    store = books_of(config, url)
    now_s = clock.now().wall_ns // NS_PER_S
    with _progress(wanted=not as_json) as tell:
        lake = _audit_lake(config, store, month, now_s, tell)
        closed = audit_closed(config, store, month, tell=lambda done, of, what: tell(done, of, f"closed {what}"))
        lines = compared(config, store, month, theirs, as_of_s=now_s, tell=tell) if month else ()
    findings = (*lake.findings, *closed.findings)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(_document(store, lake, closed, lines)), indent=2))
    else:
        _print(store, lake, closed, lines)
    return is_ok(findings)


def _check(month: str | None, theirs: Theirs) -> None:
    if month is not None:
        checked_month(month)
    elif theirs:
        raise UsageError("A comparison is of one month.", "Say which: --month 2026-10")


def _audit_lake(config: Config, store: BookStore, month: str | None, now_s: int, tell: Tell) -> LakeAudit:
    zone = zone_of(config.books.timezone)
    retired = {hostname: midnight_s(day, zone) for hostname, day in config.books.retired.items()}
    if month is None:
        return audit_lake(store, as_of_s=now_s, retired=retired, tell=tell)
    hours = hours_of(period_of(month, config.books.timezone, zone))
    return audit_lake(store, as_of_s=now_s, start_s=hours.start, end_s=hours.stop, retired=retired, tell=tell)


def _document(store: BookStore, lake: LakeAudit, closed: ClosedAudit, lines: Sequence[Reconciled]) -> dict[str, object]:
    return {
        "books": store.url,
        "ok": is_ok((*lake.findings, *closed.findings)),
        "files": lake.files,
        "size_bytes": lake.size_bytes,
        "node_hours": lake.node_hours,
        "closed": closed.verified,
        "findings": (*lake.findings, *closed.findings),
        "reconciliation": lines,
    }


def _print(store: BookStore, lake: LakeAudit, closed: ClosedAudit, lines: Sequence[Reconciled]) -> None:
    layout.echo(f"{store.url}: {lake.files} files, {_size(lake.size_bytes)}, {lake.node_hours} node-hours")
    layout.echo(f"closed: {', '.join(closed.verified) or 'none yet'}")
    whole = Finding(Level.OK, "lake", "Every file is whole; nothing is twice.")
    empty = Finding(Level.WARN, "lake", "There are no hours to verify.", "Ship some from a node: wattledger ship")
    show_findings("Lake", _rows(lake.findings) or [whole if lake.files else empty])
    if closed.verified or closed.findings:
        fine = Finding(Level.OK, "statements", "Each was made again from its inputs, byte for byte.")
        show_findings("Closed months", _rows(closed.findings) or [fine])
    if lines:
        show_findings("Reconciliation", [_row(line) for line in lines])


def _rows(findings: Sequence[BooksFinding]) -> list[Finding]:
    return [Finding(each.level, each.check, f"{each.subject}: {each.message}", each.remedy) for each in findings]


def _row(line: Reconciled) -> Finding:
    def kwh(value: int | None) -> str:
        return "not known" if value is None else f"{value // 1000}.{value % 1000:03} kWh"

    return Finding(Level.OK, line.what, f"ours {kwh(line.ours_wh)}, theirs {kwh(line.theirs_wh)}. {line.explanation}")


def _size(size_bytes: int) -> str:
    return f"{size_bytes} bytes" if size_bytes < _FEW_BYTES else f"{size_bytes / _FEW_BYTES / _FEW_BYTES:.1f} MiB"


@contextmanager
def _progress(*, wanted: bool) -> Iterator[Tell]:
    """A bar on a terminal, which goes away at the end."""
    if not wanted or not sys.stdout.isatty():
        yield lambda _done, _all, _what: None
        return
    from rich.progress import Progress  # noqa: PLC0415 - only where there is a terminal to draw on

    with Progress(transient=True) as bar:
        task = bar.add_task("Verifying", total=None)
        yield lambda done, whole, what: bar.update(
            task, completed=done, total=max(whole, 1), description=f"Verifying {what}"
        )
