"""Where a virtual machine is, as its cloud says it: the right region, or one sentence in good time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tracker.core.errors import UsageError
from tracker.grid.cloudregion import Cloud, detect
from tracker.grid.interface import UnknownZone
from tracker.grid.zones import find_zone

Answer = tuple[int, dict[str, str], bytes]
Handle = Callable[[str, str, dict[str, str]], Answer]
CLOUDS: tuple[Cloud, ...] = ("aws", "gcp", "azure")
TOKEN = "AQAEA-token=="
GOOGLE = {"Metadata-Flavor": "Google"}


@contextmanager
def serving(handle: Handle) -> Iterator[int]:
    """A metadata service. ``handle``: method, path, headers (lower case) -> answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer()

        def do_PUT(self) -> None:
            self._answer()

        def _answer(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, extra, body = handle(self.command, self.path, headers)
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # nobody waits any more
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it overrides
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def raw(speak: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """A service that does not speak HTTP well. ``speak`` ends when the event is set."""
    stop = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                speak(connection, stop)

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def ask(cloud: Cloud, port: int, deadline_s: float = 20.0) -> str:
    return detect(cloud, "127.0.0.1", port, deadline_s)


def refusal(cloud: Cloud, port: int, deadline_s: float = 20.0) -> str:
    with pytest.raises(UsageError) as caught:
        ask(cloud, port, deadline_s)
    assert 'Set zone = "…"' in caught.value.remedy
    return caught.value.sentence


def aws(method: str, path: str, headers: dict[str, str], region: bytes = b"eu-west-1") -> Answer:
    if (method, path) == ("PUT", "/latest/api/token") and headers["x-aws-ec2-metadata-token-ttl-seconds"] == "60":
        return 200, {}, TOKEN.encode()
    if (method, path) == ("GET", "/latest/meta-data/placement/region"):
        return (200, {}, region) if headers.get("x-aws-ec2-metadata-token") == TOKEN else (401, {}, b"")
    return 404, {}, b""


def gcp(method: str, path: str, headers: dict[str, str], zone: bytes = b"projects/42/zones/europe-west9-b") -> Answer:
    right = (method, path) == ("GET", "/computeMetadata/v1/instance/zone") and headers["metadata-flavor"] == "Google"
    return (200, GOOGLE, zone) if right else (403, {}, b"")


def azure(method: str, path: str, headers: dict[str, str], location: bytes = b"westeurope") -> Answer:
    right = method == "GET" and path.startswith("/metadata/instance/compute/location?api-version=")
    return (200, {}, location) if right and headers.get("metadata") == "true" else (400, {}, b"")


GOOD: dict[Cloud, tuple[Handle, str]] = {
    "aws": (aws, "aws:eu-west-1"),
    "gcp": (gcp, "gcp:europe-west9"),
    "azure": (azure, "azure:westeurope"),
}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_cloud_says_its_region(cloud: Cloud) -> None:
    handle, region = GOOD[cloud]
    with serving(handle) as port:
        assert ask(cloud, port) == region
    assert find_zone(region).code == region, "the catalogue knows it under that name"


def test_aws_that_answers_only_the_old_way_is_not_believed() -> None:
    """Version 1 answers any GET, also one that somebody's proxy passes on."""
    asked = []

    def old(method: str, path: str, headers: dict[str, str]) -> Answer:
        asked.append(method)
        return (200, {}, b"eu-west-1") if method == "GET" else (405, {}, b"")

    with serving(old) as port:
        assert "the status 405" in refusal("aws", port)
    assert asked == ["PUT"]


@pytest.mark.parametrize("token", [b"", b"two words", b"caf\xe9", b"x" * 1025, b"<html></html>\n<p>"])
def test_a_token_that_is_none_is_not_sent_on(token: bytes) -> None:
    asked = []

    def handle(method: str, path: str, headers: dict[str, str]) -> Answer:
        asked.append(method)
        return 200, {}, token

    with serving(handle) as port:
        refusal("aws", port)
    assert asked == ["PUT"]


@pytest.mark.parametrize("extra", [{}, {"Metadata-Flavor": "Gooogle"}])
def test_gcp_without_its_flavour_is_somebody_else(extra: dict[str, str]) -> None:
    with serving(lambda method, path, headers: (200, extra, b"projects/42/zones/europe-west9-b")) as port:
        assert "somebody else answered" in refusal("gcp", port)


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><html>Sign in</html>",
        b"eu west",
        b"../../etc",
        b"x" * 41,
        b"EU\x00",
        b"\xff\xfe",
        b"y" * 5000,
    ],
)
def test_an_answer_that_is_no_region_is_refused(cloud: Cloud, body: bytes) -> None:
    """A captive portal or a proxy error is not where the machine is."""

    def handle(method: str, path: str, headers: dict[str, str]) -> Answer:
        return (200, {}, TOKEN.encode()) if method == "PUT" else (200, GOOGLE, body)

    with serving(handle) as port:
        message = refusal(cloud, port)
    assert "does not say the region of this machine" in message
    assert "html" not in message.lower()


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize("status", [301, 302, 404, 500])
def test_another_status_is_refused_and_a_redirect_not_followed(cloud: Cloud, status: int) -> None:
    asked = []

    def handle(method: str, path: str, headers: dict[str, str]) -> Answer:
        asked.append(path)
        return status, {"Location": "/elsewhere"}, b"eu-west-1"

    with serving(handle) as port:
        assert f"the status {status}" in refusal(cloud, port)
    assert len(asked) == 1


def hang(connection: socket.socket, stop: threading.Event) -> None:
    stop.wait(30)


def drip(connection: socket.socket, stop: threading.Event) -> None:
    """A byte now and then: each one would begin a socket's timeout anew."""
    for byte in b"HTTP/1.0 200 OK\r\nX: " + b"x" * 10_000:
        if stop.wait(0.02):
            return
        try:
            connection.send(bytes([byte]))
        except OSError:
            return


@pytest.mark.parametrize("speak", [hang, drip])
def test_a_service_that_never_ends_costs_the_deadline_and_no_more(
    speak: Callable[[socket.socket, threading.Event], None],
) -> None:
    """The daemon starts, or says why not, whatever the network does. 30 s would be the end of the hang."""
    with raw(speak) as port:
        began = time.monotonic()
        assert "no answer in time" in refusal("aws", port, 0.3)
        assert time.monotonic() - began < 15


def test_all_requests_share_one_deadline() -> None:
    def slow(method: str, path: str, headers: dict[str, str]) -> Answer:
        if method == "GET":
            gone.wait(30)
        return aws(method, path, headers)

    gone = threading.Event()
    with serving(slow) as port:
        try:
            assert "no answer in time" in refusal("aws", port, 0.3)
        finally:
            gone.set()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"", "no answer"),
        (b"SSH-2.0-OpenSSH\r\n", "no answer"),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 7\r\n\r\nwestus", "its answer breaks off"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nwestus\r\n", "no answer"),
    ],
)
def test_a_service_that_breaks_off_or_is_none_is_refused(answer: bytes, said: str) -> None:
    """westus2 cut short is westus, which is another place."""

    def speak(connection: socket.socket, stop: threading.Event) -> None:
        connection.recv(65_536)
        connection.sendall(answer)

    with raw(speak) as port:
        assert said in refusal("azure", port)


def test_nobody_there_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    assert refusal("gcp", port) == "The metadata service of gcp does not say the region of this machine: no answer."
    assert "no answer in time" in refusal("gcp", port, 0.0)


def test_proxies_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token for the metadata service goes to nobody else."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with serving(aws) as port:
        assert ask("aws", port) == "aws:eu-west-1"


def test_a_region_about_which_tables_disagree_is_refused_with_both() -> None:
    """Oregon is PACW to one table and BPAT to the other: 204 or 129 g/kWh. Whoever runs there has to say which."""
    with serving(lambda method, path, headers: aws(method, path, headers, b"us-west-2")) as port:
        region = ask("aws", port)
    with pytest.raises(UnknownZone, match=r"US-NW-PACW and US-NW-BPAT"):
        find_zone(region)
    with pytest.raises(UnknownZone, match=r"'aws:us-moon-1' is not known"):
        find_zone("aws:us-moon-1")
