"""The books of a node from a real Prometheus and a real VictoriaMetrics, against the node's own ledger."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.books.past import DAY_S, HOUR_S, Past
from tests.books.scraped import Truth, energy, two_days
from tests.e2e.daemon import COMMAND
from tests.e2e.tsdb import past_of
from tests.e2e.victoria import victoria
from tracker.books.history import HistoryHours, Wanted, hosts, ledger_of, read_hours
from tracker.books.interface import BookStore
from tracker.books.lake import file_for, read_rows, to_parquet
from tracker.books.names import parse_name
from tracker.books.prometheus_api import PrometheusApi
from tracker.books.schema import content_sha256, entry_rows
from tracker.books.series_map import exporters
from tracker.books.sites import read_sites
from tracker.books.store import open_store
from tracker.core.hours import COVERED, HourEntry, NodeFacts

#: A double of up to 9 GJ tells single microjoules, and each hour has two edges.
ROUNDING_UJ = 2
RESET_HOUR = 16


@dataclass(frozen=True)
class Scraped:
    url: str
    truth: Truth


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Truth]:
    past = Past()
    truth = two_days(tmp_path_factory.mktemp("node") / "state", past)
    return past.text(), truth


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("prometheus", marks=pytest.mark.needs("prometheus", "promtool")),
        pytest.param("victoria", marks=pytest.mark.needs("victoria-metrics")),
    ],
)
def scraped(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, node: tuple[str, Truth]
) -> Iterator[Scraped]:
    text, truth = node
    folder = tmp_path_factory.mktemp("server") / "data"
    if request.param == "prometheus":
        with past_of(folder, text) as server:
            yield Scraped(server.url, truth)
    else:
        with victoria(folder, text) as url:
            yield Scraped(url, truth)


def the_day(url: str) -> HistoryHours:
    api, wanted = PrometheusApi(url), Wanted("wattledger", exporters()["wattledger"])
    try:
        (host,) = hosts(api, wanted, DAY_S, DAY_S + 30 * HOUR_S)
        assert (host.hostname, host.cluster) == ("node-1", "")
        return read_hours(api, wanted, host, DAY_S, DAY_S + 24 * HOUR_S)
    finally:
        api.close()


def of_the_day(truth: Truth) -> tuple[HourEntry, ...]:
    return tuple(each for each in truth.entries if each.hour_s >= DAY_S)


def test_every_hour_and_workload_is_the_ledgers_to_the_rounding_of_a_double(scraped: Scraped) -> None:
    """Through a restart, a lost ledger, a job between two scrapes, one that came back, and three hours of silence."""
    read, true = energy(the_day(scraped.url).entries), energy(of_the_day(scraped.truth))
    silent = {10, 11, 12}  # nobody scraped: the sum is known and spread by time, and nothing changed meanwhile
    assert {key: uj for key, uj in true.items() if abs(uj - read[key]) > ROUNDING_UJ and key[0] not in silent} == {}
    assert {key for key in read if key not in true} == set()
    assert abs(sum(read.values()) - sum(true.values())) <= ROUNDING_UJ * len(true)
    assert len(true) > 80
    assert any(uj % 1_000_000 for uj in true.values())  # not a test of round numbers


def test_the_silence_is_spread_by_time_to_the_unit(scraped: Scraped) -> None:
    def silent(entries: tuple[HourEntry, ...]) -> Counter[tuple[str, str]]:
        found: Counter[tuple[str, str]] = Counter()
        for (hour, component, workload, _), uj in energy(entries).items():
            if hour in {10, 11, 12}:
                found[component, workload] += uj
        return found

    read, true = silent(the_day(scraped.url).entries), silent(of_the_day(scraped.truth))
    # Its last minute is spread with the hour after it.
    assert all(abs(read[key] - uj) <= uj // 100 for key, uj in true.items())


def test_days_that_are_read_apart_are_as_if_read_at_once(scraped: Scraped) -> None:
    """A silence over midnight would show: no joule is in both days or in none."""
    api, wanted = PrometheusApi(scraped.url), Wanted("wattledger", exporters()["wattledger"])
    (host,) = hosts(api, wanted, DAY_S, DAY_S + 30 * HOUR_S)
    cuts = [DAY_S - 4 * HOUR_S, DAY_S + 3 * HOUR_S, DAY_S + 11 * HOUR_S, DAY_S + 24 * HOUR_S]
    whole = read_hours(api, wanted, host, cuts[0], cuts[-1]).entries
    parts = [read_hours(api, wanted, host, *span).entries for span in itertools.pairwise(cuts)]
    api.close()
    assert [each for part in parts for each in part] == [*whole]


def test_held_time_idle_part_names_and_model_come_along(scraped: Scraped) -> None:
    read, true = the_day(scraped.url).entries, of_the_day(scraped.truth)

    def facts(entries: tuple[HourEntry, ...]) -> dict[tuple[int, str, str], tuple[int, int]]:
        found: dict[tuple[int, str, str], tuple[int, int]] = {}
        for each in entries:
            key = each.hour_s, str(each.component), each.workload.key
            idle_uj, held_ms = found.get(key, (0, 0))
            found[key] = idle_uj + each.idle_uj, held_ms + each.held_ms
        return found

    mine, its = facts(read), facts(true)
    assert {key for key, (idle_uj, held_ms) in its.items() if held_ms != mine[key][1]} == set()
    assert all(abs(idle_uj - mine[key][0]) <= ROUNDING_UJ for key, (idle_uj, _) in its.items())
    (short,) = {each.workload for each in read if each.workload.key == "run/short"}
    assert (short.name, short.team, short.project, short.cost_centre, short.run, short.job) == (
        *("short job", "vision", "ocr", "CC-1", "7", "211"),
    )
    assert {(each.device, each.model) for each in read} == {("gpu", "NVIDIA H100 80GB HBM3"), ("cpu", "")}


def test_coverage_is_the_nodes_own_and_a_lost_ledger_a_gap(scraped: Scraped) -> None:
    read = {(s.hour_s, s.component, s.state): s.duration_ms for s in the_day(scraped.url).states}
    true = {(s.hour_s, s.component, s.state): s.duration_ms for s in scraped.truth.states if s.hour_s >= DAY_S}
    reset_s = DAY_S + RESET_HOUR * HOUR_S
    assert {key: ms for key, ms in true.items() if read.get(key) != ms and key[0] != reset_s} == {}
    assert {(state, ms) for (hour_s, _, state), ms in read.items() if hour_s == reset_s} == {
        (COVERED, 3_540_000),
        ("reset", 60_000),
    }


def ship(books: Path, url: str, *more: str) -> subprocess.CompletedProcess[str]:
    days = ("--from", "2025-09-22", "--to", "2025-09-23")
    command = [COMMAND, "ship", "--from-prometheus", url, *days, "--books", str(books), "--json", *more]
    state = ["--state-dir", str(books.parent)]
    return subprocess.run([*command, *state], capture_output=True, text=True, timeout=120, check=False)


def rows_of(store: BookStore, kind: str) -> list[tuple[object, ...]]:
    names = [name for name, _ in store.names(f"{kind}/")]
    return [row for path in store.local(names) for row in read_rows(kind, path)]


def test_the_command_fills_the_lake_once(scraped: Scraped, tmp_path: Path) -> None:
    """A second run finds everything there, and what the node ships later has another name."""
    books = tmp_path / "books"
    first = ship(books, scraped.url)
    assert (first.returncode, json.loads(first.stdout)["ok"]) == (0, True), first.stderr
    store = open_store(str(books))
    rows = rows_of(store, "entries")
    assert abs(sum(int(str(row[-3])) for row in rows) - sum(energy(of_the_day(scraped.truth)).values())) < 1_000
    assert {row[5] for row in rows} == {"FR"}, "as the node says"
    assert {row[2] for row in rows} == {ledger_of("wattledger", "node-1", "")}
    again = ship(books, scraped.url)
    assert json.loads(again.stdout)["created"] == []
    assert len(json.loads(first.stdout)["created"]) == 3  # entries, coverage, emissions: one day


def test_the_site_of_the_configuration_goes_into_the_books(scraped: Scraped, tmp_path: Path) -> None:
    """Nodes without credentials for the books cannot say what the PUE is."""
    config = tmp_path / "config.toml"
    config.write_text('[site.par1]\nzone = "FR"\npue = 1.21\npue_source = "operator"\n', encoding="utf-8")
    result = ship(tmp_path / "books", scraped.url, "--site", "par1", "--config", str(config))
    assert result.returncode == 0, result.stderr
    store = open_store(str(tmp_path / "books"))
    assert read_sites(store).facts["par1"].pue[-1].permille == 1210
    assert {(row[4], row[5]) for row in rows_of(store, "entries")} == {("par1", "FR")}


def ship_some_directly(store: BookStore, truth: Truth) -> NodeFacts:
    """The first five hours of the day, as the node itself ships them."""
    facts = NodeFacts("node-1", "0123456789abcdef", "paris-1", version="0")  # Prometheus does not know the cluster
    own = [each for each in of_the_day(truth) if each.hour_s < DAY_S + 5 * HOUR_S]
    rows = entry_rows(facts, own)
    sha256 = content_sha256("entries", rows)
    file = file_for("entries", facts, DAY_S, DAY_S + 5 * HOUR_S, sha256)
    store.create(file.name, to_parquet("entries", facts, rows, sha256))
    return facts


def test_what_the_node_has_shipped_itself_stays_and_is_not_counted_twice(scraped: Scraped, tmp_path: Path) -> None:
    books = tmp_path / "books"
    store = open_store(str(books), create=True)
    facts = ship_some_directly(store, scraped.truth)
    result = ship(books, scraped.url)
    assert result.returncode == 0, result.stderr
    assert "are in the books already" in result.stderr
    hours = Counter((row[0], row[2]) for row in rows_of(open_store(str(books)), "entries"))
    assert {hour_s for hour_s, ledger in hours if ledger == facts.ledger} == {DAY_S + n * HOUR_S for n in range(5)}
    mine = {int(str(hour_s)) for hour_s, ledger in hours if ledger != facts.ledger}
    assert min(mine) == DAY_S + 5 * HOUR_S
    assert all(parse_name(name) for name, _ in store.names("entries/"))


def test_what_the_node_ships_later_is_told_and_can_be_mended(scraped: Scraped, tmp_path: Path) -> None:
    books = tmp_path / "books"
    assert ship(books, scraped.url).returncode == 0
    store = open_store(str(books))
    history = [name for name, _ in store.names() if parse_name(name)]
    ship_some_directly(store, scraped.truth)
    again = ship(books, scraped.url)
    assert again.returncode == 1
    assert "node-1: 5 hours of 2025-09-22 are in the books twice" in again.stderr
    for name in history:
        store.remove(name)
    assert ship(books, scraped.url).returncode == 0
    whole_uj = sum(int(str(row[-3])) for row in rows_of(store, "entries"))
    assert abs(whole_uj - sum(energy(of_the_day(scraped.truth)).values())) < 1_000


def test_an_address_that_is_no_prometheus_is_one_sentence(tmp_path: Path) -> None:
    result = ship(tmp_path / "books", "http://127.0.0.1:9")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "http://127.0.0.1:9 gave no whole answer: the connection was refused" in result.stderr
    assert "Start it, or mend the address. Run it again: it goes on from what is shipped." in result.stderr
    assert not (tmp_path / "books").exists(), "nothing is made for nothing"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--exporter", "nagios"), "Nothing is known of an exporter nagios. Known: wattledger, dcgm-exporter"),
        (("--match", "cluster=x"), "'cluster=x' is no matcher."),
        (("--zone", "Atlantis"), "Atlantis"),
        (("--check",), "--check and --due are about the node's own ledger."),
    ],
)
def test_bad_usage_is_told_with_what_to_do(flags: tuple[str, ...], said: str, tmp_path: Path) -> None:
    result = ship(tmp_path / "books", "http://127.0.0.1:9", *flags)
    assert (result.returncode, said in result.stderr) == (2, True), result.stderr
