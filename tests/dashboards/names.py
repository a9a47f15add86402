"""Which metrics and labels a PromQL expression uses, and what is exported.

A reader of tokens, not a parser: it also takes expressions with Grafana's variables in them, and promtool is the judge
of syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tracker.metrics.families import FAMILIES

RULES = Path(__file__).resolve().parents[2] / "dashboards" / "rules"

#: Labels that a scrape adds to every series, always (job, instance) or where it is configured to.
TARGET_LABELS = frozenset({"job", "instance", "cluster", "site"})
#: What Prometheus itself makes, with its labels.
OF_PROMETHEUS = {"up": frozenset[str](), "ALERTS": frozenset({"alertname", "alertstate", "severity"})}
#: What prometheus_client's process collector says of the daemon.
OF_PROCESS = {
    f"process_{name}": frozenset[str]()
    for name in (
        "virtual_memory_bytes",
        "resident_memory_bytes",
        "start_time_seconds",
        "cpu_seconds_total",
        "open_fds",
        "max_fds",
    )
}
#: Exported metrics and their own labels.
EXPORTED: Mapping[str, frozenset[str]] = {
    **{family.sample_name: frozenset(family.labels) for family in FAMILIES},
    **OF_PROCESS,
}

AGGREGATIONS = frozenset(
    {"sum", "min", "max", "avg", "group", "stddev", "stdvar", "count", "count_values", "bottomk", "topk", "quantile"}
)
LISTS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
WORDS = AGGREGATIONS | LISTS | {"and", "or", "unless", "bool", "offset", "atan2", "inf", "nan", "start", "end"}
#: Arguments that are labels: of the result ("made") or of the argument ("read"), by function and position.
LABEL_ARGUMENTS = {("label_replace", 1): "made", ("label_replace", 3): "read", ("count_values", 0): "made"}

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*)|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<range>\[[^\]]*\])"""
    r"""|(?P<variable>\$\{?\w+(?::\w+)?\}?)|(?P<number>\d[\w.]*)|(?P<name>[A-Za-z_:][\w:]*)|(?P<mark>[^\s\w])""",
    re.VERBOSE,
)


_Token = tuple[str, str]  # kind, text


@dataclass(slots=True)
class Uses:
    """Of one expression. ``matched``: metric -> labels in its braces; ``grouped``: labels in by, on, group_left ... and
    read by label_replace; ``made``: labels that the expression itself makes."""

    matched: dict[str, set[str]] = field(default_factory=dict)
    grouped: set[str] = field(default_factory=set)
    made: set[str] = field(default_factory=set)

    @property
    def metrics(self) -> set[str]:
        return set(self.matched)


def uses(expression: str) -> Uses:
    """What ``expression`` uses. A selector without a name (``{job="x"}``) is of no metric."""
    found = Uses()
    tokens = [(str(match.lastgroup), match[0]) for match in _TOKEN.finditer(expression) if match.lastgroup != "comment"]
    calls = _Calls()
    place = 0
    while place < len(tokens):
        kind, text = tokens[place]
        following = tokens[place + 1][1] if place + 1 < len(tokens) else ""
        if kind == "name" and text in LISTS and following == "(":
            end = _closing(tokens, place, ")")
            found.grouped |= _names(tokens[place + 1 : end])
            place = end
        elif kind == "name" and text not in WORDS and following != "(":
            labels = found.matched.setdefault(text, set())
            if following == "{":
                end = _closing(tokens, place, "}")
                labels |= _names(tokens[place + 1 : end])
                place = end
        elif text == "{":
            place = _closing(tokens, place, "}")
        elif kind == "mark":
            calls.see(text, tokens[place - 1] if place else ("", ""))
        elif kind == "string" and text[1:-1]:
            match calls.label_argument():
                case "made":
                    found.made.add(text[1:-1])
                case "read":
                    found.grouped.add(text[1:-1])
                case _:
                    pass
        place += 1
    return found


class _Calls:
    """Open parentheses: the function before each, and the argument we are in."""

    def __init__(self) -> None:
        self._open: list[tuple[str, int]] = []

    def see(self, mark: str, before: _Token) -> None:
        match mark:
            case "(":
                self._open.append((before[1] if before[0] == "name" else "", 0))
            case ")":
                self._open.pop()
            case "," if self._open:
                function, argument = self._open[-1]
                self._open[-1] = (function, argument + 1)
            case _:
                pass

    def label_argument(self) -> str | None:
        return LABEL_ARGUMENTS.get(self._open[-1]) if self._open else None


def _closing(tokens: list[_Token], place: int, mark: str) -> int:
    return next(i for i in range(place, len(tokens)) if tokens[i][1] == mark)


def _names(tokens: list[_Token]) -> set[str]:
    return {text for kind, text in tokens if kind == "name"}


def unknown_in(expression: str, known: Mapping[str, frozenset[str]]) -> Iterator[str]:
    """What ``expression`` uses and nothing exports, in words. ``known``: metric -> its labels, those of the target left
    out."""
    found = uses(expression)
    available = set(TARGET_LABELS) | found.made
    for metric, labels in found.matched.items():
        if metric not in known:
            yield f"no metric {metric}"
            continue
        available |= known[metric]
        for label in sorted(labels - known[metric] - TARGET_LABELS):
            yield f"{metric} has no label {label}"
    for label in sorted(found.grouped - available):
        yield f"no metric in it has a label {label}"


def groups_of(file: Path) -> list[dict[str, Any]]:
    """The groups of a rule file."""
    groups: list[dict[str, Any]] = yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    return groups


def recorded(*files: Path) -> dict[str, frozenset[str]]:
    """Recorded series of ``files``, and the labels that each can have. Files that use each other's series: in order."""
    labels: dict[str, frozenset[str]] = {}
    for file in files:
        for rule in (rule for group in groups_of(file) for rule in group["rules"] if "record" in rule):
            known = {**EXPORTED, **labels}
            result = _labels_of(rule["expr"], known) | set(rule.get("labels", {}))
            labels[rule["record"]] = labels.get(rule["record"], frozenset()) | result
    return labels


def _labels_of(expression: str, known: Mapping[str, frozenset[str]]) -> set[str]:
    """Labels of the result: what an outermost ``by`` keeps and joins add; without one, at most all there are."""
    found = uses(expression)
    kept = re.match(r"\s*\w+ by \(([^)]*)\)", expression)
    if kept is None:
        return found.made | found.grouped | {label for metric in found.metrics for label in known.get(metric, ())}
    joined = re.findall(r"group_left \(([^)]*)\)", expression)
    return found.made | {label for text in (kept[1], *joined) for label in re.findall(r"\w+", text)}


def rule_files() -> list[Path]:
    return sorted(RULES.glob("*.yml"))
