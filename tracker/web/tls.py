"""The server's TLS context from ``tls_server_config`` (see ``webconfig.py``; names from Go's crypto/tls)."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from tracker.core.errors import UsageError
from tracker.web.webconfig import TlsServer

_T = TypeVar("_T")
_VERSIONS: Mapping[str, ssl.TLSVersion] = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_CLIENT_AUTH: Mapping[str, ssl.VerifyMode] = {
    "NoClientCert": ssl.CERT_NONE,
    "RequestClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_CURVES: Mapping[str, str] = {
    "CurveP256": "prime256v1",
    "CurveP384": "secp384r1",
    "CurveP521": "secp521r1",
    "X25519": "X25519",
}
#: crypto/tls CipherSuites() up to TLS 1.2 -> OpenSSL names (RFC 5289, RFC 7905). TLS 1.3 suites are fixed, as in Go.
_SUITES: Mapping[str, str] = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
_TLS13_SUITES = frozenset({"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"})


def files_of(config: TlsServer, folder: Path) -> tuple[Path, ...]:
    """The files it names; relative ones are beside web.config.yml."""
    return tuple(folder / name for name in (config.cert_file, config.key_file, config.client_ca_file) if name)


def make_context(config: TlsServer, folder: Path) -> ssl.SSLContext:
    """The context. Raises UsageError for what is missing, contradictory, unreadable, or beyond Python's ssl."""
    for key in ("cert_file", "key_file"):
        if not getattr(config, key):
            raise UsageError(
                f"tls_server_config has no {key}.", f"Name the file in {key}, or remove tls_server_config."
            )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _named("min_version", config.min_version, _VERSIONS)
    context.maximum_version = _named("max_version", config.max_version, _VERSIONS)
    if context.minimum_version > context.maximum_version:
        raise UsageError("tls_server_config: min_version is above max_version.", "Swap them.")
    context.set_alpn_protocols(["http/1.1"])
    _load_certificate(context, folder / config.cert_file, folder / config.key_file)
    _set_ciphers(context, config)
    _set_client_auth(context, config, folder)
    return context


def _load_certificate(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    for path in (cert, key):
        _check_readable(path)
    try:
        # A password would be asked for on a terminal; an empty one makes an encrypted key an error instead.
        context.load_cert_chain(cert, key, password="")
    except (ssl.SSLError, ValueError) as error:
        sentence = f"{cert} and {key} are no certificate and its unencrypted private key in PEM form."
        raise UsageError(
            sentence, "Check that they belong together: openssl x509 -in CERT; openssl pkey -in KEY"
        ) from error


def _set_ciphers(context: ssl.SSLContext, config: TlsServer) -> None:
    old = [_named("cipher_suites", name, _SUITES) for name in config.cipher_suites if name not in _TLS13_SUITES]
    if old:
        context.set_ciphers(":".join(old))
    if config.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    curves = [_named("curve_preferences", name, _CURVES) for name in config.curve_preferences]
    if len(curves) > 1:
        raise UsageError("tls_server_config: Python's ssl can prefer only one curve.", "Keep one curve, or none.")
    for curve in curves:
        context.set_ecdh_curve(curve)


def _set_client_auth(context: ssl.SSLContext, config: TlsServer, folder: Path) -> None:
    kind = config.client_auth_type
    if kind in {"RequireAnyClientCert", "RequireClientCert"}:
        raise UsageError(
            f"tls_server_config: client_auth_type {kind} accepts certificates without verifying them, "
            "which Python's ssl cannot do.",
            "Use RequireAndVerifyClientCert with a client_ca_file.",
        )
    mode = _named("client_auth_type", kind, _CLIENT_AUTH)
    if config.client_ca_file and kind == "NoClientCert":
        sentence = "tls_server_config: client_ca_file is given, but client_auth_type asks for no certificate."
        raise UsageError(sentence, "Set client_auth_type: RequireAndVerifyClientCert, or remove client_ca_file.")
    if config.client_allowed_sans and mode is not ssl.CERT_REQUIRED:
        sentence = "tls_server_config: client_allowed_sans needs every client to bring a certificate."
        raise UsageError(sentence, "Set client_auth_type: RequireAndVerifyClientCert.")
    if mode is ssl.CERT_NONE:
        return
    if not config.client_ca_file:
        sentence = f"tls_server_config: client_auth_type {kind} needs the authority that signs client certificates."
        raise UsageError(sentence, "Name its certificate in client_ca_file.")
    authority = folder / config.client_ca_file
    _check_readable(authority)
    try:
        context.load_verify_locations(authority)
    except ssl.SSLError as error:
        raise UsageError(f"{authority} holds no certificate in PEM form.", "Correct client_ca_file.") from error
    context.verify_mode = mode


def _named(key: str, name: str, known: Mapping[str, _T]) -> _T:
    try:
        return known[name]
    except KeyError:
        raise UsageError(f'tls_server_config: {key} cannot be "{name}".', f"Known: {', '.join(known)}.") from None


def _check_readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        sentence = f"{path} cannot be read: {error.strerror}."
        raise UsageError(sentence, "Correct its name in web.config.yml, or its permissions.") from error
