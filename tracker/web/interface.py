"""What the HTTP server serves and what its routes are given. Read this before any other file of this folder.

Life of a request: ``server.py`` accepts a connection, ``pool.py`` gives it one of a fixed number of slots and a worker
thread, ``connection.py`` reads one request within its deadlines, checks it against ``security.py``, calls the route
and writes the answer; then the connection is closed. Routes read immutable snapshots and nothing else, so any number
of readers see the same values (P6).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from tracker.core.model import Component, Workload


@dataclass(frozen=True, slots=True)
class Request:
    """One GET or HEAD. ``path`` and ``query`` are as sent (not percent-decoded); header names are lower case."""

    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """What a route answers. A body that is already gzipped says so with a ``Content-Encoding`` header."""

    status: int
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


#: Must not block for long: it holds one of the few connections. An exception becomes a 500 and a line in the log.
Route = Callable[[Request], Response]

#: Told what went wrong and where ("/metrics", "web_config_file"); called from any thread, must not raise.
OnError = Callable[[str, Exception], None]


class TodayRow(Protocol):
    """A workload's sum since the day began in one component. The ledger's day rows have this shape.

    ``emissions_ug`` is of the whole workload, the same on each of its rows; None: no factor, not 0.
    """

    @property
    def workload(self) -> Workload: ...
    @property
    def component(self) -> Component: ...
    @property
    def energy_uj(self) -> int: ...
    @property
    def idle_uj(self) -> int: ...
    @property
    def held_ms(self) -> int: ...
    @property
    def emissions_ug(self) -> int | None: ...
