"""A question gets its answer or one clear error within its deadline, whatever a service does, and no secret leaves."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from pathlib import Path

import pytest
import trustme

from tests.fakes.gridserver import ELSEWHERE, FAULTS, GridServer
from tracker.core.errors import UsageError
from tracker.grid.http import HttpAsk
from tracker.grid.interface import Answer, BadAnswer, ProviderError, Question, Throttled, Unreachable

NOW_S = 1_791_000_000
BODY = b'{"carbonIntensity": 302}'
TOKEN, KEY, PASSWORD = "tok-4711-secret", "k/e+y 99%", "pass-wört"


@dataclass
class Clock:
    """Sleeping is what moves it."""

    at_s: float = 0.0
    naps_s: list[float] = field(default_factory=list)

    def sleep(self, pause_s: float) -> None:
        self.naps_s.append(pause_s)
        self.at_s += pause_s

    def monotonic(self) -> float:
        return self.at_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server() -> Iterator[GridServer]:
    with GridServer({"/ci": BODY, "/moved": b"moved"}) as running:
        yield running


def ask(
    server: GridServer, clock: Clock, *, attempt_s: float = 25.0, chance: float = 1.0, ca_file: str = ""
) -> HttpAsk:
    return HttpAsk(
        "1.2.3",
        now_s=lambda: NOW_S,
        attempt_s=attempt_s,
        monotonic=clock.monotonic,
        sleep=clock.sleep,
        random=lambda: chance,
        proxy_of=lambda _url: "",
        ca_file=ca_file,
    )


def question(server: GridServer, path: str = "/ci", body: bytes | None = None) -> Question:
    headers = {"auth-token": TOKEN, "Authorization": "Basic bWU6cGFzcy13w7ZydA=="}  # me:pass-wört
    return Question(server.url + path, {"zone": "DE", "q": "a b"}, headers, {"api_key": KEY}, body)


def test_the_answer_says_what_was_received_and_when_and_where(server: GridServer, clock: Clock) -> None:
    answer = ask(server, clock)(question(server))
    assert answer == Answer(200, BODY, hashlib.sha256(BODY).hexdigest(), NOW_S, f"{server.url}/ci?zone=DE&q=a+b")
    asked = server.requests[0]
    assert (asked.method, asked.query) == ("GET", {"zone": "DE", "q": "a b", "api_key": KEY})
    assert asked.headers["user-agent"] == "wattledger/1.2.3"
    assert asked.headers["auth-token"] == TOKEN


def test_a_form_is_posted(server: GridServer, clock: Clock) -> None:
    ask(server, clock)(question(server, body=b"grant_type=client"))
    assert (server.requests[0].method, server.requests[0].body) == ("POST", b"grant_type=client")


@pytest.mark.parametrize("way", ["gzipped", "chunked"])
def test_other_ways_to_send_the_same_are_read(server: GridServer, clock: Clock, way: str) -> None:
    server.play("/ci", way)
    assert ask(server, clock)(question(server)).body == BODY


def test_one_connection_carries_several_questions(server: GridServer, clock: Clock) -> None:
    asking = ask(server, clock)
    bodies = {asking(question(server)).body for _ in range(3)}
    asking.close()
    assert bodies == {BODY}
    assert asking(question(server)).status == 200  # after close() it opens a new one


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
def test_refusals_are_for_the_provider_to_judge_and_repeat_no_secret(
    server: GridServer, clock: Clock, status: int
) -> None:
    """The service's page repeats all that was sent; asked once, since it would refuse again."""
    server.play("/ci", str(status))
    answer = ask(server, clock)(question(server, body=b'{"password": "pass-w\\u00f6rt", "email": "ops@example.org"}'))
    assert (answer.status, len(server.requests), clock.naps_s) == (status, 1, [])
    assert f"refused with {status}".encode() in answer.body
    assert b"********" in answer.body
    told = answer.body.decode() + answer.endpoint
    for secret in (TOKEN, KEY, "k%2Fe%2By", PASSWORD, "pass-w\\u00f6rt", "bWU6cGFzcy13w7ZydA", "ops@example.org"):
        assert secret not in told


def test_a_good_answer_that_repeats_the_key_is_none(server: GridServer, clock: Clock) -> None:
    """Whoever says what was wrong with such an answer would say the key, and the store would keep it."""
    server.bodies["/ci"] = lambda asked: f'{{"zone": "{asked.headers["auth-token"]}"}}'.encode()
    with pytest.raises(BadAnswer, match="repeats the key") as raised:
        ask(server, clock)(Question(f"{server.url}/ci", headers={"auth-token": TOKEN}))
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize("fault", ["500", "502", "503", "504", "429", "reset", "cut off", "no http"])
def test_what_may_pass_is_tried_again(server: GridServer, clock: Clock, fault: str) -> None:
    server.play("/ci", fault, fault, "")
    assert ask(server, clock)(question(server)).body == BODY
    assert len(server.requests) == 3
    assert clock.naps_s == [1.0, 2.0]


def test_waits_double_and_half_of_each_is_chance(server: GridServer, clock: Clock) -> None:
    """A fleet that lost its service must not come back in one second."""
    server.play("/ci", "503")
    for chance, naps_s in ((1.0, [1.0, 2.0, 4.0]), (0.0, [0.5, 1.0, 2.0])):
        clock.naps_s.clear()
        with pytest.raises(Unreachable) as raised:
            ask(server, clock, chance=chance)(question(server))
        assert clock.naps_s == naps_s
    assert str(raised.value) == (
        "127.0.0.1 did not answer: it answered 503 (4 attempts). What is known already is kept and used."
    )


@pytest.mark.parametrize("status", ["429", "503"])
@pytest.mark.parametrize("said", ["7", formatdate(NOW_S + 7, usegmt=True)])
def test_retry_after_is_kept(server: GridServer, clock: Clock, status: str, said: str) -> None:
    """In seconds and as a date."""
    server.retry_after = said
    server.play("/ci", status, "")
    assert ask(server, clock)(question(server)).body == BODY
    assert clock.naps_s == [7.0]


@pytest.mark.parametrize(("said", "retry_after_s"), [("3600", 3600), ("99999999999999", 86_400)])
def test_a_long_wait_is_left_to_the_caller(server: GridServer, clock: Clock, said: str, retry_after_s: int) -> None:
    server.retry_after = said
    server.play("/ci", "429")
    with pytest.raises(Throttled) as raised:
        ask(server, clock)(question(server))
    assert (raised.value.retry_after_s, clock.naps_s, len(server.requests)) == (retry_after_s, [], 1)


@pytest.mark.parametrize("said", ["", "soon", "-5", "1e3", "Wed, 99 Oct 2026 99:00:00 GMT", formatdate(0)])
def test_a_retry_after_without_meaning_is_none(server: GridServer, clock: Clock, said: str) -> None:
    server.retry_after = said
    server.play("/ci", "429")
    with pytest.raises(Throttled) as raised:
        ask(server, clock)(question(server))
    assert (raised.value.retry_after_s, clock.naps_s) == (0, [1.0, 2.0, 4.0])


@pytest.mark.parametrize("fault", ["slow", "slow header", "silent"])
def test_nobody_can_hold_a_question(server: GridServer, clock: Clock, fault: str) -> None:
    """Bytes that drip in, in the body and in the header, and none at all: each attempt ends in time, all of them do."""
    server.play("/ci", fault)
    asking = ask(server, clock, attempt_s=0.1)
    with pytest.raises(Unreachable, match=r"no whole answer within 0\.1 s|it took too long"):
        asking(question(server))
    assert len(server.requests) == 4
    server.play("/ci")
    assert asking(question(server)).body == BODY


def test_a_question_has_one_deadline_for_all_its_attempts(server: GridServer, clock: Clock) -> None:
    """Waits count: where the next attempt would begin too late, there is none."""
    server.play("/ci", "503")
    asking = HttpAsk(
        "1",
        now_s=lambda: NOW_S,
        deadline_s=2.5,
        monotonic=clock.monotonic,
        sleep=clock.sleep,
        random=lambda: 1.0,
        proxy_of=lambda _url: "",
    )
    with pytest.raises(Unreachable, match=r"\(2 attempts\)"):
        asking(question(server))
    assert clock.at_s == 1.0


@pytest.mark.parametrize("fault", ["huge", "bomb"])
def test_a_body_that_is_too_large_is_not_read_on(server: GridServer, clock: Clock, fault: str) -> None:
    """80 MiB, and 80 MiB packed into 80 KiB: the limit holds for what comes out."""
    server.play("/ci", fault)
    with pytest.raises(BadAnswer, match="more than 8 MiB"):
        ask(server, clock)(question(server))
    assert len(server.requests) == 1


def test_a_workbook_may_be_larger_where_it_is_asked_for(server: GridServer, clock: Clock) -> None:
    """80 MiB come whole for a question that allows 128; for the next one the limit is the usual one."""
    server.play("/ci", "huge")
    large = replace(question(server), max_bytes=128 << 20)
    assert len(ask(server, clock)(large).body) > 64 << 20
    with pytest.raises(BadAnswer, match="more than 8 MiB"):
        ask(server, clock)(question(server))


@pytest.mark.parametrize("fault", ["bad gzip", "odd encoding"])
def test_what_cannot_be_unpacked_is_no_answer(server: GridServer, clock: Clock, fault: str) -> None:
    server.play("/ci", fault)
    with pytest.raises(BadAnswer):
        ask(server, clock)(question(server))


@pytest.mark.parametrize(
    ("fault", "place"),
    [
        ("redirect", "https://elsewhere.invalid"),
        ("redirect port", ":9"),
        ("redirect backslash", "127.0.0.1"),
        ("redirect nowhere", "no address"),
    ],
)
def test_a_redirect_to_another_place_is_not_followed(server: GridServer, clock: Clock, fault: str, place: str) -> None:
    """The token is for the service that was named, and for nobody whom it names."""
    server.play("/ci", fault)
    with pytest.raises(BadAnswer, match=place) as raised:
        ask(server, clock)(question(server))
    assert ELSEWHERE.rpartition("/")[2] not in str(raised.value)
    assert len(server.requests) == 1


def test_a_redirect_within_the_service_is_followed(server: GridServer, clock: Clock) -> None:
    server.play("/ci", "moved")
    answer = ask(server, clock)(question(server))
    assert (answer.body, answer.endpoint) == (b"moved", f"{server.url}/ci?zone=DE&q=a+b")
    assert server.requests[1].headers["auth-token"] == TOKEN


def test_redirects_end(server: GridServer, clock: Clock) -> None:
    server.play("/ci", "redirect loop")
    with pytest.raises(BadAnswer, match="more than 3 redirects"):
        ask(server, clock)(question(server))
    assert len(server.requests) == 4


def test_a_form_is_never_sent_on(server: GridServer, clock: Clock) -> None:
    server.play("/ci", "moved")
    with pytest.raises(BadAnswer, match="redirect"):
        ask(server, clock)(question(server, body=b"a=b"))
    assert len(server.requests) == 1


#: Whether a body is what it should be is not for this part to say.
ECHOES = {"echo text", "echo json", "echo document", "echo odd"}
ANSWERS = {"", "gzipped", "chunked", "moved", "html", "truncated", "empty", *ECHOES}


@pytest.mark.parametrize("fault", [*sorted(FAULTS.keys() - ANSWERS), "500", "429", "501", "304"])
def test_no_error_says_a_secret(server: GridServer, clock: Clock, fault: str) -> None:
    server.play("/ci", fault)
    with pytest.raises(ProviderError) as raised:
        ask(server, clock, attempt_s=0.05)(question(server))
    error = raised.value
    told = f"{error} {error!r} {error.__cause__!r}"
    assert not any(secret in told for secret in (TOKEN, KEY, "k%2Fe", PASSWORD, "bWU6"))
    assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/ci", "http://no-such-host.invalid/ci"])
def test_nobody_there(server: GridServer, clock: Clock, url: str) -> None:
    with pytest.raises(Unreachable, match=r"did not answer: .*\(4 attempts\)"):
        ask(server, clock)(Question(url, secret_query={"key": KEY}))


@pytest.mark.parametrize(
    "asked",
    [
        Question("http://127.0.0.1:99999/ci", headers={"auth-token": TOKEN}),
        Question("ftp://127.0.0.1/ci", headers={"auth-token": TOKEN}),
        Question("http://127.0.0.1/ci", headers={"auth-token": f"{TOKEN}\nX: y"}),
        Question("http://127.0.0.1/ci", headers={"auth-token": f"{TOKEN}…"}),
    ],
)
def test_what_cannot_be_sent_is_not_tried_twice(server: GridServer, clock: Clock, asked: Question) -> None:
    with pytest.raises(Unreachable, match="cannot be sent") as raised:
        ask(server, clock)(asked)
    assert TOKEN not in str(raised.value)
    assert clock.naps_s == []


def test_a_user_in_the_address_is_not_shown(server: GridServer, clock: Clock) -> None:
    url = server.url.replace("//", f"//me:{TOKEN}@") + "/ci"
    assert ask(server, clock)(Question(url)).endpoint == f"{server.url}/ci"


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[GridServer]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with GridServer({"/ci": BODY}, tls=context) as running:
        yield running


def test_a_certificate_that_nobody_here_trusts_ends_it(secure: GridServer, clock: Clock) -> None:
    """Nothing was sent, and it would be no better a second later."""
    with pytest.raises(Unreachable, match="certificate is not trusted"):
        ask(secure, clock)(question(secure))
    assert (secure.requests, clock.naps_s) == ([], [])


def test_a_ca_file_names_whom_to_trust(secure: GridServer, clock: Clock, tmp_path: Path) -> None:
    assert ask(secure, clock, ca_file=str(tmp_path / "ca.pem"))(question(secure)).body == BODY


def test_a_ca_file_that_is_not_there_is_said_at_once(server: GridServer, clock: Clock, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"grid\.ca_file is .*none\.pem, which is not there"):
        ask(server, clock, ca_file=str(tmp_path / "none.pem"))


def test_the_proxy_of_the_environment_is_asked(
    server: GridServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain address goes to the proxy whole (RFC 9112, 3.2.2); NO_PROXY has the last word."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//user:proxy-secret@"))
    asking = HttpAsk("1", now_s=lambda: NOW_S, monotonic=clock.monotonic, sleep=clock.sleep)
    assert asking(Question("http://grid.invalid/ci")).body == BODY
    assert server.requests[0].headers["host"] == "grid.invalid"
    assert server.requests[0].headers["proxy-authorization"].startswith("Basic ")
    monkeypatch.setenv("no_proxy", "grid.invalid")
    with pytest.raises(Unreachable) as raised:
        asking(Question("http://grid.invalid/ci"))
    assert len(server.requests) == 1
    assert "proxy-secret" not in str(raised.value)


def test_an_https_address_goes_through_the_https_proxy(
    server: GridServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By CONNECT; this proxy knows none of that, and is named as the cause."""
    monkeypatch.setenv("HTTPS_PROXY", server.url)
    monkeypatch.delenv("https_proxy", raising=False)
    asking = HttpAsk("1", now_s=lambda: NOW_S, monotonic=clock.monotonic, sleep=clock.sleep)
    with pytest.raises(Unreachable, match="the proxy did not let it through"):
        asking(Question("https://grid.invalid/ci"))
