"""``web.config.yml``: the format that Prometheus and its exporters share for TLS, client certificates and basic auth.

Source: prometheus/exporter-toolkit, docs/web-configuration.md. What differs here, because Python's ssl differs from
Go's: a certificate that is asked for is always verified (so ``RequireAnyClientCert`` is refused, and
``RequestClientCert``, which lets everybody in, does not ask); certificates are given as files, not inline; at most one
curve may be preferred; HTTP/2 is not spoken, whatever ``http2`` says.

This file imports yaml and is itself imported only when such a file is given.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import yaml

from tracker.core.errors import UsageError

_HEADERS: Mapping[str, tuple[str, ...]] = {  # those the format allows; a tuple names the only values
    "Content-Security-Policy": (),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-Content-Type-Options": ("nosniff",),
    "X-XSS-Protection": (),
    "Strict-Transport-Security": (),
}
_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)?")
_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_BCRYPT = re.compile(r"\$2[abxy]?\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")


class TlsServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``tls_server_config``."""

    cert_file: str = ""
    key_file: str = ""
    client_auth_type: str = "NoClientCert"
    client_ca_file: str = ""
    client_allowed_sans: tuple[str, ...] = ()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] = ()


class HttpServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``http_server_config``."""

    http2: bool = True
    headers: dict[str, str] = {}


class RateLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``rate_limit``. ``interval`` between two requests ("1s"; 0: no limit)."""

    interval: str | int | float = 0
    burst: int = 0


class WebConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file."""

    tls_server_config: TlsServer | None = None
    http_server_config: HttpServer = HttpServer()
    basic_auth_users: dict[str, str] = {}
    rate_limit: RateLimits = RateLimits()

    @property
    def interval_s(self) -> float:
        """The rate limit's interval; 0: none."""
        found = _DURATION.fullmatch(str(self.rate_limit.interval))
        return float(found[1]) * _UNIT_S[found[2]] if found else 0.0


def read_web_config(path: Path) -> WebConfig:
    """The file, checked. Raises UsageError that names the file, the key and the nearest right one."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError(f"{path} cannot be read: {reason}.", "Correct web_config_file or the permissions.") from error
    return parse_web_config(text, str(path))


def parse_web_config(text: str, name: str) -> WebConfig:
    """The text of the file called ``name``, checked. Raises UsageError."""
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        raise UsageError(f"{where} is no valid YAML: {getattr(error, 'problem', None) or 'broken'}.") from error
    tree = {} if tree is None else tree
    if not isinstance(tree, dict):
        raise UsageError(f"{name} must be a mapping with keys such as tls_server_config and basic_auth_users.")
    _check_keys(name, tree)
    try:
        config = msgspec.convert({key: value for key, value in tree.items() if value is not None}, WebConfig)
    except msgspec.ValidationError as error:
        raise UsageError(f"{name}: {error}.", "Correct the type of that value.") from error
    _check_values(name, config)
    return config


def _check_keys(name: str, tree: dict[Any, Any]) -> None:
    sections = {
        "tls_server_config": TlsServer.__struct_fields__,
        "http_server_config": HttpServer.__struct_fields__,
        "rate_limit": RateLimits.__struct_fields__,
    }
    _check_known(name, "", tree, WebConfig.__struct_fields__)
    for section, known in sections.items():
        part = tree.get(section)
        if isinstance(part, dict):
            for inline in {"cert", "key", "client_ca"} & set(part) if section == "tls_server_config" else ():
                sentence = f"{name}: {section}.{inline} holds a certificate inline, which is not supported."
                raise UsageError(sentence, f"Put it into a file and name that in {inline}_file.")
            _check_known(name, f"{section}.", part, known)
    http = tree.get("http_server_config")
    headers = http.get("headers") if isinstance(http, dict) else None
    if isinstance(headers, dict):
        _check_known(name, "http_server_config.headers.", headers, tuple(_HEADERS))


def _check_known(name: str, prefix: str, part: dict[Any, Any], known: tuple[str, ...]) -> None:
    for key in part:
        if key not in known:
            near = difflib.get_close_matches(str(key), known, n=1, cutoff=0.0)
            raise UsageError(f'{name}: unknown key "{prefix}{key}".', f'Did you mean "{prefix}{near[0]}"?')


def _check_values(name: str, config: WebConfig) -> None:
    for header, value in config.http_server_config.headers.items():
        allowed = _HEADERS[header]
        if allowed and value not in allowed:
            raise UsageError(f'{name}: {header} cannot be "{value}".', f"Write one of: {', '.join(allowed)}.")
    for user, password in config.basic_auth_users.items():
        if not _BCRYPT.fullmatch(password):
            raise UsageError(
                f'{name}: the password of user "{user}" is no bcrypt hash.', f"Make one with: htpasswd -nBC 10 {user}"
            )
    if not _DURATION.fullmatch(str(config.rate_limit.interval)):
        raise UsageError(f'{name}: rate_limit.interval "{config.rate_limit.interval}" is no duration.', "Write 1s.")
    if config.interval_s > 0 and config.rate_limit.burst < 1:
        raise UsageError(f"{name}: with rate_limit.burst below 1 no request would ever pass.", "Write burst: 20.")
