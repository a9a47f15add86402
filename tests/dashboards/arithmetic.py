"""Scripted powers whose every panel can be worked out with a pencil, as promtool unit tests: what a panel claims is in
``claims_*.py`` files beside this one, the promtool files in dashboards/rules/tests/queries_*.yml are made from them.

``python -m tests.dashboards.arithmetic`` writes them: run it when a query changed, and look at the difference.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.conftest import REPO

FOLDER = REPO / "dashboards" / "rules" / "tests"
#: One minute between samples, two hours of them; the time range is the second hour.
MACROS = {"__rate_interval": "5m", "__range_s": "3600", "__range": "1h"}
#: The same without its first instant, when a step ends that belongs to the hour before.
MACROS_OF_STEPS = {**MACROS, "__range": "3599s"}
EVALUATED_MIN = 120
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")

#: Labels as promtool writes them -> value.
Samples = Mapping[str, float]


@dataclass(frozen=True)
class Claim:
    """What a query of a panel has to say. ``chosen``: variables that are not All."""

    panel: str
    samples: Samples
    ref: str = "A"
    chosen: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Script:
    """A scripted world: series -> its values in promtool's notation, and what the panels of a dashboard say of it."""

    dashboard: str
    series: Mapping[str, str]
    claims: Sequence[Claim]
    #: Record our rules, every five minutes.
    recorded: bool = False
    #: What is chosen in all claims.
    chosen: Mapping[str, str] = field(default_factory=dict)
    #: Of the file, where a dashboard has two.
    suffix: str = ""

    @property
    def name(self) -> str:
        return f"{self.dashboard}{self.suffix}"


def query(script: Script, claim: Claim) -> str:
    """A query of the committed JSON as Prometheus would get it, to the sixth decimal; to the third where the range is a
    second too short."""
    board = json.loads((REPO / "dashboards" / f"wattledger-{script.dashboard}.json").read_text(encoding="utf-8"))
    (found,) = [each for each in board["panels"] if each["title"] == claim.panel and each["type"] != "row"]
    (expression,) = [target["expr"] for target in found["targets"] if target["refId"] == claim.ref]
    values = {**(MACROS_OF_STEPS if script.recorded else MACROS), **script.chosen, **claim.chosen}
    filled = _VARIABLE.sub(lambda name: values.get(name[1] or name[2], ".*"), expression)
    return f"round({filled}, {'0.001' if script.recorded else '0.000001'})"


def promtool_file(script: Script) -> str:
    """The YAML. JSON strings are YAML strings."""
    lines = [
        f"# Made from the queries of wattledger-{script.dashboard}.json by python -m tests.dashboards.arithmetic.",
        *(["rule_files: [../recording.yml]"] if script.recorded else []),
        f"evaluation_interval: {'5m' if script.recorded else '1m'}",
        "tests:",
        "  - interval: 1m",
        "    input_series:",
    ]
    for series, values in script.series.items():
        lines += [f"      - series: {json.dumps(series)}", f"        values: {json.dumps(values)}"]
    lines.append("    promql_expr_test:")
    for claim in script.claims:
        expression = query(script, claim)
        lines += [f"      # {claim.panel} ({claim.ref})", f"      - expr: {json.dumps(expression)}"]
        lines += [f"        eval_time: {EVALUATED_MIN}m", "        exp_samples:"]
        for labels, value in claim.samples.items():
            lines += [f"          - labels: {json.dumps(labels)}", f"            value: {value}"]
        if not claim.samples:
            lines[-1] += " []"
    return "\n".join(lines) + "\n"


def scripts() -> list[Script]:
    from tests.dashboards import claims_inference, claims_training

    runs = [claims_training.TRAINING, claims_training.TRAINING_MOVED, claims_training.TRAINING_SLOW]
    return [claims_training.TEAM, claims_training.TEAM_CHOSEN, *runs, claims_inference.INFERENCE]


def main() -> None:
    for script in scripts():
        path = FOLDER / f"queries_{script.name}.yml"
        path.write_text(promtool_file(script), encoding="utf-8")


if __name__ == "__main__":
    main()
