"""The exposition as a scraper gets it: golden files, both formats, the chooser, the cache."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from prometheus_client import PROCESS_COLLECTOR, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from tests.fakes import snapshots
from tracker.core.snapshot import Snapshot
from tracker.metrics.collector import SnapshotCollector
from tracker.metrics.exposition import Renderer

#: What Prometheus 2.42 and 3.x send, and what gets OpenMetrics from us.
PROMETHEUS_2 = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain"
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1"
    ";q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

SCENES = {
    "eight-gpus": snapshots.eight_gpus,
    "virtual-machine": snapshots.virtual_machine,
    "in-trouble": snapshots.in_trouble,
    "nasty-labels": snapshots.nasty_labels,
    "starting": snapshots.starting,
}
scenes = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())


def body_of(snapshot: Snapshot, accept: str = "") -> str:
    return Renderer().render(snapshot, accept)[0].decode()


@pytest.mark.parametrize("name", ["eight-gpus", "virtual-machine", "in-trouble", "nasty-labels", "starting"])
def test_golden_text(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"metrics-{name}.txt", body_of(SCENES[name]()))


@pytest.mark.parametrize("name", ["eight-gpus", "nasty-labels", "starting"])
def test_golden_openmetrics(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"metrics-{name}.om", body_of(SCENES[name](), PROMETHEUS_2))


@scenes
def test_the_bytes_are_those_of_prometheus_client(scene: Callable[[], Snapshot]) -> None:
    """Our faster writer invents no dialect: the library, given the same families, writes the same."""
    snapshot = scene()
    collector = SnapshotCollector(snapshot)
    assert body_of(snapshot) == generate_latest(collector).decode()
    openmetrics: bytes = generate_openmetrics(collector)  # type: ignore[no-untyped-call] # the library leaves it bare
    assert body_of(snapshot, PROMETHEUS_2) == openmetrics.decode()


@scenes
def test_both_formats_parse_to_the_same_samples_without_duplicates(scene: Callable[[], Snapshot]) -> None:
    snapshot = scene()
    text = samples_of(parse_text(body_of(snapshot)))
    openmetrics = samples_of(parse_openmetrics(body_of(snapshot, PROMETHEUS_2)))  # type: ignore[no-untyped-call] # bare
    assert text == openmetrics
    assert len(text) == len(set(text)), "two series with the same labels: Prometheus would drop the scrape"


@pytest.mark.needs("promtool")
@scenes
def test_promtool_finds_nothing_to_say(scene: Callable[[], Snapshot]) -> None:
    body, _ = Renderer(PROCESS_COLLECTOR).render(scene())
    linted = subprocess.run(["promtool", "check", "metrics"], input=body, capture_output=True, check=False)
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, b"", b"")


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", TEXT),
        ("*/*", TEXT),
        ("text/plain", TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
        ("text/plain;version=1.0.0", TEXT),
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ("application/openmetrics-text;version=0.0.1", TEXT),
        ("application/openmetrics-text;version=banana", TEXT),
        ("application/openmetrics-text;version=1.x", TEXT),
        (";;,=,=;version", TEXT),
        ("application/openmetrics-text;version=1.0.0;escaping=dots", OPENMETRICS),
    ],
)
def test_accept_chooses_between_two_formats_and_nonsense_gets_text(accept: str, content_type: str) -> None:
    body, given = Renderer().render(snapshots.eight_gpus(), accept)
    assert given == content_type
    assert body.endswith(b"# EOF\n") == (content_type == OPENMETRICS)


def test_any_number_of_scrapers_get_the_same_bytes_of_one_rendering() -> None:
    """P6: two Prometheus servers in a pair must not disagree, nor cost twice."""
    renderer, snapshot = Renderer(Restless()), snapshots.eight_gpus()
    bodies: list[bytes] = []
    threads = [threading.Thread(target=lambda: bodies.append(renderer.render(snapshot)[0])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bodies) == 8
    assert all(body is bodies[0] for body in bodies)
    openmetrics, _ = renderer.render(snapshot, PROMETHEUS_2)
    assert b"restless_total 1.0\n" in bodies[0]
    assert b"restless_total 1.0\n" in openmetrics, "the daemon's own cost was read again for the other format"


def test_the_next_snapshot_is_rendered_anew_and_what_left_is_gone() -> None:
    renderer, first = Renderer(), snapshots.eight_gpus()
    assert b"llama-pretrain-0" in renderer.render(first)[0]
    second = replace(first, workloads=first.workloads[1:], tick_wall_s=first.tick_wall_s + 5)
    body, _ = renderer.render(second)
    assert b"llama-pretrain-0" not in body
    assert body.decode() == body_of(second)
    assert renderer.render(first)[0].decode() == body_of(first)


def test_p10_the_daemons_own_cost_is_part_of_both_formats() -> None:
    """P10: an operator can see what the guest costs."""
    renderer, snapshot = Renderer(PROCESS_COLLECTOR), snapshots.starting()
    for accept in ("", PROMETHEUS_2):
        body = renderer.render(snapshot, accept)[0].decode()
        assert "\nprocess_cpu_seconds_total " in body
        assert "\nprocess_resident_memory_bytes " in body


class Restless(Collector):
    """A counter that rises each time it is looked at."""

    def __init__(self) -> None:
        self.looks = 0

    def collect(self) -> Iterable[Metric]:
        self.looks += 1
        yield CounterMetricFamily("restless", "Looks.", value=self.looks)


def samples_of(families: Iterable[Metric]) -> list[tuple[str, tuple[tuple[str, str], ...], float]]:
    return [(s.name, tuple(sorted(s.labels.items())), s.value) for family in families for s in family.samples]
