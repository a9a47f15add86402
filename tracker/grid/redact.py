"""Cuts what was secret in a question out of what came back: error pages repeat what they were sent."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import parse_qsl, quote, quote_plus

from tracker.grid.interface import Question

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


def unsaid(text: str, values: Iterable[str]) -> str:
    """A sentence about an answer without the keys among ``values`` that the answer repeated, however they are cased."""
    keys = sorted({value for value in values if len(value) >= _KEY}, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, keys)), CUT.decode(), text, flags=re.IGNORECASE) if keys else text


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
    keys = {part for name, value in question.headers.items() if name.lower() not in _OPEN for part in value.split()}
    return any(form in text for key in keys if len(key) >= _KEY for form in _forms(key))


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
