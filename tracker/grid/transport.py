"""One HTTP exchange over urllib3, bounded in time and size. No retries, no redirects, no judgement: ``http.py`` does
those. Only ``http.py`` imports this file.

Everything that goes wrong is ``Broken`` with words of ours: the texts of the library's errors hold the whole address,
its secrets too, and are dropped.
"""

from __future__ import annotations

import contextlib
import queue
import ssl
import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as TimedOut

CONNECT_S = 10
_PIECE = 1 << 16
_GZIP = 16 + zlib.MAX_WBITS  # zlib's number for "with a gzip header"


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    url: str  # with its whole query
    headers: Mapping[str, str]
    body: bytes | None
    max_bytes: int | None = None  # None: the limit of the transport


@dataclass(frozen=True, slots=True)
class Reply:
    """``headers`` in lower case, ``body`` decoded."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Broken(Exception):
    """No reply. ``reason`` completes "HOST did not answer: ...". ``hopeless``: the same again would end the same."""

    def __init__(self, reason: str, *, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hopeless = hopeless


class TooMuch(Exception):
    """There is a reply, and it cannot be used: too large, or encoded in a way that nobody asked for."""


def proxy_of_environment(url: str) -> str:
    """The proxy for an address by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY in either case; "" for none."""
    address = urlsplit(url)
    if proxy_bypass(address.netloc.rpartition("@")[2]):
        return ""
    proxies = getproxies()
    return proxies.get(address.scheme) or proxies.get("all") or ""


class Transport:
    """``ca_file``: certificates to trust instead of the system's. ``max_bytes``: the longest body, decoded."""

    def __init__(
        self, ca_file: str | None, max_bytes: int, proxy_of: Callable[[str], str] = proxy_of_environment
    ) -> None:
        self._ca_file = ca_file
        self._max_bytes = max_bytes
        self._proxy_of = proxy_of
        self._pools: dict[str, urllib3.PoolManager] = {}

    def exchange(self, request: Request, limit_s: float) -> Reply:
        """Send and receive within ``limit_s``. Raises Broken, TooMuch.

        The library bounds each read of the socket, not their sum: somebody who sends a byte a second, or a name server
        that is slow, could hold it for hours. So a thread does the work and is left behind when the time is over.
        """
        done: queue.SimpleQueue[Reply | Exception] = queue.SimpleQueue()
        begun: list[urllib3.BaseHTTPResponse] = []

        def work() -> None:
            try:
                done.put(self._send(request, limit_s, begun))
            except Exception as error:  # noqa: BLE001 - all of them are handed over to the thread that waits
                done.put(error)

        threading.Thread(target=work, name="ask", daemon=True).start()
        try:
            came = done.get(timeout=max(limit_s, 0))
        except queue.Empty:
            self.close()
            for response in begun:
                _unblock(response)
            raise Broken(f"no whole answer within {limit_s:.3g} s") from None
        if isinstance(came, Reply):
            return came
        raise _in_our_words(came) from None

    def close(self) -> None:
        """Forget the connections; the next exchange opens new ones."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            pool.clear()

    def _send(self, request: Request, limit_s: float, begun: list[urllib3.BaseHTTPResponse]) -> Reply:
        response = self._pool(self._proxy_of(request.url)).request(
            request.method,
            request.url,
            body=request.body,
            headers=request.headers,
            timeout=urllib3.Timeout(connect=min(CONNECT_S, limit_s), read=limit_s),
            retries=False,
            redirect=False,
            preload_content=False,
            decode_content=False,
        )
        begun.append(response)
        whole = False
        try:
            body = self._body(response, request.max_bytes or self._max_bytes)
            whole = True
        finally:
            if whole:
                response.release_conn()
            else:
                response.close()
        return Reply(response.status, {name.lower(): value for name, value in response.headers.items()}, body)

    def _pool(self, proxy: str) -> urllib3.PoolManager:
        if proxy not in self._pools:
            self._pools[proxy] = self._new_pool(proxy)
        return self._pools[proxy]

    def _new_pool(self, proxy: str) -> urllib3.PoolManager:
        if not proxy:
            return urllib3.PoolManager(num_pools=4, ca_certs=self._ca_file)
        auth = urllib3.util.parse_url(proxy).auth
        headers = urllib3.util.make_headers(proxy_basic_auth=auth) if auth else None
        return urllib3.ProxyManager(proxy, num_pools=4, proxy_headers=headers, ca_certs=self._ca_file)

    def _body(self, response: urllib3.BaseHTTPResponse, max_bytes: int) -> bytes:
        """Piece by piece, unpacked here: the limit holds for what comes out."""
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding not in {"identity", "gzip", "x-gzip", ""}:
            raise TooMuch("an encoding that was not asked for")
        unpack = zlib.decompressobj(_GZIP) if "gzip" in encoding else None
        body = bytearray()
        for piece in response.stream(_PIECE, decode_content=False):
            body += piece if unpack is None else unpack.decompress(piece, max_bytes + 1 - len(body))
            if len(body) > max_bytes:
                raise TooMuch(f"more than {max_bytes >> 20} MiB")
        if unpack is not None and body and not unpack.eof:
            raise Broken("the answer ended in its middle")
        return bytes(body)


def _unblock(response: urllib3.BaseHTTPResponse) -> None:
    """Let a thread that waits for more of this answer end, if it has not ended in the meantime."""
    with contextlib.suppress(ValueError, RuntimeError, OSError):
        response.shutdown()


#: The first that fits. Kinds come before what they are kinds of.
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (ProxyError, "the proxy did not let it through"),
    (NameResolutionError, "its name was not resolved"),
    (NewConnectionError, "the connection was refused or there is no way to it"),
    (TimedOut, "it took too long"),
    (HTTPError, "the connection broke off, or what came was no HTTP"),
    (OSError, "the connection broke off"),
)


def _in_our_words(error: Exception) -> Exception:
    match error:
        case Broken() | TooMuch():
            return error
        case zlib.error():
            return TooMuch("a gzip that cannot be unpacked")
        case SSLError() if isinstance(next(iter(error.args), None), ssl.SSLCertVerificationError):
            return Broken("its certificate is not trusted here (grid.ca_file names others)", hopeless=True)
        case ValueError() if not isinstance(error, ProtocolError):
            return Broken("the address or the token holds characters that cannot be sent", hopeless=True)
        case _:
            words = next((words for kind, words in _WORDS if isinstance(error, kind)), "")
            return Broken(words or f"the question could not be sent ({type(error).__name__})", hopeless=not words)
