"""Series that are one counter: replicas, targets with new addresses, labels that Prometheus moved aside."""

from __future__ import annotations

import pytest

from tracker.books.history import is_history, ledger_of
from tracker.books.history_ship import last_final_day_s
from tracker.books.names import day_start_s
from tracker.books.prometheus_api import HistoryRefused, Series
from tracker.books.series import Counter, Part, join
from tracker.books.series_map import Labels, component_of, exporters, host_of, method_of, moved_labels, workload_of
from tracker.core.model import UNATTRIBUTED, Component, Kind, Method, Workload

MINUTE_MS = 60_000


def part(labels: dict[str, str], *samples: tuple[int, int], holder: Workload | None = None) -> Part:
    return Part(Series(labels, [(minute * MINUTE_MS, value) for minute, value in samples]), holder)


def minutes(counter: Counter) -> list[tuple[int, int]]:
    return [(at_ms // MINUTE_MS, value) for at_ms, value in counter.samples]


def test_a_target_with_a_new_address_goes_on_with_its_counter() -> None:
    old, new = part({"instance": "a"}, (0, 5), (1, 6)), part({"instance": "b"}, (3, 9), (4, 10))
    assert minutes(join([new, old], (), ())) == [(0, 5), (1, 6), (3, 9), (4, 10)]


def test_two_targets_at_once_are_refused_with_the_label_that_differs() -> None:
    """Added up or mixed they would double the energy, or make a counter fall."""
    one, other = part({"job": "a", "x": "1"}, (0, 5), (2, 6)), part({"job": "b", "x": "1"}, (1, 500))
    with pytest.raises(HistoryRefused, match="with job=a and b"):
        join([one, other], (), ())


def test_of_replicas_one_speaks_and_the_other_fills_its_silence() -> None:
    first = part({"replica": "a"}, *[(minute, minute * 10) for minute in (0, 1, 2, 30, 31)])
    other = part({"replica": "b"}, *[(minute, minute * 10 + 1) for minute in range(40)])
    merged = minutes(join([other, first], (), ("replica",)))
    assert merged == sorted(merged)
    assert [each for each in merged if each[0] in {0, 1, 2, 30, 31}] == [(0, 0), (1, 10), (2, 20), (30, 300), (31, 310)]
    assert (15, 151) in merged
    assert (39, 391) in merged  # after its last sample too


def test_rows_of_one_device_are_one_counter_and_name_all_holders() -> None:
    ada, bob = Workload("pod/a", Kind.POD), Workload("pod/b", Kind.POD)
    alone = part({"pod": "a"}, (0, 5), holder=ada)
    shared = [part({"pod": "a"}, (1, 6), holder=ada), part({"pod": "b"}, (1, 6), holder=bob)]
    counter = join([alone, *shared, part({}, (2, 7))], ("pod",), ())
    assert minutes(counter) == [(0, 5), (1, 6), (2, 7)]
    assert [counter.holder(minute * MINUTE_MS) for minute in range(3)] == [ada, None, None]


def test_a_label_that_was_moved_aside_is_the_exporters_own() -> None:
    """honor_labels: false gives the target's pod the plain name: the exporter would pay for everybody."""
    labels = {"pod": "exporter-x", "exported_pod": "train-0"}
    moved = moved_labels([labels])
    assert Labels(labels, moved).get("pod") == "train-0"
    assert Labels({"pod": "exporter-x"}, moved).get("pod") == ""
    assert Labels({"pod": "train-0"}).get("pod") == "train-0"


@pytest.mark.parametrize(
    ("exporter", "labels", "name"),
    [
        ("dcgm-exporter", {"Hostname": "n1", "instance": "10.0.0.1:9400"}, "n1"),
        ("dcgm-exporter", {"hostname": "n1", "instance": "10.0.0.1:9400"}, "n1"),
        ("node-exporter", {"instance": "n1:9100"}, "n1"),
        ("node-exporter", {"instance": "[fd00::1]:9100"}, "[fd00::1]"),
        ("kepler", {"exported_instance": "n1", "instance": "10.0.0.1:9102"}, "n1"),
        ("ceems", {}, ""),
    ],
)
def test_a_node_is_found_by_the_label_that_names_it(exporter: str, labels: dict[str, str], name: str) -> None:
    assert host_of(exporters()[exporter], Labels(labels))[0] == name


def test_what_a_table_does_not_know_is_said_to_be_unknown() -> None:
    """A newer exporter's component, method or kind is no reason to lose its energy."""
    ours = exporters()["wattledger"]
    spec = next(each for each in ours.series if each.role == "workload")
    labels = Labels({"component": "npu", "method": "guessed", "workload": "vm/1", "kind": "vm"})
    assert (component_of(spec, labels), method_of(spec, labels)) == (Component.OTHER, Method.MODELLED)
    assert workload_of(ours, spec, labels).kind is Kind.OTHER
    assert workload_of(exporters()["ceems"], exporters()["ceems"].series[0], labels) is UNATTRIBUTED


def test_every_exporter_has_devices_with_a_bound_and_units() -> None:
    for exporter in exporters().values():
        assert exporter.about
        assert exporter.specs("device")
        for spec in exporter.specs("device", "workload"):
            assert spec.most_w > 0
            assert spec.per_unit in {1_000, 1_000_000}


def test_the_identity_of_history_is_of_the_node_and_not_of_the_server() -> None:
    mine = ledger_of("kepler", "n1", "")
    assert is_history(mine)
    assert len(mine) == 64
    others = {ledger_of("kepler", "n1", "c"), ledger_of("kepler", "n2", ""), ledger_of("wattledger", "n1", "")}
    assert len({mine[:8], *(each[:8] for each in others)}) == 4


def test_a_day_is_final_six_hours_after_its_end() -> None:
    day_s = day_start_s("2025-09-23")
    assert last_final_day_s(day_s + 6 * 3600 - 1) == day_s - 86_400
    assert last_final_day_s(day_s + 6 * 3600) == day_s
