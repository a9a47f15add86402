"""What ``helm test`` runs: every daemon behind the service answers, is ready, and exports metrics.

    check_nodes.py http://service:9837 metrics|port

``port``: they ask for passwords or certificates that this test has not; that they listen is all that can be said.
"""
# ruff: noqa: INP001 - a script, no part of a package

from __future__ import annotations

import http.client
import socket
import ssl
import sys
import time
from http import HTTPStatus
from urllib.parse import urlsplit

DEADLINE_S = 60.0
ANSWER_S = 5.0


def addresses(host: str, port: int) -> list[str]:
    """Every node's, behind a headless service. Raises OSError."""
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


def trouble_of(address: str, port: int, scheme: str, what: str) -> str:
    """Why this node is not well; "" when it is."""
    try:
        if what == "port":
            socket.create_connection((address, port), ANSWER_S).close()
            return ""
        status, text = ask(address, port, scheme, "/-/ready")
        if status != HTTPStatus.OK:
            return f"not ready ({status}): {text.strip()}"
        _, text = ask(address, port, scheme, "/metrics")
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer: {error}"
    return "" if "wattledger_build_info" in text else "/metrics has no wattledger_build_info"


def ask(address: str, port: int, scheme: str, path: str) -> tuple[int, str]:
    """Status and body. Raises OSError, HTTPException."""
    connection: http.client.HTTPConnection
    if scheme == "https":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # asked by address; nothing secret is sent
        connection = http.client.HTTPSConnection(address, port, timeout=ANSWER_S, context=context)
    else:
        connection = http.client.HTTPConnection(address, port, timeout=ANSWER_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def look(host: str, port: int, scheme: str, what: str) -> dict[str, str]:
    """The trouble of each node, by address."""
    try:
        return {node: trouble_of(node, port, scheme, what) for node in addresses(host, port)}
    except OSError as error:
        return {host: f"has no address: {error}"}


def main(url: str, what: str) -> int:
    place = urlsplit(url)
    host, port = place.hostname or "", place.port or 0
    give_up_s = time.monotonic() + DEADLINE_S
    found = look(host, port, place.scheme, what)
    while any(found.values()) and time.monotonic() < give_up_s:
        time.sleep(1)
        found = look(host, port, place.scheme, what)
    for node, trouble in found.items():
        sys.stdout.write(f"{node}: {trouble or 'ok'}\n")
    bad = sum(map(bool, found.values()))
    sys.stdout.write(f"{len(found) - bad} of {len(found)} nodes are well\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
