"""Reading a SQLite file that another process writes: never creates a file, never blocks the writer.

A plain ``mode=ro`` connection to a WAL database whose log is gone (all writers ended in good order) would create
``-wal`` and ``-shm``, owned by whoever looked, and a writer of another user could not open its file any more. So
without a log the file is opened as immutable (https://www.sqlite.org/uri.html#uriimmutable), and afterwards it is
checked that nobody wrote meanwhile; if somebody did, the question is asked again, after a pause: a writer that creates
or migrates its file opens and closes it several times within a few milliseconds. For the ledger and for the store of
factors, which know nothing of one another.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

Answer = TypeVar("Answer")
#: In all about a second: setting up a file takes a tenth of that on a slow disk.
_PAUSES_S = (0.0, 0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4)
_BUSY_TIMEOUT_S = 1.0


class KeptChangingError(Exception):
    """Somebody wrote during every attempt."""


def ask(path: Path, question: Callable[[sqlite3.Connection], Answer]) -> Answer:
    """Ask within one read transaction: everything the question sees is of one instant.

    Raises sqlite3.Error or ValueError, the question's own, when nobody wrote meanwhile, and KeptChangingError; what
    else the question raises passes through at once.
    """
    for pause_s in _PAUSES_S:
        time.sleep(pause_s)
        at_rest = _state_at_rest(path)
        try:
            answer = _ask_once(path, question, immutable=at_rest is not None)
        except (sqlite3.Error, ValueError):
            if at_rest == _state_at_rest(path):
                raise
            continue
        if at_rest is None or at_rest == _state_at_rest(path):
            return answer
    raise KeptChangingError


def _ask_once(path: Path, question: Callable[[sqlite3.Connection], Answer], *, immutable: bool) -> Answer:
    uri = f"file:{quote(str(path.absolute()))}?mode=ro" + ("&immutable=1" if immutable else "")
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_TIMEOUT_S, isolation_level=None)
    try:
        connection.execute("BEGIN")
        return question(connection)
    finally:
        connection.close()


def _state_at_rest(path: Path) -> tuple[int, int, int] | None:
    """What would differ if a writer had come by; None while there is a write-ahead log."""
    if path.with_name(path.name + "-wal").exists():
        return None
    try:
        stat = path.stat()
    except OSError:
        return (0, 0, 0)
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns)
