"""The API server of Kubernetes as far as it is asked here: one list of pods, over HTTPS, on a loopback port.

Answers are shaped as kubernetes.io documents them ("API concepts": representations, field selectors, errors).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import trustme

ACCEPT = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PATIENCE_S = 10.0


def metadata(namespace: str, name: str, uid: str, **fields: object) -> dict[str, object]:
    """Metadata of a pod as the server tells it; ``fields``: labels, annotations, ownerReferences."""
    managed = [{"manager": "kubelet", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {}}}}]
    return {
        "name": name,
        "namespace": namespace,
        "uid": uid,
        "resourceVersion": "4711",
        "creationTimestamp": "2026-10-03T08:00:00Z",
        "managedFields": managed,
        **fields,
    }


def owner(kind: str, name: str) -> dict[str, object]:
    """The controlling owner of a pod."""
    return {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "x", "controller": True}


@dataclass
class Request:
    """What was asked."""

    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]


@dataclass
class ApiServer:
    """``pods``: metadata by node. Everything may be changed at any time."""

    port: int
    tokens: set[str] = field(default_factory=lambda: {"first"})
    pods: dict[str, list[dict[str, object]]] = field(default_factory=dict)
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None  # instead of the list
    raw: bytes | None = None  # instead of HTTP
    etag: str = ""  # a caching proxy stands in front
    hold: threading.Event | None = None  # answers stop after their headers until it is set
    requests: list[Request] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def _list(self, node: str) -> bytes:
        items = [{"metadata": each} for each in self.pods.get(node, [])]
        listed = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "items": items or None}
        return json.dumps(listed).encode()

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        url = urlsplit(handler.path)
        query, asked = parse_qs(url.query), {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append(Request(url.path, query, asked))
        if self.raw is not None:
            handler.wfile.write(self.raw)
            return
        status, body = self._answer(url.path, query, asked)
        handler.send_response(status)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        if self.etag:
            handler.send_header("ETag", self.etag)
        if status != 304:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if self.hold is not None:
            handler.wfile.flush()
            self.hold.wait(PATIENCE_S)
        handler.wfile.write(body)

    def _answer(self, path: str, query: Mapping[str, list[str]], asked: Mapping[str, str]) -> tuple[int, bytes]:
        refusal = json.dumps({"kind": "Status", "status": "Failure", "message": "no"}).encode()
        if asked.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            return 401, refusal
        if self.status != 200:
            return self.status, refusal
        if path != "/api/v1/pods":
            return 404, refusal
        if asked.get("accept") != ACCEPT:
            return 406, refusal
        if self.etag and asked.get("if-none-match") == self.etag:
            return 304, b""
        selectors = query["fieldSelector"][0].split(",")
        node = next(each.removeprefix("spec.nodeName=") for each in selectors if each.startswith("spec.nodeName="))
        return 200, self._list(node) if self.body is None else self.body


@contextmanager
def running_apiserver(authority: trustme.CA, *, names: tuple[str, ...] = ("127.0.0.1",)) -> Iterator[ApiServer]:
    """A server with a certificate for ``names``."""
    import ssl

    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler())
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    stub = ApiServer(server.server_address[1])
    server.stub = stub  # type: ignore[attr-defined]  # the handler finds it there
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        if stub.hold is not None:
            stub.hold.set()
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE_S)


def _handler() -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            stub: ApiServer = self.server.stub  # type: ignore[attr-defined]  # see running_apiserver
            try:
                stub.respond(self)
            except OSError:  # the caller lost its patience
                self.close_connection = True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - so it is called in the base class
            pass

        def handle(self) -> None:
            try:
                super().handle()
            except OSError:  # a handshake that the client broke off
                self.close_connection = True

    return Handler


def service_account(folder: Path, authority: trustme.CA, token: str = "first") -> Path:
    """The folder that the kubelet mounts into a pod."""
    folder.mkdir(parents=True, exist_ok=True)
    authority.cert_pem.write_to_path(str(folder / "ca.crt"))
    (folder / "namespace").write_text("monitoring")
    (folder / "token").write_text(token)
    return folder
