"""TLS, client certificates and reload through a real web.config.yml."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bcrypt
import pytest
import trustme

from tests.web.certificates import Pki, get
from tests.web.serving import Log, Running, hello, serving, wait_for
from tracker.core.errors import UsageError
from tracker.web.connection import Limits
from tracker.web.gate import ConfiguredGate
from tracker.web.server import Options, WebServer

SERVER = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"
CLIENT_CA = "  client_ca_file: ca.pem\n"


@pytest.fixture
def pki(tmp_path: Path) -> Pki:
    made = Pki(tmp_path)
    made.server()
    return made


@contextmanager
def configured(pki: Pki, text: str, limits: Limits | None = None) -> Iterator[Running]:
    """A server with this web.config.yml beside the certificates."""
    path = pki.folder / "web.config.yml"
    path.write_text(text, encoding="utf-8")
    with serving(limits=limits, options=Options(listen="127.0.0.1:0", web_config_file=str(path))) as running:
        yield running


def refused(pki: Pki, text: str) -> UsageError:
    """The error that a server with this file raises before it listens."""
    path = pki.folder / "web.config.yml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        WebServer(Options(listen="127.0.0.1:0", web_config_file=str(path)), {"/": hello}, Log())
    return error.value


def test_https(pki: Pki) -> None:
    """Relative file names are beside the file, and TLS below 1.2 is not spoken."""
    with configured(pki, SERVER) as running:
        assert running.server.url.startswith("https://127.0.0.1:")
        answer, body = get(running, pki.client())
        assert (answer.status, body) == (200, b"hello\n")
        with pytest.raises(ssl.SSLCertVerificationError):
            get(running, ssl.create_default_context())


def test_plain_http_on_the_tls_port_is_told_so(pki: Pki) -> None:
    """The most common mistake of a first scrape configuration."""
    with configured(pki, SERVER) as running:
        answer = running.say(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"https://" in answer


def test_versions_and_suites(pki: Pki) -> None:
    """What the file allows is what is negotiated."""
    suites = (
        "  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_AES_128_GCM_SHA256]\n"
    )
    with configured(pki, SERVER + suites + "  curve_preferences: [CurveP256]\n") as running:
        context = pki.client()
        with running.connect() as plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as sock:
            assert sock.version() == "TLSv1.2"
            cipher = sock.cipher()
            assert cipher is not None
            assert cipher[0] == "ECDHE-ECDSA-AES256-GCM-SHA384"
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with pytest.raises(ssl.SSLError):
            get(running, context)


def test_a_client_certificate_is_required_and_verified(pki: Pki) -> None:
    """Nobody without a certificate of the authority reads anything; nothing is logged for it."""
    with configured(pki, SERVER + CLIENT_CA + "  client_auth_type: RequireAndVerifyClientCert\n") as running:
        assert get(running, pki.client("prometheus.example"))[0].status == 200
        with pytest.raises(OSError):  # noqa: PT011 - TLS alert or reset, as the kernel has it
            get(running, pki.client())
        foreign = pki.client()
        trustme.CA().issue_cert("prometheus.example").configure_cert(foreign)
        with pytest.raises(OSError):  # noqa: PT011 - see above
            get(running, foreign)
        assert running.log.lines == []


def test_a_client_certificate_is_verified_if_given(pki: Pki) -> None:
    """Without one you are let in."""
    with configured(pki, SERVER + CLIENT_CA + "  client_auth_type: VerifyClientCertIfGiven\n") as running:
        assert get(running, pki.client())[0].status == 200
        assert get(running, pki.client("a.example"))[0].status == 200


def test_only_allowed_names(pki: Pki) -> None:
    """A certificate of the authority for somebody else gets a sentence."""
    allowed = "  client_allowed_sans: [prometheus.example, '2001:db8::7']\n"
    text = SERVER + CLIENT_CA + "  client_auth_type: RequireAndVerifyClientCert\n" + allowed
    with configured(pki, text) as running:
        assert get(running, pki.client("prometheus.example"))[0].status == 200
        assert get(running, pki.client("2001:db8::7"))[0].status == 200
        answer, body = get(running, pki.client("grafana.example"))
        assert (answer.status, body) == (403, b"The client certificate carries none of the allowed names.\n")


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("tls_server_config:\n  cert_file: server.crt\n", "no key_file"),
        (SERVER + "  client_auth_type: RequireAnyClientCert\n", "without verifying"),
        (SERVER + "  client_auth_type: VerifyClientCertIfGiven\n", "authority"),
        (SERVER + "  client_auth_type: Always\n", 'cannot be "Always"'),
        (SERVER + CLIENT_CA, "asks for no certificate"),
        (SERVER + "  client_allowed_sans: [a]\n", "bring a certificate"),
        (SERVER + "  min_version: TLS13\n  max_version: TLS12\n", "above max_version"),
        (SERVER + "  min_version: SSLv3\n", 'min_version cannot be "SSLv3"'),
        (SERVER + "  cipher_suites: [RC4]\n", 'cipher_suites cannot be "RC4"'),
        (SERVER + "  curve_preferences: [X25519, CurveP256]\n", "only one curve"),
        (SERVER.replace("server.key", "missing.key"), "missing.key cannot be read: No such file"),
        (SERVER.replace("server.key", "ca.pem"), "no certificate and its unencrypted private key"),
        (
            SERVER + "  client_ca_file: server.key\n  client_auth_type: VerifyClientCertIfGiven\n",
            "holds no certificate",
        ),
    ],
)
def test_a_bad_file_stops_the_start_with_a_sentence(pki: Pki, text: str, part: str) -> None:
    """Exit 2: a daemon that meant to be closed must not start open."""
    error = refused(pki, text)
    assert part in error.sentence
    assert error.remedy


def test_a_missing_file_stops_the_start(tmp_path: Path) -> None:
    """The name is in the sentence."""
    with pytest.raises(UsageError) as error:
        WebServer(Options(web_config_file=str(tmp_path / "web.yml")), {}, Log())
    assert error.value.sentence == f"{tmp_path}/web.yml cannot be read: No such file or directory."


def test_a_new_certificate_is_taken_up_and_a_broken_one_is_not(pki: Pki) -> None:
    """Certificates are renewed without a restart; a half-written one keeps the old and is reported once."""
    path = pki.folder / "web.config.yml"
    path.write_text(SERVER, encoding="utf-8")
    log, now = Log(), [0.0]
    gate = ConfiguredGate(str(path), log, lambda: now[0])
    first = gate().context
    (pki.folder / "server.crt").write_text("half", encoding="utf-8")
    now[0] = 0.5
    assert gate().context is first
    for now[0] in (1.5, 3.0, 4.5):
        assert gate().context is first
    assert [where for where, _ in log.lines] == ["web_config_file"]
    assert "server.crt" in str(log.lines[0][1])
    pki.server()
    now[0] = 6.0
    second = gate().context
    assert second is not first
    assert second is not None
    path.write_text("basic_auth_usrs: {}\n", encoding="utf-8")
    now[0] = 7.5
    assert gate().context is second
    assert 'Did you mean "basic_auth_users"?' in str(log.lines[1][1])
    path.unlink()
    now[0] = 9.0
    assert gate().context is second


def test_passwords_are_taken_up_on_a_running_server(pki: Pki) -> None:
    """An operator adds a user and the next request needs it."""
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    with configured(pki, SERVER) as running:
        client = pki.client()
        assert get(running, client)[0].status == 200
        (pki.folder / "web.config.yml").write_text(f"{SERVER}basic_auth_users:\n  ops: {hashed}\n", encoding="utf-8")
        wait_for(lambda: get(running, client)[0].status == 401, "the new rule")
        basic = {"Authorization": "Basic " + base64.b64encode(b"ops:secret").decode()}
        assert get(running, client, basic)[0].status == 200


def test_a_client_that_never_shakes_hands_gives_its_slot_back(pki: Pki) -> None:
    """The handshake is under the same deadline and never in the accepting thread."""
    limits = Limits(connections=2, read_s=60, fair_read_s=0.05)
    with configured(pki, SERVER, limits) as running, running.connect() as silent, running.connect() as half:
        half.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert get(running, pki.client())[0].status == 200
        assert silent.recv(1) == b""
        assert get(running, pki.client())[0].status == 200
