"""Who may ask, and over what: the part of the server that a web.config.yml fills (see ``webconfig.py``)."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from tracker.web.http1 import Refused
from tracker.web.interface import Request

#: True for the value of a right Authorization header ("" when the client sent none). May take 0.1 s (bcrypt).
Authoriser = Callable[[str], bool]
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="wattledger", charset="UTF-8"'}


class RateLimit:
    """A token bucket: ``burst`` requests at once, then one per ``interval_s``."""

    def __init__(self, interval_s: float, burst: int) -> None:
        self._interval_s = interval_s
        self._burst = burst
        self._tokens = float(burst)
        self._since_s = 0.0
        self._lock = threading.Lock()

    def allow(self, now_s: float) -> bool:
        """Take a token, if there is one. ``now_s`` is monotonic."""
        with self._lock:
            earned = (now_s - self._since_s) / self._interval_s
            self._tokens = min(float(self._burst), self._tokens + earned)
            self._since_s = now_s
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True


@dataclass(frozen=True, slots=True)
class Security:
    """The rules for one connection. The default lets everyone in, in clear: for loopback.

    ``allowed_sans``: a client certificate must carry one of these names; empty: any certificate that verifies.
    ``headers``: the operator's own, on every response.
    """

    context: ssl.SSLContext | None = None
    allowed_sans: frozenset[str] = frozenset()
    authorise: Authoriser | None = None
    limit: RateLimit | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def check(self, request: Request, now_s: float) -> None:
        """Raises Refused (429, 401)."""
        if self.limit is not None and not self.limit.allow(now_s):
            raise Refused(HTTPStatus.TOO_MANY_REQUESTS, "Too many requests: the rate limit of this server is reached.")
        if self.authorise is not None and not self.authorise(request.headers.get("authorization", "")):
            raise Refused(HTTPStatus.UNAUTHORIZED, "User name and password are needed.", _CHALLENGE)


#: The rules now: asked once for each new connection.
Gate = Callable[[], Security]
