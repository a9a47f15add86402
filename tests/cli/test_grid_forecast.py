"""``wattledger grid forecast``: when to start a job, by whose word, and what waiting is worth."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.gridding import HOUR, Node, energy_charts, forecast
from tests.fakes.gridserver import GridServer
from tracker.cli import layout
from tracker.cli.grid_advice import Wish, advise, as_json, lines, span
from tracker.core.factors import Scheme
from tracker.core.forecast import Forecast
from tracker.grid.answers import iso

PATH = "/co2eq"


@pytest.fixture
def node(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Node:
    return Node(capsys, tmp_path)


@pytest.fixture
def green() -> range:
    """The hours from the tenth to the thirteenth from now."""
    hour_s = int(time.time()) // HOUR * HOUR
    return range(hour_s + 10 * HOUR, hour_s + 14 * HOUR)


@pytest.fixture
def server(green: range) -> Iterator[GridServer]:
    """Energy-Charts: 300 g/kWh, and 100 in the green hours."""
    weighs = energy_charts(lambda time_s: 100 if time_s in green else 300, green.start - 10 * HOUR)
    with GridServer({PATH: weighs}) as server:
        yield server


def ask_live(node: Node, server: GridServer) -> None:
    node.configure(
        f'[site.here]\nzone = "FR"\n[grid]\nprovider = "energycharts"\n[grid.energycharts]\nbase_url = "{server.url}"\n'
    )


def keep(node: Node, *forecasts: Forecast) -> None:
    with node.store() as store:
        for each in forecasts:
            store.append_forecast(each, int(time.time()))


def at_noon(*values: str | None, hours: int = 2, power_kw: str | None = None, **other: Any) -> dict[str, Any] | None:
    """Advice at noon of a day for hours that begin then."""
    made = forecast(43_200, *values, **other)
    wish = Wish(43_200, hours * HOUR, 24 * HOUR, None if power_kw is None else Decimal(power_kw))
    advice = advise(made, wish)
    return None if advice is None else as_json(advice, wish, live=True) | dict(lines(advice, wish, live=True))


def test_the_greenest_window_and_what_it_saves() -> None:
    said = at_noon("50", "40", "10", "20", "60", power_kw="5")
    assert said is not None
    assert (said["start"], said["wait_s"]) == ("1970-01-01 14:00 UTC, in 2 h", 7200)
    assert said["then"] == "15 g/kWh, CO2, direct: what power stations emit"
    assert said["saves"] == "30 g/kWh, 66.7 %; 0.3 kg for 2 h at 5 kW"
    assert (said["now_g_per_kwh"], said["saved_percent"], said["saved_kg"]) == (45, Decimal("66.667"), Decimal("0.3"))


def test_a_margin_is_called_one_and_no_advice_is_inventory() -> None:
    average, marginal = at_noon("50", "40"), at_noon("50", "40", scheme=Scheme.OPERATING_MARGIN)
    assert average is not None
    assert marginal is not None
    assert (average["kind"].partition(":")[0], marginal["kind"].partition(":")[0]) == ("average", "marginal")
    assert (average["marginal"], marginal["marginal"]) == (False, True)
    assert marginal["note"] == "Advice, not inventory: no booked gram changes by it."
    assert marginal["inventory"] is False


def test_now_may_be_the_best_time() -> None:
    said = at_noon("10", "10", "50")
    assert said is not None
    assert (said["start"], said["saves"]) == ("1970-01-01 12:00 UTC, now", "nothing: no later start is better")


def test_a_hole_is_not_bridged_and_is_told() -> None:
    assert at_noon("10", None, "10") is None
    said = at_noon("10", None, "10", "30")
    assert said is not None
    assert (said["now"], said["saves"]) == ("unknown: the forecast does not cover a start now", "unknown")
    assert (said["saved_g_per_kwh"], said["saved_percent"]) == (None, None)
    assert said["reaches"].endswith("with 1 hole that no window bridges")


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [(20, "20 s"), (60, "1 min"), (5400, "1 h 30 min"), (7200, "2 h"), (172_800, "2 d 0 h"), (900_000, "10 d 10 h")],
)
def test_spans_are_easy_to_read(duration_s: int, text: str) -> None:
    assert span(duration_s) == text


def test_a_configured_service_is_asked_now(node: Node, server: GridServer, green: range) -> None:
    ask_live(node, server)
    said = node.json("forecast", "FR", "--kw", "10")
    (advice,) = said["forecasts"]
    assert (advice["provider"], advice["live"], advice["factor_type"]) == ("energycharts", True, "lifecycle")
    assert (advice["start"], advice["end"]) == (iso(green.start), iso(green.stop))
    assert (advice["g_per_kwh"], advice["now_g_per_kwh"], advice["saved_kg"]) == (100, 300, 8)
    assert (said["hours"], said["within_s"], said["power_kw"]) == (4, 86_400, 10)


def test_within_bounds_the_end_of_the_job(node: Node, server: GridServer) -> None:
    """The green hours are ten hours away."""
    ask_live(node, server)
    (advice,) = node.json("forecast", "FR", "--within", "9h")["forecasts"]
    assert (advice["g_per_kwh"], advice["wait_s"], advice["saved_g_per_kwh"]) == (300, 0, 0)


def test_a_service_that_fails_is_told_of_and_its_last_forecast_stands_in(node: Node, server: GridServer) -> None:
    ask_live(node, server)
    hour_s = int(time.time()) // HOUR * HOUR
    keep(node, forecast(hour_s, *["50"] * 6, "20", "20", "20", "20", provider="energycharts"))
    server.play(PATH, "html")
    code, out, err = node("forecast", "FR")
    assert code == 0
    assert err.startswith("wattledger: energycharts: Energy-Charts answered with something that is HTML.")
    assert err.count("\n") == 1
    assert "energycharts for FR, from the node's store, made " in out
    assert " ago" in out


def test_without_a_service_the_store_is_asked_for_every_kind(node: Node) -> None:
    """An average and a margin are never compared with each other."""
    hour_s = int(time.time()) // HOUR * HOUR
    margin = forecast(hour_s, *["700"] * 8, scheme=Scheme.OPERATING_MARGIN, provider="watttime")
    keep(node, forecast(hour_s, *["50"] * 8), margin)
    code, out, err = node("forecast", "FR")
    assert (code, err) == (0, "")
    assert out.startswith("FR  France: 4 h within 24 h\n")
    assert [line.split()[1] for line in out.splitlines() if line.startswith("  kind")] == ["average:", "marginal:"]


def test_a_finer_zone_is_advised_by_the_forecast_of_its_country_which_is_named(node: Node) -> None:
    hour_s = int(time.time()) // HOUR * HOUR
    keep(node, forecast(hour_s, *["50"] * 8))
    code, out, _ = node("forecast", "aws:eu-west-3")
    assert code == 0
    assert "  forecast    rte for FR, from the node's store, made " in out


def test_no_forecast_is_exit_code_1_and_a_sentence(node: Node) -> None:
    code, out, err = node("forecast", "FR")
    assert (code, out) == (1, "")
    assert err.startswith("wattledger: There is no forecast for FR (France). Configure a service")
    assert err.count("\n") == 1
    code, out, _ = node("forecast", "FR", "--json")
    assert (code, json.loads(out)["forecasts"]) == (1, [])


def test_a_forecast_that_is_over_or_too_short_says_so(node: Node) -> None:
    hour_s = int(time.time()) // HOUR * HOUR
    keep(node, forecast(hour_s - 30 * HOUR, *["50"] * 8))
    code, _, err = node("forecast", "FR")
    assert (code, err.count("\n")) == (1, 1)
    assert "covers 4 h in a row within 24 h: all it says is past." in err
    keep(node, forecast(hour_s, "50", "50"))
    code, _, err = node("forecast", "FR")
    assert (code, "the newest reaches to" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("FR", "--hours", "0"), "--hours '0' is not a number above 0"),
        (("FR", "--hours", "many"), "--hours 'many' is not a number above 0"),
        (("FR", "--hours", "nan"), "--hours 'nan' is not a number above 0"),
        (("FR", "--hours", "0.0001"), "--hours 0.0001 is less than a minute."),
        (("FR", "--hours", "30"), "30 hours do not fit within 24h."),
        (("FR", "--within", "tomorrow"), "--within 'tomorrow' is no length of time."),
        (("FR", "--kw", "-3"), "--kw '-3' is not a number above 0"),
        (("Frnace",), "The zone 'Frnace' is not known."),
    ],
)
def test_wrong_input_is_one_sentence_and_exit_code_2(node: Node, arguments: tuple[str, ...], sentence: str) -> None:
    code, out, err = node("forecast", *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("columns", [80, 120])
def test_lines_fit_the_terminal(columns: int, node: Node) -> None:
    hour_s = int(time.time()) // HOUR * HOUR
    keep(node, forecast(hour_s, *["50"] * 8, None, "20", scheme=Scheme.OPERATING_MARGIN))
    seen = node.terminal(columns, "forecast", "FR", "--hours", "1.5", "--kw", "5.6").splitlines()
    assert len(seen) > 10
    assert [line for line in seen if layout.cells(line) > columns] == []
