"""Basic authentication against bcrypt hashes.

bcrypt is slow on purpose, so a right answer is remembered for a while under a keyed hash that says nothing about the
password. Wrong ones are computed each time, one at a time, so that guessing cannot take more than one core.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping

import bcrypt

_REMEMBERED = 100
_BCRYPT_BYTES = 72  # bcrypt reads no more of a password; newer versions of the library refuse a longer one


class BasicAuth:
    """``users``: name -> bcrypt hash. Called with the value of an Authorization header."""

    def __init__(self, users: Mapping[str, str]) -> None:
        self._users = {name.encode(): hashed.encode("ascii") for name, hashed in users.items()}
        # An unknown user is checked against the costliest hash and refused, so that it takes as long as a known one.
        self._decoy = max(self._users.values(), key=lambda hashed: hashed.split(b"$")[2])
        self._secret = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def __call__(self, header: str) -> bool:
        """Whether the header names a user with the right password. Takes as long as bcrypt the first time."""
        name, password = _credentials(header)
        if name is None:
            return False
        hashed = self._users.get(name)
        key = self._key(name, hashed or b"", password)
        if key in self._right:
            return True
        with self._one_at_a_time:
            matches = _matches(password, hashed or self._decoy)
            if hashed is None or not matches:
                return False
            self._right[key] = None
            if len(self._right) > _REMEMBERED:
                self._right.popitem(last=False)
        return True

    def _key(self, *parts: bytes) -> bytes:
        """A keyed hash over the parts, each with its length so that no two lists of parts give the same text."""
        text = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hashlib.blake2b(text, key=self._secret).digest()


def _matches(password: bytes, hashed: bytes) -> bool:
    try:
        return bcrypt.checkpw(password[:_BCRYPT_BYTES], hashed)
    except ValueError:
        return False


def _credentials(header: str) -> tuple[bytes | None, bytes]:
    """User and password of ``Basic <base64 of user:password>`` (RFC 7617); (None, b"") for anything else."""
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return None, b""
    try:
        name, colon, password = base64.b64decode(text.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None, b""
    return (name, password) if colon else (None, b"")
