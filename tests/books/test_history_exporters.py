"""Other exporters' past, out of a real Prometheus: each joule once, and charged only where somebody is known.

All nodes of this file are in one server; each test reads its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.books.past import DAY_S, HOUR_S, Past
from tests.e2e.tsdb import past_of
from tracker.books.history import HistoryHours, Wanted, hosts, read_hours
from tracker.books.history_ship import Place, ship_history
from tracker.books.names import parse_name
from tracker.books.prometheus_api import HistoryRefused, PrometheusApi
from tracker.books.series_map import exporters
from tracker.books.store import open_store
from tracker.core.model import Kind

pytestmark = pytest.mark.needs("prometheus", "promtool")

DCGM = "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION"
RAPL = "node_rapl_package_joules_total"
RANGE_J = 262_143.328850
HOURS = (DAY_S, DAY_S + 3 * HOUR_S)


def watts(power: float, start: float = 1e9) -> Callable[[float], str]:
    """A counter of joules that stood at ``start`` at the beginning of the day."""
    return lambda at_s: f"{start + power * (at_s - DAY_S):.6f}"


def milli(power: int, start: int = 24_131_212_345) -> Callable[[float], int]:
    return lambda at_s: start + round(power * 1000 * (at_s - DAY_S))


def gpu(past: Past) -> None:
    """gn1: a GPU that a pod holds for an hour and a half and a job after it; one cut by MIG; one that is nobody's."""
    add = partial(past.sample, DCGM, value=milli(500))
    one = {"Hostname": "gn1", "UUID": "GPU-1", "modelName": "NVIDIA H100 80GB HBM3", "job": "dcgm", "instance": "a:1"}
    first, half, last = DAY_S - 120, DAY_S + 5400, DAY_S + 3 * HOUR_S + 120
    scrape = {"namespace": "gpu-operator", "pod": "dcgm-exporter-x7"}  # of the target
    pod = {"exported_namespace": "nlp", "exported_pod": "train-0", "exported_container": "main"}
    add({**one, **scrape, **pod}, span_s=(first, half))
    add({**one, **scrape, "hpc_job": "211", "instance": "a:2"}, span_s=(half, last))
    two = {**one, **scrape, "UUID": "GPU-2"}
    for instance, holder in (("1", "mig-a"), ("2", "mig-b")):
        labels = {**two, "GPU_I_ID": instance, "exported_namespace": "nlp", "exported_pod": holder}
        add(labels, span_s=(first, last))
    add({**one, **scrape, "UUID": "GPU-3"}, span_s=(first, last))


def troubled(past: Past) -> None:
    """gn2: no pod labels; its driver is loaded anew at one o'clock, and a read fails at two."""
    labels = {"hostname": "gn2", "UUID": "GPU-9", "modelName": "A100"}
    reload_s, failed_s = DAY_S + HOUR_S + 30, DAY_S + 2 * HOUR_S + 600
    past.sample(DCGM, labels, (DAY_S - 120, reload_s), milli(300, 10**12))
    past.sample(DCGM, labels, (reload_s + 30, failed_s), lambda at_s: round(300_000 * (at_s - reload_s)))
    past.add(DCGM, labels, failed_s, 0)
    past.sample(
        DCGM, labels, (failed_s + 60, DAY_S + 3 * HOUR_S + 120), lambda at_s: round(300_000 * (at_s - reload_s))
    )


def alone(past: Past) -> None:
    """gn3: a GPU that no pod holds; the only pod label is that of the exporter, added by its target."""
    labels = {"Hostname": "gn3", "UUID": "GPU-8", "namespace": "gpu-operator", "pod": "nvidia-dcgm-exporter-x7"}
    past.sample(DCGM, labels, (DAY_S, DAY_S + HOUR_S + 60), milli(70))


def kepler(past: Past) -> None:
    """kn1: 200 W of package, 30 W of DRAM, zones inside and around them; two pods, one of which ends."""
    node = {"node_name": "kn1", "instance": "k:1"}
    span = (DAY_S - 120, DAY_S + 3 * HOUR_S + 120)
    for zone, power in (("package", 200), ("core", 150), ("dram", 30), ("psys", 400)):
        labels = {**node, "zone": zone, "path": f"/sys/{zone}"}
        past.sample("kepler_node_cpu_joules_total", labels, span, watts(power))
        past.sample("kepler_node_cpu_idle_joules_total", labels, span, watts(power / 4))
    pod = {**node, "pod_id": "u1", "pod_name": "web-0", "pod_namespace": "shop", "zone": "package"}
    name, end_s = "kepler_pod_cpu_joules_total", DAY_S + 2 * HOUR_S
    past.sample(name, {**pod, "state": "running"}, (span[0], end_s), watts(100, 5e5))
    past.sample(name, {**pod, "state": "terminated"}, (end_s, end_s + 300), lambda _: watts(100, 5e5)(end_s - 30))
    core = {**pod, "zone": "core", "state": "running"}
    past.sample(name, core, (span[0], end_s), watts(90, 5e5))


def old_kepler(past: Past) -> None:
    """kn2: no RAPL, a model; a container with dynamic and idle energy."""
    span, source = (DAY_S - 120, DAY_S + HOUR_S + 120), {"source": "trained_power_model"}
    for mode, power in (("dynamic", 40), ("idle", 60)):
        node = {"exported_instance": "kn2", "instance": "kn2", "mode": mode, "package": "0", **source}
        past.sample("kepler_node_package_joules_total", node, span, watts(power))
        box = {"instance": "kn2", "container_id": "c1", "container_name": "db", "mode": mode, **source}
        past.sample("kepler_container_package_joules_total", box, span, watts(power / 2, 100))


def rapl(past: Past) -> None:
    """rn1: 400 W that wrap every eleven minutes, scraped by a pair of servers whose clocks differ."""
    for replica, late_s in (("a", 0), ("b", 7)):
        labels = {"instance": "rn1:9100", "index": "0", "path": "/sys/0", "replica": replica, "cluster": "c"}
        span = (DAY_S - 120 + late_s, DAY_S + HOUR_S + 120)
        past.sample(RAPL, labels, span, lambda at_s: f"{400 * (at_s - DAY_S + 5000) % RANGE_J:.6f}", every_s=15)


def silent(past: Past) -> None:
    """rn2: not scraped from eight in the evening until three in the morning."""
    labels = {"instance": "rn2:9100", "index": "0", "path": "/sys/0"}
    for span in ((DAY_S - 4.5 * HOUR_S, DAY_S - 4 * HOUR_S + 1), (DAY_S - 8 * HOUR_S, DAY_S - 8 * HOUR_S + 1)):
        past.sample("node_rapl_dram_joules_total", labels, span, watts(10), every_s=60)
    past.sample("node_rapl_dram_joules_total", labels, (DAY_S + 3 * HOUR_S, DAY_S + 3.5 * HOUR_S), watts(10))


def twins(past: Past) -> None:
    """Two machines of one name in two clusters."""
    for cluster, power in (("x", 100), ("y", 200)):
        labels = {"instance": "twin:9100", "index": "0", "path": "/sys/0", "cluster": cluster}
        past.sample(RAPL, labels, (DAY_S - 60, DAY_S + HOUR_S + 120), watts(power))


def ours(past: Past) -> None:
    """wn1: a workload that was shown among others until half past, then with its lifetime; and one that begins then."""
    node = {"hostname": "wn1", "component": "gpu", "method": "measured", "instance": "w:1"}
    span, half = (DAY_S - 120, DAY_S + HOUR_S + 120), DAY_S + 1800
    past.sample("wattledger_device_energy_joules_total", {**node, "device": "GPU-w"}, span, watts(100))
    name, other = "wattledger_workload_energy_joules_total", {**node, "workload": "other", "kind": "other"}
    past.sample(name, other, (span[0], half), watts(100, 2e5))
    big = {**node, "workload": "pod/big", "kind": "pod"}
    past.sample(name, big, (half, span[1]), lambda at_s: f"{150_000 + 60 * (at_s - half + 60):.6f}")
    small = {**node, "workload": "pod/small", "kind": "pod", "team": "nlp"}
    past.sample(name, small, (half, span[1]), lambda at_s: f"{40 * (at_s - half + 60):.6f}")


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusApi]:
    past = Past()
    for scene in (gpu, troubled, alone, kepler, old_kepler, rapl, silent, twins, ours):
        scene(past)
    ceems = {"hostname": "cn1", "index": "0", "path": "/sys/0", "instance": "c:1"}
    past.sample("ceems_rapl_package_joules_total", ceems, (DAY_S - 60, DAY_S + HOUR_S + 120), watts(250, 1000))
    with past_of(tmp_path_factory.mktemp("server") / "data", past.text()) as server:
        api = PrometheusApi(server.url)
        yield api
        api.close()


def read(
    api: PrometheusApi, exporter: str, name: str, *, match: str = "", replica: tuple[str, ...] = ()
) -> HistoryHours:
    wanted = Wanted(exporter, exporters()[exporter], match, replica)
    (host,) = [each for each in hosts(api, wanted, *HOURS) if each.hostname == name]
    return read_hours(api, wanted, host, *HOURS)


def joules(hours: HistoryHours) -> dict[tuple[int, str, str], float]:
    """By hour of the day, device and workload."""
    found: Counter[tuple[int, str, str]] = Counter()
    for each in hours.entries:
        found[(each.hour_s - DAY_S) // HOUR_S, each.device, each.workload.key] += each.energy_uj
    return {key: uj / 1e6 for key, uj in found.items()}


def test_dcgm_charges_the_holder_and_each_joule_once(api: PrometheusApi) -> None:
    """Holders and addresses change, MIG rows repeat the whole GPU, and a pod label is the exporter's own."""
    hours = read(api, "dcgm-exporter", "gn1")
    whole = 500.0 * HOUR_S
    pod, job, nobody = "pod/nlp/train-0", "slurm/211", "unattributed"
    assert {key: j for key, j in joules(hours).items() if key[1] == "GPU-1"} == {
        (0, "GPU-1", pod): whole,
        (1, "GPU-1", pod): whole / 2,
        (1, "GPU-1", job): whole / 2,
        (2, "GPU-1", job): whole,
    }
    assert {key: j for key, j in joules(hours).items() if key[1] != "GPU-1"} == {
        (hour, device, nobody): whole for hour in range(3) for device in ("GPU-2", "GPU-3")
    }
    entry = next(each for each in hours.entries if each.workload.key == pod)
    assert (entry.workload.kind, entry.workload.namespace, entry.workload.container) == (Kind.POD, "nlp", "main")
    assert (entry.model, entry.held_ms, str(entry.method)) == ("NVIDIA H100 80GB HBM3", 3_600_000, "measured")
    assert {(s.state, s.duration_ms) for s in hours.states} == {("covered", 3_600_000)}
    assert hours.notes == ()


def test_the_exporter_does_not_pay_for_an_idle_gpu(api: PrometheusApi) -> None:
    assert joules(read(api, "dcgm-exporter", "gn3")) == {(0, "GPU-8", "unattributed"): 70.0 * HOUR_S}


def test_a_driver_reload_is_a_gap_and_a_failed_read_is_no_lifetime(api: PrometheusApi) -> None:
    hours = read(api, "dcgm-exporter", "gn2")
    assert joules(hours) == {
        (0, "GPU-9", "unattributed"): 300.0 * HOUR_S,
        # the 30 s before the reload are lost; the 30 s after it are counted
        (1, "GPU-9", "unattributed"): 300.0 * (HOUR_S - 30),
        # two steps around the failed read
        (2, "GPU-9", "unattributed"): 300.0 * (HOUR_S - 120),
    }
    states = {((s.hour_s - DAY_S) // HOUR_S, s.state): s.duration_ms for s in hours.states}
    assert states == {
        (0, "covered"): 3_600_000,
        (1, "covered"): 3_540_000,
        (1, "reset"): 60_000,
        (2, "covered"): 3_480_000,
        (2, "reset"): 60_000,
        (2, "implausible"): 60_000,
    }
    assert [note.split(";")[0] for note in hours.notes] == [
        "gn2: gpu GPU-9: a change of the counter is more than can have been used, and is not booked.",
        "gn2: gpu GPU-9: the counter started anew",
    ]
    assert hours.notes[1].endswith("is not known (2 times).")


def test_kepler_books_zones_that_do_not_overlap(api: PrometheusApi) -> None:
    """The zones psys and core would double the node, a terminated pod's lifetime in a second series the pod."""
    found = joules(read(api, "kepler", "kn1"))
    assert found == {
        **{(hour, "cpu", "idle"): 50.0 * HOUR_S for hour in range(3)},
        **{(hour, "dram", "idle"): 7.5 * HOUR_S for hour in range(3)},
        **{(hour, "dram", "unattributed"): 22.5 * HOUR_S for hour in range(3)},
        (0, "cpu", "pod/u1"): 100.0 * HOUR_S,
        (0, "cpu", "unattributed"): 50.0 * HOUR_S,
        (1, "cpu", "pod/u1"): 100.0 * (HOUR_S - 30),
        (1, "cpu", "unattributed"): 50.0 * HOUR_S + 3000,
        (2, "cpu", "unattributed"): 150.0 * HOUR_S,
    }


def test_what_old_kepler_modelled_is_modelled(api: PrometheusApi) -> None:
    hours = read(api, "kepler", "kn2")
    assert joules(hours) == {
        (0, "cpu", "container/c1"): 50.0 * HOUR_S,
        (0, "cpu", "unattributed"): 50.0 * HOUR_S,
        (1, "cpu", "container/c1"): 50.0 * 60,
        (1, "cpu", "unattributed"): 50.0 * 60,
    }
    assert {str(each.method) for each in hours.entries} == {"modelled"}
    assert sum(each.held_ms for each in hours.entries if each.hour_s == DAY_S) == 7_200_000  # two devices


def test_rapl_wraps_are_counted_through_and_replicas_are_one(api: PrometheusApi) -> None:
    hours = read(api, "node-exporter", "rn1", replica=("replica",))
    assert joules(hours)[0, "/sys/0/0", "unattributed"] == pytest.approx(400.0 * HOUR_S, abs=1e-5)
    assert hours.notes == ()


def test_a_long_silence_is_told_and_no_joule_lost(api: PrometheusApi) -> None:
    """Seven hours: what was counted is in the last six of them, and the first one is missing."""
    wanted = Wanted("node-exporter", exporters()["node-exporter"])
    (host,) = [each for each in hosts(api, wanted, *HOURS) if each.hostname == "rn2"]
    hours = read_hours(api, wanted, host, DAY_S - 4 * HOUR_S, DAY_S + 3 * HOUR_S)
    assert {hour: j for (hour, _, _), j in joules(hours).items()} == dict.fromkeys(range(-3, 3), 10.0 * HOUR_S * 7 / 6)
    assert {(s.state, s.duration_ms) for s in hours.states} == {("recovered", 3_600_000)}
    assert [note.split(": ")[2] for note in hours.notes][:1] == [
        "no sample for more than six hours; what was counted is in the last six, and the hours before are missing."
    ]


def test_one_node_that_is_scraped_twice_does_not_hold_up_the_others(api: PrometheusApi, tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "books"), create=True)
    wanted = Wanted("node-exporter", exporters()["node-exporter"])
    done = ship_history(store, api, wanted, Place("par1", "FR", "0"), DAY_S, DAY_S + 24 * HOUR_S)
    assert not done.ok
    assert [each.split(":")[0] for each in done.conflicts] == ["rn1"]
    shipped = {file.hostname for name in done.created if (file := parse_name(name))}
    assert shipped == {"rn2", "twin"}
    with pytest.raises(HistoryRefused, match="has no series of node-exporter from 2025-10-01 until 2025-10-02"):
        ship_history(store, api, wanted, Place(), DAY_S + 9 * 24 * HOUR_S, DAY_S + 10 * 24 * HOUR_S)


def test_a_pair_of_servers_is_told_and_not_added(api: PrometheusApi) -> None:
    with pytest.raises(HistoryRefused, match=r"with replica=a and b\..*--dedupe-label replica"):
        read(api, "node-exporter", "rn1")


def test_two_machines_of_one_name_are_told_apart_by_cluster(api: PrometheusApi) -> None:
    wanted = Wanted("node-exporter", exporters()["node-exporter"])
    found = [each for each in hosts(api, wanted, *HOURS) if each.hostname == "twin"]
    assert [each.cluster for each in found] == ["x", "y"]
    hours = [read_hours(api, wanted, each, *HOURS) for each in found]
    assert [joules(each)[0, "/sys/0/0", "unattributed"] for each in hours] == [100.0 * HOUR_S, 200.0 * HOUR_S]
    assert joules(read(api, "node-exporter", "twin", match='cluster="y"'))[0, "/sys/0/0", "unattributed"] == 720_000.0


def test_ceems_names_its_node_and_nobody(api: PrometheusApi) -> None:
    assert joules(read(api, "ceems", "cn1")) == {
        (0, "/sys/0/0", "unattributed"): 250.0 * HOUR_S,
        (1, "/sys/0/0", "unattributed"): 250.0 * 60,
    }


def test_a_lifetime_that_appears_is_no_energy_and_a_new_workload_is(api: PrometheusApi) -> None:
    """Both appear with a value; only the devices tell how much of it can have been used since the last scrape."""
    hours = read(api, "wattledger", "wn1")
    found = joules(hours)
    assert found[0, "gpu", "pod/small"] == 40.0 * 1860
    assert found[0, "gpu", "pod/big"] == 60.0 * 1800
    assert sum(j for (hour, _, _), j in found.items() if hour == 0) == 100.0 * HOUR_S
    assert next(each.workload.team for each in hours.entries if each.workload.key == "pod/small") == "nlp"


def test_hours_without_samples_are_missing(api: PrometheusApi) -> None:
    assert {each.hour_s for each in read(api, "ceems", "cn1").states} == {DAY_S, DAY_S + HOUR_S}
