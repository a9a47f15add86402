"""Cuts what was secret in a question out of what came back: error pages repeat what they were sent."""

from __future__ import annotations

import base64
import binascii
import html
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, quote, quote_plus, unquote_plus

from tracker.grid.interface import BadAnswer, ProviderError, Question

CUT = b"********"
#: Shorter values are no secrets, and cutting them would leave nothing to read.
_SHORTEST = 4
#: No service gives a shorter key; "Bearer" and "Basic" are none.
_KEY = 8
#: Headers whose values are the same for everybody.
_OPEN = frozenset({"accept", "accept-encoding", "content-type", "user-agent"})


def without_secrets(text: bytes, question: Question) -> bytes:
    """``text`` with every secret of the question replaced by asterisks, in each way in which it may be written."""
    written = {form for secret in secrets_of(question) for form in _forms(secret)}
    for form in sorted(written, key=len, reverse=True):
        text = text.replace(form, CUT)
    return text


@contextmanager
def discreet(name: str, body: bytes, secrets: Iterable[str]) -> Iterator[None]:
    """For reading an answer: what is wrong with it is told in its own words, unless it repeats what was sent. Then
    nothing of it is told. Raises BadAnswer instead."""
    try:
        yield
    except ProviderError:
        if repeats(body, secrets):
            raise BadAnswer(
                f"{name} answered with something that cannot be used, and that repeats what was sent.",
                "Nothing of it is used or shown: a service may do so where it refuses the key.",
            ) from None
        raise


def repeats(body: bytes, secrets: Iterable[str]) -> bool:
    """Whether one of them that is as long as a key stands in ``body``, in whatever case, and as it is, in a URL or in
    HTML."""
    text = body.decode("utf-8", "replace")
    plain = html.unescape(text)
    written = [each.lower() for each in (text, plain, unquote_plus(text), unquote_plus(plain))]
    return any(secret.lower() in each for secret in secrets if len(secret) >= _KEY for each in written)


def secrets_of(question: Question) -> set[str]:
    """Values of its headers, secret query and body, and what is inside them."""
    found: set[str] = set()
    for name, value in question.headers.items():
        if name.lower() not in _OPEN:
            found.update(_inside(value))
    found.update(question.secret_query.values())
    if question.body is not None:
        found.update(value for _, value in parse_qsl(question.body.decode("utf-8", "replace")))
        found.update(_strings(question.body))
    return {secret for secret in found if len(secret) >= _SHORTEST}


def repeats_key(text: bytes, question: Question) -> bool:
    """Whether a header's key or credentials are in ``text``. Values of the query may well be: they are years, zones."""
    return repeats(
        text, [part for name, value in question.headers.items() if name.lower() not in _OPEN for part in value.split()]
    )


def _inside(value: str) -> Iterator[str]:
    """A header's value, what follows its scheme, and the user and password of Basic (RFC 7617)."""
    yield value
    scheme, _, credentials = value.partition(" ")
    if credentials:
        yield credentials
    if scheme.lower() == "basic":
        try:
            plain = base64.b64decode(credentials, validate=True).decode("utf-8", "replace")
        except binascii.Error:
            return
        yield plain
        yield from plain.split(":", 1)


def _strings(body: bytes) -> Iterator[str]:
    """The strings of a JSON object."""
    try:
        document = json.loads(body)
    except ValueError:
        return
    if isinstance(document, dict):
        yield from (value for value in document.values() if isinstance(value, str))


def _forms(secret: str) -> Iterator[bytes]:
    """As it is, in a URL, in a form and in JSON."""
    for form in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]):
        yield form.encode("utf-8", "surrogateescape")
