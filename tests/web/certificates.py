"""Certificates made at test time, and a client that uses them."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping
from pathlib import Path

import trustme

from tests.web.serving import Running


class Pki:
    """An authority and a folder that holds its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(str(folder / "ca.pem"))

    def server(self, stem: str = "server") -> None:
        """<stem>.crt and <stem>.key for 127.0.0.1."""
        leaf = self.authority.issue_cert("127.0.0.1")
        (self.folder / f"{stem}.key").write_bytes(leaf.private_key_pem.bytes())
        (self.folder / f"{stem}.crt").write_bytes(b"".join(pem.bytes() for pem in leaf.cert_chain_pems))

    def client(self, *names: str) -> ssl.SSLContext:
        """A client that trusts the authority; with names it has a certificate for them."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if names:
            self.authority.issue_cert(*names).configure_cert(context)
        return context


def get(
    running: Running, context: ssl.SSLContext, headers: Mapping[str, str] | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    """GET / over TLS. Raises OSError (ssl.SSLError among them) when the server does not let us in."""
    connection = http.client.HTTPSConnection(*running.place, timeout=10, context=context)
    try:
        connection.request("GET", "/", headers=dict(headers or {}))
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()
