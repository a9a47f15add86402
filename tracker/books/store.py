"""The store of the books: a folder (``folder.py``), or a bucket of S3, Google Cloud Storage or Azure through obstore.

Writing into a bucket is create-only (``If-None-Match: *``), so that of two writers one wins; an upload that breaks off
leaves no object. Credentials come from where the clouds' own tools take them: environment variables
(``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, …), instance metadata, a web-identity file.
"""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tracker.books.causes import cause_of, first_line
from tracker.books.folder import FolderStore
from tracker.books.interface import BooksRefused, BookStore, BooksUnavailable

SCHEMES = ("file", "s3", "gs", "az", "azure", "abfs", "abfss", "https")
_DOWNLOADS = 16
#: Enough for a few refused connections and a service that asks for patience; then somebody wants to know.
_CONNECT = timedelta(seconds=5)
#: A whole request: a day of a million workloads over a slow line.
_TIMEOUT = timedelta(seconds=120)
_RETRY_FOR = timedelta(seconds=60)
_MAX_RETRIES = 5
#: The client makes one for each CPU by itself: 224 of them run into TasksMax= of a unit, and then no name is looked up.
_CLIENT_THREADS = "2"
#: Where a store is tried out; nobody lists it.
_PROBE = "probes/"


def open_store(url: str, cache: Path | None = None, *, create: bool = False) -> BookStore:
    """The books at a folder's path or at a URL. ``cache``: where copies of a bucket's files are kept, by default in the
    user's cache folder. ``create``: a folder that is not there is made. Raises BooksRefused, BooksUnavailable."""
    scheme, folder = urlsplit(url).scheme if "://" in url else "file", folder_of(url)
    if not url.strip() or scheme not in SCHEMES:
        raise BooksRefused(
            f"{url!r} is no address of books.", "Name a folder, or s3://bucket/prefix, gs://… or az://… (books.url)."
        )
    if folder is not None:
        return FolderStore(folder, create=create)
    return ObjectStore(url, cache or _default_cache(url))


def folder_of(url: str) -> Path | None:
    """The folder that an address names; None: it names a bucket, or nothing."""
    if url.startswith("file://"):
        return Path(unquote(urlsplit(url).path)).absolute()
    return Path(url).absolute() if url.strip() and "://" not in url else None


def _default_cache(url: str) -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "wattledger" / hashlib.sha256(url.encode()).hexdigest()[:16]


def require_create_only(store: BookStore) -> None:
    """Before something is sealed: make sure that the store refuses a name that is taken. Old S3-compatible servers pass
    over ``If-None-Match`` and write again. Raises BooksRefused, BooksUnavailable."""
    name = f"{_PROBE}{uuid.uuid4().hex}"
    try:
        store.create(name, b"one")
        refused = not store.create(name, b"two")
    finally:
        with suppress(BooksUnavailable):  # who seals need not have the right to remove
            store.remove(name)
    if not refused:
        raise BooksRefused(
            f"The store at {store.url} writes over files that are there: nothing can be sealed in it.",
            "Use one that knows If-None-Match (S3 since 2024, MinIO, Ceph, R2), or a folder.",
        )


class ObjectStore(BookStore):
    """A bucket, or a prefix of one."""

    def __init__(self, url: str, cache: Path) -> None:
        os.environ.setdefault("TOKIO_WORKER_THREADS", _CLIENT_THREADS)  # read when the first request is made
        from obstore.store import from_url  # noqa: PLC0415 - 16 MB that only commands of the books need

        self.url = url
        self._cache = cache
        try:
            self._store = from_url(
                url,
                client_options={"timeout": _TIMEOUT, "connect_timeout": _CONNECT, "allow_http": _http_endpoint()},
                retry_config={"max_retries": _MAX_RETRIES, "retry_timeout": _RETRY_FOR},
            )
        except Exception as error:
            raise BooksRefused(f"The books at {url} cannot be opened: {first_line(error)}.", "Check books.url.") from (
                error
            )

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        import obstore  # noqa: PLC0415 - as above

        try:
            found = [
                (str(meta["path"]), int(meta["size"]))
                for chunk in obstore.list(self._store, prefix or None)
                for meta in chunk
            ]
        except Exception as error:
            raise self._unavailable("listed", prefix, error) from error
        yield from sorted(found)

    def read(self, name: str) -> bytes | None:
        import obstore  # noqa: PLC0415 - as above

        try:
            return obstore.get(self._store, name).bytes().to_bytes()
        except FileNotFoundError as error:
            if cause_of(error) is not None:  # it is the bucket that is not there
                raise self._unavailable("read", name, error) from error
            return None
        except Exception as error:
            raise self._unavailable("read", name, error) from error

    def create(self, name: str, content: bytes) -> bool:
        import obstore  # noqa: PLC0415 - as above
        from obstore.exceptions import AlreadyExistsError  # noqa: PLC0415 - as above

        try:
            obstore.put(self._store, name, content, mode="create")
        except AlreadyExistsError:
            return False
        except Exception as error:
            raise self._unavailable("written", name, error) from error
        return True

    def remove(self, name: str) -> None:
        import obstore  # noqa: PLC0415 - as above

        try:
            obstore.delete(self._store, name)
        except FileNotFoundError:
            return
        except Exception as error:
            raise self._unavailable("removed", name, error) from error

    def replace(self, name: str, content: bytes) -> None:
        import obstore  # noqa: PLC0415 - as above

        try:
            obstore.put(self._store, name, content)
        except Exception as error:
            raise self._unavailable("written", name, error) from error

    def local(self, names: Sequence[str]) -> list[Path]:
        paths = [self._cache / name for name in names]
        missing = [(name, path) for name, path in zip(names, paths, strict=True) if not path.exists()]
        with ThreadPoolExecutor(_DOWNLOADS) as pool:
            for _ in pool.map(lambda each: self._download(*each), missing):
                pass
        return paths

    def _download(self, name: str, path: Path) -> None:
        """Files of books never change under their name, so that a copy is good for ever."""
        content = self.read(name)
        if content is None:
            raise BooksUnavailable(f"{name} vanished from {self.url} while it was read.", "Try again.")
        part = path.with_name(f".{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(content)
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise BooksUnavailable(
                f"The cache {self._cache} cannot be written: {error.strerror}.",
                "Free space there, or name another folder in books.cache.",
            ) from error

    def _unavailable(self, what: str, name: str, error: Exception) -> BooksUnavailable:
        cause, remedy = cause_of(error) or (first_line(error), "Check the address and the credentials, and try again.")
        return BooksUnavailable(f"{name or 'The books'} cannot be {what} at {self.url}: {cause}.", remedy)


def _http_endpoint() -> bool:
    """An S3 server without TLS, on loopback or in a private network, that the operator named."""
    return any(
        os.environ.get(name, "").startswith("http://")
        for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AZURE_STORAGE_ENDPOINT")
    )
