"""One GET over verified TLS, with a deadline for all of it and a bound on the answer."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path

from tracker.workloads.kubernetes.deadline import Deadline, TimedSocket
from tracker.workloads.kubernetes.trouble import Trouble

_PIECE_BYTES = 1 << 16


class _Connection(http.client.HTTPConnection):
    def __init__(self, host: str, port: int, context: ssl.SSLContext, deadline: Deadline) -> None:
        super().__init__(host, port)
        self._context, self._deadline = context, deadline

    def connect(self) -> None:
        plain = socket.create_connection((self.host, self.port), self._deadline.left_s())
        try:
            plain.settimeout(self._deadline.left_s())
            peer = self._context.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise
        self.sock = TimedSocket(peer, self._deadline)


def get(
    host: str, port: int, path: str, headers: Mapping[str, str], ca_file: Path, deadline: Deadline, max_bytes: int
) -> tuple[int, Mapping[str, str], bytearray]:
    """Status, headers in lower case, and the body of a 200; other bodies are not read. Raises OSError (also
    TimeoutError and ssl.SSLError), and Trouble for what is no HTTP or too long."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise Trouble("garbage", f"{ca_file} holds no certificate.") from error
    connection = _Connection(host, port, context, deadline)
    try:
        connection.request("GET", path, headers=dict(headers))
        with connection.getresponse() as response:
            body = _body(response, max_bytes) if response.status == http.client.OK else bytearray()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, body
    except OSError:  # first: a certificate that is not accepted is a ValueError too
        raise
    except (http.client.HTTPException, ValueError) as error:
        raise Trouble("garbage", f"{host}:{port} does not speak HTTP ({type(error).__name__}).") from error
    finally:
        connection.close()


def _body(response: http.client.HTTPResponse, max_bytes: int) -> bytearray:
    body = bytearray()
    while piece := response.read(_PIECE_BYTES):
        body += piece
        if len(body) > max_bytes:
            raise Trouble("garbage", f"The answer is longer than {max_bytes} bytes.")
    if response.length:  # None after chunks
        raise ConnectionResetError(0, "the answer was cut off")
    return body
