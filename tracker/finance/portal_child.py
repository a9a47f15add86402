"""Composes one draft and writes it in every format: a process of its own, so that what it takes of memory is given back
at its end, whatever the query engine and the renderers keep.

A job comes as one JSON line on standard input, which then stays open: when it ends, so has the portal, and so does this
process. One JSON line on standard output says how it went. Files appear in the folder of the job.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

from tracker.books.interface import BooksUnavailable
from tracker.books.store import open_store
from tracker.config import load
from tracker.core.errors import WattledgerError
from tracker.exports.interface import Options
from tracker.registry import EXPORTS

#: The portal goes on answering while a draft is composed.
_NICE = 10


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """``books``: the address. ``flags``: of the command line, as ``config.load`` takes them."""

    config: str | None
    flags: dict[str, str]
    books: str
    month: str
    as_of_s: int
    folder: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """``kind`` of a failure: there is ``nothing`` of that month, or ``unavailable`` passes by itself."""

    kind: Literal["", "nothing", "unavailable", "failed"] = ""
    sentence: str = ""
    remedy: str = ""


def main() -> None:
    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    threading.Thread(target=_end_with_the_portal, daemon=True).start()
    with suppress(OSError):
        os.nice(_NICE)
    sys.stdout.buffer.write(msgspec.json.encode(attempt(job)) + b"\n")
    sys.stdout.flush()


def attempt(job: Job) -> Outcome:
    """Every failure that has a sentence is an outcome."""
    from tracker.finance.compose import NoData  # noqa: PLC0415 - the query engine

    try:
        write_draft(job)
    except NoData as error:
        return Outcome(kind="nothing", sentence=error.sentence, remedy=error.remedy)
    except BooksUnavailable as error:
        return Outcome(kind="unavailable", sentence=error.sentence, remedy=error.remedy)
    except WattledgerError as error:
        return Outcome(kind="failed", sentence=error.sentence, remedy=error.remedy)
    except OSError as error:
        sentence = f"The draft of {job.month} cannot be written: {error.strerror}."
        return Outcome(kind="failed", sentence=sentence, remedy="Free space in the temporary folder (TMPDIR).")
    return Outcome()


def write_draft(job: Job) -> None:
    """With what was posted for other months, and the months before. Raises WattledgerError, OSError."""
    from tracker.finance.closing import with_corrections  # noqa: PLC0415 - the query engine
    from tracker.finance.compose import compose  # noqa: PLC0415 - as above
    from tracker.finance.trend import with_trend  # noqa: PLC0415 - as above

    config = load(None if job.config is None else Path(job.config), environ=os.environ, flags=job.flags)
    store = open_store(job.books, config.books.cache)
    statement, _ = with_corrections(store, compose(config, store, job.month, as_of_s=job.as_of_s))
    statement = with_trend(config, store, statement, open_months=True)
    for name, exporter in EXPORTS.items():
        with (Path(job.folder) / name).open("wb") as out:
            exporter(Options(csv_bom=config.books.csv_bom)).render(statement, out)


def _end_with_the_portal() -> None:
    while sys.stdin.buffer.read(1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
