"""Drafts of open months: composed by a child process, and kept while the books stay as they are.

The key of a draft is what the books list for its month; time passes too (a month that goes on is expected to have more
hours every hour), so that no draft is older than ``TTL_S``. All formats of a draft are of one statement.
"""

from __future__ import annotations

import hashlib
import itertools
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tracker.core.errors import WattledgerError
from tracker.finance.portal_figures import Read, read_figures
from tracker.finance.portal_kept import Kept
from tracker.web.portal.interface import Busy

LOOK_S = 30.0  # how long a draft is given out without looking whether the books changed
TTL_S = 900.0
WAIT_S = 60.0  # how long a client waits for a draft
#: So many wait at most, of the server's sixteen connections; the others are told to come again.
MOST_WAITING = 6
#: Drafts of so many months are kept on the disk.
MOST_KEPT = 14
_SENTENCE = "The draft of {month} is being put together."
_RETRY_S = 15


@dataclass(frozen=True, slots=True)
class DraftFile:
    path: Path
    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Draft:
    """``files`` by format. ``key``: what the books listed."""

    key: str
    made_s: float  # monotonic
    folder: Path
    files: Mapping[str, DraftFile]
    read: Read


class Drafts:
    """``compose(month, folder)`` writes a file for each format, named like it, one of them ``json``. ``key_of(month)``
    names what the books hold for it. Both raise WattledgerError. ``folder`` is ours alone."""

    def __init__(
        self,
        folder: Path,
        compose: Callable[[str, Path], None],
        key_of: Callable[[str], str],
        mono_s: Callable[[], float],
        wait_s: float = WAIT_S,
    ) -> None:
        self._folder, self._compose, self._key_of, self._mono_s = folder, compose, key_of, mono_s
        self._wait_s = wait_s
        self._lock = threading.Lock()
        self._kept: dict[str, Kept[Draft]] = {}  # the one that was asked for last stands last
        self._known: dict[str, Draft] = {}
        self._numbers = itertools.count()
        self._waiting = threading.Semaphore(MOST_WAITING)

    def get(self, month: str) -> Draft:
        """A draft that says what the books say. Raises Busy, or what composing it raised."""
        kept = self._of(month)
        draft = kept.fresh()
        if draft is not None:
            return draft
        if not self._waiting.acquire(blocking=False):
            raise Busy("Too many wait for drafts already.", "Ask again in a moment.", retry_after_s=_RETRY_S)
        try:
            return kept.get(self._wait_s)
        finally:
            self._waiting.release()

    def peek(self, month: str) -> Draft:
        """What is known by now; it is made anew meanwhile where that is due. Raises as ``get``, and never waits."""
        return self._of(month).get(0, stale=True)

    def _of(self, month: str) -> Kept[Draft]:
        with self._lock:
            kept = self._kept.pop(month, None) or self._new(month)
            self._kept[month] = kept
            idle = [name for name, each in self._kept.items() if not each.making and name != month]
            for name in idle[: max(0, len(self._kept) - MOST_KEPT)]:
                del self._kept[name]
                self._forget(self._known.pop(name, None))
            return kept

    def _new(self, month: str) -> Kept[Draft]:
        sentence = _SENTENCE.format(month=month)
        return Kept(
            lambda: self._make(month), keep_s=LOOK_S, mono_s=self._mono_s, sentence=sentence, retry_after_s=_RETRY_S
        )

    def _make(self, month: str) -> Draft:
        before, now_s, key = self._known.get(month), self._mono_s(), self._key_of(month)
        if before is not None and before.key == key and now_s - before.made_s < TTL_S:
            return before
        folder = self._folder / f"{month}-{next(self._numbers)}"
        try:
            folder.mkdir(parents=True)
            self._compose(month, folder)
            files = {path.name: _described(path) for path in sorted(folder.iterdir())}
            read = read_figures(files["json"].path.read_bytes(), f"the draft of {month}")
        except OSError as error:
            self._remove(folder)
            sentence = f"The draft of {month} cannot be kept in {self._folder}: {error.strerror}."
            raise WattledgerError(sentence, "Free space there, or name another folder in TMPDIR.") from error
        except BaseException:
            self._remove(folder)
            raise
        draft = Draft(key=key, made_s=now_s, folder=folder, files=files, read=read)
        with self._lock:
            self._known[month] = draft
        self._forget(before)
        return draft

    def _forget(self, draft: Draft | None) -> None:
        if draft is not None:
            self._remove(draft.folder)

    def _remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)


def _described(path: Path) -> DraftFile:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return DraftFile(path, sha256, path.stat().st_size)
