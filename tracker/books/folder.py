"""Books in a folder: a file of its own for each name, there with all of its content or not at all.

A file is written under another name, forced to the disk, and only then linked to its own name (link(2) refuses a name
that is taken), so that of two writers one wins, a killed one leaves nothing under a final name, and neither does a
machine that loses its power.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tracker.books.interface import BooksRefused, BookStore, BooksUnavailable

#: Where files are written before they get their name. Names that begin with a dot are no names of books.
STAGING = ".staging"
#: What lies there for longer was left by a process that was killed.
_ABANDONED_S = 86_400
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REMOVED = "be removed"
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}


class FolderStore(BookStore):
    """``root``: absolute. Raises BooksUnavailable if it is not there and ``create`` does not allow to make it, or if it
    cannot be made; BooksRefused if it is a file."""

    def __init__(self, root: Path, *, create: bool = False) -> None:
        self.url = str(root)
        self._root = root
        if create:
            try:
                _make(root)
            except OSError as error:
                raise self._unavailable("be made", "", error) from error
        if not root.is_dir():
            kind = BooksRefused if root.exists() else BooksUnavailable  # which may be mounted later
            raise kind(f"There is no folder {root}.", "Create or mount it, or mend books.url.")

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """``prefix`` ends at a slash, or names a folder or a file."""
        try:
            found = sorted(self._walk(self._root / prefix))
        except OSError as error:
            raise self._unavailable("be listed", prefix, error) from error
        yield from found

    def _walk(self, top: Path) -> Iterator[tuple[str, int]]:
        name = "" if top == self._root else top.relative_to(self._root).as_posix()
        if top.is_file():
            yield name, top.stat().st_size
        elif not top.exists():
            self._root.stat()  # a file system that was unmounted has no empty books
        else:
            yield from _below(str(top), name and f"{name}/")

    def read(self, name: str) -> bytes | None:
        try:
            return (self._root / name).read_bytes()
        except FileNotFoundError:
            if not self._root.is_dir():  # as above
                raise BooksUnavailable(f"The folder {self._root} is gone.", "Mount it, and try again.") from None
            return None
        except OSError as error:
            raise self._unavailable("be read", name, error) from error

    def create(self, name: str, content: bytes) -> bool:
        path = self._root / name
        part = self._root / STAGING / uuid.uuid4().hex
        try:
            if path.exists():
                return False
            _make(part.parent)
            _make(path.parent)
            _write(part, content)
            _sweep(part)
            try:
                path.hardlink_to(part)
            except FileExistsError:
                return False
            finally:
                part.unlink()
            _sync_folder(path.parent)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise self._unavailable("be written", name, error) from error
        return True

    def remove(self, name: str) -> None:
        try:
            (self._root / name).unlink(missing_ok=True)
        except OSError as error:
            raise self._unavailable(_REMOVED, name, error) from error

    def replace(self, name: str, content: bytes) -> None:
        path = self._root / name
        part = self._root / STAGING / uuid.uuid4().hex
        try:
            _make(part.parent)
            _make(path.parent)
            _write(part, content)
            part.replace(path)
            _sync_folder(path.parent)
        except OSError as error:
            with suppress(OSError):
                part.unlink()
            raise self._unavailable("be written", name, error) from error

    def local(self, names: Sequence[str]) -> list[Path]:
        return [self._root / name for name in names]

    def _unavailable(self, what: str, name: str, error: OSError) -> BooksUnavailable:
        subject = f"{name} cannot {what} in {self._root}" if name else f"The folder {self._root} cannot {what}"
        if error.errno in _FULL:
            remedy = "Free space there, and run it again: nothing was half written."
        elif error.errno in _FORBIDDEN:
            verb = "delete" if what == _REMOVED else "write"
            remedy = f"Let this user {verb} there (or mount it writable), or name another folder in books.url."
        else:
            remedy = "Check the folder and what it is mounted from, and try again."
        return BooksUnavailable(f"{subject}: {error.strerror or error}.", remedy)


def _below(folder: str, name: str) -> Iterator[tuple[str, int]]:
    """In texts: a fleet's month has tens of thousands of files, and to make a Path of each takes longer than to list
    them."""
    with os.scandir(folder) as listed:
        entries = [*listed]
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _below(entry.path, f"{name}{entry.name}/")
        else:
            with suppress(FileNotFoundError):  # a piece that another process removes just now
                yield f"{name}{entry.name}", entry.stat().st_size


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sweep(part: Path) -> None:
    """Remove what killed writers left beside this new file, by the clock that dates both."""
    now_s = part.stat().st_mtime
    for path in part.parent.iterdir():
        with suppress(OSError):  # others sweep too, and rename what they have written
            if now_s - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()


def _make(folder: Path) -> None:
    """Make a folder and those above it, each of them on the disk before something is put into it."""
    if folder.is_dir():
        return
    _make(folder.parent)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    """The names in a folder are on the disk after fsync(2) of the folder, not of the file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some network file systems have no fsync for folders
            raise
    finally:
        os.close(descriptor)
