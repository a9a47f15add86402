"""Five servers on two nodes for two hours, each at a constant power and speed. b's daemon is scraped with labels of its
own pod on top (``honor_labels: false``).

a: serving/vllm-0    300 W GPU + 100 W CPU   100 tokens/s out, 400 in, 24 requests/min, always busy
   serving/sglang-0  400 W GPU               200 out, 200 in, 60 requests/min, always busy
   batch/plain-0     500 W GPU               no server: in no number
b: serving/triton-0  200 W GPU               its TensorRT-LLM backend: 40 out, 60 in, 12 requests/min in 4 steps each
   container/9f31    100 W GPU               TGI, found by the target label workload: 10 out, 0 in, nothing in work now
"""

from __future__ import annotations

from tests.dashboards.arithmetic import Claim, Script

_A, _B = 'cluster="paris",hostname="a"', 'cluster="paris",hostname="b",pod="wattledger-x",namespace="monitoring"'
_WORK = 'kind="%s",workload="%s",team="chat",project="p",phase="inference"'


def _energy(place: str, workload: str, component: str, kind: str = "pod") -> str:
    work = _WORK % (kind, workload)
    return f'wattledger_workload_energy_joules_total{{{place},{work},component="{component}",method="measured"}}'


def _grams(place: str, workload: str, kind: str = "pod") -> str:
    return f'wattledger_workload_emissions_grams_total{{{place},{_WORK % (kind, workload)},basis="location"}}'


def _info(place: str, workload: str, labels: str, kind: str = "pod") -> str:
    return f'wattledger_workload_info{{{place},kind="{kind}",workload="{workload}",{labels}}}'


def _pod(metric: str, pod: str, more: str = "") -> str:
    return f'{metric}{{cluster="paris",job="{pod}",instance="{pod}:8000",namespace="serving",pod="{pod}"{more}}}'


def _tgi(metric: str) -> str:
    return f'{metric}{{cluster="paris",job="tgi",instance="b:3000",workload="container/9f31"}}'


_RANK = ',engine="%s",model_name="m"'
_STEP = ',model="%s",version="1"'
_PROXY = '{cluster="paris",job="litellm",namespace="serving",pod="litellm-0",team="%s",team_alias="%s",model="m"}'
SERIES = {
    _energy(_A, "pod/u-1", "gpu"): "0+18000x120",
    _energy(_A, "pod/u-1", "cpu"): "0+6000x120",
    _energy(_A, "pod/u-2", "gpu"): "0+24000x120",
    _energy(_A, "pod/u-3", "gpu"): "0+30000x120",
    _energy(_B, "pod/u-4", "gpu"): "0+12000x120",
    _energy(_B, "container/9f31", "gpu", "container"): "0+6000x120",
    _grams(_A, "pod/u-1"): "0+6x120",
    _grams(_A, "pod/u-2"): "0+6x120",
    _grams(_B, "pod/u-4"): "0+3x120",
    _grams(_B, "container/9f31", "container"): "0+1.5x120",
    _info(_A, "pod/u-1", 'namespace="serving",pod="vllm-0"'): "1x120",
    _info(_A, "pod/u-2", 'namespace="serving",pod="sglang-0"'): "1x120",
    _info(_A, "pod/u-3", 'namespace="batch",pod="plain-0"'): "1x120",
    _info(_B, "pod/u-4", 'exported_namespace="serving",exported_pod="triton-0"'): "1x120",
    _info(_B, "container/9f31", 'exported_container="tgi"', "container"): "1x120",
    # Two ranks of one vLLM, which has a label "engine" of its own.
    _pod("vllm:generation_tokens_total", "vllm-0", _RANK % "0"): "0+3000x120",
    _pod("vllm:generation_tokens_total", "vllm-0", _RANK % "1"): "0+3000x120",
    _pod("vllm:prompt_tokens_total", "vllm-0", _RANK % "0"): "0+12000x120",
    _pod("vllm:prompt_tokens_total", "vllm-0", _RANK % "1"): "0+12000x120",
    _pod("vllm:request_success_total", "vllm-0", ',finished_reason="stop"'): "0+16x120",
    _pod("vllm:request_success_total", "vllm-0", ',finished_reason="length"'): "0+8x120",
    _pod("vllm:num_requests_running", "vllm-0", _RANK % "0"): "12x120",
    _pod("vllm:num_requests_running", "vllm-0", _RANK % "1"): "0x120",
    # A vLLM on a node without wattledger: its tokens may not dilute the others' energy.
    _pod("vllm:generation_tokens_total", "elsewhere-0"): "0+900000x120",
    _pod("sglang:generation_tokens_total", "sglang-0"): "0+12000x120",
    _pod("sglang:prompt_tokens_total", "sglang-0"): "0+12000x120",
    _pod("sglang:num_requests_total", "sglang-0"): "0+60x120",
    _pod("sglang:num_running_reqs", "sglang-0"): "3x120",
    _pod("nv_llm_output_token_len_sum", "triton-0", _STEP % "tensorrt_llm"): "0+2400x120",
    _pod("nv_llm_output_token_len_count", "triton-0", _STEP % "tensorrt_llm"): "0+12x120",
    _pod("nv_llm_input_token_len_sum", "triton-0", _STEP % "tensorrt_llm"): "0+3600x120",
    _pod("nv_inference_request_success", "triton-0", _STEP % "ensemble"): "0+12x120",
    _pod("nv_inference_request_success", "triton-0", _STEP % "preprocessing"): "0+12x120",
    _tgi("tgi_request_generated_tokens_sum"): "0+600x120",
    _tgi("tgi_request_input_length_sum"): "0+0x120",
    _tgi("tgi_request_success"): "0+6x120",
    _tgi("tgi_batch_current_size"): "4x50 0x69",  # nothing in work in the second hour; its answers still come in
    f"litellm_output_tokens_metric_total{_PROXY % ('1', 'red')}": "0+9000x120",
    f"litellm_output_tokens_metric_total{_PROXY % ('2', 'blue')}": "0+3000x120",
    f"litellm_input_tokens_metric_total{_PROXY % ('1', 'red')}": "0+100x120",
    f"litellm_requests_metric_total{_PROXY % ('1', 'red')}": "0+10x120",
}


def _row(server: str, software: str) -> str:
    return f'{{cluster="paris", server="{server}", software="{software}"}}'


_VLLM, _SGLANG = _row("serving/vllm-0", "vLLM"), _row("serving/sglang-0", "SGLang")
_TRITON, _TGI = _row("serving/triton-0", "Triton"), _row("container/9f31", "TGI")


def _each(panel: str, vllm: float, sglang: float, triton: float, tgi: float, ref: str = "A") -> Claim:
    return Claim(panel, {_VLLM: vllm, _SGLANG: sglang, _TRITON: triton, _TGI: tgi}, ref)


def _engine(ref: str, vllm: float, sglang: float, triton: float, tgi: float) -> Claim:
    names = ("vLLM", "SGLang", "Triton", "TGI")
    values = (vllm, sglang, triton, tgi)
    return Claim("By engine", {f'{{software="{n}"}}': v for n, v in zip(names, values, strict=True)}, ref)


#: By server and by engine, which are the same here: J and g per 1,000 output tokens, of GPUs, of all, per request, …
_COLUMNS = {
    "A": (4000, 2000, 5000, 10000),
    "B": (3000, 2000, 5000, 10000),
    "C": (800, 1000, 2000, 10000),
    "D": (1000, 400, 1000, 1000),
    "E": (1, 0.5, 1.25, 2.5),
    "F": (0.25, 0.1, 0.25, 0.25),
    "G": (360000, 720000, 144000, 36000),
    "H": (0.4, 0.4, 0.2, 0.1),  # 400 W for an hour are 0.4 kWh
}

INFERENCE = Script(
    "inference",
    SERIES,
    [
        # 66 kJ and 21,000 output tokens a minute; 48 kJ and 18,000 of the two that are always busy
        # TGI is idle and Triton does not say
        Claim("The same servers, all in", {"{}": 2903.225806}),
        Claim("Per 1k output, all in", {"{}": 3142.857143}),
        Claim("Per 1k output, steady", {"{}": 2666.666667}),
        Claim("Per 1k of all tokens", {"{}": 1089.108911}),  # 60,600 of both
        Claim("CO2e per 1k output", {"{}": 0.785714}),
        Claim("Per request", {"{}": 647.058824}),  # 102 requests: Triton's four steps are one
        Claim("CO2e per request", {"{}": 0.161765}),
        Claim("Output tokens per second", {"{}": 350}),
        Claim("Energy per 1,000 output tokens, steady state", {_VLLM: 4000, _SGLANG: 2000}),
        _each("Energy per 1,000 tokens, prompt and output", 800, 1000, 2000, 10000),
        _each("Emissions per 1,000 output tokens, by server", 1, 0.5, 1.25, 2.5),
        _each("Energy per request", 1000, 400, 1000, 1000),
        Claim("Power of the servers by what they do", {"{}": 800}, "A"),
        Claim("Power of the servers by what they do", {}, "B"),
        Claim("Power of the servers by what they do", {"{}": 100}, "C"),
        Claim("Power of the servers by what they do", {"{}": 200}, "D"),
        Claim("Energy with no request", {"{}": 0.111111}),  # 100 of the 900 W of servers that say what they work on
        Claim("The same in kWh", {"{}": 0.1}),
        *(_engine(ref, *values) for ref, values in _COLUMNS.items()),
        *(_each("By server", *values, ref) for ref, values in _COLUMNS.items()),
        # 1.1 kWh of the servers, three to one
        Claim("Energy by team of the proxy", {'{team_alias="red"}': 0.825, '{team_alias="blue"}': 0.275}),
        Claim("Teams of the proxy", {'{team_alias="red"}': 0.825, '{team_alias="blue"}': 0.275}, "A"),
        Claim("Teams of the proxy", {'{team_alias="red"}': 742.5, '{team_alias="blue"}': 247.5}, "B"),
        Claim("Teams of the proxy", {'{team_alias="red"}': 540000, '{team_alias="blue"}': 180000}, "C"),
        Claim("Teams of the proxy", {'{team_alias="red"}': 6000}, "D"),
        Claim("Teams of the proxy", {'{team_alias="red"}': 600}, "E"),
    ],
    chosen={"phase": "inference"},
)
