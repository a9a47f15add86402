"""Exports months for finance and puts the files where finance looks for them. Runs in the image of wattledger.

    export_month.py --config FILE --destination URL --format csv,xlsx [--month 2026-10] [-- flags of wattledger export]

Without --month it is the month that ended last in ``books.timezone``, and every month that is closed and was not
delivered yet: months are closed late and restated. Files go to <destination>/<month>/: a draft, which alone the flags
are for, and once the month is closed the sealed files of the version that is valid. They take the place of the draft;
those of a version that they supersede go to <destination>/superseded/<month>/. A sealed file is created once, and one
that says something else is an error. What was delivered is remembered in <destination>/.delivered/, so that files may
be taken away; with --month they come again.
"""
# ruff: noqa: INP001 - a script, no part of a package

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tracker.books.interface import BookStore
from tracker.books.store import open_store
from tracker.books.versions import latest_closed, months, versions
from tracker.config import load
from tracker.core.errors import WattledgerError

#: An empty inbox is no new one: what was delivered, beside the months, where nobody loads files.
DELIVERED = ".delivered"


def previous_month(now: datetime, timezone: str) -> str:
    """The last one that is over at this place: "2026-10"."""
    first = now.astimezone(ZoneInfo(timezone)).date().replace(day=1)
    return (first - timedelta(days=1)).strftime("%Y-%m")


def put(store: BookStore, name: str, content: bytes) -> str:
    """What was done with the file. Raises WattledgerError."""
    if store.create(name, content):
        return "written"
    if store.read(name) == content:
        return "unchanged"
    if "-draft." not in name:
        raise WattledgerError(
            f"{name} is in {store.url} and says something else.",
            "A sealed statement is never replaced: find out which is right with wattledger verify.",
        )
    store.replace(name, content)
    return "replaced"


def export(given: argparse.Namespace, month: str, store: BookStore, formats: str, flags: Sequence[str]) -> int:
    """Export one view of a month and put its files. The exit code of the export, which has said why."""
    with tempfile.TemporaryDirectory(prefix="wattledger-export-") as folder:
        command = [sys.executable, "-m", "tracker.cli", "export", "--config", str(given.config)]
        command += ["--month", month, "--format", formats, "-o", folder, *flags]
        code = subprocess.run(command, check=False).returncode  # noqa: S603 - our own command, no shell
        for path in sorted(Path(folder).iterdir()) if code == 0 else ():
            name = f"{month}/{path.name}"
            say(put(store, name, path.read_bytes()), store, name)
    return code


def say(what: str, store: BookStore, name: str) -> None:
    sys.stdout.write(f"{what}: {store.url}/{name}\n")
    sys.stdout.flush()


def deliver(given: argparse.Namespace, month: str, books: BookStore, store: BookStore, *, wanted: bool) -> int:
    """Bring one month up to date. ``wanted``: make a draft while it is open."""
    valid = latest_closed(versions(books, month))
    if valid is None:
        return export(given, month, store, given.format, given.flags) if wanted else 0
    marks = {kind: f"{DELIVERED}/{month}/v{valid.number}.{kind}" for kind in given.format.split(",")}
    known = set() if given.month else {name for name, _ in store.names(f"{DELIVERED}/{month}/")}
    due = [kind for kind, mark in marks.items() if mark not in known]
    code = export(given, month, store, ",".join(due), ["--version", str(valid.number)]) if due else 0
    if code == 0:
        for kind in due:
            store.create(marks[kind], b"delivered\n")
        put_away(month, valid.number, store)
    return code


def put_away(month: str, valid: int, store: BookStore) -> None:
    """Whoever loads all that is in the folder of the month counts it once: what is no longer valid leaves it."""
    for name in [name for name, _ in store.names(f"{month}/")]:
        state = name.removeprefix(f"{month}/wattledger-{month}-").partition(".")[0]
        if state == "draft":
            store.remove(name)
            say("removed", store, name)
        elif state in {f"v{number}" for number in range(1, valid)}:
            put(store, f"superseded/{name}", store.read(name) or b"")
            store.remove(name)
            say("superseded", store, f"superseded/{name}")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Export months for finance.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--destination", required=True)
    parser.add_argument("--format", default="csv")
    parser.add_argument("--month", default="")
    parser.add_argument("flags", nargs="*")
    given = parser.parse_args(arguments)
    code = 0
    try:
        config = load(given.config, environ=os.environ).books
        books, store = open_store(config.url, config.cache), open_store(given.destination, create=True)
        last = given.month or previous_month(datetime.now(UTC), config.timezone)
        for month in sorted({last, *(() if given.month else months(books))}):
            try:
                code = deliver(given, month, books, store, wanted=month == last) or code
            except WattledgerError as error:  # of this month; the others come all the same
                sys.stderr.write(f"wattledger: {month}: {error}\n")
                code = 1
    except WattledgerError as error:
        sys.stderr.write(f"wattledger: {error}\n")
        return 1
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
