"""What Overview, Node, Fleet health and Finance month have to say."""

from __future__ import annotations

from tests.dashboards import plays
from tests.dashboards.expected import (
    NOBODY,
    ONE_STEP,
    RUN,
    WORK,
    Expect,
    Expected,
    Span,
    Sums,
    fixed,
    fleet,
    grams,
    idle_share,
    kwh,
    month,
    now,
    over,
    ratio,
    some,
    times,
    today,
    watts,
    whole_life,
)
from tests.dashboards.truth import Truth
from tests.dashboards.world import DIRECT_G, END_S, MARKET_G, START_S, H


def coverage(truth: Truth, span_s: Span, cluster: str) -> Sums:
    """17 booked devices report in the cluster, and 12 of the demo."""
    missing_s = sum(truth.gap_s(span_s).values())
    return {(): 1 - missing_s / ((17 if cluster else 29) * (span_s[1] - span_s[0]))}


def budgets(of: float = 1, more: float = 0) -> Expect:
    """Share of the budgets of budgets.example.yml that is used."""

    def expect(truth: Truth, span_s: Span, cluster: str) -> Sums:
        energy, weight = (whole_life(q("team"))(truth, span_s, cluster) for q in (kwh, grams))
        used = {
            ("nlp", "energy"): energy["nlp",] / 12_000,
            ("search", "energy"): energy["search",] / 3_000,
            ("nlp", "emissions"): weight["nlp",] / 900_000,
        }
        return {key: more + of * share for key, share in used.items()}

    return expect


#: The month at its own mean, of the time that was counted.
_MONTH_END = 31 * 86_400 / (END_S - START_S)
#: In the last six hours: the notebook, vLLM for an hour, and the run's two GPUs for half an hour.
_UNUSED_KWH = {plays.NOTEBOOK.key: 0.48, plays.ENGINES[0].workload.key: 0.12, RUN: 0.09}
_UNUSED_SHARE = ratio(fixed(_=sum(_UNUSED_KWH.values())), kwh(kind=WORK))
_NOW_G = DIRECT_G[END_S // H % 24]
_WORKLOAD = ("cluster", "hostname", "workload", "team", "project")
_DEVICE = ("hostname", "device")
_CPU_S = {"gpu-1": 0.04, "gpu-2": 0.04}

QUALITY = (
    now("Measured", "A", (), ratio(kwh(method="measured"), kwh())),
    now("Coverage", "A", (), coverage),
    Expected("Unattributed", "A", (), ratio(kwh(kind="unattributed"), kwh()), everything=False, tolerance=0.03),
    now("Age of the factor", "A", (), fixed(_=END_S % H)),
)
OVERVIEW = (
    now("Power now", "A", (), fixed(_=1810 + 2160)),
    Expected("Energy today", "A", (), today(kwh())),
    Expected("Emissions today", "A", (), today(grams())),
    month("Energy this month", "A", (), kwh()),
    month("Emissions this month", "A", (), grams()),
    Expected("Idle share of energy", "A", (), idle_share()),
    now("Power by team", "A", ("team",), watts("team", kind=WORK)),
    now("Power by team", "B", ("kind",), watts("kind", kind=NOBODY)),
    now("Power by component", "A", ("component",), watts("component")),
    now("Power of what nobody uses", "A", (), fixed(_=80)),  # the notebook
    now("Power of what nobody uses", "B", (), watts(what="idle_joules", kind=NOBODY)),
    Expected("Held and not used", "A", (), _UNUSED_SHARE, everything=False, tolerance=0.03),
    fleet("Month to date against budget", "A", ("team", "budget"), budgets()),
    some("Top workloads", "A", _WORKLOAD, kwh(*_WORKLOAD, kind=WORK), ONE_STEP),
    some("Top workloads", "B", _WORKLOAD, grams(*_WORKLOAD, kind=WORK), ONE_STEP),
    Expected("Top workloads", "C", ("workload",), fixed(**_UNUSED_KWH), everything=False, tolerance=0.03),
    Expected("Most held and not used", "A", ("workload",), fixed(**_UNUSED_KWH), everything=False, tolerance=0.03),
    now(
        "Grid intensity",
        "A",
        ("zone", "basis", "provider"),
        fixed(FR__location__electricitymaps=_NOW_G, FR__market__tables=MARKET_G),
    ),
)
NODE = (
    now("Power now", "A", (), fixed(_=1810 + 2160)),
    Expected("Energy", "A", (), kwh()),
    Expected("Emissions", "A", (), grams(), tolerance=ONE_STEP),
    Expected("Conservation error", "A", (), fixed(_=0)),
    now("GPU power", "A", ("device",), watts("device", component="gpu")),
    now("CPU, memory and other power", "A", _DEVICE, watts(*_DEVICE, component="cpu|dram")),
    now("Devices", "A", _DEVICE, watts(*_DEVICE)),
    Expected("Devices", "B", _DEVICE, kwh(*_DEVICE, hostname="gpu-1|gpu-2|demo")),
    now("Power by kind of owner", "A", ("kind",), watts("kind")),
    now("Power seen by overlapping sensors", "A", _DEVICE, fixed(**{"gpu-1__core-0": 150, "gpu-2__bmc": 2500})),
    Expected("Time without a reading", "A", ("hostname", "reason"), over(1, "gap_s", "hostname", "reason")),
    now("CPU of the daemon", "A", ("hostname",), fixed(**_CPU_S)),
)
FLEET = (
    now("Nodes that report", "A", (), fixed(_=2)),
    Expected("Silent nodes", "A", (), fixed(_=1)),
    Expected("Largest conservation error", "A", (), fixed(_=0)),
    now("Power by method", "A", ("method",), watts("method")),
    now("Devices that are not measured", "A", _DEVICE, watts(*_DEVICE, method="modelled")),
    Expected("Most time without a reading", "A", ("hostname", "reason"), over(1, "gap_s", "hostname", "reason")),
    now("Daemons that use most CPU", "A", ("hostname",), fixed(**_CPU_S)),
)
_TEAMS, _CENTRES, _COURSE = ("team",), ("cost_centre",), "Emissions since the first of the month"
FINANCE = (
    month("Energy (IT)", "A", (), kwh()),
    month("Emissions, location", "A", (), grams()),
    month("Emissions, market", "A", (), grams(basis="market")),
    month("Emissions, embodied", "A", (), grams(basis="embodied")),
    month("Energy, month end", "A", (), times(_MONTH_END, kwh())),
    month("By team", "A", _TEAMS, kwh("team")),
    month("By team", "B", _TEAMS, grams("team")),
    month("By team", "C", _TEAMS, grams("team", basis="market")),
    month("By team", "D", _TEAMS, grams("team", basis="embodied")),
    month("By cost centre", "A", _CENTRES, kwh("cost_centre")),
    month("By cost centre", "B", _CENTRES, grams("cost_centre")),
    month("By cost centre", "C", _CENTRES, grams("cost_centre", basis="market")),
    month("By cost centre", "D", _CENTRES, grams("cost_centre", basis="embodied")),
    fleet("Budget used", "A", ("team", "budget"), budgets()),
    fleet("Budget used at the end of the month", "A", ("team", "budget"), budgets(_MONTH_END)),
    Expected("Energy of the last 24 hours", "A", _TEAMS, lambda t, _, c: kwh("team")(t, (END_S - 24 * H, END_S), c)),
    month(_COURSE, "A", (), grams()),
    month(_COURSE, "B", (), grams(basis="market")),
    month(_COURSE, "C", (), grams(basis="embodied")),
    month("Measured, month", "A", (), ratio(kwh(method="measured"), kwh())),
)
