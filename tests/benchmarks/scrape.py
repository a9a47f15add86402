"""How long a scrape of about a thousand series keeps the server busy."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from prometheus_client import PROCESS_COLLECTOR

from tests.benchmarks.contenders import SCRAPE_HEADERS
from tests.benchmarks.rows import Row, percentile
from tests.fakes.snapshots import crowded
from tracker.core.snapshot import Snapshot
from tracker.metrics.exposition import Renderer
from tracker.web.interface import Request, Response
from tracker.web.server import Options, WebServer

SECTION = "scrape"
BUDGET_MS = 5.0
WANTED_SERIES = 1000
ACCEPT = SCRAPE_HEADERS["Accept"]


def run(*, quick: bool) -> list[Row]:
    times = 100 if quick else 500
    base = _of_a_thousand_series()
    count = _series(base)
    rows = list(_rendered(base, times, count))
    rows += _over_http(base, times)
    return rows


def _of_a_thousand_series() -> Snapshot:
    """The crowd that brings the exposition nearest to the wanted number of series."""
    base, more = _series(crowded(0)), _series(crowded(100))
    return crowded(round((WANTED_SERIES - base) * 100 / (more - base)))


def _series(snapshot: Snapshot) -> int:
    body, _ = Renderer(PROCESS_COLLECTOR).render(snapshot, ACCEPT)
    return sum(1 for line in body.splitlines() if not line.startswith(b"#"))


def _ticks(base: Snapshot) -> Iterator[Snapshot]:
    """The snapshots of one tick after the other: the same series, every number another one."""
    step = 0
    while True:
        step += 1
        workloads = tuple(
            replace(state, tallies=tuple(replace(t, energy_uj=t.energy_uj + step * 1_234_567) for t in state.tallies))
            for state in base.workloads
        )
        yield replace(base, tick_wall_s=base.tick_wall_s + 5 * step, workloads=workloads)


def _rendered(base: Snapshot, times: int, count: int) -> Iterator[Row]:
    renderer = Renderer(PROCESS_COLLECTOR)
    fresh, cached = [], []
    for snapshot, _ in zip(_ticks(base), range(times), strict=False):
        fresh.append(_ms(partial(renderer.render, snapshot, ACCEPT)))
        cached.append(_ms(partial(renderer.render, snapshot, ACCEPT)))
    yield from _rows("render", fresh[5:], cached[5:], f"{count} series, OpenMetrics, {times} snapshots")


def _over_http(base: Snapshot, times: int) -> Iterator[Row]:
    """The real server in this process, asked over loopback: connect, request, gzip, answer, close."""
    renderer, current = Renderer(PROCESS_COLLECTOR), [base]

    def expose(request: Request) -> Response:
        body, content_type = renderer.render(current[0], request.headers.get("accept", ""))
        return Response(200, content_type, body, {"Vary": "Accept"})

    server = WebServer(Options(listen="127.0.0.1:0"), {"/metrics": expose}, lambda _place, _error: None)
    server.start()
    try:
        port = int(server.url.rpartition(":")[2].strip("/"))
        fresh, cached = [], []
        for snapshot, _ in zip(_ticks(base), range(times), strict=False):
            current[0] = snapshot
            fresh.append(_ms(lambda: _get(port)))
            cached.append(_ms(lambda: _get(port)))
    finally:
        server.close()
    how = f"as Prometheus asks (gzip), with connect and close, {times} snapshots"
    yield from _rows("over HTTP", fresh[5:], cached[5:], how)


def _rows(what: str, fresh: list[float], cached: list[float], how: str) -> Iterator[Row]:
    yield Row(SECTION, f"{what}, first of a snapshot: p50", percentile(fresh, 50), "ms", None, how)
    yield Row(SECTION, f"{what}, first of a snapshot: p99", percentile(fresh, 99), "ms", BUDGET_MS, "the same")
    yield Row(SECTION, f"{what}, snapshot already rendered: p99", percentile(cached, 99), "ms", BUDGET_MS, "the same")


def _get(port: int) -> int:
    """One scrape; its length in bytes."""
    head = "".join(f"{name}: {value}\r\n" for name, value in SCRAPE_HEADERS.items())
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(f"GET /metrics HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
        length = 0
        while data := client.recv(1 << 20):
            length += len(data)
    assert length > WANTED_SERIES, "that was no exposition"
    return length


def _ms(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1000
