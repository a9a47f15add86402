"""What helm test runs: every daemon behind the service answers, is ready, and exports metrics.

    check_nodes.py http://service:9837 metrics|port

``port``: they ask for passwords or certificates that this test has not; that they listen is all that can be said.
"""

import http.client
import socket
import ssl
import sys
import time
from urllib.parse import urlsplit

DEADLINE_S = 60.0


def addresses(host, port):
    """Every node's address behind a headless service."""
    return sorted({found[4][0] for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


def trouble_of(address, port, scheme, what):
    """Why this node is not well; "" when it is."""
    try:
        if what == "port":
            socket.create_connection((address, port), 5).close()
            return ""
        if scheme == "https":  # asked by address: its certificate is for a name
            connection = http.client.HTTPSConnection(address, port, timeout=5, context=ssl._create_unverified_context())
        else:
            connection = http.client.HTTPConnection(address, port, timeout=5)
        connection.request("GET", "/-/ready")
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace").strip()
        if answer.status != 200:
            return f"not ready ({answer.status}): {text}"
        connection.request("GET", "/metrics")
        metrics = connection.getresponse().read()
        connection.close()
        return "" if b"wattledger_build_info" in metrics else "/metrics has no wattledger_build_info"
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer: {error}"


def main(url, what):
    place = urlsplit(url)
    give_up_s = time.monotonic() + DEADLINE_S
    while True:
        try:
            nodes = addresses(place.hostname, place.port)
            found = {node: trouble_of(node, place.port, place.scheme, what) for node in nodes}
        except OSError as error:
            found = {place.hostname: f"has no address: {error}"}
        if not any(found.values()) or time.monotonic() > give_up_s:
            break
        time.sleep(1)
    for node, trouble in found.items():
        print(f"{node}: {trouble or 'ok'}")
    bad = sum(map(bool, found.values()))
    print(f"{len(found) - bad} of {len(found)} nodes are well")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
