"""The address the server listens on: parsed, bound, and named in errors that say what to do."""

from __future__ import annotations

import errno
import os
import re
import socket
from dataclasses import dataclass

from tracker.core.errors import UsageError, WattledgerError

_FORM = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<host>[^:\[\]\s]*)):(?P<port>[0-9]{1,5})")
_EXAMPLES = 'Write host:port, such as "127.0.0.1:9837", "[::1]:9837", or ":9837" for every interface.'
_BACKLOG = 64  # connections the kernel holds while all slots are taken
_LAST_PORT = 65_535


class AddressUnavailable(WattledgerError):
    """The address cannot be had now: a network may come up later, another process may end (exit code 1)."""


@dataclass(frozen=True, slots=True)
class Address:
    """Host ("" is every interface) and port (0 lets the kernel choose)."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """``127.0.0.1:9837``, ``[::1]:9837``, ``localhost:9837`` or ``:9837``. Raises UsageError."""
    found = _FORM.fullmatch(text.strip())
    if not found:
        raise UsageError(f'"{text}" is no address to listen on.', _EXAMPLES)
    port = int(found["port"])
    if port > _LAST_PORT:
        raise UsageError(f"{port} is no port: the highest is {_LAST_PORT}.", _EXAMPLES)
    return Address(found["six"] or found["host"] or "", port)


def bind(address: Address) -> socket.socket:
    """A listening socket. Every interface means IPv6 and IPv4 in one socket where the kernel has IPv6.

    Raises AddressUnavailable, or UsageError for what another start would not mend."""
    try:
        if not address.host:
            return _bind_everywhere(address.port)
        family, _, _, _, place = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(place, family=family, backlog=_BACKLOG)
    except UnicodeError as error:  # a name that no resolver would take
        raise UsageError(f'"{address.host}" is no host name.', _EXAMPLES) from error
    except OSError as error:
        raise _explain(address, error) from error


def _bind_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        return socket.create_server(("::", port), family=socket.AF_INET6, backlog=_BACKLOG, dualstack_ipv6=True)
    return socket.create_server(("0.0.0.0", port), backlog=_BACKLOG)  # noqa: S104 - the operator wrote ":port"


def _explain(address: Address, error: OSError) -> WattledgerError:
    """The sentence and the remedy for a failed bind (socket(7), ip(7))."""
    if isinstance(error, socket.gaierror):
        return AddressUnavailable(f'"{address.host}" is not known as a name or address of this machine.', _EXAMPLES)
    match error.errno:
        case errno.EADDRINUSE:
            return AddressUnavailable(
                f"The address {address} is taken by another process.",
                f"See which with: ss -ltnp 'sport = :{address.port}' ; or take another with --listen "
                f"{Address(address.host, address.port + 1 if address.port < _LAST_PORT else 9838)}",
            )
        case errno.EACCES | errno.EPERM:
            return UsageError(
                f"This process may not listen on {address}.",
                "Ports below 1024 need CAP_NET_BIND_SERVICE: choose a higher one with --listen "
                f"{Address(address.host, 9837)}",
            )
        case errno.EADDRNOTAVAIL:
            return AddressUnavailable(
                f"No interface of this machine has the address {address.host}.",
                "Choose one that `ip -brief address` shows, with --listen.",
            )
        case number:
            name = os.strerror(number) if number else str(error)
            sentence = f"Listening on {address} failed: {name}."
            return AddressUnavailable(sentence, "Choose another address with --listen.")


def url_of(listener: socket.socket, scheme: str) -> str:
    """Where a browser on this machine finds the page."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"{scheme}://{Address(host, port)}/"
