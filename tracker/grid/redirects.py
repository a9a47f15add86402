"""Where a redirect leads, if it may be followed: what was sent is for the place that was asked, and for no other."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urljoin, urlsplit

#: What no address holds (RFC 3986, 2), and what parsers read differently: for some "\" ends the host.
_ODD = re.compile(r"[^\x21-\x7e]|\\")
_PORTS = {"http": 80, "https": 443}


def followed(asked: str, location: str) -> str | None:
    """The address that ``location`` means in an answer from ``asked``; None: it is not at the same scheme, host and
    port, names a user, or is no address. It begins with the origin that was asked, whatever ``location`` looks like."""
    if not location or _ODD.search(location):
        return None
    try:
        here, there = urlsplit(asked), urlsplit(urljoin(asked, location))
        same = _origin(here) == _origin(there)
    except ValueError:
        return None
    if not same or "@" in there.netloc:
        return None
    return there._replace(scheme=here.scheme, netloc=here.netloc, fragment="").geturl()


def place_of(location: str) -> str:
    """Scheme and host of a redirect that is not followed, for people; without a user."""
    try:
        parts = urlsplit(_ODD.sub("", location))
    except ValueError:
        return "what is no address"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"[:80] if parts.netloc else "what is no address"


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
