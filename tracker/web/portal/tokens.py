"""Bearer tokens from a file, for programs and spreadsheets that read statements.

One token a line; ``#`` begins a comment, also behind a token (whose it is). A token is at least 20 of the letters that
RFC 6750 §2.1 allows. The file is read again when it changes, so a token is withdrawn by taking its line away; a file
that became bad keeps the tokens it had, and is reported once. A file without tokens lets nobody in.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tracker.core.errors import UsageError, WattledgerError
from tracker.web.interface import OnError

#: The name under which a token is accepted as a password, for browsers, which can send nothing else.
USER = "token"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_SHORTEST = 20  # of the 64 letters: 120 bits
_CHECK_EVERY_S = 1.0
_HOW = "Make one with: openssl rand -hex 32"


def parse_tokens(text: str, name: str) -> tuple[str, ...]:
    """The tokens of the file called ``name``. Raises UsageError, which says the line and never the token."""
    tokens: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        token = line.partition("#")[0].strip()
        if not token:
            continue
        if not _TOKEN.fullmatch(token):
            raise UsageError(f"{name}:{number} holds no token: letters, digits and . _ ~ + / - only.", _HOW)
        if len(token) < _SHORTEST:
            raise UsageError(f"{name}:{number} holds a token of fewer than {_SHORTEST} letters.", _HOW)
        tokens.append(token)
    return tuple(tokens)


def token_of(header: str) -> str:
    """The token of an Authorization header: ``Bearer T``, or Basic with the user ``token`` and the password T; "" for
    anything else."""
    scheme, _, rest = header.partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip()
        case "basic":
            try:
                user, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
            except (binascii.Error, ValueError):
                return ""
            return password if user == USER else ""
        case _:
            return ""


class TokenFile:
    """Called with an Authorization header."""

    def __init__(self, path: Path, log: OnError, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises UsageError when the file cannot be read or holds no token at the start."""
        self._path, self._log, self._clock = path, log, clock
        self._lock = threading.Lock()
        self._looked_s = clock()
        self._stamp: tuple[int, int, int] | None = None
        self._digests: tuple[bytes, ...] = ()
        self._load()
        if not self._digests:
            raise UsageError(f"{path} holds no token.", f"Write one a line. {_HOW}")

    def __call__(self, header: str) -> bool:
        """Whether it carries a token of the file. Takes the same time whichever token it is, and however wrong."""
        self._reload_if_changed()
        given = _digest(token_of(header))
        matches = [hmac.compare_digest(given, digest) for digest in self._digests]
        return any(matches)

    def _reload_if_changed(self) -> None:
        now_s = self._clock()
        if now_s - self._looked_s < _CHECK_EVERY_S or not self._lock.acquire(blocking=False):
            return
        try:
            self._looked_s = now_s
            if self._look() != self._stamp:
                self._load()
        except WattledgerError as error:
            self._log("token_file", error)
        finally:
            self._lock.release()

    def _load(self) -> None:
        self._stamp = self._look()  # before the file is read: a change meanwhile is seen next time
        try:
            text = self._path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
            raise UsageError(f"{self._path} cannot be read: {reason}.", "Correct --token-file.") from error
        self._digests = tuple(_digest(token) for token in parse_tokens(text, str(self._path)))

    def _look(self) -> tuple[int, int, int] | None:
        """Modified, size, inode: the inode catches secrets that are swapped by symlink. None: it cannot be seen."""
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def _digest(token: str) -> bytes:
    """Of equal length for every token, so that a comparison says nothing about theirs."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
