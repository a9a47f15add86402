"""Which settings and log fields hold a secret, told by their name."""

from __future__ import annotations

import re

MASK = "********"

_SECRET = re.compile(r"(token|password|secret|api_key)$", re.IGNORECASE)
#: The user part of an address: https://user:password@host
_USERINFO = re.compile(r"(?<=://)[^/@\s]+(?=@)")


#: The query of an address, and a fragment: https://host/path?key=…
_QUERY = re.compile(r"(://[^\s?#]*[?#])\S+")


def is_secret(key: str) -> bool:
    """Whether what has this name is a secret itself. A ``token_file`` is not: it holds a path."""
    return _SECRET.search(key) is not None


def without_userinfo(text: str) -> str:
    """Text with the user and password of every address in it masked."""
    return _USERINFO.sub(MASK, text) if "://" in text else text


def without_query(text: str) -> str:
    """Text with the query of every address in it masked: it may hold a key."""
    return _QUERY.sub(rf"\1{MASK}", text) if "://" in text else text
