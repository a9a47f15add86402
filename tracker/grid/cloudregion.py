"""The region of a virtual machine, from the metadata service of its cloud. Asked only where the operator has switched
it on: a place is never guessed (P11), and nothing is sent to anybody who was not named.

    aws    docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html, version 2 with its token only
    gcp    cloud.google.com/compute/docs/metadata/querying-metadata, instance/zone
    azure  learn.microsoft.com/azure/virtual-machines/instance-metadata-service, compute/location

The answer goes through ``zones.find_zone``: a region about which public tables disagree is an error that names both.
The service is at a link-local address, reached without a proxy; it redirects nowhere.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from typing import Literal

from tracker.core.errors import UsageError

Cloud = Literal["aws", "gcp", "azure"]
Monotonic = Callable[[], float]

#: The same link-local address in all three clouds: no name has to be resolved.
METADATA = "169.254.169.254"
DEADLINE_S = 2.0
_REGION = re.compile(r"[a-z0-9-]{3,40}")
_GCP_ZONE = re.compile(r"projects/[0-9]+/zones/([a-z0-9-]+)-[a-z]")
_TOKEN = re.compile(r"[!-~]{1,1024}")
_MAX_BYTES = 1024
_OK = 200


class _Refused(Exception):
    """Why there is no region, for the end of a sentence."""


def detect(cloud: Cloud, host: str = METADATA, port: int = 80, deadline_s: float = DEADLINE_S) -> str:
    """The region as the catalogue names it: "aws:eu-west-1". Takes at most ``deadline_s``, all requests together.
    Raises UsageError, which says to set the zone instead."""
    session = _Session(host, port, time.monotonic() + deadline_s)
    try:
        return f"{cloud}:{_READERS[cloud](session)}"
    except (_Refused, OSError, ValueError) as error:
        why = error if isinstance(error, _Refused) else "no answer in time" if session.late else "no answer"
        raise UsageError(
            f"The metadata service of {cloud} does not say the region of this machine: {why}.",
            'Set zone = "…" in the [site.<name>] section, or remove cloud_metadata from [grid].',
        ) from error


class _Session:
    """Requests to one service that have one deadline."""

    def __init__(self, host: str, port: int, end: float, monotonic: Monotonic = time.monotonic) -> None:
        self._host, self._port = host, port
        self._end, self._monotonic = end, monotonic

    @property
    def late(self) -> bool:
        return self._monotonic() >= self._end

    def ask(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[str, Mapping[str, str]]:
        """Body and headers of an answer with the status 200."""
        from http.client import HTTPConnection, HTTPException  # noqa: PLC0415 - it loads OpenSSL; most never ask

        left_s = self._end - self._monotonic()
        if left_s <= 0:
            raise TimeoutError
        connection = HTTPConnection(self._host, self._port, timeout=left_s)
        try:
            connection.connect()
            with _cut_off(connection.sock, self._end - self._monotonic()):
                connection.request(method, path, headers=dict(headers))
                with closing(connection.getresponse()) as answer:
                    body = answer.read(_MAX_BYTES + 1)
        except HTTPException as error:
            raise ConnectionError from error
        finally:
            connection.close()
        if self.late:  # what was cut off looks like a short answer
            raise TimeoutError
        if answer.status != _OK:
            raise _Refused(f"it answered with the status {answer.status}")
        if len(body) > _MAX_BYTES:
            raise _Refused("its answer is too long")
        if answer.length:  # http.client does not mind: "westus2" cut short is another region
            raise _Refused("its answer breaks off")
        return body.decode("ascii").strip(), {name.lower(): value for name, value in answer.getheaders()}


@contextmanager
def _cut_off(connection: socket.socket, after_s: float) -> Iterator[None]:
    """A socket's timeout begins anew with every byte; this one does not."""

    def cut() -> None:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(max(0.0, after_s), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _aws(session: _Session) -> str:
    """Without a token nothing is asked: version 1 answers whatever can send a GET, also through somebody's proxy."""
    token, _ = session.ask("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    if not _TOKEN.fullmatch(token):
        raise _Refused("it gave no token")
    region, _ = session.ask("GET", "/latest/meta-data/placement/region", {"X-aws-ec2-metadata-token": token})
    return _checked(region)


def _gcp(session: _Session) -> str:
    zone, headers = session.ask("GET", "/computeMetadata/v1/instance/zone", {"Metadata-Flavor": "Google"})
    if headers.get("metadata-flavor") != "Google":
        raise _Refused("somebody else answered in its place")
    found = _GCP_ZONE.fullmatch(zone)
    return _checked(found[1] if found else "")


def _azure(session: _Session) -> str:
    path = "/metadata/instance/compute/location?api-version=2021-02-01&format=text"
    location, _ = session.ask("GET", path, {"Metadata": "true"})
    return _checked(location)


_READERS: Mapping[Cloud, Callable[[_Session], str]] = {"aws": _aws, "gcp": _gcp, "azure": _azure}


def _checked(region: str) -> str:
    if not _REGION.fullmatch(region):
        raise _Refused("its answer is no region")
    return region
