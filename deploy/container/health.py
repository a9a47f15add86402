"""Whether the daemon's loop turns: exit code 0, or 1 with one sentence. Run by the image's HEALTHCHECK.

``WATTLEDGER_HEALTH_URL`` names another address, for another port or TLS. Plain sockets: loading an HTTP client every
minute would cost more than the daemon does. An answer that asks who we are (401) is one of a server that lives.
"""

from __future__ import annotations

import os
import socket
import sys

DEFAULT = "http://127.0.0.1:9837/-/healthy"
TIMEOUT_S = 4.0
_ALIVE = {"200", "401"}
_PORTS = {"http": 80, "https": 443}


def status(url: str) -> str:
    """The status code as text; "" when the answer is none of HTTP. Raises OSError, ValueError."""
    scheme, _, rest = url.partition("://")
    if scheme not in _PORTS:
        raise ValueError(f"{url!r} is no address such as {DEFAULT}")
    authority, _, path = rest.partition("/")
    host, colon, port = authority.rpartition(":")
    place = (host, int(port)) if colon else (authority, _PORTS[scheme])
    connection = socket.create_connection((place[0].strip("[]"), place[1]), TIMEOUT_S)
    with connection if scheme == "http" else _tls(connection) as stream:
        stream.sendall(f"GET /{path} HTTP/1.0\r\nHost: {authority}\r\n\r\n".encode("ascii"))
        words = stream.recv(64).decode("latin-1").split()
    return words[1] if len(words) > 1 and words[0].startswith("HTTP/") else ""


def _tls(connection: socket.socket) -> socket.socket:
    import ssl  # noqa: PLC0415 - only where it is asked for

    # The certificate names the node, not the loopback address that is asked; nothing secret is said or believed.
    context = ssl._create_unverified_context()  # noqa: S323, SLF001 - see above
    return context.wrap_socket(connection)


def main() -> int:
    url = os.environ.get("WATTLEDGER_HEALTH_URL") or DEFAULT
    try:
        code = status(url)
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{url} does not answer: {error}\n")
        return 1
    if code not in _ALIVE:
        sys.stderr.write(f"{url} answers {code or 'something that is not HTTP'}.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
