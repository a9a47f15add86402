"""What is served where. Every answer is made from the snapshot of that instant; nothing here has a side effect (P6).

/                   the node page
/metrics            what Prometheus reads
/-/healthy          200 while the tick goes round. Not about devices: a hung driver must not get the daemon killed
/-/ready            200 after the first complete tick, 503 with the reason before
/api/v1/snapshot    the node page as JSON
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus

from tracker.core.snapshot import Snapshot
from tracker.web import api
from tracker.web.http1 import TEXT, accepts_gzip, gzip
from tracker.web.interface import OnError, Request, Response, Route, TodayRow
from tracker.web.node import page

HTML = "text/html; charset=utf-8"
STUCK_S = 60.0  # a tick is 5 s; nothing that a tick does may take this long
KEEP_TODAY_S = 4.0  # just under the page's refresh: any number of viewers cost one query


def build_routes(
    snapshot: Callable[[], Snapshot],
    metrics: Callable[[str], tuple[bytes, str]],
    today: Callable[[], Sequence[TodayRow]],
    tick_age_s: Callable[[], float],
    wall_s: Callable[[], float],
    mono_s: Callable[[], float],
    log: OnError,
    since: str = "since 00:00 UTC",
) -> Mapping[str, Route]:
    """The routes.

    ``metrics``: an Accept header -> body and content type. ``today``: the rows since the day began; may be slow, fail
    or hang (it reads a disk). ``tick_age_s``: seconds on a monotonic clock since the tick last went round, counted from
    the start before the first one. ``wall_s``, ``mono_s``: the clocks. ``since``: when the day began, in words.
    """
    rows = _Today(today, mono_s, log)
    pages = _Pages(since)

    def node(request: Request) -> Response:
        return pages.render(snapshot(), rows(), wall_s(), packed=accepts_gzip(request.headers))

    def expose(request: Request) -> Response:
        body, content_type = metrics(request.headers.get("accept", ""))
        return Response(HTTPStatus.OK, content_type, body, {"Vary": "Accept"})

    def healthy(_: Request) -> Response:
        age_s = tick_age_s()
        if age_s < STUCK_S:
            return Response(HTTPStatus.OK, TEXT, b"healthy\n")
        sentence = f"The last tick was {age_s:.0f} s ago: the daemon is stuck and should be restarted.\n"
        return Response(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, sentence.encode())

    def ready(_: Request) -> Response:
        if snapshot().ready:
            return Response(HTTPStatus.OK, TEXT, b"ready\n")
        return Response(HTTPStatus.SERVICE_UNAVAILABLE, TEXT, b"The first tick has not been committed yet.\n")

    def as_json(_: Request) -> Response:
        return Response(HTTPStatus.OK, api.JSON, api.render(snapshot(), rows()))

    return {"/": node, "/metrics": expose, "/-/healthy": healthy, "/-/ready": ready, "/api/v1/snapshot": as_json}


class _Pages:
    """The page, made at most once a second for any number of viewers: they share its bytes, also the gzipped ones."""

    def __init__(self, since: str) -> None:
        self._since = since
        self._one_at_a_time = threading.Lock()
        self._made_of: tuple[Snapshot, Sequence[TodayRow] | None, int] | None = None
        self._bodies: dict[bool, bytes] = {}  # by whether it is gzipped

    def render(self, snapshot: Snapshot, rows: Sequence[TodayRow] | None, now_s: float, *, packed: bool) -> Response:
        with self._one_at_a_time:
            before = self._made_of
            same = before and before[0] is snapshot and before[1] is rows and before[2] == int(now_s)
            if not same:
                self._bodies = {False: page.render(snapshot, rows, now_s, self._since)}
                self._made_of = (snapshot, rows, int(now_s))
            if packed and packed not in self._bodies:
                self._bodies[packed] = gzip(self._bodies[False])
            body = self._bodies[packed]
        headers = {**page.HEADERS, "Vary": "Accept-Encoding"}
        return Response(HTTPStatus.OK, HTML, body, {**headers, "Content-Encoding": "gzip"} if packed else headers)


class _Today:
    """Today's rows, asked for by one request at a time and kept for a moment.

    While one asks (a disk may hang), the others get what was known last, so that a dead disk holds one connection and
    not all of them.
    """

    def __init__(self, ask: Callable[[], Sequence[TodayRow]], mono_s: Callable[[], float], log: OnError) -> None:
        self._ask = ask
        self._mono_s = mono_s
        self._log = log
        self._asking = threading.Lock()
        self._rows: Sequence[TodayRow] | None = None
        self._asked_s: float | None = None

    def __call__(self) -> Sequence[TodayRow] | None:
        """The rows; None when they could never be read."""
        now_s = self._mono_s()
        fresh = self._asked_s is not None and now_s - self._asked_s < KEEP_TODAY_S
        if not fresh and self._asking.acquire(blocking=False):
            try:
                self._rows = self._ask()
            except Exception as error:  # noqa: BLE001 - the page goes on without the table, or with that of before
                self._log("today", error)
            finally:
                self._asked_s = self._mono_s()
                self._asking.release()
        return self._rows
