"""Messages: what is understood, what is refused, and that nothing sent can become a header of ours."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.web.http1 import Refused, accepts_gzip, end_of_head, pack, parse_head, render_head
from tracker.web.interface import Request, Response


def test_a_request_is_split_into_its_parts() -> None:
    """Routes see the path without the query, and header names in lower case."""
    method, request = parse_head(
        b"GET /metrics?x=1&y HTTP/1.1\r\nHost: a\r\nACCEPT:  text/plain \r\nX: 1\r\nx: 2\r\n\r\n"
    )
    assert method == "GET"
    assert request == Request("/metrics", "x=1&y", {"host": "a", "accept": "text/plain", "x": "1, 2"})


@pytest.mark.parametrize(
    ("head", "path"),
    [
        (b"GET http://node:9837/metrics HTTP/1.1\r\nHost: a\r\n\r\n", "/metrics"),  # what a proxy sends
        (b"GET http://node:9837 HTTP/1.1\r\nHost: a\r\n\r\n", "/"),
        (b"GET / HTTP/1.0\r\n\r\n", "/"),
        (b"HEAD / HTTP/1.0\n\n", "/"),  # typed by hand through nc
    ],
)
def test_forms_that_must_be_understood(head: bytes, path: str) -> None:
    """RFC 9112 asks for these."""
    assert parse_head(head)[1].path == path


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"\x16\x03\x01\x02\x00\r\n\r\n", 400),  # TLS on the plain port
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET /\x00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\n", 505),  # HTTP/2 without asking
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 413),
        (b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 413),
    ],
)
def test_forms_that_are_refused(head: bytes, status: int) -> None:
    """One sentence and the right status for what this server does not speak."""
    with pytest.raises(Refused) as refused:
        parse_head(head)
    assert refused.value.response.status == status
    assert refused.value.response.body.endswith(b".\n")


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    """Garbage never raises anything else, so it never costs a worker."""
    status = 200
    try:
        parse_head(data + b"\r\n\r\n")
    except Refused as refused:
        status = refused.response.status
    assert status in {200, 400, 405, 413, 505}


@given(st.binary(max_size=40), st.integers(0, 40))
def test_the_end_of_a_head_is_found_wherever_it_was_cut(prefix: bytes, cut: int) -> None:
    """Bytes come in any pieces; the search goes on where it stopped."""
    whole = prefix.replace(b"\n", b"") + b"\r\n\r\nrest"
    at = min(cut, len(whole))
    first = end_of_head(whole[:at])
    assert (first if first >= 0 else end_of_head(whole, at)) == end_of_head(whole)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("gzip", 1), ("br, gzip;q=0.5", 1), ("*", 1), ("", 0), ("gzip;q=0", 0), ("GZIP; q=0.0", 0), ("br", 0)],
)
def test_gzip_only_when_asked(value: str, expected: int) -> None:
    """A client that did not ask could not read it."""
    assert accepts_gzip({"accept-encoding": value}) == bool(expected)


def test_small_and_packed_bodies_are_left_alone() -> None:
    """Packing twice would break the page, packing 20 bytes makes them more."""
    asked = {"accept-encoding": "gzip"}
    small = Response(200, "text/plain", b"x" * 20)
    packed = Response(200, "text/plain", b"x" * 5000, {"Content-Encoding": "gzip"})
    assert pack(small, asked) is small
    assert pack(packed, asked) is packed


def test_a_large_body_is_gzipped() -> None:
    """1,000 series travel as a tenth of their bytes."""
    response = pack(Response(200, "text/plain", b"x" * 5000), {"accept-encoding": "gzip"})
    assert response.headers == {"Vary": "Accept-Encoding", "Content-Encoding": "gzip"}
    assert zlib.decompress(response.body, 31) == b"x" * 5000


def test_a_line_end_in_a_value_stays_in_its_value() -> None:
    """Nobody can add a header through a value."""
    head = render_head(Response(200, "text/plain", b""), "now", {"X-Frame-Options": "deny\r\nSet-Cookie: a=b"})
    assert b"X-Frame-Options: deny  Set-Cookie: a=b\r\n" in head
    assert b"\r\nSet-Cookie" not in head
