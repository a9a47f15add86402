"""The HTTP server: accepts connections on one address and hands them to a bounded pool.

It stands on the standard library's sockets, threads and TLS because the daemon has 36 MiB in all: these modules are
loaded anyway (prometheus_client imports them), a framework would cost more memory than every reading we keep.
HTTP/1.1 with one request per connection: an idle kept-alive connection would hold one of the few slots, and for a
scrape each quarter of a minute a new connection costs nothing that could be measured.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping

import msgspec

from tracker.web.address import bind, parse_address, url_of
from tracker.web.connection import Connection, Limits
from tracker.web.interface import OnError, Route
from tracker.web.pool import Pool
from tracker.web.security import Gate, Security

_ACCEPTOR_S = 0.5
_PAUSE_S = 0.1  # after a failed accept (no file descriptors left), instead of spinning


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[web]``. ``listen``: host:port. ``web_config_file``: TLS, client certificates and basic auth in the format of
    Prometheus' exporter-toolkit; relative to the working directory; empty: plain HTTP, everyone may read."""

    listen: str = "127.0.0.1:9837"
    web_config_file: str = ""


class WebServer:
    """Serves ``routes`` (exact path -> route) until closed. ``log`` hears of failing routes and configuration."""

    def __init__(
        self, options: Options, routes: Mapping[str, Route], log: OnError, limits: Limits | None = None
    ) -> None:
        self._address = parse_address(options.listen)
        self._limits = limits or Limits()
        self._routes = routes
        self._log = log
        self._gate = _gate(options.web_config_file, log)
        self._pool = Pool(self._limits)
        self._listener: socket.socket | None = None
        self._acceptor: threading.Thread | None = None
        self._closing = threading.Event()
        self.url = ""

    def start(self) -> None:
        """Bind and serve from threads of its own. Raises what ``address.bind`` does when the address cannot be had."""
        scheme = "http" if self._gate().context is None else "https"
        self._listener = bind(self._address)
        self.url = url_of(self._listener, scheme)
        self._acceptor = threading.Thread(target=self._accept, name="wattledger-accept", daemon=True)
        self._acceptor.start()

    def close(self) -> None:
        """Stop within 2 s, whatever clients and routes do. May be called twice, and before ``start``."""
        if self._closing.is_set():
            return
        self._closing.set()
        if self._listener is not None:
            # On Linux this wakes the thread in accept(), which a plain close would not (socket(7), accept(2): EINVAL).
            listener, self._listener = self._listener, None
            _stop_listening(listener)
        self._pool.close(self._limits.close_s)
        if self._acceptor is not None:
            self._acceptor.join(_ACCEPTOR_S)

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None and not self._closing.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:  # the client is gone already, or no descriptors are left; or close() was called
                self._closing.wait(_PAUSE_S)
                continue
            try:
                self._pool.run(Connection(sock, self._limits, self._gate, self._routes, self._log))
            except Exception as error:  # noqa: BLE001 - without this thread nobody could ask how we are
                self._log("accept", error)
                sock.close()


def _stop_listening(listener: socket.socket) -> None:
    try:
        listener.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    finally:
        listener.close()


def _gate(path: str, log: OnError) -> Gate:
    if not path:
        plain = Security()
        return lambda: plain
    from tracker.web.gate import ConfiguredGate  # noqa: PLC0415 - yaml and bcrypt, only where a file is given

    return ConfiguredGate(path, log)
