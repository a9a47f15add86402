"""The web.config.yml format: what is read, and what is refused with the nearest right word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.web.serving import Log, hello, serving
from tracker.core.errors import UsageError
from tracker.web.gate import ConfiguredGate
from tracker.web.server import Options
from tracker.web.webconfig import parse_web_config

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"


def test_the_whole_format() -> None:
    """Every key of the public format is understood."""
    config = parse_web_config(
        f"""
tls_server_config:
  cert_file: a.crt
  key_file: a.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.pem
  client_allowed_sans: [a.example]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [X25519]
http_server_config:
  http2: false
  headers:
    X-Frame-Options: deny
    Strict-Transport-Security: max-age=60
basic_auth_users:
  alice: {HASH}
rate_limit:
  interval: 500ms
  burst: 20
""",
        "web.yml",
    )
    assert config.tls_server_config is not None
    assert config.tls_server_config.client_allowed_sans == ("a.example",)
    assert config.interval_s == 0.5
    assert config.basic_auth_users == {"alice": HASH}


@pytest.mark.parametrize("text", ["", "{}", "tls_server_config:\nbasic_auth_users:\n", "# nothing\n"])
def test_an_empty_file_asks_for_nothing(text: str) -> None:
    """As in the public format: no TLS, no users."""
    config = parse_web_config(text, "web.yml")
    assert config.tls_server_config is None
    assert config.basic_auth_users == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tls_config: {}", 'web.yml: unknown key "tls_config". Did you mean "tls_server_config"?'),
        (
            "tls_server_config: {cert: x}",
            "web.yml: tls_server_config.cert holds a certificate inline, which is not supported. Put it into",
        ),
        (
            "tls_server_config: {certfile: x}",
            'web.yml: unknown key "tls_server_config.certfile". Did you mean "tls_server_config.cert_file"?',
        ),
        (
            "http_server_config: {headers: {X-Frame-Option: deny}}",
            'web.yml: unknown key "http_server_config.headers.X-Frame-Option". Did you mean "http_server_config',
        ),
        (
            "http_server_config: {headers: {X-Frame-Options: allow}}",
            'web.yml: X-Frame-Options cannot be "allow". Write one of: deny, sameorigin.',
        ),
        (
            "basic_auth_users: {bob: secret}",
            'web.yml: the password of user "bob" is no bcrypt hash. Make one with: htpasswd -nBC 10 bob',
        ),
        (
            "basic_auth_users: [bob]",
            "web.yml: Expected `object`, got `array` - at `$.basic_auth_users`. Correct the type of that value.",
        ),
        ("rate_limit: {interval: soon}", 'web.yml: rate_limit.interval "soon" is no duration. Write 1s.'),
        (
            "rate_limit: {interval: 1s}",
            "web.yml: with rate_limit.burst below 1 no request would ever pass. Write burst: 20.",
        ),
        ("[1]", "web.yml must be a mapping with keys such as tls_server_config and basic_auth_users."),
        ("a: [\nb", "web.yml:2 is no valid YAML: expected ',' or ']', but got '<stream end>'."),
        (
            "a: !!python/object:os.system {}",
            "web.yml:1 is no valid YAML: could not determine a constructor for the tag",
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    """One sentence, the nearest right name."""
    with pytest.raises(UsageError) as error:
        parse_web_config(text, "web.yml")
    assert str(error.value).startswith(message)


def test_the_headers_and_the_rate_limit_of_the_file_are_used(tmp_path: Path) -> None:
    """Also on refusals."""
    path = tmp_path / "web.yml"
    path.write_text(
        "http_server_config: {headers: {X-Frame-Options: deny, X-XSS-Protection: ''}}\n"
        "rate_limit: {interval: 1h, burst: 2}\n",
        encoding="utf-8",
    )
    with serving({"/": hello}, options=Options(listen="127.0.0.1:0", web_config_file=str(path))) as running:
        answers = [running.get("/")[0] for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert [answer.headers["X-Frame-Options"] for answer in answers] == ["deny"] * 3
    assert answers[0].headers["X-XSS-Protection"] is None


def test_unreadable_text(tmp_path: Path) -> None:
    """Bytes that are no text are a sentence."""
    path = tmp_path / "web.yml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="it is not UTF-8 text"):
        ConfiguredGate(str(path), Log())
