"""Opens a table of intensities: a file, or what an address answers with."""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from tracker.core.errors import UsageError
from tracker.grid.clients import key
from tracker.grid.interface import Ask, BadAnswer, Denied, NoData, Question, Unreachable

_URL = re.compile(r"(https?://[^/@?#\s]+(?:/[^@?#\s]*)?)(?:\?([^#\s]*))?")
_MIB = 1 << 20


class Place(Protocol):
    """Where a table is: one of ``path`` and ``url``."""

    @property
    def path(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def token_file(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Source:
    """A table that is open, at its start. ``name`` is for errors, ``endpoint`` goes into rows; neither holds a
    secret."""

    name: str
    endpoint: str
    raw: BinaryIO
    sha256: str
    fetched_at_s: int


def check_url(url: str) -> None:
    """Raises UsageError for an address that is none, or that has a password in it."""
    if not _URL.fullmatch(url):
        raise UsageError(
            "The url of the file provider is no plain http or https address.",
            'Write url = "https://host/path"; a password or token belongs into token_file.',
        )


@contextmanager
def opened(place: Place, max_bytes: int, ask: Ask, now_s: int) -> Iterator[Source]:
    """Raises ProviderError."""
    if place.url:
        from tracker.grid.redact import discreet  # noqa: PLC0415 - only where something is asked

        source, body, secrets = _answered(place, ask)
        with discreet(source.name, body, secrets):
            yield source
        return
    try:
        with _regular(place.path) as raw:
            yield _from_file(place.path, raw, max_bytes, now_s)
    except OSError as error:
        raise Unreachable(f"{place.path} cannot be read: {error.strerror}.", "Check path in [grid.file].") from error


def _regular(path: str) -> io.BufferedReader:
    """A pipe or a device has no end, and no checksum."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise BadAnswer(f"{path} is no regular file.", "Check path in [grid.file].")
    return os.fdopen(fd, "rb")


def _from_file(path: str, raw: io.BufferedReader, max_bytes: int, now_s: int) -> Source:
    import hashlib  # noqa: PLC0415 - it loads OpenSSL, which the daemon does without

    size = os.fstat(raw.fileno()).st_size
    if size > max_bytes:
        raise BadAnswer(f"{path} has {size // _MIB} MiB; at most {max_bytes // _MIB} are read.", "Cut it into years.")
    digest = hashlib.file_digest(raw, "sha256").hexdigest()
    raw.seek(0)
    return Source(path, path, raw, digest, now_s)


def _answered(place: Place, ask: Ask) -> tuple[Source, bytes, list[str]]:
    """The table, what it was read from, and what nobody may be told of the question."""
    from urllib.parse import parse_qsl  # noqa: PLC0415 - only where something is asked

    found = _URL.fullmatch(place.url)
    if found is None:
        raise BadAnswer("The url of the file provider is no plain http or https address.", "Check url in [grid.file].")
    has_token = place.token or place.token_file
    token = key("file", place.token, place.token_file, "token") if has_token else ""
    query = dict(parse_qsl(found[2] or "", keep_blank_values=True))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = ask(Question(url=found[1], headers=headers, secret_query=query))
    if answer.status in {401, 403}:
        raise Denied(f"{found[1]} refuses the token ({answer.status}).", "Check token_file in [grid.file].")
    if answer.status in {404, 410}:
        raise NoData(f"There is nothing at {found[1]} ({answer.status}).", "Check url in [grid.file].")
    if not 200 <= answer.status <= 299:  # noqa: PLR2004 - RFC 9110, 15.3: a success
        raise BadAnswer(f"{found[1]} did not answer with a table ({answer.status}).", "Check url in [grid.file].")
    source = Source(found[1], found[1], io.BytesIO(answer.body), answer.sha256, answer.fetched_at_s)
    return source, answer.body, [token, *query.values()]
