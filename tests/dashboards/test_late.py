"""Recorded series that go on from their own last value, where a server answers late, as vmalert finds it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.dashboards.elsewhere import BEGIN_S, Victoria, write
from tests.dashboards.names import RULES, groups_of
from tests.e2e.victoria import victoria

pytestmark = pytest.mark.needs("victoria-metrics")
RULE_LIST = [rule for group in groups_of(RULES / "recording.yml") for rule in group["rules"]]
#: Rules that read their own last value.
CARRIED = [rule for rule in RULE_LIST if rule["record"] in rule["expr"]]


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victoria]:
    with victoria(tmp_path_factory.mktemp("victoria") / "home", 'nothing{of="interest"} 1 1672531200\n') as url:
        yield Victoria(url)


@pytest.mark.parametrize("rule", CARRIED, ids=[rule["record"] for rule in CARRIED])
def test_a_month_so_far_has_every_step_where_a_server_answers_half_a_minute_late(
    rule: dict[str, Any], empty: Victoria
) -> None:
    """Asked of now, VictoriaMetrics answers of 30 s ago: the last value is less than five minutes old then. A rule that
    finds the one before makes two series of it, and each has every second step."""
    empty.forget()
    name, now_s = rule["record"], int(time.time())
    month = {"month": time.strftime("%Y%m", time.gmtime(now_s - 30))}
    at_s = now_s - BEGIN_S
    lines = write({"__name__": name, **month}, [(at_s - 600, 300.0), (at_s - 300, 600.0)])
    lines += write({"__name__": name.replace(":month", ":delta5m"), **month}, [(at_s - 300, 300.0)])
    empty.put(lines)
    assert empty.now(rule["expr"], now_s) == {frozenset(month.items()): 900.0}


def test_a_gap_is_booked_once_where_a_server_answers_half_a_minute_late(empty: Victoria) -> None:
    empty.forget()
    now_s = int(time.time())
    at_s, node = now_s - BEGIN_S, {"instance": "a:1", "component": "gpu"}
    lines = write(
        {"__name__": "instance:wattledger_gap_seconds:sum", **node}, [(at_s - 600, 700.0), (at_s - 300, 800.0)]
    )
    counter = {"__name__": "wattledger_gap_seconds_total", **node, "device": "g", "reason": "hang"}
    empty.put(lines + write(counter, [(at_s - 60, 900.0)]))
    (rule,) = (rule for rule in RULE_LIST if rule.get("record") == "instance:wattledger_gap_seconds:delta5m")
    assert empty.now(rule["expr"], now_s) == {frozenset(node.items()): 100.0}
