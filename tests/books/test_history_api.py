"""A Prometheus that answers badly: no answer is counted that is not whole, and each error is one sentence."""

from __future__ import annotations

import gzip
import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs

import pytest
import trustme

from tests.books.past import DAY_S
from tracker.books.http import Credentials, Http
from tracker.books.http import TooMuch as HttpTooMuch
from tracker.books.prometheus_api import (
    HistoryRefused,
    HistoryUnavailable,
    PrometheusApi,
    exact,
    matchers_of,
    one_of,
    selector,
)
from tracker.core.errors import UsageError, WattledgerError

UJ = 1_000_000
DAY_MS = DAY_S * 1000
HOUR_MS = 3_600_000
Form = dict[str, str]
#: (path, form, headers) -> status, body, more headers
Play = Callable[[str, Form, dict[str, str]], tuple[int, bytes, dict[str, str]]]


@contextmanager
def playing(play: Play, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[-1] for name, values in parse_qs(body).items()}
            status, content, headers = play(self.path, form, {**self.headers})
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


def matrix(*values: tuple[float, str], **more: object) -> bytes:
    result = [{"metric": {"__name__": "j"}, "values": values}]
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}, **more}).encode()


def error(kind: str, text: str) -> bytes:
    return json.dumps({"status": "error", "errorType": kind, "error": text}).encode()


def ask(url: str, credentials: Credentials | None = None) -> list[tuple[int, int]]:
    api = PrometheusApi(url, credentials or Credentials(), sleep=lambda _: None)
    try:
        return [each for series in api.samples("j", DAY_MS, DAY_MS + HOUR_MS, UJ) for each in series.samples]
    finally:
        api.close()


def answering(status: int, body: bytes, headers: dict[str, str] | None = None) -> Play:
    return lambda _path, _form, _headers: (status, body, headers or {})


def sentence(url: str, kind: type[WattledgerError] = HistoryUnavailable) -> str:
    with pytest.raises(kind) as caught:
        ask(url)
    return str(caught.value)


def test_raw_samples_are_asked_for_and_read_exactly() -> None:
    seen: list[Form] = []

    def play(path: str, form: Form, _headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        seen.append({"path": path, **form})
        body = matrix((DAY_S + 1.137, "9123456789.123457"), (DAY_S + 2, "NaN"), (DAY_S + 3, "1.5e+07"))
        return 200, gzip.compress(body), {"Content-Encoding": "gzip"}

    with playing(play) as url:
        assert ask(url) == [(DAY_MS + 1137, 9_123_456_789_123_457), (DAY_MS + 3000, 15_000_000_000_000)]
    assert (seen[0]["path"], seen[0]["query"], seen[0]["time"]) == ("/api/v1/query", "j[3600s]", f"{DAY_S + 3600}.000")


def test_too_much_is_asked_for_in_smaller_pieces_and_nothing_is_read_twice() -> None:
    """The left edge of a range is in it in Prometheus 2 and not in Prometheus 3."""

    def play(_path: str, form: Form, _headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        length_s = int(form["query"].removeprefix("j[").removesuffix("s]"))
        if length_s > 1000:
            text = "query processing would load too many samples into memory in query execution"
            return 422, error("execution", text), {}
        end_s = float(form["time"])
        return 200, matrix((end_s - length_s, "5"), (end_s - 1, "6"), (end_s, "7")), {}

    with playing(play) as url:
        samples = ask(url)
    assert [at_ms for at_ms, _ in samples] == sorted({at_ms for at_ms, _ in samples})
    assert len(samples) == 12  # six pieces of 675 s
    assert samples[0][0] > DAY_MS


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (422, "exceeded maximum resolution of 11,000 points per timeseries"),
        (503, "query timed out in expression evaluation"),
        (422, "cannot select more than -search.maxSamplesPerQuery=1000000000 samples"),
        (413, ""),
    ],
)
def test_a_server_that_is_too_small_for_any_question_is_told(status: int, text: str) -> None:
    with playing(answering(status, error("execution", text))) as url:
        assert "the least question is too much for it" in sentence(url)


@pytest.mark.parametrize(
    "more", [{"warnings": ["No StoreAPIs matched for this query"]}, {"isPartial": True}], ids=["thanos", "victoria"]
)
def test_an_answer_that_is_not_whole_is_refused(more: dict[str, object]) -> None:
    """Counted as whole, the energy of a store that is away would silently be missing."""
    with playing(answering(200, matrix((DAY_S + 1, "1"), **more))) as url:
        assert "its answer is not whole" in sentence(url)


def test_notes_of_newer_servers_do_no_harm() -> None:
    with playing(answering(200, matrix((DAY_S + 1, "1"), infos=["metric might not be a counter"]))) as url:
        assert ask(url) == [(DAY_MS + 1000, 1_000_000)]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (401, b"", "lets nobody in with these credentials (401)"),
        (403, b"", "--prometheus-token"),
        (404, b"404 page not found", "/select/0/prometheus for a VictoriaMetrics cluster"),
        (400, error("bad_data", "parse error at char 3: unexpected <by>"), "parse error at char 3"),
        (200, b"<html>hello</html>", "is not the API of Prometheus"),
        (200, b'{"status":"success","data":{"result":[{"metric":5}]}}', "is not the API of Prometheus"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_a_remedy(status: int, body: bytes, said: str) -> None:
    with playing(answering(status, body)) as url:
        assert said in sentence(url, HistoryRefused)


def test_a_redirect_is_not_followed() -> None:
    """Credentials are for one place."""
    with playing(answering(302, b"", {"Location": "http://192.0.2.1/"})) as url:
        assert "it answered 302" in sentence(url)


@pytest.mark.parametrize("status", [429, 500, 502])
def test_a_server_that_stumbles_is_asked_again(status: int) -> None:
    turns = iter([(status, b""), (status, b""), (200, matrix((DAY_S + 1, "1")))])
    with playing(lambda *_: (*next(turns), {})) as url:
        assert ask(url) == [(DAY_MS + 1000, 1_000_000)]


def test_a_server_that_goes_on_stumbling_is_unavailable() -> None:
    with playing(answering(500, error("internal", "disk is full"))) as url:
        assert "it answered 500: disk is full. Run it again" in sentence(url)


def test_nobody_there_and_a_broken_answer_are_told() -> None:
    assert "the connection was refused" in sentence("http://127.0.0.1:9")
    half = gzip.compress(matrix((DAY_S + 1, "1")))[:-9]
    with playing(answering(200, half, {"Content-Encoding": "gzip"})) as url:
        assert "the answer ended in its middle" in sentence(url)


def test_credentials_come_from_files_and_are_never_shown(tmp_path: Path) -> None:
    seen: list[str] = []

    def play(_path: str, _form: Form, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        seen.append(headers.get("Authorization", ""))
        return 401, b"", {}

    token, pair = tmp_path / "token", tmp_path / "auth"
    token.write_text("s3cret\n")
    pair.write_text("ada:pass word\n")
    with playing(play) as url:
        for credentials in (Credentials(token), Credentials(None, pair)):
            with pytest.raises(HistoryRefused) as caught:
                ask(url, credentials)
            assert "s3cret" not in str(caught.value)
    assert seen == ["Bearer s3cret", "Basic YWRhOnBhc3Mgd29yZA=="]


def test_a_certificate_must_be_trusted(tmp_path: Path) -> None:
    authority, tls = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with playing(answering(200, matrix((DAY_S + 1, "1"))), tls) as url:
        assert "its certificate is not trusted here (--prometheus-ca names others)" in sentence(url)
        assert ask(url, Credentials(ca_file=tmp_path / "ca.pem")) == [(DAY_MS + 1000, 1_000_000)]
    with pytest.raises(UsageError, match="There is no"):
        PrometheusApi("https://127.0.0.1", Credentials(ca_file=tmp_path / "none.pem"))


def test_a_tenant_is_named() -> None:
    assert Credentials(tenant="finance").headers()["X-Scope-OrgID"] == "finance"
    with pytest.raises(UsageError, match="tenant"):
        Credentials(tenant="a\r\nb").headers()


@pytest.mark.parametrize("content", ["", "two\nlines", None])
def test_a_secret_that_cannot_be_one_is_bad_usage(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "token").write_text(content)
    with pytest.raises(UsageError, match="token"):
        Credentials(tmp_path / "token").headers()


@pytest.mark.parametrize("url", ["prometheus:9090", "ftp://x/", "http://user:s3cret@host/", "http://"])
def test_an_address_that_is_none_is_bad_usage_and_tells_no_secret(url: str) -> None:
    with pytest.raises(HistoryRefused) as caught:
        PrometheusApi(url)
    assert "s3cret" not in str(caught.value)


def test_an_answer_has_a_bound_also_where_it_is_packed() -> None:
    with playing(answering(200, gzip.compress(b"0" * 5_000_000), {"Content-Encoding": "gzip"})) as url:
        http = Http(Credentials(), max_bytes=1_000_000)
        with pytest.raises(HttpTooMuch):
            http.post(url, b"")
        http.close()


def test_an_answer_that_does_not_come_is_too_much() -> None:
    """A query that runs into the deadline is asked again for less."""

    def play(_path: str, form: Form, _headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        return 200, b"", {"Content-Length": "10"}

    with playing(play) as url:
        http = Http(Credentials(), deadline_s=0.2)
        with pytest.raises(HttpTooMuch, match="no answer within"):
            http.post(url, b"")
        http.close()


@pytest.mark.parametrize(
    ("text", "uj"),
    [
        ("0", 0),
        ("24131212345", 24_131_212_345_000_000),
        ("0.000001", 1),
        ("1.5", 1_500_000),
        ("1.5e+07", 15_000_000_000_000),
        (".5", 500_000),
        ("1e-06", 1),
        ("1.2345678901e+10", 12_345_678_901_000_000),
        ("0.0000005", 0),  # half-even
        ("0.0000015", 2),
        ("NaN", None),
        ("+Inf", None),
        ("", None),
        ("1.x", None),
        ("-1", -1_000_000),
    ],
)
def test_values_never_become_floats(text: str, uj: int | None) -> None:
    assert exact(text, UJ) == uj


def test_selectors_are_written_so_that_names_cannot_break_out() -> None:
    assert matchers_of(' {cluster="x", a=~"b|c",} ') == 'cluster="x", a=~"b|c"'
    assert selector("m", "", 'a="b"', one_of("host", ['n"1', "n.2"])) == 'm{a="b",host=~"n\\\\\\"1|n\\\\.2"}'
    with pytest.raises(HistoryRefused, match="PromQL"):
        matchers_of('cluster="x"')
