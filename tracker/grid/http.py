"""How a question is asked: ``HttpAsk`` retries what may be retried, follows no redirect to anywhere else, keeps its
deadline and says nothing secret.

It loads urllib3 (through ``transport.py``): import this file inside the function that asks, never in the daemon.
"""

from __future__ import annotations

import hashlib
import random as dice
import time
from collections.abc import Callable
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tracker.core.errors import UsageError
from tracker.grid.interface import Answer, BadAnswer, Question, Throttled, Unreachable
from tracker.grid.redact import repeats_key, without_secrets
from tracker.grid.redirects import followed, place_of
from tracker.grid.transport import Broken, Reply, Request, TooMuch, Transport, proxy_of_environment

DEADLINE_S = 60.0  # of a question, with all its attempts and waits
ATTEMPT_S = 25.0
ATTEMPTS = 4
MAX_BYTES = 8 << 20
MAX_REDIRECTS = 3
#: Waits between attempts double from the first to the second of these, and half of each is chance.
BACKOFF_S = (1.0, 16.0)
#: A service that asks for a longer wait is left alone until then instead of being waited for.
MAX_WAIT_S = 30.0
#: Nothing that a service says keeps it from being asked for longer.
MAX_RETRY_AFTER_S = 24 * 3600
_RETRIED = frozenset({429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class HttpAsk:
    """An ``Ask`` over HTTP.

    ``now_s``: UTC seconds. ``ca_file``: certificates to trust instead of the system's. ``proxy_of``: address -> proxy
    or "". Raises UsageError for a ``ca_file`` that cannot be read.

    A question raises Unreachable (nothing usable in time), Throttled, or BadAnswer (too large, not decodable, a
    redirect to another place, a good answer with the key in it). The error page of a 4xx is handed over with what was
    secret in the question cut out of it, because services repeat what they were sent; ``sha256`` is of what was
    received.
    """

    def __init__(
        self,
        version: str,
        *,
        now_s: Callable[[], int],
        ca_file: str = "",
        deadline_s: float = DEADLINE_S,
        attempt_s: float = ATTEMPT_S,
        max_bytes: int = MAX_BYTES,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        random: Callable[[], float] = dice.random,
        proxy_of: Callable[[str], str] = proxy_of_environment,
    ) -> None:
        if ca_file and not Path(ca_file).is_file():
            raise UsageError(
                f"grid.ca_file is {ca_file}, which is not there.", "Name a PEM file that this user may read."
            )
        self._user_agent = f"wattledger/{version}"
        self._transport = Transport(ca_file or None, max_bytes, proxy_of)
        self._now_s = now_s
        self._deadline_s, self._attempt_s = deadline_s, attempt_s
        self._monotonic, self._sleep, self._random = monotonic, sleep, random

    def close(self) -> None:
        """Close the connections that are kept for the next question."""
        self._transport.close()

    def __call__(self, question: Question) -> Answer:
        until = self._monotonic() + self._deadline_s
        host = urlsplit(question.url).hostname or "The address"
        for attempt in range(1, ATTEMPTS + 1):
            last = attempt == ATTEMPTS
            try:
                reply = self._reply(question, host, until)
            except Broken as broken:
                pause = self._pause(attempt, until)
                if last or broken.hopeless or pause is None:
                    raise _unreachable(host, broken.reason, attempt) from None
                self._sleep(pause)
                continue
            if reply.status not in _RETRIED:
                return self._answer(question, host, reply)
            asked_wait_s = self._retry_after_s(reply)
            pause = self._pause(attempt, until, asked_wait_s)
            if last or pause is None:
                raise _refused(host, reply.status, attempt, asked_wait_s)
            self._sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _reply(self, question: Question, host: str, until: float) -> Reply:
        """One attempt, with its redirects. Raises Broken."""
        request = self._request(question)
        for _ in range(MAX_REDIRECTS + 1):
            left_s = until - self._monotonic()
            try:
                reply = self._transport.exchange(request, min(left_s, self._attempt_s))
            except TooMuch as error:
                raise BadAnswer(f"{host} answered with {error}.", "Nothing of the answer is used.") from None
            if reply.status not in _REDIRECTS:
                return reply
            location = reply.headers.get("location", "")
            target = followed(request.url, location)
            if target is None or question.body is not None:
                raise _sent_away(host, location)
            request = Request(request.method, target, request.headers, None, request.max_bytes)
        raise BadAnswer(f"{host} answered with more than {MAX_REDIRECTS} redirects, one after the other.")

    def _request(self, question: Question) -> Request:
        query = urlencode({**question.query, **question.secret_query})
        headers = {"User-Agent": self._user_agent, "Accept-Encoding": "gzip", **question.headers}
        url = f"{question.url}?{query}" if query else question.url
        return Request("GET" if question.body is None else "POST", url, headers, question.body, question.max_bytes)

    def _answer(self, question: Question, host: str, reply: Reply) -> Answer:
        match reply.status // 100:
            case 2 if repeats_key(reply.body, question):
                raise BadAnswer(f"{host} repeats the key in its answer.", "Nothing of it is used.")
            case 2:
                body = reply.body
            case 4:
                body = without_secrets(reply.body, question)
            case _:
                raise _unreachable(host, f"it answered {reply.status}", 1)
        digest = hashlib.sha256(reply.body).hexdigest()
        return Answer(reply.status, body, digest, self._now_s(), endpoint(question))

    def _pause(self, attempt: int, until: float, asked_wait_s: int = 0) -> float | None:
        """How long to wait before the next attempt; None: there is no time for another one."""
        first, longest = BACKOFF_S
        backoff_s = min(longest, first * (1 << attempt - 1)) * (0.5 + self._random() / 2)
        pause = max(backoff_s, float(asked_wait_s))
        if asked_wait_s > MAX_WAIT_S or self._monotonic() + pause >= until:
            return None
        return pause

    def _retry_after_s(self, reply: Reply) -> int:
        """Retry-After is seconds or a date (RFC 9110, 10.2.3). 0: not said, or nothing that means anything."""
        said = reply.headers.get("retry-after", "").strip()
        if said.isascii() and said.isdecimal():
            wait_s = int(said[:12])
        else:
            try:
                at = parsedate_to_datetime(said)
            except ValueError:
                return 0
            wait_s = int(at.replace(tzinfo=at.tzinfo or UTC).timestamp()) - self._now_s()
        return min(max(wait_s, 0), MAX_RETRY_AFTER_S)


def endpoint(question: Question) -> str:
    """The address with its query as it may be shown and kept: without ``secret_query``, and without a user."""
    address = urlsplit(question.url)
    shown = address._replace(netloc=address.netloc.rpartition("@")[2], query=urlencode(question.query), fragment="")
    return shown.geturl()


def _sent_away(host: str, location: str) -> BadAnswer:
    remedy = "It is not followed: what was sent is for this place only. If the service has moved, set base_url."
    return BadAnswer(f"{host} answered with a redirect to {place_of(location)}.", remedy)


def _unreachable(host: str, reason: str, attempts: int) -> Unreachable:
    tries = f" ({attempts} attempts)" if attempts > 1 else ""
    return Unreachable(f"{host} did not answer: {reason}{tries}.", "What is known already is kept and used.")


def _refused(host: str, status: int, attempts: int, retry_after_s: int) -> Unreachable | Throttled:
    if status == 429 or retry_after_s:  # noqa: PLR2004 - Too Many Requests, RFC 6585
        wait = f"Asked again in {retry_after_s} s." if retry_after_s else "It is asked less often for a while."
        return Throttled(f"{host} says that it is asked too often ({status}).", wait, retry_after_s)
    return _unreachable(host, f"it answered {status}", attempts)
