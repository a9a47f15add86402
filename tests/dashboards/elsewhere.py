"""Runs promtool's unit tests of recording rules on VictoriaMetrics: the same samples, rules and expectations."""

from __future__ import annotations

import json
import math
import re
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.dashboards.names import groups_of

#: promtool's time begins in 1970; a server's does not. The first of a month, 00:00 UTC, as there.
BEGIN_S = 1672531200
MONTHS = {"197001": "202301", "197002": "202302"}
FEBRUARY_S = 31 * 86400
Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Expected:
    expression: str
    at_s: int
    samples: dict[Labels, float]


class Victoria:
    """A VictoriaMetrics at ``url``."""

    def __init__(self, url: str) -> None:
        self.url = url

    def put(self, lines: list[str]) -> None:
        request = urllib.request.Request(f"{self.url}/api/v1/import/prometheus", "".join(lines).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 204
        with urllib.request.urlopen(f"{self.url}/internal/force_flush", timeout=30) as answer:
            assert answer.status == 200

    def get(self, path: str, **parameters: str | int) -> list[dict[str, Any]]:
        query = urllib.parse.urlencode({"nocache": 1, **parameters})
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:
            result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return result

    def at(self, expression: str, at_s: int) -> dict[Labels, float]:
        """A second later: a series whose first sample is at midnight is not found at midnight itself."""
        found = self.get("query", query=expression, time=BEGIN_S + at_s + 1)
        return {frozenset(each["metric"].items()): float(each["value"][1]) for each in found}

    def now(self, expression: str, at_s: int) -> dict[Labels, float]:
        """Asked as vmalert does, of a time that is now, for which a server moves back by its -search.latencyOffset."""
        found = self.get("query", query=expression, time=at_s, nocache=0)
        return {frozenset(each["metric"].items()): float(each["value"][1]) for each in found}

    def forget(self) -> None:
        """Delete all series, so that the next test begins with none."""
        urllib.request.urlopen(
            f'{self.url}/api/v1/admin/tsdb/delete_series?match[]={{__name__!=""}}', timeout=30
        ).close()


def seconds(text: str) -> int:
    """``1h30m`` as a number."""
    return sum(
        int(n) * {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}[unit]
        for n, unit in re.findall(r"(\d+)([smhdw])", text)
    )


def points(notation: str) -> Iterator[float | None]:
    """The short form that promtool has for values: ``1+2x3`` is 1 3 5 7, ``_`` is none."""
    number = r"-?\d+(?:\.\d+)?"
    for part in str(notation).split():
        ramp = re.fullmatch(rf"({number})(?:([+-])({number}))?(?:x(\d+))?", part)
        if part.startswith(("_", "stale")):
            yield from [None] * int(part.partition("x")[2] or 1)
        else:
            assert ramp is not None, f"{part} is a form of values unknown to this reader"
            step = float(ramp[3] or 0) * (-1 if ramp[2] == "-" else 1)
            yield from (float(ramp[1]) + step * i for i in range(int(ramp[4] or 0) + 1))


def labels_of(series: str) -> Labels:
    name, _, rest = series.partition("{")
    found = dict(re.findall(r'(\w+)="([^"]*)"', rest))
    if "month" in found:
        found["month"] = MONTHS[found["month"]]
    return frozenset((found | ({"__name__": name} if name else {})).items())


def write(labels: Mapping[str, str], values: list[tuple[int, float]]) -> list[str]:
    own = ",".join(f'{key}="{value}"' for key, value in labels.items() if key != "__name__")
    return [f"{labels['__name__']}{{{own}}} {value!r} {(BEGIN_S + at_s) * 1000}\n" for at_s, value in values]


def cases_of(file: Path) -> dict[str, Any]:
    """A file of promtool tests, all scalars as text: ``0x120`` is no number."""
    content: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    return content


def play(victoria: Victoria, file: Path, case: dict[str, Any]) -> Iterator[Expected]:
    """Give ``victoria`` the samples of a case, evaluate the file's rules over its time as vmalert would, one after the
    other, and yield what promtool expects."""
    content = cases_of(file)
    every_s, first_s, last_s = seconds(case["interval"]), FEBRUARY_S, 0
    lines: list[str] = []
    for series in case["input_series"]:
        since_s = BEGIN_S if "_timestamp_seconds{" in series["series"] else 0
        values = [
            (i * every_s, value + since_s) for i, value in enumerate(points(series["values"])) if value is not None
        ]
        first_s, last_s = min(first_s, values[0][0]), max(last_s, values[-1][0])
        lines += write(dict(labels_of(series["series"])), values)
    victoria.put(lines)
    expected = [
        Expected(
            re.sub(r"1970\d\d", lambda month: MONTHS[month[0]], test["expr"]),
            seconds(test["eval_time"]),
            {labels_of(each["labels"]): float(each["value"]) for each in test["exp_samples"]},
        )
        for test in case.get("promql_expr_test", ())
    ]
    end_s, step_s = max((each.at_s for each in expected), default=last_s), seconds(content["evaluation_interval"])
    for rules in content["rule_files"]:
        for rule in (rule for group in groups_of(file.parent / rules) for rule in group["rules"] if "record" in rule):
            if rule["record"] in rule["expr"]:
                _carry(victoria, rule, range(first_s // step_s * step_s, end_s + 1, step_s))
            else:
                _record(victoria, rule, end_s, step_s)
    yield from expected


def _carry(victoria: Victoria, rule: dict[str, Any], times_s: range) -> None:
    """A rule that reads its own last value is evaluated at one instant after the other."""
    span = {"start": BEGIN_S + times_s[0], "end": BEGIN_S + times_s[-1], "step": times_s.step}
    if not victoria.get("query_range", query=rule["expr"], **span):
        return  # there is nothing that it could carry
    for at_s in times_s:
        lines: list[str] = []
        for found in victoria.get("query", query=rule["expr"], time=BEGIN_S + at_s):
            labels = {**found["metric"], "__name__": rule["record"]}
            lines += write(labels, [(at_s, float(found["value"][1]))])
        if lines:
            victoria.put(lines)


def _record(victoria: Victoria, rule: dict[str, Any], end_s: int, step_s: int) -> None:
    """A month at a time: over a range that holds two, VictoriaMetrics joins every step with the first one's month. A
    ruler evaluates instants."""
    lines: list[str] = []
    for first_s, last_s in ((0, min(end_s, FEBRUARY_S - step_s)), (FEBRUARY_S, end_s)):
        times = {"start": BEGIN_S + first_s, "end": BEGIN_S + last_s, "step": step_s}
        for found in victoria.get("query_range", query=rule["expr"], **times) if first_s <= last_s else ():
            labels = {**found["metric"], **rule.get("labels", {}), "__name__": rule["record"]}
            lines += write(labels, [(int(at) - BEGIN_S, float(value)) for at, value in found["values"]])
    if lines:
        victoria.put(lines)


def same(one: dict[Labels, float], other: dict[Labels, float]) -> bool:
    """Alike but for the name, which some functions keep there and drop here."""
    one, other = (
        {frozenset(pair for pair in labels if pair[0] != "__name__"): value for labels, value in side.items()}
        for side in (one, other)
    )
    return one.keys() == other.keys() and all(
        math.isclose(one[labels], other[labels], rel_tol=1e-9, abs_tol=1e-9) for labels in one
    )
