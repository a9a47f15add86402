"""The addresses: what each answers when all is well, when nothing is ready, and when a part of it fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import pytest

from tests.fakes.snapshot_parts import TICK_WALL_S
from tests.fakes.snapshots import eight_gpus, in_trouble, nasty_labels, starting
from tests.web.rows import today
from tests.web.serving import Log, serving
from tracker.core.model import Component, Kind, Workload
from tracker.core.snapshot import Snapshot
from tracker.ledger.interface import DayRow
from tracker.web.interface import Request, Response, Route, TodayRow
from tracker.web.node import workloads
from tracker.web.routes import build_routes


@dataclass
class Node:
    """Everything the routes are given, to be changed by a test."""

    snapshot: Snapshot = field(default_factory=eight_gpus)
    age_s: float = 1.0
    mono_s: float = 100.0
    asked: int = 0
    failure: Exception | None = None
    log: Log = field(default_factory=Log)

    def today(self) -> Sequence[TodayRow]:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        return today(self.snapshot)

    def routes(self) -> Mapping[str, Route]:
        return build_routes(
            snapshot=lambda: self.snapshot,
            metrics=lambda accept: (f"# asked for {accept}\n".encode(), "text/plain; version=0.0.4"),
            today=self.today,
            tick_age_s=lambda: self.age_s,
            wall_s=lambda: self.snapshot.tick_wall_s + 1,
            mono_s=lambda: self.mono_s,
            log=self.log,
        )


def get(routes: Mapping[str, Route], path: str, **headers: str) -> Response:
    return routes[path](Request(path, "", headers))


def test_readiness_follows_the_first_tick() -> None:
    """503 with the reason, then 200."""
    node = Node(starting())
    routes = node.routes()
    answer = get(routes, "/-/ready")
    assert (answer.status, answer.body) == (503, b"The first tick has not been committed yet.\n")
    node.snapshot = eight_gpus()
    assert (get(routes, "/-/ready").status, get(routes, "/-/ready").body) == (200, b"ready\n")


def test_liveness_is_about_the_tick_and_nothing_else() -> None:
    """A hung driver, a full disk or a start without readings must not get the daemon killed; a stuck tick must."""
    node = Node(in_trouble())
    routes = node.routes()
    assert get(routes, "/-/healthy").status == 200
    node.snapshot = starting()
    assert get(routes, "/-/healthy").status == 200
    node.age_s = 61.0
    answer = get(routes, "/-/healthy")
    assert (answer.status, answer.body) == (
        503,
        b"The last tick was 61 s ago: the daemon is stuck and should be restarted.\n",
    )


def test_metrics_are_negotiated() -> None:
    """The exposition sees what the scraper accepts."""
    answer = get(Node().routes(), "/metrics", accept="application/openmetrics-text")
    assert (answer.status, answer.body) == (200, b"# asked for application/openmetrics-text\n")
    assert answer.headers["Vary"] == "Accept"


def test_any_number_of_viewers_cost_one_query() -> None:
    """The ledger is asked at most every few seconds."""
    node = Node()
    routes = node.routes()
    for _ in range(20):
        assert get(routes, "/").status == 200
        assert get(routes, "/api/v1/snapshot").status == 200
    assert node.asked == 1
    node.mono_s += 5
    get(routes, "/")
    assert node.asked == 2


def test_a_ledger_that_cannot_be_read_leaves_the_page_standing() -> None:
    """First without its table, later with the one known last; the log hears of it."""
    node = Node(failure=OSError("disk"))
    routes = node.routes()
    page = get(routes, "/")
    assert page.status == 200
    assert b"could not be read yet" in page.body
    assert json.loads(get(routes, "/api/v1/snapshot").body)["today"] is None
    assert [where for where, _ in node.log.lines] == ["today"]
    node.failure, node.mono_s = None, node.mono_s + 5
    assert b"llama-pretrain-0" in get(routes, "/").body
    node.failure, node.mono_s = OSError("disk"), node.mono_s + 5
    assert b"llama-pretrain-0" in get(routes, "/").body


def test_a_hung_disk_holds_one_viewer_and_no_other() -> None:
    """Otherwise a page that is open somewhere would take all connections, and Prometheus' with them."""
    entered, release = threading.Event(), threading.Event()

    def hung() -> Sequence[TodayRow]:
        entered.set()
        release.wait(30)
        return ()

    node = Node()
    node.today = hung  # type: ignore[method-assign] # the disk of this node hangs
    with serving(node.routes()) as running:
        first = threading.Thread(target=running.get, args=("/",))
        first.start()
        assert entered.wait(60)
        for _ in range(20):
            assert running.get("/")[0].status == 200
        assert running.get("/metrics")[0].status == 200
        release.set()
        first.join(10)


def test_over_http_with_a_query_and_gzip() -> None:
    """Queries are ignored, the page carries its content policy, JSON says what it is."""
    with serving(Node().routes()) as running:
        answer, body = running.get("/?refresh=5", {"Accept-Encoding": "gzip"})
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(body) < 20_000
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        answer, body = running.get("/api/v1/snapshot?pretty")
        assert answer.headers["Content-Type"] == "application/json"
        assert json.loads(body)["snapshot"]["hostname"] == "gpu-017"
        answer, body = running.get("/api/v2")
        assert answer.status == 404
        assert body.endswith(b"Known here: /, /metrics, /-/healthy, /-/ready, /api/v1/snapshot\n")


def test_the_json_has_its_documented_shape() -> None:
    """Names with units, null for what is unknown; nothing is rounded."""
    tree = json.loads(get(Node(in_trouble()).routes(), "/api/v1/snapshot").body)
    assert tree["schema"] == "wattledger/snapshot/v1"
    snapshot = tree["snapshot"]
    assert snapshot["tick_wall_s"] == TICK_WALL_S
    lost = snapshot["devices"][3]
    assert (lost["power_mw"], lost["gap"], lost["booked"]) == (None, "lost", True)
    assert lost["sensor"]["component"] == "gpu"
    assert snapshot["factor"]["intensity_mg_per_kwh"] is None
    assert snapshot["ledger"]["ok"] is False
    assert snapshot["workloads"][0]["emissions_ug"] == {}
    first = tree["today"][0]
    assert first == {
        "workload": snapshot["workloads"][0]["workload"],
        "component": "gpu",
        "energy_uj": 112_464_000_000_000,
        "idle_uj": 2_249_280_000_000,
        "held_ms": 171_360_000,
        "emissions_ug": None,
    }


def names_of(tree: object, at: str = "") -> set[str]:
    """Every path of names in a tree; the keys of maps that are data are one name."""
    if isinstance(tree, list):
        return set().union(*(names_of(item, at) for item in tree))
    if not isinstance(tree, dict):
        return {at}
    if at.rpartition(".")[2] in {"power_mw", "emissions_ug", "errors", "crosscheck_permille"}:
        return {f"{at}.*"}
    return set().union(*(names_of(value, f"{at}.{name}".strip(".")) for name, value in tree.items()))


def test_golden_names_are_only_ever_added(golden: Callable[[str, str], None]) -> None:
    """Who built on v1 keeps working: the stored list of names may grow, not change."""
    body = get(Node(in_trouble()).routes(), "/api/v1/snapshot").body
    golden("api_v1_snapshot_names.txt", "\n".join(sorted(names_of(json.loads(body)))) + "\n")


@pytest.mark.parametrize("snapshot", [nasty_labels(), replace(eight_gpus(), hostname="bad\udcff")])
def test_any_label_is_valid_json(snapshot: Snapshot) -> None:
    """Quotes, line ends, 10 kB, half a surrogate pair."""
    tree = json.loads(get(Node(snapshot).routes(), "/api/v1/snapshot").body)
    assert tree["snapshot"]["hostname"] in {"<script>window.hacked=1</script>", "bad?"}


def test_read_only_mappings_are_json_too() -> None:
    """A publisher may freeze its maps."""
    node = Node(replace(eight_gpus(), crosscheck_permille=MappingProxyType({"gpu": 1001})))
    assert json.loads(get(node.routes(), "/api/v1/snapshot").body)["snapshot"]["crosscheck_permille"] == {"gpu": 1001}


def test_the_ledgers_day_rows_have_the_asked_shape() -> None:
    """The type checker holds this: what the ledger reads can be handed to the page as it is."""
    rows: Sequence[TodayRow] = (DayRow(Workload("pod/a", Kind.POD, "train"), Component.GPU, 5, 1, 2, None),)
    assert workloads.add_up(rows).energy_uj == 5
