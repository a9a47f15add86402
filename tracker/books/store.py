"""The store of the books: a folder, or a bucket of S3, Google Cloud Storage or Azure, through obstore.

Writing is create-only (``If-None-Match: *`` in S3, a hard link in a folder), so that of two writers one wins and a
killed one leaves nothing under a final name. Credentials come from where the clouds' own tools take them: environment
variables (``AWS_ACCESS_KEY_ID``, ``AWS_ENDPOINT_URL``, …), instance metadata, a web-identity file.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from tracker.books.interface import BooksRefused, BookStore, BooksUnavailable

SCHEMES = ("file", "s3", "gs", "az", "azure", "abfs", "abfss", "https")
_DOWNLOADS = 16
_TIMEOUT = timedelta(seconds=30)
_RETRY_FOR = timedelta(seconds=60)
_MAX_RETRIES = 5


def open_store(url: str, cache: Path | None = None, *, create: bool = False) -> BookStore:
    """The books at a folder's path or at a URL. ``cache``: where copies of a bucket's files are kept, by default in the
    user's cache folder. ``create``: a folder that is not there is made. Raises BooksRefused, BooksUnavailable."""
    scheme = urlsplit(url).scheme if "://" in url else "file"
    if not url.strip() or scheme not in SCHEMES:
        raise BooksRefused(
            f"{url!r} is no address of books.", "Name a folder, or s3://bucket/prefix, gs://… or az://… (books.url)."
        )
    if scheme == "file":
        return ObjectStore(_folder(url), create=create)
    return ObjectStore(url, cache or _default_cache(url))


def _folder(url: str) -> str:
    path = Path(unquote(urlsplit(url).path)) if url.startswith("file://") else Path(url)
    return f"file://{quote(str(path.absolute()))}"


def _default_cache(url: str) -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "wattledger" / hashlib.sha256(url.encode()).hexdigest()[:16]


class ObjectStore(BookStore):
    """Any store that obstore opens."""

    def __init__(self, url: str, cache: Path | None = None, *, create: bool = False) -> None:
        from obstore.store import from_url  # noqa: PLC0415 - 16 MB that only commands of the books need

        self.url = url
        self._cache = cache
        self._root = Path(unquote(urlsplit(url).path)) if url.startswith("file://") else None
        if self._root is not None and not create and not self._root.is_dir():
            raise BooksRefused(f"There is no folder {self._root}.", "Create it, or mend books.url.")
        try:
            if self._root is not None:
                self._store = from_url(url, mkdir=create)
            else:
                self._store = from_url(
                    url,
                    client_options={"timeout": _TIMEOUT, "allow_http": _http_endpoint()},
                    retry_config={"max_retries": _MAX_RETRIES, "retry_timeout": _RETRY_FOR},
                )
        except Exception as error:
            raise BooksRefused(f"The books at {url} cannot be opened: {_why(error)}.", "Check books.url.") from error

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        import obstore  # noqa: PLC0415 - as above

        try:
            found = [
                (str(meta["path"]), int(meta["size"]))
                for chunk in obstore.list(self._store, prefix or None)
                for meta in chunk
            ]
        except FileNotFoundError:
            found = []
        except Exception as error:
            raise self._unavailable("listed", prefix, error) from error
        yield from sorted(found)

    def read(self, name: str) -> bytes | None:
        import obstore  # noqa: PLC0415 - as above

        try:
            return obstore.get(self._store, name).bytes().to_bytes()
        except FileNotFoundError:
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

    def local(self, names: Sequence[str]) -> list[Path]:
        if self._root is not None:
            return [self._root / name for name in names]
        cache = self._cache or _default_cache(self.url)
        paths = [cache / name for name in names]
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
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as part:
            part.write(content)
        Path(part.name).replace(path)

    def _unavailable(self, what: str, name: str, error: Exception) -> BooksUnavailable:
        return BooksUnavailable(
            f"{name or 'The books'} cannot be {what} at {self.url}: {_why(error)}.",
            "Check the address, the credentials and the space left, and try again.",
        )


def _http_endpoint() -> bool:
    """An S3 server without TLS, on loopback or in a private network, that the operator named."""
    return os.environ.get("AWS_ENDPOINT_URL", os.environ.get("AWS_ENDPOINT", "")).startswith("http://")


def _why(error: Exception) -> str:
    """The first line of what obstore says; below it come dumps of its own state."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".")[:300] if lines else type(error).__name__
