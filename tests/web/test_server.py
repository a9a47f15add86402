"""The server as a client sees it: answers, refusals, errors, addresses, and its end."""

from __future__ import annotations

import socket
import threading

import pytest

from tests.web.serving import TEXT, Log, hello, read_all, serving, wait_for
from tracker.core.errors import UsageError, WattledgerError
from tracker.web.address import Address, AddressUnavailable, parse_address
from tracker.web.connection import Limits
from tracker.web.interface import Request, Response
from tracker.web.server import Options, WebServer


def test_get_and_head() -> None:
    """HEAD tells the length without the body."""
    with serving() as running:
        answer, body = running.get("/")
        assert (answer.status, body, answer.headers["Content-Length"]) == (200, b"hello\n", "6")
        answer, body = running.get("/", method="HEAD")
        assert (answer.status, body, answer.headers["Content-Length"]) == (200, b"", "6")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Connection"] == "close"


def test_refusals_reach_the_client() -> None:
    """Wrong method, path and size get a sentence, also when the client is still sending."""
    with serving() as running:
        answer, body = running.get("/nowhere?q=1")
        assert (answer.status, body) == (404, b"There is nothing at /nowhere. Known here: /\n")
        answer, _ = running.get("/", method="DELETE")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
        assert running.say(b"\x00\xff" * 700 + b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        huge = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 200_000 + b"\r\n\r\n"
        assert running.say(huge).startswith(b"HTTP/1.1 431 ")
        assert running.get("/")[0].status == 200


def test_a_failing_route_is_a_sentence_for_the_client_and_an_error_for_the_log() -> None:
    """A bug in one page takes nothing else down and shows no traceback."""

    def broken(_: Request) -> Response:
        raise ValueError("secret detail")

    with serving({"/": hello, "/broken": broken}) as running:
        answer, body = running.get("/broken")
        assert (answer.status, body) == (500, b"/broken could not be made; the log of wattledger says why.\n")
        assert [(where, str(error)) for where, error in running.log.lines] == [("/broken", "secret detail")]
        assert running.get("/")[0].status == 200


def test_a_request_may_come_in_single_bytes() -> None:
    """A slow link is no attack."""
    with serving() as running, running.connect() as sock:
        for byte in b"GET / HTTP/1.0\r\n\r\n":
            sock.send(bytes([byte]))
        assert read_all(sock).endswith(b"\r\n\r\nhello\n")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9837", Address("127.0.0.1", 9837)),
        ("[::1]:9837", Address("::1", 9837)),
        (":9837", Address("", 9837)),
        ("gpu-017.example:80", Address("gpu-017.example", 80)),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    """The forms of the configuration."""
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize("text", ["9837", "", "::1:9837", "127.0.0.1", "127.0.0.1:99999", "a b:1", "http://x:1"])
def test_bad_addresses_are_errors_with_an_example(text: str) -> None:
    """Exit 2 and how to write it."""
    with pytest.raises(UsageError) as error:
        parse_address(text)
    assert "127.0.0.1:9837" in error.value.remedy


def test_a_taken_port_names_the_address_and_the_way_out() -> None:
    """The most common failure at the first start."""
    with serving() as running:
        port = running.place[1]
        with pytest.raises(AddressUnavailable) as error:
            WebServer(Options(listen=f"127.0.0.1:{port}"), {"/": hello}, Log()).start()
        assert error.value.sentence == f"The address 127.0.0.1:{port} is taken by another process."
        assert "--listen 127.0.0.1:" in error.value.remedy


@pytest.mark.parametrize(
    ("host", "code"), [("no-such-host.invalid", 1), ("203.0.113.7", 1), ("a" * 70 + ".example", 2)]
)
def test_an_address_that_is_not_ours(host: str, code: int) -> None:
    """A name that no resolver knows, and an address of no interface, are sentences too; a network may bring both yet,
    and never a name that is none."""
    with pytest.raises(WattledgerError) as error:
        WebServer(Options(listen=f"{host}:0"), {"/": hello}, Log()).start()
    assert host in error.value.sentence
    assert error.value.exit_code == code


def test_bytes_after_the_request_do_not_destroy_the_answer() -> None:
    """A client that pipelines and reads late gets its first answer whole: closing on unread bytes would reset it."""
    asked = threading.Event()

    def page(_: Request) -> Response:
        asked.set()
        return Response(200, TEXT, b"x" * 400_000)

    with serving({"/": page}, Limits(linger_s=0.2)) as running, running.connect() as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n" + b"GET / HTTP/1.0\r\n\r\n" * 5000)
        assert asked.wait(60)
        wait_for(lambda: not running.server._pool._live, "the end of the connection")
        answer = read_all(sock)
        assert answer.count(b"HTTP/1.1 200 OK") == 1
        assert answer.endswith(b"x" * 400_000)


def test_ipv6() -> None:
    """``[::1]:port`` where the machine has it."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    with serving(options=Options(listen="[::1]:0")) as running:
        assert running.server.url.startswith("http://[::1]:")
        assert running.get("/")[0].status == 200


@pytest.mark.skipif(not socket.has_ipv6, reason="the kernel has no IPv6")
def test_every_interface_means_both_families() -> None:
    """``:9837`` is reachable over IPv4; over IPv6 where the machine has it."""
    with serving(options=Options(listen=":0")) as running:
        assert running.server.url.startswith("http://127.0.0.1:")
        assert running.get("/")[0].status == 200


def test_close_waits_for_nobody() -> None:
    """SIGTERM ends the daemon while one client is silent, another's route hangs and a third reads nothing."""
    entered, release, finished = threading.Event(), threading.Event(), threading.Event()

    def hung(_: Request) -> Response:
        entered.set()
        release.wait(60)
        finished.set()
        return Response(200, TEXT, b"late")

    routes = {"/hung": hung, "/large": lambda _: Response(200, TEXT, bytes(50_000_000))}
    limits = Limits(close_s=0.4)
    with (
        serving(routes, limits) as running,
        running.connect(),
        running.connect() as asking,
        running.connect() as taking,
    ):
        asking.sendall(b"GET /hung HTTP/1.0\r\n\r\n")
        taking.sendall(b"GET /large HTTP/1.0\r\n\r\n")
        assert entered.wait(60)
        running.server.close()
        running.server.close()
        assert not finished.is_set()
        release.set()
        with pytest.raises(OSError, match="refused"):
            running.connect()


def test_close_before_start_and_an_answer_in_progress() -> None:
    """A scrape that is being answered when the daemon stops is still answered."""
    WebServer(Options(listen="127.0.0.1:0"), {}, Log()).close()
    asked, release = threading.Event(), threading.Event()

    def slow(_: Request) -> Response:
        asked.set()
        release.wait(60)
        return Response(200, TEXT, b"done")

    with serving({"/": slow}) as running, running.connect() as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert asked.wait(60)
        closer = threading.Thread(target=running.server.close)
        closer.start()
        release.set()
        assert read_all(sock).endswith(b"done")
        closer.join(10)


def test_workers_end_when_there_is_nothing_to_do() -> None:
    """After close no thread of ours is left."""
    with serving(limits=Limits(connections=4)) as running:
        for _ in range(20):
            assert running.get("/")[0].status == 200
    wait_for(lambda: not [t for t in threading.enumerate() if t.name.startswith("wattledger-")], "the end of threads")
