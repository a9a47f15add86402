"""What Team, Training run and Inference have to say."""

from __future__ import annotations

from dataclasses import replace

from tests.dashboards import plays
from tests.dashboards.expected import (
    LAB,
    RUN,
    WORK,
    Expect,
    Expected,
    Span,
    Sums,
    change,
    each,
    fixed,
    gpu_hours,
    grams,
    idle_share,
    kwh,
    lately,
    now,
    over,
    per,
    ratio,
    run,
    shifted,
    some,
    times,
    watts,
    whole_life,
)
from tests.dashboards.truth import Truth
from tests.dashboards.world import END_S, H


def a_day_ago(expect: Expect) -> Expect:
    """In the ten minutes before this time of yesterday."""
    return lambda truth, _, cluster: expect(truth, (END_S - 24 * H - 600, END_S - 24 * H), cluster)


#: In a day: the notebook, vLLM for an hour, the run's two GPUs for half an hour.
_UNUSED_KWH = {plays.NOTEBOOK.key: 1.92, plays.ENGINES[0].workload.key: 0.12, RUN: 0.09}
_NLP = {"team": "nlp"}
_PROJECT, _PROJECTS = ("team", "project"), "Projects, and the period before"
TEAM = (
    now("Power now", "A", (), watts(kind=WORK)),
    Expected("Energy", "A", (), kwh(kind=WORK)),
    Expected("Emissions", "A", (), grams(kind=WORK)),
    Expected("GPU hours held", "A", (), gpu_hours(kind=WORK)),
    Expected("Held and not used", "A", (), fixed(_=sum(_UNUSED_KWH.values())), everything=False, tolerance=0.03),
    Expected("Efficiency", "A", (), lambda *of: {(): 1 - idle_share(kind=WORK, component="gpu")(*of)[()]}),
    now("Power by project", "A", ("project",), watts("project", kind=WORK)),
    now("Power by component", "A", ("component",), watts("component", kind=WORK)),
    Expected("Energy, change", "A", (), change(kwh(kind=WORK)), everything=False, off_by=0.001),
    Expected("Emissions, change", "A", (), change(grams(kind=WORK)), everything=False, off_by=0.001),
    Expected("GPU hours, change", "A", (), change(gpu_hours(kind=WORK)), everything=False, off_by=0.001),
    now("Power, now and in the period before", "A", (), watts(kind=WORK)),
    now("Power, now and in the period before", "B", (), a_day_ago(times(1 / 600, over(1, "joules", kind=WORK)))),
    Expected(_PROJECTS, "A", _PROJECT, kwh(*_PROJECT, kind=WORK)),
    now(_PROJECTS, "B", _PROJECT, shifted(kwh(*_PROJECT, kind=WORK))),
    Expected(_PROJECTS, "C", _PROJECT, change(kwh(*_PROJECT, kind=WORK)), everything=False, off_by=0.001),
    Expected(_PROJECTS, "D", _PROJECT, grams(*_PROJECT, kind=WORK)),
    Expected(_PROJECTS, "E", _PROJECT, gpu_hours(*_PROJECT, kind=WORK)),
    Expected(_PROJECTS, "F", _PROJECT, idle_share(*_PROJECT, kind=WORK, component="gpu")),
    some("Workloads", "A", ("workload",), kwh("workload", kind=WORK)),
    some("Workloads", "B", ("workload",), grams("workload", kind=WORK)),
    Expected("Workloads", "C", ("workload",), fixed(**_UNUSED_KWH), everything=False, tolerance=0.03),
    Expected(
        "Workloads",
        "D",
        ("workload",),
        gpu_hours("workload", team="nlp"),
        everything=False,
        chosen=_NLP,
        tolerance=0.12,
    ),
)
_STEPS, _TOKENS = over(1, "amounts", unit="steps"), over(1000, "amounts", unit="tokens")
_RUN_J = over(1, "joules", workload=RUN)
_BASES = grams("basis", basis="location|market|embodied", workload=RUN)
_PER_STEP = "Energy per step and per 1,000 tokens"
TRAINING = (
    run("Energy so far", "A", (), whole_life(kwh(workload=RUN))),
    run("Emissions so far", "A", (), whole_life(grams(workload=RUN))),
    run("GPU hours so far", "A", (), whole_life(gpu_hours(workload=RUN))),
    run("Power now", "A", (), watts(workload=RUN)),
    run("A day more at this rate", "A", (), times(24 / 1000, watts(workload=RUN))),
    run("A day more, emissions", "A", (), times(144, lately(grams(workload=RUN)))),
    run("Power by component", "A", ("component",), watts("component", workload=RUN)),
    run("Energy so far, by component", "A", ("component",), whole_life(kwh("component", workload=RUN))),
    run("Power by node", "A", ("hostname",), watts("hostname", workload=RUN)),
    run("GPUs of its nodes", "A", ("device",), watts("device", component="gpu", hostname="gpu-1")),
    run("Per step", "A", (), ratio(_RUN_J, _STEPS)),
    run("CO2e per step", "A", (), ratio(grams(workload=RUN), _STEPS)),
    run("Per 1k tokens", "A", (), ratio(_RUN_J, _TOKENS)),
    run("CO2e/1k tokens", "A", (), ratio(grams(workload=RUN), _TOKENS)),
    run(_PER_STEP, "A", (), lately(ratio(_RUN_J, _STEPS))),
    run(_PER_STEP, "B", (), lately(ratio(_RUN_J, _TOKENS))),
    run("Idle share of GPU energy", "A", (), idle_share(workload=RUN, component="gpu")),
    run("Idle share of GPU energy, by node", "A", (), lately(idle_share(workload=RUN, component="gpu"))),
    run("Nodes of the run", "A", ("hostname",), kwh("hostname", workload=RUN)),
    run("Nodes of the run", "C", ("hostname",), gpu_hours("hostname", workload=RUN)),
    run("Emissions so far, by basis", "A", ("basis",), whole_life(_BASES)),
    run("Measured", "A", (), fixed(_=1)),
)
_TOKENS_OF = tuple(engine for engine in plays.ENGINES if engine.name != "triton")  # it counts requests only
_REQUESTS_OF = tuple(engine for engine in plays.ENGINES if engine.name != "llamacpp")  # it counts tokens only
_TELLING = tuple(engine for engine in _TOKENS_OF if engine.running)
_SERVER, _LOCATION = ("server",), {"basis": "location"}
#: A request has 250 output tokens, and four prompt tokens for each of them.
_K, _KALL, _REQUEST = 1 / 1000, 5 / 1000, 1 / 250
_VLLM_QUIET = (plays.ENGINES[0].workload.key, (END_S // 86_400 * 86_400 + 18 * H, END_S // 86_400 * 86_400 + 19 * H))


def without_request(truth: Truth, _: Span, cluster: str) -> Sums:
    """The energy of vLLM between 18:00 and 19:00."""
    workload, span_s = _VLLM_QUIET
    return kwh(workload=workload)(truth, span_s, cluster)


def steady(truth: Truth, span_s: Span, cluster: str) -> Sums:
    """That energy is left out, and it has made no token; so are servers that do not tell how many requests run."""
    all_in = per("joules", _TELLING, _K)(truth, span_s, cluster)[()]
    energy = sum(sum(truth.joules(span_s, workload=engine.workload.key).values()) for engine in _TELLING)
    return {(): all_in * (1 - without_request(truth, span_s, cluster)[()] * 3.6e6 / energy)}


_SAID = (
    Expected("Per 1k output, steady", "A", (), steady, tolerance=0.01),
    Expected("The same servers, all in", "A", (), per("joules", _TELLING, _K)),
    Expected("Per 1k output, all in", "A", (), per("joules", _TOKENS_OF, _K)),
    Expected("Per 1k of all tokens", "A", (), per("joules", _TOKENS_OF, _KALL)),
    Expected("CO2e per 1k output", "A", (), per("grams", _TOKENS_OF, _K, **_LOCATION)),
    Expected("Per request", "A", (), per("joules", _REQUESTS_OF, _REQUEST)),
    Expected("CO2e per request", "A", (), per("grams", _REQUESTS_OF, _REQUEST, **_LOCATION)),
    now("Energy per 1,000 output tokens, steady state", "A", _SERVER, lately(each("joules", _TELLING, _K))),
    now("Energy per 1,000 tokens, prompt and output", "A", _SERVER, lately(each("joules", _TOKENS_OF, _KALL))),
    now(
        "Emissions per 1,000 output tokens, by server", "A", _SERVER, lately(each("grams", _TOKENS_OF, _K, **_LOCATION))
    ),
    now("Energy per request", "A", _SERVER, lately(each("joules", _REQUESTS_OF, _REQUEST))),
    Expected("The same in kWh", "A", (), without_request, everything=False, tolerance=0.1),
    Expected("By server", "A", _SERVER, each("joules", _TOKENS_OF, _K)),
    now("By server", "B", _SERVER, each("joules", _TOKENS_OF, _K, component="gpu")),
    Expected("By server", "C", _SERVER, each("joules", _TOKENS_OF, _KALL)),
    Expected("By server", "D", _SERVER, each("joules", _REQUESTS_OF, _REQUEST)),
    Expected("By server", "E", _SERVER, each("grams", _TOKENS_OF, _K, **_LOCATION)),
    Expected("By server", "F", _SERVER, each("grams", _REQUESTS_OF, _REQUEST, **_LOCATION)),
)
#: Compared with a phase chosen, too: then energy is of counters, and GPUs are told apart.
INFERENCE = tuple(replace(each, chosen={**LAB, "phase": "inference"}) for each in _SAID)
