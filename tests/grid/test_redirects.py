"""A redirect is followed within the scheme, host and port that were asked; two parsers cannot be set against it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from urllib3.util import parse_url

from tracker.grid.redirects import followed, place_of

ASKED = "http://grid.example:8080/v3/ci?zone=FR"
HERE = "http://grid.example:8080"


@pytest.mark.parametrize(
    ("location", "target"),
    [
        ("/moved?zone=FR", f"{HERE}/moved?zone=FR"),
        ("moved", f"{HERE}/v3/moved"),
        ("?zone=DE", f"{HERE}/v3/ci?zone=DE"),
        (f"{HERE}/moved#part", f"{HERE}/moved"),
        ("HTTP://GRID.EXAMPLE:8080/moved", f"{HERE}/moved"),
        ("//grid.example:8080/moved", f"{HERE}/moved"),
    ],
)
def test_within_the_place_it_is_followed(location: str, target: str) -> None:
    assert followed(ASKED, location) == target


def test_the_usual_port_may_be_written_or_not() -> None:
    assert followed("https://grid.example/a", "https://grid.example:443/b") == "https://grid.example/b"
    assert followed("https://grid.example:443/a", "https://grid.example/b") == "https://grid.example:443/b"


@pytest.mark.parametrize(
    "location",
    [
        "",
        "http://elsewhere.example:8080/x",
        "//elsewhere.example/x",
        "https://grid.example:8080/x",
        "http://grid.example/x",
        "http://grid.example:8081/x",
        "http://user:pw@grid.example:8080/x",
        "http://grid.example:8080@elsewhere.example/x",
        "http://elsewhere.example\\@grid.example:8080/x",
        "http://grid.example:8080\\@elsewhere.example/x",
        "/\\elsewhere.example/x",
        "\thttp://elsewhere.example/x",
        "http://elsewhere.example @grid.example:8080/x",
        "http://[::1",
        "http://grid.example:99999/x",
        "ftp://grid.example:8080/x",
        "file:///etc/passwd",
        "http://grid.example:8080/\u00fc",
    ],
)
def test_to_anywhere_else_it_is_not(location: str) -> None:
    assert followed(ASKED, location) is None
    assert "pw" not in place_of(location)


PIECES = (
    "http://",
    "https://",
    "//",
    "/",
    "\\",
    "@",
    ":",
    "8080",
    "grid.example",
    "elsewhere.example",
    "#",
    "?",
    ";",
    "%40",
)


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join))
def test_what_connects_sees_the_same_place(location: str) -> None:
    """The library that connects reads addresses by a parser of its own."""
    target = followed(ASKED, location)
    if target is not None:
        read = parse_url(target)
        assert (read.scheme, read.host, read.port, read.auth) == ("http", "grid.example", 8080, None)
