"""What panels that claim a quantity have to say of the world, worked out from its ledgers.

Tolerances: 0.5 % in the scripted cluster, where powers are constant and a range of whole minutes is not extrapolated.
With everything chosen 3 % of a sum and 12 % of a row: a series counts from its first sample, so a job of eight minutes
that is scraped once a minute loses a part of its first one, and the demo starts such a job every ten minutes. What is a
mean of the last minutes is compared in the cluster only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.dashboards import plays
from tests.dashboards.truth import Key, Truth
from tests.dashboards.world import END_S, START_S, H

Span = tuple[int, int]
Sums = Mapping[Key, float]
#: Of a span and a cluster ("": everywhere).
Expect = Callable[[Truth, Span, str], Sums]

LAB, EVERYTHING = {"cluster": "lab"}, dict[str, str]()
CLOSE, NEAR, ROWS_NEAR = 0.005, 0.03, 0.12
#: Of recorded steps: one more of five minutes in six hours, because the range ends with one and begins with one.
ONE_STEP = 0.02
WORK = "pod|slurm|container|unit|user|run|other"
NOBODY = "idle|unallocated|system|unattributed"
#: The training run.
RUN = "slurm/4711"
#: What panels call a series without the label.
NAMELESS = ("(no team)", "no team", "no project", "(no cost centre)")


@dataclass(frozen=True)
class Expected:
    """``by``: labels of the result that tell its series apart. ``some``: the panel shows the largest only.
    ``everything``: also compare with All chosen. ``chosen``: variables that are not All otherwise."""

    panel: str
    ref: str
    by: tuple[str, ...]
    expect: Expect
    some: bool = False
    everything: bool = True
    chosen: Mapping[str, str] = field(default_factory=lambda: LAB)
    tolerance: float = CLOSE
    off_by: float = 1e-6  # where it is 0: rounding


def over(size: float, what: str, /, *by: str, **where: str) -> Expect:
    """A quantity of the ledgers over the panel's range, in so many base units."""

    def expect(truth: Truth, span_s: Span, cluster: str) -> Sums:
        place = {"cluster": cluster} if cluster else {}
        sums: Sums = getattr(truth, what)(span_s, *by, **{**where, **place})
        return {key: amount / size for key, amount in sums.items() if amount}

    return expect


def kwh(*by: str, **where: str) -> Expect:
    return over(3.6e6, "joules", *by, **where)


def grams(*by: str, basis: str = "location", **where: str) -> Expect:
    return over(1, "grams", *by, basis=basis, **where)


def gpu_hours(*by: str, **where: str) -> Expect:
    return over(3600, "held_s", *by, component="gpu", **where)


def watts(*by: str, what: str = "joules", **where: str) -> Expect:
    """The mean of the last ten minutes, in which no power of the cluster changes."""

    def expect(truth: Truth, _: Span, cluster: str) -> Sums:
        return over(600, what, *by, **where)(truth, (END_S - 600, END_S), cluster)

    return expect


def ratio(part: Expect, whole: Expect) -> Expect:
    def expect(truth: Truth, span_s: Span, cluster: str) -> Sums:
        parts, wholes = part(truth, span_s, cluster), whole(truth, span_s, cluster)
        return {key: parts.get(key, 0) / amount for key, amount in wholes.items()}

    return expect


def idle_share(*by: str, **where: str) -> Expect:
    return ratio(over(1, "idle_joules", *by, **where), over(1, "joules", *by, **where))


def whole_life(expect: Expect) -> Expect:
    """Since the world began, whatever the panel's range: what a counter stands at, and this month."""
    return lambda truth, _, cluster: expect(truth, (START_S, END_S), cluster)


def today(expect: Expect) -> Expect:
    """Since midnight (UTC), whatever the panel's range; recorded steps are up to five minutes old and late."""
    return lambda truth, _, cluster: expect(truth, (END_S // (24 * H) * 24 * H, END_S), cluster)


def shifted(expect: Expect) -> Expect:
    """The period before."""
    return lambda truth, span_s, cluster: expect(truth, (2 * span_s[0] - span_s[1], span_s[0]), cluster)


def lately(expect: Expect) -> Expect:
    """Over the last ten minutes."""
    return lambda truth, _, cluster: expect(truth, (END_S - 600, END_S), cluster)


def change(expect: Expect) -> Expect:
    def changed(truth: Truth, span_s: Span, cluster: str) -> Sums:
        now, before = expect(truth, span_s, cluster), shifted(expect)(truth, span_s, cluster)
        return {key: amount / before[key] - 1 for key, amount in now.items() if before.get(key)}

    return changed


def fixed(**values: float) -> Expect:
    """Numbers of the script: key -> value; ``_`` is the only series."""
    return lambda *_: {() if key == "_" else tuple(key.split("__")): value for key, value in values.items()}


def times(factor: float, expect: Expect) -> Expect:
    return lambda *of: {key: amount * factor for key, amount in expect(*of).items()}


def _tokens(engine: plays.Engine, span_s: Span) -> float:
    """Output tokens; vLLM makes none between 18:00 and 19:00."""
    pause_s = (END_S // (24 * H) * 24 * H + 18 * H, END_S // (24 * H) * 24 * H + 19 * H)
    paused_s = max(0, min(span_s[1], pause_s[1]) - max(span_s[0], pause_s[0])) if engine.name == "vllm" else 0
    return engine.output_per_s * (span_s[1] - span_s[0] - paused_s)


def per(what: str, engines: tuple[plays.Engine, ...], per_token: float, **where: str) -> Expect:
    """Of all servers together: energy or grams over what they made."""

    def expect(truth: Truth, span_s: Span, _: str) -> Sums:
        pods = "|".join(engine.workload.pod for engine in engines)
        total = sum(getattr(truth, what)(span_s, pod=pods, **where).values())
        return {(): total / sum(_tokens(engine, span_s) * per_token for engine in engines)}

    return expect


def each(what: str, engines: tuple[plays.Engine, ...], per_token: float, **where: str) -> Expect:
    """Of each server."""
    return lambda *of: {
        (f"{e.workload.namespace}/{e.workload.pod}",): per(what, (e,), per_token, **where)(*of)[()] for e in engines
    }


def now(panel: str, ref: str, by: tuple[str, ...], expect: Expect) -> Expected:
    """A mean of the last minutes, or a number of the script: compared in the scripted cluster only."""
    return Expected(panel, ref, by, expect, everything=False)


def some(panel: str, ref: str, by: tuple[str, ...], expect: Expect, tolerance: float = CLOSE) -> Expected:
    """A panel that shows the largest only."""
    return Expected(panel, ref, by, expect, some=True, tolerance=tolerance)


def run(panel: str, ref: str, by: tuple[str, ...], expect: Expect) -> Expected:
    """A panel about the training run alone."""
    return Expected(panel, ref, by, expect, everything=False, chosen={"workload": RUN})


def month(panel: str, ref: str, by: tuple[str, ...], expect: Expect) -> Expected:
    """All of the world is in one month."""
    return Expected(panel, ref, by, whole_life(expect))


def fleet(panel: str, ref: str, by: tuple[str, ...], expect: Expect) -> Expected:
    """No cluster can be chosen: a team has one budget, wherever it computes."""
    return Expected(panel, ref, by, expect, everything=False, chosen={}, tolerance=0.03)
