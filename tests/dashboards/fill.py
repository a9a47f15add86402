"""A Prometheus and a VictoriaMetrics that have scraped the world, with the recorded series of our rules."""

from __future__ import annotations

import itertools
import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import REPO
from tests.dashboards.samples import Samples, send
from tests.e2e.daemon import until
from tests.e2e.prometheus import free_port

RULES = REPO / "dashboards" / "rules"
SCRAPE_S = 60
#: Rules of shorter intervals are evaluated so often: enough for a point within the look-back of any instant.
RULE_S = 120


@dataclass(frozen=True)
class Rule:
    name: str
    expr: str
    interval_s: int
    labels: Mapping[str, str]


class QueryError(AssertionError):
    """The server refused a query."""


@dataclass(frozen=True)
class Server:
    """Ask it PromQL at times of the past."""

    url: str
    kind: str = "prometheus"

    def get(self, path: str, **parameters: object) -> Any:
        body = urllib.parse.urlencode(parameters, doseq=True).encode()
        try:
            with urllib.request.urlopen(f"{self.url}{path}", body, timeout=60) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise QueryError(f"{parameters.get('query')}: {error.read().decode()[:400]}") from None

    def instant(self, expr: str, at_s: int) -> list[tuple[dict[str, str], float]]:
        data = self.get("/api/v1/query", query=expr, time=at_s)
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(row["metric"], float(row["value"][1])) for row in data["result"]]

    def over(
        self, expr: str, start_s: int, end_s: int, step_s: int
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        data = self.get("/api/v1/query_range", query=expr, start=start_s, end=end_s, step=step_s)
        rows = data["result"]
        return [(row["metric"], [(float(t), float(v)) for t, v in row["values"]]) for row in rows]

    def label_values(self, label: str, match: str, start_s: int, end_s: int) -> list[str]:
        query = urllib.parse.urlencode({"match[]": match, "start": start_s, "end": end_s})
        with urllib.request.urlopen(f"{self.url}/api/v1/label/{label}/values?{query}", timeout=30) as answer:
            found: list[str] = json.load(answer)["data"]
        return found


@contextmanager
def prometheus_with(folder: Path, samples: Samples) -> Iterator[Server]:
    """One block of a month: its head takes samples up to half of that older than the newest, and recorded series are
    written after what they are made of."""
    folder.mkdir(parents=True)
    config = folder / "prometheus.yml"
    config.write_text("{}\n", encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    command = [
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=100y",
        "--storage.tsdb.min-block-duration=31d",
        "--storage.tsdb.max-block-duration=31d",
        "--web.enable-remote-write-receiver",
        f"--web.listen-address={address}",
        "--query.lookback-delta=5m",
        "--log.level=warn",
    ]
    with _served(command, folder / "log", f"http://{address}", "/-/ready") as server:
        send(f"{server.url}/api/v1/write", samples)
        yield server


@contextmanager
def victoria_with(folder: Path, samples: Samples) -> Iterator[Server]:
    folder.mkdir(parents=True)
    address = f"127.0.0.1:{free_port()}"
    command = [
        "victoria-metrics",
        f"-storageDataPath={folder / 'data'}",
        f"-httpListenAddr={address}",
        "-retentionPeriod=100y",  # of a month by default
        "-memory.allowedBytes=256MB",
        "-search.latencyOffset=0s",
    ]
    with _served(command, folder / "log", f"http://{address}", "/health") as server:
        send(f"{server.url}/api/v1/write", samples)
        _flush(server)
        yield server


def recording_rules(*names: str) -> list[Rule]:
    """Of files in dashboards/rules, without the alerts."""
    found = []
    for name in names:
        content = yaml.safe_load((RULES / name).read_text(encoding="utf-8"))
        for group in content["groups"]:
            interval_s = max(RULE_S, _seconds(group.get("interval", "1m")))
            found += [
                Rule(each["record"], each["expr"], interval_s, each.get("labels", {}))
                for each in group["rules"]
                if "record" in each
            ]
    return found


def record(server: Server, rules: Sequence[Rule], start_s: int, end_s: int) -> set[str]:
    """Evaluate rules over the past, those that others need first, and write what they give. Returns the names that gave
    anything."""
    left, given = list(rules), set()
    while left:
        names = {rule.name for rule in left}
        ready = [rule for rule in left if not any(name in rule.expr for name in names - {rule.name})] or left
        made = Samples()
        for rule in ready:
            step_s = rule.interval_s
            for labels, points in server.over(rule.expr, start_s + step_s, end_s, step_s):
                labels.pop("__name__", None)
                given.add(rule.name)
                for at_s, value in carried(points, end_s, step_s) if rule.name in rule.expr else points:
                    made.add(rule.name, {**labels, **rule.labels}, int(at_s), value)
        send(f"{server.url}/api/v1/write", made)
        if "victoria" in server.kind:
            _flush(server)
        left = [rule for rule in left if rule not in ready]
    return given


def carried(points: Sequence[tuple[float, float]], end_s: int, step_s: int) -> list[tuple[float, float]]:
    """What a rule that adds to its own last value records. A ruler evaluates one instant after the other; over a range
    the rule finds nothing of its own, and says its steps alone."""
    steps, first_s = dict(points), int(points[0][0])
    times_s = range(first_s, end_s + 1, step_s)
    return list(zip(times_s, itertools.accumulate(steps.get(at_s, 0) for at_s in times_s), strict=True))


def _seconds(text: str) -> int:
    return int(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def _flush(server: Server) -> None:
    """What VictoriaMetrics has taken is searchable after this."""
    with urllib.request.urlopen(f"{server.url}/internal/force_flush", timeout=30) as answer:
        assert answer.status == 200


@contextmanager
def _served(command: Sequence[str], log: Path, url: str, ready: str) -> Iterator[Server]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
        try:
            until(lambda: _up(url + ready), f"{command[0]} became ready")
            yield Server(url, command[0])
        finally:
            process.terminate()
            process.wait(20)


def _up(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
