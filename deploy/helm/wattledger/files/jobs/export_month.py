"""Exports a month for finance and puts the files where finance looks for them. Runs in the image of wattledger.

    export_month.py --config FILE --destination URL --format csv,xlsx [--month 2026-10] [-- flags of wattledger export]

Without --month it is the month that ended last in ``books.timezone``. Files go to <destination>/<month>/. A draft takes
the place of the draft before it; a sealed file is created once, and one that says something else is an error.
"""
# ruff: noqa: INP001 - a script, no part of a package

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from tracker.books.interface import BookStore
from tracker.books.store import open_store
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


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description="Export a month for finance.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--destination", required=True)
    parser.add_argument("--format", default="csv")
    parser.add_argument("--month", default="")
    parser.add_argument("flags", nargs="*")
    given = parser.parse_args(arguments)
    try:
        books = load(given.config, environ=os.environ).books
        month = given.month or previous_month(datetime.now(UTC), books.timezone)
        with tempfile.TemporaryDirectory(prefix="wattledger-export-") as folder:
            out = Path(folder, "out")
            command = [sys.executable, "-m", "tracker.cli", "export", "--config", str(given.config)]
            command += ["--month", month, "--format", given.format, "-o", str(out), *given.flags]
            code = subprocess.run(command, check=False).returncode  # noqa: S603 - our own command, no shell
            if code != 0:
                return code  # it has said why
            store = open_store(given.destination, Path(folder, "cache"), create=True)
            for path in sorted(out.iterdir()):
                name = f"{month}/{path.name}"
                sys.stdout.write(f"{put(store, name, path.read_bytes())}: {store.url}/{name}\n")
    except WattledgerError as error:
        sys.stderr.write(f"wattledger: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
