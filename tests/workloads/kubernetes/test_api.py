"""The API server over real TLS: what is asked, and what becomes of every answer."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
import trustme

from tests.fakes.apiserver import ACCEPT, ApiServer, metadata, running_apiserver, service_account
from tracker.clock import now
from tracker.workloads.kubernetes import https
from tracker.workloads.kubernetes.api import ApiServer as Client
from tracker.workloads.kubernetes.api import Place, find_place
from tracker.workloads.kubernetes.deadline import Deadline
from tracker.workloads.kubernetes.trouble import Trouble

UID = "b1d0c5e4-5c5c-4a6f-9d0e-1f2a3b4c5d6e"
IN_A_POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "6443", "NODE_NAME": "node-1"}


def client_of(server: ApiServer, account: Path) -> Client:
    return Client(Place("127.0.0.1", server.port, "node-1", account), now)


def trouble_of(client: Client) -> Trouble:
    with pytest.raises(Trouble) as caught:
        client.pods()
    assert caught.value.sentence.isprintable()
    return caught.value


def test_only_metadata_of_the_running_pods_of_this_node_is_asked_for_and_from_memory(
    tmp_path: Path, authority: trustme.CA
) -> None:
    with running_apiserver(authority) as server:
        server.pods = {"node-1": [metadata("ml", "a", UID)], "node-2": [metadata("ml", "b", UID)]}
        (pod,) = client_of(server, service_account(tmp_path, authority)).pods()
    assert (pod.namespace, pod.name, pod.uid) == ("ml", "a", UID)
    (request,) = server.requests
    assert request.path == "/api/v1/pods"
    assert request.query == {
        "fieldSelector": ["spec.nodeName=node-1,status.phase!=Succeeded,status.phase!=Failed"],
        "resourceVersion": ["0"],
    }
    assert request.headers["accept"] == ACCEPT
    assert request.headers["authorization"] == "Bearer first"


def test_a_token_that_the_kubelet_has_renewed_is_used_from_then_on(tmp_path: Path, authority: trustme.CA) -> None:
    with running_apiserver(authority) as server:
        client = client_of(server, service_account(tmp_path, authority))
        assert client.pods() == ()
        server.tokens = {"second"}
        assert trouble_of(client).kind == "denied"
        (tmp_path / "token").write_text("second\n")
        assert client.pods() == ()


def test_an_authority_that_was_renewed_is_trusted_from_then_on(tmp_path: Path, authority: trustme.CA) -> None:
    renewed = trustme.CA()
    with running_apiserver(renewed) as server:
        client = client_of(server, service_account(tmp_path, authority))
        assert "certificate" in trouble_of(client).sentence
        service_account(tmp_path, renewed)
        assert client.pods() == ()


def test_an_unchanged_list_is_not_sent_again_where_somebody_gives_an_etag(
    tmp_path: Path, authority: trustme.CA
) -> None:
    with running_apiserver(authority) as server:
        server.pods, server.etag = {"node-1": [metadata("ml", "a", UID)]}, '"7"'
        client = client_of(server, service_account(tmp_path, authority))
        first = client.pods()
        assert client.pods() is first
    assert [request.headers.get("if-none-match") for request in server.requests] == [None, '"7"']


def test_a_version_that_is_gone_is_asked_for_without_a_version_once(tmp_path: Path, authority: trustme.CA) -> None:
    with running_apiserver(authority) as server:
        client = client_of(server, service_account(tmp_path, authority))
        server.status = 410
        assert trouble_of(client).kind == "failed"
        server.status = 200
        client.pods()
        client.pods()
    assert ["resourceVersion" in request.query for request in server.requests] == [True, False, True]


@pytest.mark.parametrize(
    ("status", "kind", "word"),
    [
        (401, "denied", "token"),
        (403, "denied", "may not list pods"),
        (406, "failed", "406"),
        (429, "failed", "fewer requests"),
        (500, "failed", "500"),
        (503, "failed", "503"),
        (302, "failed", "302"),
        (204, "failed", "204"),
    ],
)
def test_refusals(tmp_path: Path, authority: trustme.CA, status: int, kind: str, word: str) -> None:
    with running_apiserver(authority) as server:
        server.status = status
        server.headers = {"Location": "https://127.0.0.1:1/", "Retry-After": "120"}
        trouble = trouble_of(client_of(server, service_account(tmp_path, authority)))
    assert trouble.kind == kind
    assert word in trouble.sentence
    assert trouble.wait_s == (120 if status in {429, 500, 503, 406, 302, 204} else 0)
    assert len(server.requests) == 1  # nobody followed the redirect with the token


def test_a_missing_right_is_told_with_the_command_that_grants_it(tmp_path: Path, authority: trustme.CA) -> None:
    with running_apiserver(authority) as server:
        server.status = 403
        trouble = trouble_of(client_of(server, service_account(tmp_path, authority)))
    assert "--verb=list --resource=pods" in trouble.remedy
    assert "--serviceaccount=monitoring:wattledger" in trouble.remedy


@pytest.mark.parametrize("text", ["", "-1", "soon", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 30, "٣"])
def test_a_strange_retry_after_is_no_wait(tmp_path: Path, authority: trustme.CA, text: str) -> None:
    with running_apiserver(authority) as server:
        server.status, server.headers = 429, {"Retry-After": text.encode().decode("latin-1")}
        assert trouble_of(client_of(server, service_account(tmp_path, authority))).wait_s == 0


def test_a_wait_of_a_day_is_ten_minutes(tmp_path: Path, authority: trustme.CA) -> None:
    with running_apiserver(authority) as server:
        server.status, server.headers = 429, {"Retry-After": "86400"}
        assert trouble_of(client_of(server, service_account(tmp_path, authority))).wait_s == 600


def test_garbage_keeps_nothing_and_the_next_answer_is_read(tmp_path: Path, authority: trustme.CA) -> None:
    with running_apiserver(authority) as server:
        client = client_of(server, service_account(tmp_path, authority))
        server.body = b"<html>\x00\xff"
        assert trouble_of(client).kind == "garbage"
        server.body = None
        assert client.pods() == ()


@pytest.mark.parametrize(
    "raw",
    [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200, b"\x00" * 70_000],
)
def test_a_peer_that_speaks_something_else_is_one_clear_error(
    tmp_path: Path, authority: trustme.CA, raw: bytes
) -> None:
    with running_apiserver(authority) as server:
        server.raw = raw
        assert trouble_of(client_of(server, service_account(tmp_path, authority))).kind in {"garbage", "failed"}


def test_an_answer_that_is_too_long_is_given_up(tmp_path: Path, authority: trustme.CA) -> None:
    account = service_account(tmp_path, authority)
    headers = {"Authorization": "Bearer first", "Accept": ACCEPT}
    with running_apiserver(authority) as server:
        server.body = b" " * 300_000
        with pytest.raises(Trouble, match="longer than 100000 bytes"):
            https.get(
                "127.0.0.1", server.port, _PATH, headers, account / "ca.crt", Deadline(now, 10), max_bytes=100_000
            )


_PATH = "/api/v1/pods?fieldSelector=spec.nodeName%3Dnode-1"


def test_a_server_that_stops_in_the_middle_costs_the_deadline_and_no_more(
    tmp_path: Path, authority: trustme.CA
) -> None:
    account = service_account(tmp_path, authority)
    headers = {"Authorization": "Bearer first", "Accept": ACCEPT}
    with running_apiserver(authority) as server:
        server.hold = threading.Event()
        with pytest.raises(TimeoutError):
            https.get("127.0.0.1", server.port, _PATH, headers, account / "ca.crt", Deadline(now, 0.3), 1000)
        server.hold.set()


def test_a_body_that_is_cut_off_is_no_shorter_list(tmp_path: Path, authority: trustme.CA) -> None:
    with running_apiserver(authority) as server:
        server.body = json.dumps({"items": []}).encode()
        server.headers = {"Content-Length": "4000"}
        assert trouble_of(client_of(server, service_account(tmp_path, authority))).kind == "failed"


def test_a_server_with_a_foreign_certificate_gets_no_token(tmp_path: Path, authority: trustme.CA) -> None:
    with running_apiserver(authority, names=("10.0.0.1",)) as server:
        trouble = trouble_of(client_of(server, service_account(tmp_path, authority)))
    assert "cannot be reached" in trouble.sentence
    assert server.requests == []


def test_a_server_that_is_not_there(tmp_path: Path, authority: trustme.CA) -> None:
    with running_apiserver(authority) as server:
        pass
    trouble = trouble_of(client_of(server, service_account(tmp_path, authority)))
    assert trouble.kind == "failed"
    assert server.address in trouble.sentence


@pytest.mark.parametrize(
    ("file", "content", "word"),
    [
        ("token", None, "no service-account token"),
        ("token", "", "is no token"),
        ("token", "first\r\nX-Evil: 1", "is no token"),
        ("token", "x" * 70_000, "is no token"),
        ("token", "t\u00f6ken", "is no token"),
        ("ca.crt", None, "nobody is trusted"),
        ("ca.crt", "no certificate", "holds no certificate"),
        ("ca.crt", "", "holds no certificate"),
    ],
)
def test_a_broken_service_account_sends_nothing(
    tmp_path: Path, authority: trustme.CA, file: str, content: str | None, word: str
) -> None:
    with running_apiserver(authority) as server:
        account = service_account(tmp_path, authority)
        (account / file).unlink()
        if content is not None:
            (account / file).write_text(content)
        trouble = trouble_of(client_of(server, account))
    assert word in trouble.sentence
    assert server.requests == []
    assert "X-Evil" not in trouble.sentence  # a file that was mistaken for a token may be a secret


@pytest.mark.parametrize(
    ("environ", "server", "node", "place"),
    [
        (IN_A_POD, "", "", ("10.96.0.1", 6443, "node-1")),
        ({**IN_A_POD, "KUBERNETES_SERVICE_HOST": "fd00::1"}, "", "", ("fd00::1", 6443, "node-1")),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "NODE_NAME": "n"}, "", "", ("10.0.0.1", 443, "n")),
        (IN_A_POD, "api.example:443", "gpu-7", ("api.example", 443, "gpu-7")),
        ({}, "[fd00::2]:6443", "gpu-7", ("fd00::2", 6443, "gpu-7")),
    ],
)
def test_where_the_server_is(environ: dict[str, str], server: str, node: str, place: tuple[str, int, str]) -> None:
    found = find_place(environ, Path("/a"), server, node)
    assert (found.host, found.port, found.node) == place


@pytest.mark.parametrize(
    ("environ", "server", "kind"),
    [
        ({}, "", "absent"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "tcp://x"}, "", "absent"),
        ({"NODE_NAME": "n"}, "api.example", "absent"),
        ({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "", "failed"),
    ],
)
def test_where_nobody_says_it(environ: dict[str, str], server: str, kind: str) -> None:
    with pytest.raises(Trouble) as caught:
        find_place(environ, Path("/a"), server, "")
    assert caught.value.kind == kind
    assert caught.value.remedy
