"""Exports months for finance and puts the files where finance looks for them. Runs in the image of wattledger.

    export_month.py --config FILE --destination URL --format csv,xlsx [--month 2026-10] [-- flags of wattledger export]

Without --month it is the month that ended last in ``books.timezone``, and every closed version of any month that is not
at the destination yet: months are closed late and restated. Files go to <destination>/<month>/. A draft, which alone
the flags are for, takes the place of the draft before it and goes when its month is closed; a sealed file is created
once, and one that says something else is an error.
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
from tracker.books.versions import months, versions
from tracker.config import load
from tracker.core.errors import WattledgerError


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
    store.remove(name)
    store.create(name, content)
    return "replaced"


def export(given: argparse.Namespace, month: str, store: BookStore, flags: Sequence[str]) -> int:
    """Export one view of a month and put its files. The exit code of the export, which has said why."""
    with tempfile.TemporaryDirectory(prefix="wattledger-export-") as folder:
        command = [sys.executable, "-m", "tracker.cli", "export", "--config", str(given.config)]
        command += ["--month", month, "--format", given.format, "-o", folder, *flags]
        code = subprocess.run(command, check=False).returncode  # noqa: S603 - our own command, no shell
        for path in sorted(Path(folder).iterdir()) if code == 0 else ():
            name = f"{month}/{path.name}"
            say(put(store, name, path.read_bytes()), store, name)
    return code


def say(what: str, store: BookStore, name: str) -> None:
    sys.stdout.write(f"{what}: {store.url}/{name}\n")
    sys.stdout.flush()


def deliver(given: argparse.Namespace, month: str, books: BookStore, store: BookStore, *, wanted: bool) -> int:
    """Bring one month up to date. ``wanted``: also look at what is there already, and make a draft while it is open."""
    sealed = [version.number for version in versions(books, month) if version.manifest]
    if not sealed:
        return export(given, month, store, given.flags) if wanted else 0
    there = [name for name, _ in store.names(f"{month}/")]
    code = 0
    for number in sealed:
        files = [name for name in there if name.startswith(f"{month}/wattledger-{month}-v{number}.")]
        if len(files) < len(given.format.split(",")) or (wanted and number == sealed[-1]):
            code = export(given, month, store, ["--version", str(number)]) or code
    for name in there if code == 0 else ():
        if name.startswith(f"{month}/wattledger-{month}-draft."):  # who reads the folder would count the month twice
            store.remove(name)
            say("removed", store, name)
    return code


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
