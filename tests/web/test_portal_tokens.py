"""Who may read statements: bearer tokens from a file, beside the users of a web.config.yml."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import pytest

from tests.web.portals import portal
from tests.web.serving import Log
from tracker.core.errors import UsageError
from tracker.web.portal.server import PortalServer
from tracker.web.portal.tokens import TokenFile, parse_tokens, token_of
from tracker.web.server import Options

ONE, TWO = "a1" * 16, "Zm9vYmFyYmF6cXV4eHl6enk="
FILE = f"# who may read\n{ONE}   # spreadsheet of finance\n\n  {TWO}\n"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(FILE, encoding="utf-8")
    return path


def test_a_file_has_tokens_comments_and_empty_lines() -> None:
    assert parse_tokens(FILE, "f") == (ONE, TWO)
    assert parse_tokens("", "f") == ()


@pytest.mark.parametrize("line", ["short", "two words that are long enough", "ünïcodeünïcodeünïcodeünïcode", "a" * 19])
def test_what_is_no_token_is_named_by_its_line_and_never_shown(line: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_tokens(f"{ONE}\n{line}\n", "tokens.txt")
    assert "tokens.txt:2" in str(caught.value)
    assert line not in str(caught.value)
    assert "openssl rand -hex 32" in str(caught.value)


@pytest.mark.parametrize(
    ("header", "token"),
    [
        (f"Bearer {ONE}", ONE),
        (f"bearer   {ONE}", ONE),
        (basic("token", ONE), ONE),
        (basic("other", ONE), ""),
        ("Basic !!!", ""),
        ("Basic /w==", ""),
        (ONE, ""),
        ("", ""),
    ],
)
def test_a_token_is_a_bearers_or_the_password_of_the_user_token(header: str, token: str) -> None:
    """A browser can send nothing but a user and a password."""
    assert token_of(header) == token


def test_only_who_brings_a_token_gets_in(tokens: Path) -> None:
    """Health is asked with a token too, as on the node."""
    with portal(tokens=tokens) as served:
        for path in ("/", "/api/v1/statements", "/-/healthy", "/nothing"):
            answer, body = served.get(path)
            assert answer.status == 401
            assert answer.headers["WWW-Authenticate"].startswith("Basic ")
            assert body.decode().startswith("A token is needed")
        for header in (f"Bearer {ONE}x", "Bearer ", "Bearer", f"Bearer {ONE[:-1]}", basic("token", "no"), "Bearer ÿ"):
            assert served.get("/", {"Authorization": header})[0].status == 401
        for header in (f"Bearer {ONE}", f"Bearer {TWO}", basic("token", TWO)):
            assert served.get("/", {"Authorization": header})[0].status == 200


def test_tokens_stand_beside_the_users_of_a_web_config(tokens: Path, tmp_path: Path) -> None:
    hashed = bcrypt.hashpw(b"s:cret", bcrypt.gensalt(4, b"2b")).decode()
    config = tmp_path / "web.yml"
    config.write_text(f"basic_auth_users:\n  ops: {hashed}\n", encoding="utf-8")
    options = Options(listen="127.0.0.1:0", web_config_file=str(config))
    with portal(tokens=tokens, options=options) as served:
        assert served.get("/", {"Authorization": f"Bearer {ONE}"})[0].status == 200
        assert served.get("/", {"Authorization": basic("ops", "s:cret")})[0].status == 200
        assert served.get("/", {"Authorization": basic("ops", "wrong")})[0].status == 401
        assert served.get("/")[0].status == 401
        assert served.server.url.startswith("http://")


@dataclass
class Clock:
    now_s: float = 0.0

    def __call__(self) -> float:
        self.now_s += 2.0
        return self.now_s


def test_a_line_that_is_taken_away_withdraws_its_token(tokens: Path) -> None:
    """Also the last one: then nobody gets in."""
    log = Log()
    check = TokenFile(tokens, log, Clock())
    assert check(f"Bearer {ONE}")
    tokens.write_text(f"{TWO}\n", encoding="utf-8")
    assert not check(f"Bearer {ONE}")
    assert check(f"Bearer {TWO}")
    tokens.write_text("# nobody\n", encoding="utf-8")
    assert not check(f"Bearer {TWO}")
    assert not check("")
    assert not check("Bearer ")
    assert log.lines == []


def test_a_file_that_became_bad_keeps_what_it_had_and_is_reported_once(tokens: Path) -> None:
    log = Log()
    check = TokenFile(tokens, log, Clock())
    tokens.write_text("oops\n", encoding="utf-8")
    assert check(f"Bearer {ONE}")
    assert check(f"Bearer {ONE}")
    assert [place for place, _ in log.lines] == ["token_file"]
    assert "tokens:1" in str(log.lines[0][1])
    tokens.unlink()
    assert check(f"Bearer {ONE}")
    tokens.write_text(f"{TWO}\n", encoding="utf-8")
    assert check(f"Bearer {TWO}")
    assert not check(f"Bearer {ONE}")


def test_a_file_without_a_token_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        TokenFile(tmp_path / "absent", Log())
    empty = tmp_path / "empty"
    empty.write_text("# none yet\n", encoding="utf-8")
    with pytest.raises(UsageError, match="holds no token"):
        TokenFile(empty, Log())


def test_who_serves_without_a_password_is_known(tokens: Path, tmp_path: Path) -> None:
    """So that the operator can be warned."""
    with portal() as served:
        assert isinstance(served.server, PortalServer)
        assert served.server.is_open
    with portal(tokens=tokens) as served:
        assert isinstance(served.server, PortalServer)
        assert not served.server.is_open
