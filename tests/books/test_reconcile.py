"""Our energy beside a meter's and beside a real Prometheus's: the same hours are compared, and differences are said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.books.small_lake import NODE, Hours, J, day, put
from tests.e2e.prometheus import Prometheus
from tests.e2e.tsdb import past_of
from tracker.books.counters import Counted, counted
from tracker.books.folder import FolderStore
from tracker.books.meter import MeterReading, parse_meter, read_meter
from tracker.books.names import day_start_s
from tracker.books.prometheus_api import PrometheusApi
from tracker.books.reconcile import Hourly, hourly_energy, with_meter, with_prometheus
from tracker.core.errors import UsageError
from tracker.core.hours import HOUR_S
from tracker.core.model import Method
from tracker.core.statement import Period

KWH = 3_600_000_000_000
START_S = day_start_s("2026-10-01")
OCTOBER = Period("2026-10", "UTC", START_S, day_start_s("2026-11-01"))
PARIS = ZoneInfo("Europe/Paris")


def steady(hours: int, hostname: str = "gpu-1", site: str = "par1") -> tuple[Hourly, ...]:
    """A node that uses 2 kWh an hour."""
    return tuple(Hourly(site, hostname, START_S + n * HOUR_S, 2 * KWH) for n in range(hours))


# the meter


def test_a_meter_file_is_read_as_it_is_printed() -> None:
    text = "Site,start,end,kWh,level\r\npar1,2026-10-01,2026-11-01,91234.567,\r\n"
    text += ",2026-10-01T00:00Z,2026-10-02T02:00+02:00,1,it\r\n"
    assert parse_meter(text, "meter.csv", PARIS) == (
        MeterReading("par1", START_S - 2 * HOUR_S, OCTOBER.end_s - HOUR_S, 328_444_441_200_000_000, "facility"),
        MeterReading("", START_S, START_S + 24 * HOUR_S, KWH, "it"),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no meter file"),
        ("start,end\n", "no meter file"),
        ("start,end,kwh,price\n", "no meter file"),
        ("start,end,kwh\n", "no readings"),
        ("start,end,kwh\n2026-10-01,2026-11-01,1;5\n", "line 2: '1;5' is no number"),
        ("start,end,kwh\n2026-10-01,2026-11-01,-1\n", "is no energy"),
        ("start,end,kwh\n2026-10-01,2026-11-01,NaN\n", "is no energy"),
        ("start,end,kwh\n2026-10-01,2026-11-01,Infinity\n", "is no energy"),
        ("start,end,kwh\n2026-10-01,2026-11-01,1e400000\n", "more than any meter counts"),
        ("start,end,kwh\n2026-10-01,2026-11-01,1e1000000\n", "more than any meter counts"),
        ("start,end,kwh\n2026-10-01,2026-11-01,1000000000001\n", "more than any meter counts"),
        ("start,end,kwh\n01.10.2026,2026-11-01,1\n", "is no time"),
        ("start,end,kwh\n2026-10-01T00:00,2026-11-01,1\n", "has no offset"),
        ("start,end,kwh\n2026-11-01,2026-10-01,1\n", "ends before it begins"),
        ("start,end,kwh\n2026-10-01,2026-11-01,1,2\n", "more cells"),
        ("start,end,kwh,level\n2026-10-01,2026-11-01,1,roof\n", "no level"),
        ("start,end,kwh\n2026-10-01,2026-10-03,1\n2026-10-02,2026-10-04,1\n", "two readings"),
        ('start,end,kwh\n"2026', "no CSV"),
    ],
)
def test_a_bad_meter_file_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        parse_meter(text, "meter.csv", UTC)
    assert caught.value.remedy
    assert "meter.csv" in str(caught.value)


def test_a_meter_file_that_is_not_there_or_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_meter(tmp_path / "none.csv", UTC)
    (tmp_path / "meter.xlsx").write_bytes(b"PK\xff\xfe")
    with pytest.raises(UsageError, match="no UTF-8"):
        read_meter(tmp_path / "meter.xlsx", UTC)


def test_a_facility_meter_is_compared_with_it_energy_times_pue() -> None:
    readings = [MeterReading("par1", OCTOBER.start_s, OCTOBER.end_s, 1_900 * KWH)]
    line = with_meter(steady(744), readings, OCTOBER, lambda _site, _hour: 1_200)[0]
    assert (line.what, line.ours_wh, line.theirs_wh) == ("Meter of par1 (facility)", 1_785_600, 1_900_000)
    assert "Ours is 114.400 kWh (6.0 %) below theirs." in line.explanation
    assert "PUE of 1.200; the meter would make it 1.277." in line.explanation


def test_an_it_meter_is_compared_without_pue() -> None:
    readings = [MeterReading("par1", OCTOBER.start_s, OCTOBER.end_s, 1_488 * KWH, "it")]
    line = with_meter(steady(744), readings, OCTOBER, lambda _site, _hour: 1_200)[0]
    assert (line.ours_wh, line.theirs_wh) == (1_488_000, 1_488_000)
    assert line.explanation.startswith("Both agree. ")
    assert "PUE" not in line.explanation


def test_only_the_hours_of_the_meter_and_the_nodes_of_its_site_are_compared() -> None:
    ours = (*steady(744), *steady(744, "gpu-2", "fra1"))
    readings = [MeterReading("par1", START_S, START_S + 10 * HOUR_S, 20 * KWH, "it")]
    line = with_meter(ours, readings, OCTOBER, lambda _site, _hour: 1_000)[0]
    assert line.ours_wh == 20_000
    assert "covers 10 h of the month's 744 h" in line.explanation
    assert "In the books: gpu-1." in line.explanation


def test_a_reading_that_reaches_beyond_the_month_is_left_out_and_said() -> None:
    readings = [MeterReading("", START_S - HOUR_S, START_S + HOUR_S, KWH)]
    line = with_meter(steady(744), readings, OCTOBER, lambda _site, _hour: 1_000)[0]
    assert (line.ours_wh, line.theirs_wh) == (None, None)
    assert "reaching beyond the month: 1 reading." in line.explanation


def test_missing_hours_and_modelled_energy_are_said() -> None:
    ours = (*steady(700), Hourly("par1", "gpu-1", START_S + 743 * HOUR_S, 2 * KWH, 2 * KWH))
    readings = [MeterReading("", OCTOBER.start_s, OCTOBER.end_s, 1_488 * KWH, "it")]
    explanation = with_meter(ours, readings, OCTOBER, lambda _site, _hour: 1_000)[0].explanation
    assert "43 of 744 node-hours are missing in the books." in explanation
    assert "0.1 % of ours is not measured" in explanation


# the lake


def test_hours_of_the_lake_are_summed_by_site_and_node(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, create=True)
    put(store, "2026-10-03", day("2026-10-03", hours=range(2)))
    other = Hours().add(day_start_s("2026-10-03"), 5 * J, method=Method.MODELLED)
    put(store, "2026-10-03", other, node=replace(NODE, hostname="gpu-2", ledger="ee" * 16, site="fra1"))
    at_s = day_start_s("2026-10-03")
    assert hourly_energy(store, OCTOBER.start_s, OCTOBER.end_s) == (
        Hourly("fra1", "gpu-2", at_s, 5 * J, 5 * J),
        Hourly("par1", "gpu-1", at_s, 2_520_000 * J),
        Hourly("par1", "gpu-1", at_s + HOUR_S, 2_520_000 * J),
    )
    assert hourly_energy(store, OCTOBER.end_s, OCTOBER.end_s + HOUR_S) == ()


# prometheus

DAY_S = day_start_s("2026-10-03")
LABELS = 'hostname="gpu-1",component="gpu",device="GPU-1",method="measured"'


def exposition(series: dict[str, list[tuple[int, float]]]) -> str:
    """OpenMetrics of samples (seconds of the day, joules) by label text."""
    lines = ["# TYPE wattledger_device_energy_joules counter"]
    for labels, samples in series.items():
        lines += [
            f"wattledger_device_energy_joules_total{{{labels}}} {joules} {DAY_S + at_s}" for at_s, joules in samples
        ]
    return "\n".join([*lines, ""])


def every_minute(first_s: int, end_s: int, start_j: float = 0.0, watts: float = 100.0) -> list[tuple[int, float]]:
    return [(at_s, start_j + watts * (at_s - first_s)) for at_s in range(first_s, end_s, 60)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A day: a node that two scrape, one that began anew at 05:30, one that came at 03:00, one with a lapse."""
    folder = tmp_path_factory.mktemp("prometheus")
    steady_node = every_minute(-3600, 24 * 3600, 1_000)
    renewed = [*every_minute(-3600, 5 * 3600 + 1800, 500_000), *every_minute(5 * 3600 + 1800, 24 * 3600, 10)]
    lapsed = [each for each in every_minute(-3600, 24 * 3600) if not 7 * 3600 < each[0] < 10 * 3600]
    other = LABELS.replace("gpu-1", "gpu-{}")
    series = {
        f'{LABELS},replica="a"': steady_node,
        f'{LABELS},replica="b"': steady_node[::2],
        other.format(2): renewed,
        other.format(3): every_minute(3 * 3600, 24 * 3600, 7_000),
        other.format(4): lapsed,
    }
    with past_of(folder / "prometheus", exposition(series)) as running:
        yield running


@pytest.fixture(scope="module")
def theirs(server: Prometheus) -> Counted:
    api = PrometheusApi(server.url)
    try:
        return counted(api, DAY_S, DAY_S + 24 * HOUR_S)
    finally:
        api.close()


def of(theirs: Counted, hostname: str) -> int:
    return sum(uj for (host, _), uj in theirs.energy_uj.items() if host == hostname)


@pytest.mark.needs("prometheus", "promtool")
def test_a_steady_counter_telescopes_and_replicas_count_once(theirs: Counted) -> None:
    """From the sample at midnight to the last of the day, at 23:59."""
    assert of(theirs, "gpu-1") == (24 * 3600 - 60) * 100 * J
    assert theirs.energy_uj["gpu-1", DAY_S + 4 * HOUR_S] == 3600 * 100 * J


@pytest.mark.needs("prometheus", "promtool")
def test_a_counter_that_began_anew_loses_nothing_but_what_nobody_scraped(theirs: Counted) -> None:
    """100 W from midnight to 23:59, less the minute of the new start, of which 10 J were counted."""
    assert of(theirs, "gpu-2") == (24 * 3600 - 120) * 100 * J + 10 * J
    assert theirs.resets == 1


@pytest.mark.needs("prometheus", "promtool")
def test_what_was_before_the_first_sample_is_not_guessed(theirs: Counted) -> None:
    assert of(theirs, "gpu-3") < 21 * 3600 * 100 * J
    assert theirs.late == ("gpu-3",)


@pytest.mark.needs("prometheus", "promtool")
def test_a_lapse_of_scraping_loses_nothing(theirs: Counted) -> None:
    assert of(theirs, "gpu-4") == of(theirs, "gpu-1")


@pytest.mark.needs("prometheus", "promtool")
def test_matchers_narrow_what_is_compared(server: Prometheus) -> None:
    api = PrometheusApi(server.url)
    told: list[tuple[int, int]] = []
    found = counted(api, DAY_S, DAY_S + 2 * HOUR_S, 'hostname="gpu-2"', lambda done, total: told.append((done, total)))
    api.close()
    assert {host for host, _ in found.energy_uj} == {"gpu-2"}
    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]


def test_hours_that_the_books_lack_explain_the_difference() -> None:
    theirs = Counted({("gpu-1", START_S): 2 * KWH, ("gpu-1", START_S + HOUR_S): 3 * KWH}, late=("gpu-1",), resets=2)
    line = with_prometheus("prom.example", (*steady(1), *steady(1, "gpu-9")), theirs)
    assert (line.what, line.ours_wh, line.theirs_wh) == ("Prometheus (prom.example)", 4_000, 5_000)
    assert line.explanation == (
        "Ours is 1.000 kWh (20.0 %) below theirs. 3.000 kWh of theirs are in 1 node-hours that the books lack (gpu-1). "
        "2.000 kWh of ours are of nodes that Prometheus does not know (gpu-9). "
        "Series of gpu-1 begin inside the month: what was before is not in theirs. "
        "2 counters began anew; what they counted between two scrapes is not in theirs."
    )


def test_the_same_energy_agrees() -> None:
    line = with_prometheus("prom.example", steady(1), Counted({("gpu-1", START_S): 2 * KWH + 5}))
    assert line.explanation == "Both agree within 0.000 kWh."
