"""What object stores say when something is wrong, in a sentence: S3, Google Cloud Storage and Azure in one vocabulary.

Codes are those of the services' own error lists; statuses are HTTP's. What is not known here is told as it was said.
"""

from __future__ import annotations

import re

_CODE = re.compile(r"<Code>(\w+)</Code>")
_STATUS = re.compile(r"status code: (\d{3})")
_NO_ANSWER = re.compile(r"error sending request|HTTP error|connect|dns|timed out|timeout|credential", re.IGNORECASE)
#: Without credentials the clouds' libraries ask the machine's metadata service for some.
_ASKED_MACHINE = re.compile(r"/latest/(api/token|meta-data)|token request")
_NO_CREDENTIALS = (
    "no credentials are set, and this machine has none of its own",
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or what your cloud uses.",
)
_NO_BUCKET = (
    "there is no such bucket",
    "Create it, or mend books.url.",
)
_UNKNOWN = (
    "the credentials are not accepted",
    "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or what your cloud uses), and check AWS_REGION.",
)
_DENIED = (
    "access is denied",
    "Allow listing, reading and creating objects there, and removing them under entries/, coverage/ and emissions/.",
)
_UNREACHABLE = (
    "the service cannot be reached",
    "Check the network, the address (AWS_ENDPOINT_URL) and that credentials are set, and try again.",
)
_FULL = (
    "the store is full",
    "Free space there, and try again: nothing was half written.",
)
#: What a service's answer means, by its code and else by its HTTP status.
_MEANS = {
    "NoSuchBucket": _NO_BUCKET,
    "ContainerNotFound": _NO_BUCKET,
    "InvalidAccessKeyId": _UNKNOWN,
    "SignatureDoesNotMatch": _UNKNOWN,
    "AuthenticationFailed": _UNKNOWN,
    "ExpiredToken": _UNKNOWN,
    "AccessDenied": _DENIED,
    "QuotaExceeded": _FULL,
    "XMinioStorageFull": _FULL,
    "401": _UNKNOWN,
    "403": _DENIED,
    "507": _FULL,
}


def cause_of(error: Exception) -> tuple[str, str] | None:
    """What a known failure means and what to do about it."""
    said = str(error)
    answers = [found[1] for pattern in (_CODE, _STATUS) if (found := pattern.search(said))]
    if _ASKED_MACHINE.search(first_line(error)):
        return _NO_CREDENTIALS
    if not answers and _NO_ANSWER.search(first_line(error)):
        return _UNREACHABLE
    return next((_MEANS[answer] for answer in answers if answer in _MEANS), None)


def first_line(error: Exception) -> str:
    """Of what obstore says; below it come dumps of its own state."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".")[:300] if lines else type(error).__name__
