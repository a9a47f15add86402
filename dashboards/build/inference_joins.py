"""How energy meets tokens: PromQL that brings both to one label, ``server``.

A server is ``namespace/pod`` where the scrape configuration of the server adds these two labels (Kubernetes), else what
its target label ``workload`` says ("container/9f31…", "unit/vllm.service", "slurm/41058"): what wattledger calls it.
Energy is counted per workload, so two servers on one node, or on one GPU, stay apart, and the pods of a node are never
charged with each other's energy. All GPUs of a pod are one server: tensor parallelism within it needs nothing more. A
server that spans pods is charged with the pod that has its counters, and the panels say so.
"""

from __future__ import annotations

from dashboards.build.inference_names import ENGINES, Metric
from dashboards.build.style import (
    CHOSEN,
    NODE,
    NOT_CHOSEN,
    REMAINDERS,
    STEP_S,
    WORK,
    WORKLOAD_EMISSION_STEPS,
    WORKLOAD_STEPS,
)

STEP, RANGE = "$__rate_interval", "$__range"
SERVER = "cluster,server"
EACH = f"{SERVER},software"
#: Where nothing is chosen, recorded steps of five minutes stand for the counters: a thousand nodes have too many.
SERVED = f'{WORK},{CHOSEN},kind!~"{REMAINDERS}"'
EVERY = f"{WORK},{NOT_CHOSEN}"

_ENERGY = "wattledger_workload_energy_joules_total"
_EMISSIONS = "wattledger_workload_emissions_grams_total"
_WORKLOAD = "cluster,hostname,workload,kind"


def watts() -> str:
    """Power of each server, mean of the rate window."""
    counted = f"rate({_ENERGY}{{{SERVED}}}[{STEP}])"
    return _of_server(f"{counted} or {WORKLOAD_STEPS}{{{EVERY}}} / {STEP_S}", STEP)


def joules() -> str:
    """Energy of each server in the time range."""
    counted = f"increase({_ENERGY}{{{SERVED}}}[{RANGE}])"
    return _of_server(f"{counted} or sum_over_time({WORKLOAD_STEPS}{{{EVERY}}}[{RANGE}])", RANGE)


def gpu_joules() -> str:
    """That of its GPUs alone: only where something is chosen."""
    return _of_server(f'increase({_ENERGY}{{{SERVED},component="gpu"}}[{RANGE}])', RANGE)


def grams_per_second() -> str:
    counted = f'rate({_EMISSIONS}{{{SERVED},basis="location"}}[{STEP}])'
    return _of_server(f"{counted} or {WORKLOAD_EMISSION_STEPS}{{{EVERY}}} / {STEP_S}", STEP)


def grams() -> str:
    counted = f'increase({_EMISSIONS}{{{SERVED},basis="location"}}[{RANGE}])'
    return _of_server(f"{counted} or sum_over_time({WORKLOAD_EMISSION_STEPS}{{{EVERY}}}[{RANGE}])", RANGE)


def _of_server(vector: str, window: str) -> str:
    """Sums a vector of workload series to ``cluster,server``: pods by their names, everything also by its own name."""
    workloads = f"sum by ({_WORKLOAD}) ({vector})"
    pods = f"{workloads} * on ({_WORKLOAD}) group_left (namespace,pod) {_pods(window)}"
    by_pod = f'label_join({pods}, "server", "/", "namespace", "pod")'
    by_key = f'label_replace({workloads}, "server", "$1", "workload", "(.+)")'
    return f"sum by ({SERVER}) ({by_pod} or {by_key})"


def _pods(window: str) -> str:
    """Namespace and name of each pod, one series each with value 1. Of several that a pod had in the window, the one
    that it had longest, because two would break the join. Where the scrape moved our labels aside for those of the
    daemon's own pod (``honor_labels: false``), they are brought back."""
    info = f'count_over_time(wattledger_workload_info{{{NODE},kind="pod"}}[{window}])'
    one = f"topk by ({_WORKLOAD}) (1, {info})"
    for label in ("namespace", "pod"):
        one = f'label_replace({one}, "{label}", "$1", "exported_{label}", "(.+)")'
    return f"group by ({_WORKLOAD},namespace,pod) ({one})"


def outputs(function: str, window: str) -> str:
    """Output tokens by cluster, server and software: ``rate`` of STEP or ``increase`` of RANGE."""
    return _by_software([(engine.name, engine.output) for engine in ENGINES], "sum", function, window)


def prompts(function: str, window: str) -> str:
    return _by_software([(engine.name, engine.prompt) for engine in ENGINES], "sum", function, window)


def requests(function: str, window: str) -> str:
    return _by_software([(engine.name, engine.requests) for engine in ENGINES], "sum", function, window)


def all_tokens(function: str, window: str) -> str:
    """Prompt and output tokens, where a server says both."""
    return f"({outputs(function, window)} + {prompts(function, window)})"


def busy() -> str:
    """Servers that had at least one request in work through the whole rate window: steady state."""
    return f"({_running('min_over_time')} > 0)"


def empty() -> str:
    """Servers that had no request at all in the rate window."""
    return f"({told()} == 0)"


def told() -> str:
    """Servers that say how many requests they work on, in the rate window: how many at most."""
    return _running("max_over_time")


def ever_told() -> str:
    """Servers that said so at any time of the time range, those that have ended, too."""
    return _running("max_over_time", RANGE)


def once(amount: str) -> str:
    """An amount by server: one that is counted twice (vLLM inside Triton) once."""
    return f"max by ({SERVER}) ({amount})"


def per(energy: str, amount: str, by: str = "") -> str:
    """Energy (or grams) over an amount of ``EACH``, for servers that have both: one number for everything chosen, or
    one series for each value of the labels ``by`` ("software" or ``EACH``)."""
    if not by:
        served = once(amount)
        return f"sum({energy} and on ({SERVER}) {served}) / (sum({served} and on ({SERVER}) {energy}) > 0)"
    used = f"group by ({EACH}) ({amount}) * on ({SERVER}) group_left () {energy}"
    if by == EACH:
        return f"({used}) / ({amount} > 0)"
    return f"sum by ({by}) ({used}) / (sum by ({by}) ({amount} and on ({SERVER}) {energy}) > 0)"


def _running(function: str, window: str = STEP) -> str:
    of_all = _by_software([(engine.name, engine.running) for engine in ENGINES], "max", function, window)
    return f"max by ({SERVER}) ({of_all})"


def _by_software(metrics: list[tuple[str, Metric | None]], aggregate: str, function: str, window: str) -> str:
    """Series of all engines as one vector of ``EACH``. The label cannot be ``engine``: vLLM has one, a rank."""
    named = " or ".join(
        f'label_replace({metric.over(function, window)}, "software", "{name}", "", "")'
        for name, metric in metrics
        if metric is not None
    )
    joined = f'label_join({named}, "server", "/", "namespace", "pod")'
    return f'{aggregate} by ({EACH}) (label_replace({joined}, "server", "$1", "workload", "(.+)"))'
