"""Inference: what a token and a request cost, by server and engine, with idle time shown and not hidden."""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build.inference_joins import (
    EACH,
    RANGE,
    SERVER,
    STEP,
    all_tokens,
    busy,
    empty,
    ever_told,
    grams,
    grams_per_second,
    joules,
    once,
    outputs,
    per,
    requests,
    told,
    watts,
)
from dashboards.build.inference_names import CLUSTER, PROXY_MODELS
from dashboards.build.inference_proxy import band as behind_a_proxy
from dashboards.build.inference_tables import CAVEAT, NOBODY, WHERE, engines, servers
from dashboards.build.page import Band, Page
from dashboards.build.panels import Look, Query, lines, number
from dashboards.build.quality import strip
from dashboards.build.style import AMOUNT, GRAMS, JOULES, KWH, SHARE, WATTS, WORK, kwh
from dashboards.build.variables import chooser, work

_LEGEND = "{{server}} ({{software}})"


def page() -> Page:
    models = chooser(
        "model",
        "Proxy model",
        "Models of the LiteLLM proxy that these servers serve. Leave out those of other providers.",
        f"label_values({PROXY_MODELS}{{{CLUSTER}}}, model)",
    )
    return Page(
        "inference",
        "wattledger: inference",
        "Energy and emissions per 1,000 tokens and per request, by server and engine, idle time included and shown.",
        work(models),
        [
            Band(
                "What a token costs", [_steady(), _same(), _all_in(), _both(), _weight(), _request(), _request_weight()]
            ),
            Band("Through time", [_course(), _course_both(), _course_weight(), _course_request()]),
            Band("Idle stays visible", [_states(), _idle_share(), _idle_energy(), _speed()]),
            Band("Engines and servers", [engines(), servers()]),
            behind_a_proxy(),
            strip(WORK),
        ],
    )


def _steady() -> Panel:
    power, tokens = watts(), once(outputs("rate", STEP))
    of_busy = f"sum({power} and on ({SERVER}) {busy()} and on ({SERVER}) {tokens})"
    made = f"sum({tokens} and on ({SERVER}) {busy()} and on ({SERVER}) {power})"
    window = f"[{RANGE}:{STEP}]"
    return number(
        "Per 1k output, steady",
        "Energy per 1,000 output tokens in steady state: only windows in which at least one request was in work "
        "from beginning to end, so ramp-up, drain and idle time are left out. "
        f"Only of servers that say what they work on. Compare servers by this, and by the number beside it. {WHERE}",
        f"1000 * sum_over_time({of_busy}{window}) / (sum_over_time({made}{window}) > 0)",
        Look(JOULES, "no server was busy through a window", span=6),
        now=True,
    )


def _same() -> Panel:
    used = f"({joules()} and on ({SERVER}) {ever_told()})"
    return number(
        "The same servers, all in",
        "All energy of the servers beside in the time range, idle time too, per 1,000 output tokens. What it is more "
        f"than the steady number is what standing still costs. {CAVEAT}",
        f"1000 * {per(used, outputs('increase', RANGE))}",
        Look(JOULES, "no server here says what it works on", span=6),
        now=True,
    )


def _all_in() -> Panel:
    return number(
        "Per 1k output, all in",
        "Energy per 1,000 output tokens of every server: all of it in the time range, idle time too. TensorRT-LLM's "
        f"own server does not say what it works on and is only here. {CAVEAT} {WHERE}",
        f"1000 * {per(joules(), outputs('increase', RANGE))}",
        Look(JOULES, NOBODY, span=6),
        now=True,
    )


def _both() -> Panel:
    return number(
        "Per 1k of all tokens",
        "Energy per 1,000 tokens: the same over prompt and output tokens together. Prompt tokens from a cache count. "
        f"{CAVEAT}",
        f"1000 * {per(joules(), all_tokens('increase', RANGE))}",
        Look(JOULES, NOBODY, span=6),
        now=True,
    )


def _weight() -> Panel:
    return number(
        "CO2e per 1k output",
        "Location-based CO2 equivalent per 1,000 output tokens, by the factors of the time in which the "
        f"tokens were made, idle time and PUE included, over their output tokens. {CAVEAT}",
        f"1000 * {per(grams(), outputs('increase', RANGE))}",
        Look(GRAMS, "no factor, or no server here", span=8),
        now=True,
    )


def _request() -> Panel:
    return number(
        "Per request",
        "All energy of the servers over the requests that they finished. Requests share a batch, so the energy of one "
        "request is an allocation, never a measurement. llama.cpp does not count requests.",
        per(joules(), requests("increase", RANGE)),
        Look(JOULES, "no server here counts requests", span=8),
        now=True,
    )


def _request_weight() -> Panel:
    return number(
        "CO2e per request",
        "Location-based CO2 equivalent of the servers over the requests that they finished: an allocation, as beside.",
        per(grams(), requests("increase", RANGE)),
        Look(GRAMS, "no factor, or nobody counts requests", span=8),
        now=True,
    )


def _speed() -> Panel:
    tokens = once(outputs("rate", STEP))
    return number(
        "Output tokens per second",
        "Of the servers whose energy is known: what their power is divided by.",
        f"sum({tokens} and on ({SERVER}) {watts()})",
        Look(AMOUNT, NOBODY, span=4, height=8),
    )


def _course() -> Panel:
    steady = f"{per(watts(), outputs('rate', STEP), EACH)} and on ({SERVER}) {busy()}"
    return lines(
        "Energy per 1,000 output tokens, steady state",
        "One line for each server, drawn only where a request was in work through the whole rate window. Two windows "
        f"that differ by more than 3 % are no steady state. {CAVEAT}",
        Query(f"1000 * ({steady})", _LEGEND),
        Look(JOULES, "no server was busy through a window", span=12, height=8),
    )


def _course_both() -> Panel:
    return lines(
        "Energy per 1,000 tokens, prompt and output",
        "Windows with a token of any kind, ramp-up and drain included. Where a server is nearly idle this grows "
        "without bound: its power is spent on few tokens.",
        Query(f"1000 * ({per(watts(), all_tokens('rate', STEP), EACH)})", _LEGEND),
        Look(JOULES, NOBODY, span=12, height=8),
    )


def _course_weight() -> Panel:
    return lines(
        "Emissions per 1,000 output tokens, by server",
        "Location-based, PUE included: energy per token times what the grid weighed at that time.",
        Query(f"1000 * ({per(grams_per_second(), outputs('rate', STEP), EACH)})", _LEGEND),
        Look(GRAMS, "no factor, or no server here", span=12, height=8),
    )


def _course_request() -> Panel:
    return lines(
        "Energy per request",
        "Energy over finished requests. An allocation: requests share a batch. Longer answers cost more: see tokens.",
        Query(per(watts(), requests("rate", STEP), EACH), _LEGEND),
        Look(JOULES, "no server here counts requests", span=12, height=8),
    )


def _states() -> Panel:
    power = watts()
    between = f"{power} and on ({SERVER}) {told()} unless on ({SERVER}) {busy()} unless on ({SERVER}) {empty()}"
    silent = f"{power} and on ({SERVER}) {outputs('rate', STEP)} unless on ({SERVER}) {told()}"
    return lines(
        "Power of the servers by what they do",
        "Serving: a request in work through the whole rate window. No request: none at all in it. In between: some of "
        "it. The stack is the power of the servers.",
        [
            Query(f"sum({power} and on ({SERVER}) {busy()})", "serving"),
            Query(f"sum({between})", "in between"),
            Query(f"sum({power} and on ({SERVER}) {empty()})", "no request"),
            Query(f"sum({silent})", "server does not say"),
        ],
        Look(WATTS, NOBODY, span=12, height=8),
        stacked=True,
    )


def _without_request() -> str:
    """Share of the energy of servers that say what they work on, in windows without any request."""
    window = f"[{RANGE}:{STEP}]"
    idle = f"sum_over_time(sum({watts()} and on ({SERVER}) {empty()}){window})"
    whole = f"sum_over_time(sum({watts()} and on ({SERVER}) {told()}){window})"
    return f"({idle} or 0 * {whole}) / ({whole} > 0)"


def _idle_share() -> Panel:
    return number(
        "Energy with no request",
        "Of the energy of the servers in the time range, what they used in windows without any request. It is in the "
        "all-in numbers and out of the steady ones. Exact to one rate window each time that a server starts or stops.",
        _without_request(),
        Look(SHARE, "no server here says what it works on", span=4, height=8, highest=1, decimals=1),
        now=True,
    )


def _idle_energy() -> Panel:
    known = f"sum({joules()} and on ({SERVER}) {ever_told()})"
    return number(
        "The same in kWh",
        "That share of the energy of the servers that say what they work on.",
        kwh(f"{_without_request()} * {known}"),
        Look(KWH, "no server here says what it works on", span=4, height=8),
        now=True,
    )
