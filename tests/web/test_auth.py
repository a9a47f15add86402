"""Basic authentication: who gets in, what is remembered, and that rules of time hold."""

from __future__ import annotations

import base64
import threading
from pathlib import Path

import bcrypt
import pytest

from tests.web.serving import serving
from tracker.web.auth import BasicAuth
from tracker.web.security import RateLimit
from tracker.web.server import Options


def hashed(password: bytes, cost: int = 4) -> str:
    return bcrypt.hashpw(password, bcrypt.gensalt(cost, b"2b")).decode().replace("$2b$", "$2y$")


def basic(text: bytes) -> str:
    return "Basic " + base64.b64encode(text).decode()


LONG = b"l" * 100


@pytest.fixture(scope="module")
def auth() -> BasicAuth:
    return BasicAuth({"ops": hashed(b"s:cret"), "ünï": hashed("pässwort".encode()), "long": hashed(LONG[:72])})


@pytest.mark.parametrize(
    "header",
    [
        basic(b"ops:s:cret"),
        basic("ünï:pässwort".encode()),
        basic(b"long:" + LONG),
        basic(b"ops:s:cret").replace("Basic", "bAsIc"),
    ],
)
def test_the_right_password_lets_in(auth: BasicAuth, header: str) -> None:
    """Colons, other alphabets and long passwords included."""
    assert auth(header)
    assert auth(header)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        "Bearer abc",
        basic(b"ops"),
        basic(b"ops:"),
        basic(b"ops:wrong"),
        basic(b"nobody:s:cret"),
        basic(b":"),
        basic(b"ops:s:cret\x00"),
        basic(b"ops\x00:s:cret"),
        "Basic \xff",
    ],
)
def test_everything_else_does_not(auth: BasicAuth, header: str) -> None:
    """Broken headers are refused like wrong passwords."""
    assert not auth(header)


def test_only_right_answers_are_remembered_and_not_too_many() -> None:
    """A scrape pays for bcrypt once; a guesser can neither fill the memory nor make a wrong password right."""
    users = {f"u{number}": hashed(b"x") for number in range(120)}
    auth = BasicAuth(users)
    for name in users:
        assert auth(basic(f"{name}:x".encode()))
        assert not auth(basic(f"{name}:y".encode()))
    assert len(auth._right) == 100
    assert all(key != b"x" and len(key) == 64 for key in auth._right)


def test_an_unknown_user_costs_a_hash_too() -> None:
    """Names cannot be found by timing: the decoy is the costliest hash of the file."""
    costly = hashed(b"a", 6)
    assert BasicAuth({"a": hashed(b"b"), "b": costly, "c": hashed(b"c", 5)})._decoy == costly.encode()


def test_a_rate_limit_lets_a_burst_pass_then_one_per_interval() -> None:
    """Time is given; tokens never exceed the burst."""
    limit = RateLimit(2.0, 3)
    assert [limit.allow(100.0) for _ in range(4)] == [True, True, True, False]
    assert [limit.allow(101.9), limit.allow(102.0), limit.allow(102.1)] == [False, True, False]
    assert [limit.allow(900.0) for _ in range(4)] == [True, True, True, False]


def test_over_http(tmp_path: Path) -> None:
    """A challenge without credentials; many clients at once with the right ones."""
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {{ops: '{hashed(b'secret')}'}}\n", encoding="utf-8")
    with serving(options=Options(listen="127.0.0.1:0", web_config_file=str(path))) as running:
        answer, body = running.get("/")
        assert (answer.status, body) == (401, b"User name and password are needed.\n")
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="wattledger", charset="UTF-8"'
        seen: list[int] = []

        def ask() -> None:
            seen.append(running.get("/", {"Authorization": basic(b"ops:secret")})[0].status)

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert seen == [200] * 8
