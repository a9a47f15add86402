"""``wattledger grid fetch``: what came from a service is in the store, once, and what went wrong is one sentence."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.gridding import HOUR, Node, at, energy_charts
from tests.fakes.gridserver import GridServer
from tracker.core.known import FactorRecord

PATH = "/co2eq"
DAY = ("--from", "2026-10-03", "--to", "2026-10-04")


@pytest.fixture
def server() -> Iterator[GridServer]:
    """Energy-Charts, in which every hour of a day weighs 400 g and its number."""
    now_s = int(time.time()) // HOUR * HOUR
    known = energy_charts(lambda time_s: 400 + time_s // HOUR % 24, now_s)
    with GridServer({PATH: known}) as server:
        yield server


@pytest.fixture
def node(capsys: pytest.CaptureFixture[str], tmp_path: Path, server: GridServer) -> Node:
    """In Germany, with that service."""
    node = Node(capsys, tmp_path)
    node.configure(
        f'[site.here]\nzone = "DE"\n[grid]\nprovider = "energycharts"\n[grid.energycharts]\nbase_url = "{server.url}"\n'
    )
    return node


def known(node: Node, start: str, end: str) -> tuple[FactorRecord, ...]:
    with node.store() as store:
        return store.records(("DE",), at(start), at(end))


def outcomes(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_range_is_read_into_the_store_and_a_pipe_stays_silent(node: Node, server: GridServer) -> None:
    assert node("fetch", *DAY) == (0, "", "")
    records = known(node, "2026-10-01T00:00Z", "2026-10-08T00:00Z")
    assert [record.row.value_printed for record in records] == [str(400 + number) for number in range(24)]
    assert len(server.requests) == 1
    said = node.json("show", "DE", "--at", "2026-10-03T14:20Z")
    assert (said["hourly"]["factor"]["value_g_per_kwh"], said["hourly"]["factor"]["tier"]) == (414, 2)


def test_without_dates_it_is_the_last_48_hours_of_the_node_s_zone(node: Node) -> None:
    assert node("fetch")[0] == 0
    now_s = int(time.time())
    with node.store() as store:
        records = store.records(("DE",), now_s - 60 * HOUR, now_s)
    assert 46 <= len(records) <= 49
    assert min(record.row.valid_from_s for record in records) >= now_s - 48 * HOUR - 60


def test_running_it_again_adds_nothing(node: Node) -> None:
    first, again = node.json("fetch", *DAY), node.json("fetch", *DAY)
    assert (first["provider"], first["zone"], first["from"]) == ("energycharts", "DE", "2026-10-03T00:00:00Z")
    assert (first["new"], first["changed"], first["same"], first["error"]) == (24, 0, 0, None)
    assert (again["new"], again["changed"], again["same"]) == (0, 0, 24)


def test_a_revised_value_stands_beside_the_one_before_it(node: Node, server: GridServer) -> None:
    node("fetch", *DAY)
    server.bodies[PATH] = energy_charts(lambda _: 399.5, int(time.time()))
    assert node.json("fetch", *DAY)["changed"] == 24
    hourly = node.json("show", "DE", "--at", "2026-10-03T14:00Z")["hourly"]["factor"]
    assert hourly["value_g_per_kwh"] == Decimal("399.5")
    assert [before["value_g_per_kwh"] for before in hourly["superseded"]] == [414]


def test_an_answer_without_any_value_takes_nothing_back_and_says_so(node: Node, server: GridServer) -> None:
    """A service that has lost its data corrects nobody."""
    node("fetch", *DAY)
    server.bodies[PATH] = energy_charts(lambda _: None, int(time.time()))
    said = "wattledger: energycharts: 24 values that it gave before stay: its answer for their time has no value at all"
    assert node("fetch", *DAY) == (0, "", f"{said}.\n")
    assert outcomes(node("fetch", *DAY, "--json")[1])[0]["kept"] == 24
    assert node.json("show", "DE", "--at", "2026-10-03T14:20Z")["hourly"]["factor"]["value_g_per_kwh"] == 414


def test_an_own_table_that_is_emptied_takes_its_values_back(node: Node, tmp_path: Path) -> None:
    """It said ok, and the old values weighed for ever."""
    table = tmp_path / "own.csv"
    node.configure(
        f'[site.here]\nzone = "DE"\n[grid]\nprovider = "file"\n[grid.file]\npath = "{table}"\n'
        'zone = "DE"\npublisher = "ACME"\nfactor_type = "direct"\ntier = 1\n'
    )
    hours = [f"2026-10-03T{number:02}:00Z" for number in range(3)]
    asked = ("show", "DE", "--at", hours[1])
    for value in ("100", ""):
        table.write_text("\n".join(("datetime,g_per_kwh", *(f"{each},{value}" for each in hours), "")), "utf-8")
        assert node("fetch", *DAY) == (0, "", "")
        answer = node.json(*asked)
        if value:
            assert answer["hourly"]["factor"]["value_g_per_kwh"] == 100
    assert answer["hourly"]["factor"]["tier"] > 3
    assert [each["value_g_per_kwh"] for each in answer["taken_back"]] == [100]


def test_a_service_that_fails_is_one_sentence_and_what_came_in_is_kept(node: Node, server: GridServer) -> None:
    """Forty days are two questions, and the second one gets a sign-in page."""
    server.play(PATH, "", "html")
    code, out, err = node("fetch", "--from", "2026-09-01", "--to", "2026-10-11", "--json")
    (outcome,) = outcomes(out)
    assert (code, outcome["rows"], outcome["new"], outcome["error_kind"]) == (1, 9 * 24, 9 * 24, "BadAnswer")
    assert err.startswith("wattledger: energycharts: Energy-Charts answered with something that is HTML.")
    assert err.endswith("216 values of the range came before that and are kept.\n")
    assert err.count("\n") == 1
    assert len(known(node, "2026-09-01T00:00Z", "2026-10-11T00:00Z")) == 9 * 24
    server.play(PATH)
    again = node.json("fetch", "--from", "2026-09-01", "--to", "2026-10-11")
    assert (again["new"], again["same"]) == (31 * 24, 9 * 24), "the next run resumes it"


def test_any_zone_and_service_may_be_named(node: Node) -> None:
    assert node.json("fetch", "at", *DAY)["zone"] == "AT"
    node.configure(node.config.read_text("utf-8").replace('provider = "energycharts"', ""))
    code, _, err = node("fetch", *DAY)
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith("wattledger: No live service is configured for DE (Germany).")
    assert node.json("fetch", *DAY, "--provider", "energycharts")["rows"] == 24


def test_what_is_still_to_come_is_not_asked_for(node: Node, server: GridServer) -> None:
    now_s = int(time.time())
    assert node("fetch", "--to", "2099-01-01")[0] == 0
    assert at(server.requests[0].query["end"]) <= now_s + 2 * HOUR


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--from", "soon"), "'soon' is no date."),
        (("--from", "2099-01-01"), "--from 2099-01-01 is still to come."),
        (("--from", "2026-10-03", "--to", "2026-10-03"), "--to 2026-10-03 is not after --from 2026-10-03."),
        (("Frnace",), "The zone 'Frnace' is not known. Did you mean FR (France)?"),
        (("--provider", "energychart"), "There is no service 'energychart'. Did you mean energycharts?"),
        (("JP",), "The provider energycharts does not know the zone JP (Japan)."),
        (("JP", "--provider", "rte"), "wattledger: --provider: The provider rte does not know the zone JP (Japan)."),
        (("--due", "--from", "2026-10-03"), "--due reads what is due for the node's own zone."),
    ],
)
def test_wrong_input_is_one_sentence_and_nothing_is_asked(
    node: Node, server: GridServer, arguments: tuple[str, ...], sentence: str
) -> None:
    code, out, err = node("fetch", *arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
    assert server.requests == []
    assert not node.state_dir.exists()


def test_due_reads_what_is_due_and_says_a_line_for_each_service(node: Node) -> None:
    """The daemon runs this and logs the lines."""
    code, out, err = node("fetch", "--due")
    assert (code, err) == (0, "")
    (outcome,) = outcomes(out)
    assert (outcome["provider"], outcome["zone"], outcome["ok"], outcome["error"]) == ("energycharts", "DE", True, None)
    assert outcome["new"] >= 7 * 24 - 1
    assert "latest" in outcome["jobs"]
    assert outcome["forecast_points"] >= 47
    assert outcome["resting_until"] is None
    code, out, _ = node("fetch", "--due")
    assert (code, outcomes(out)[0]["new"]) == (0, 0)


def test_due_exits_1_when_a_service_fails_and_while_it_is_left_alone(node: Node, server: GridServer) -> None:
    assert node("fetch", "--due")[0] == 0
    server.play(PATH, "403")
    code, out, _ = node("fetch", "--due")
    (outcome,) = outcomes(out)
    assert (code, outcome["ok"], outcome["error_kind"]) == (1, False, "Denied")
    asked = len(server.requests)
    code, out, _ = node("fetch", "--due")
    (outcome,) = outcomes(out)
    assert (code, outcome["ok"], outcome["resting_until"] is None) == (1, False, False)
    assert len(server.requests) == asked, "it is not asked again so soon"
    server.play(PATH)
    assert node("fetch", *DAY)[0] == 0, "somebody who asks by hand is not held up"
    code, out, _ = node("fetch", "--due")
    assert (code, outcomes(out)[0]["ok"]) == (0, True)


def test_due_tells_a_store_that_cannot_be_written_from_a_service_that_fails(node: Node, server: GridServer) -> None:
    node.state_dir.write_text("a file where the folder should be", "utf-8")
    code, out, err = node("fetch", "--due")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "factors.db" in err
    assert server.requests == []


def test_bad_answers_to_somebody_s_ranges_do_not_hold_up_what_is_due(node: Node, server: GridServer) -> None:
    server.play(PATH, "html")
    assert [node("fetch", *DAY)[0] for _ in range(4)] == [1] * 4
    server.play(PATH)
    code, out, _ = node("fetch", "--due")
    assert (code, outcomes(out)[0]["ok"]) == (0, True)


def test_due_without_a_service_does_nothing(node: Node) -> None:
    node.configure("")
    assert node("fetch", "--due") == (0, "", "")
    assert not node.state_dir.exists()


def test_a_secret_is_in_nothing_that_is_printed_or_kept(node: Node, server: GridServer) -> None:
    """The error page of a careless service repeats the key that it was sent."""
    token = node.config.with_name("token")
    token.write_text("s3cr3t-k3y\n", "utf-8")
    node.configure(
        '[site.here]\nzone = "DE"\n[grid]\nprovider = "electricitymaps"\n'
        f'[grid.electricitymaps]\nbase_url = "{server.url}"\ntoken_file = "{token}"\n'
    )
    for path in ("history", "past-range", "latest", "forecast"):
        server.bodies[f"/v4/carbon-intensity/{path}"] = b""
        server.play(f"/v4/carbon-intensity/{path}", "401")
    for arguments in (DAY, ("--due",)):
        code, out, err = node("fetch", *arguments)
        assert code == 1
        assert "s3cr3t" not in out + err
    assert any("s3cr3t-k3y" in each.headers.values() for each in server.requests), "it was sent"
    kept = b"".join(path.read_bytes() for path in node.state_dir.iterdir())
    assert b"s3cr3t" not in kept


def test_a_terminal_sees_a_bar_and_what_came_of_it(node: Node) -> None:
    seen = node.terminal(80, "fetch", *DAY)
    assert "energycharts DE" in seen
    assert "100%" in seen
    assert seen.rstrip().splitlines()[-1].endswith("energycharts  DE  24 values: 24 new, 0 revised, 0 as known")
