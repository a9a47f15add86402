"""What happens on the two nodes of the scripted cluster: constant powers with edges at full minutes, so that a person
can check every number with a pencil.

gpu-1 (measured; FR)                                    gpu-2 (GPUs measured, CPU modelled; FR)
  0, 1  training run slurm/4711 of nlp, 400 W each,       0-5  a model server each, six engines, 300 W each; vLLM's
        idle (allocated, 90 W) from 17:00 to 17:30             stands still (120 W) from 18:00 to 19:00
  2     MIG: search on 60 SMs, nlp on 32, 16 free,        6    a notebook of vision, 80 W: allocated, idle
        24 in no instance, 250 W                          7    nobody, 70 W; falls off the bus from 19:30 to 20:00
  3     two pods of two teams share it 3:1, 320 W
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.dashboards.samples import Samples
from tests.dashboards.stage import Scene
from tracker.core.model import (
    SYSTEM,
    Component,
    GapReason,
    GpuHolding,
    Holder,
    Kind,
    Method,
    Observation,
    Sensor,
    Share,
    Workload,
)

H = 3600


def gpu(node: int, index: int) -> Sensor:
    key = f"GPU-{node}{index}5b0c1e-7d2b-4c55-9f13-0b8e2d4c6a7{index}"
    return Sensor(
        key, "nvml", Component.GPU, (f"node/gpu/{index}",), 100, Method.MEASURED, "nvml-total-energy", 700_000,
        vendor="NVIDIA", model="NVIDIA H100 80GB HBM3", index=str(index),
    )  # fmt: skip


def package(index: int, component: Component, *, modelled: bool = False) -> Sensor:
    part = "package" if component is Component.CPU else "dram"
    return Sensor(
        f"{part}-{index}", "estimate" if modelled else "rapl", component, (f"node/{component}/{index}",),
        10 if modelled else 90, Method.MODELLED if modelled else Method.MEASURED,
        "load curve" if modelled else f"rapl {part}-{index}", 400_000,
        vendor="GenuineIntel", model="Intel(R) Xeon(R) Platinum 8480C", index=str(index),
    )  # fmt: skip


#: Counts what package 0 counts already: seen, never booked.
CORES = Sensor(
    "core-0", "rapl", Component.CPU, ("node/cpu/0/core",), 50, Method.MEASURED, "rapl core-0", 400_000, index="0"
)
#: The board's own meter, of everything: never booked beside its parts.
BOARD = Sensor("bmc", "ipmi", Component.OTHER, ("node",), 5, Method.MEASURED, "ipmi dcmi power", 9_000_000)
GPUS_1, GPUS_2 = tuple(gpu(1, i) for i in range(4)), tuple(gpu(2, i) for i in range(8))
RAPL_1 = (package(0, Component.CPU), package(1, Component.CPU), package(0, Component.DRAM), CORES)
MODEL_3 = (package(0, Component.CPU, modelled=True),)
MODEL_2 = (package(0, Component.CPU, modelled=True), package(0, Component.DRAM, modelled=True))


def pod(number: int, name: str, namespace: str, team: str, project: str, phase: str, cost_centre: str) -> Workload:
    return Workload(
        f"pod/7e1d{number:04d}-52aa-4c0e-9d7e-2f4a6b8c0d{number:02d}", Kind.POD, name, namespace, name, "main",
        cost_centre=cost_centre, team=team, project=project, phase=phase,
    )  # fmt: skip


TRAINING = Workload(
    "slurm/4711", Kind.SLURM, "llm-pretrain", user="amira", job="4711", queue="gpu-long", cost_centre="CC-1042",
    run="llm-7b", team="nlp", project="llm", phase="training",
)  # fmt: skip
SEARCH = pod(1, "ranker", "search", "search", "semantic-search", "inference", "CC-3110")
LABELLER = pod(2, "labeller", "nlp", "nlp", "corpus", "evaluation", "CC-1042")
OCR = pod(3, "ocr", "vision", "vision", "documents", "inference", "CC-1077")
SPEECH = pod(4, "speech", "nlp", "nlp", "speech", "inference", "CC-1042")
ADA = Workload("user/1000", Kind.USER, "ada", user="ada", team="vision", project="exploration", phase="interactive")
NOTEBOOK = pod(5, "jupyter-lena", "notebooks", "vision", "exploration", "interactive", "CC-1077")


@dataclass(frozen=True)
class Engine:
    """A model server that makes ``output_per_s`` tokens and answers a request of 250 of them at a time."""

    name: str
    workload: Workload
    gpu: int
    output_per_s: int
    counters: tuple[tuple[str, int], ...]  # metric -> 250ths of the output tokens: 250 is one for one, 1 a request
    running: str = ""
    labels: tuple[tuple[str, str], ...] = (("model_name", "llama-3-8b"),)


def _server(number: int, name: str) -> Workload:
    return pod(10 + number, f"{name}-0", "serving", "platform", "chat", "inference", "CC-2001")


ENGINES = (
    Engine("vllm", _server(0, "vllm"), 0, 1_000, (
        ("vllm:generation_tokens_total", 250), ("vllm:prompt_tokens_total", 1000), ("vllm:request_success_total", 1),
        ("vllm:prefix_cache_hits_total", 100), ("vllm:prefix_cache_queries_total", 1000),
    ), "vllm:num_requests_running", (("engine", "0"), ("finished_reason", "stop"), ("model_name", "llama-3-8b"))),
    Engine("sglang", _server(1, "sglang"), 1, 1_200, (
        ("sglang:generation_tokens_total", 250), ("sglang:prompt_tokens_total", 1000),
        ("sglang:cached_tokens_total", 100), ("sglang:num_requests_total", 1),
    ), "sglang:num_running_reqs"),
    Engine("tgi", _server(2, "tgi"), 2, 800, (
        ("tgi_request_generated_tokens_sum", 250), ("tgi_request_input_length_sum", 1000), ("tgi_request_count", 1),
        ("tgi_request_success", 1), ("tgi_request_generated_tokens_count", 1),
    ), "tgi_batch_current_size", ()),
    Engine("triton", _server(3, "triton"), 3, 600, (
        ("nv_inference_request_success", 1), ("nv_inference_count", 1), ("nv_inference_exec_count", 1),
    ), "", (("model", "llama"), ("version", "1"))),
    Engine("trtllm", _server(4, "trtllm"), 4, 1_500, (
        ("trtllm_generation_tokens_total", 250), ("trtllm_prompt_tokens_total", 1000),
        ("trtllm_request_success_total", 1),
    ), "", (("engine_type", "trtllm"), ("finished_reason", "length"), ("model_name", "llama-3-8b"))),
    Engine("llamacpp", _server(5, "llamacpp"), 5, 200, (
        ("llamacpp:tokens_predicted_total", 250), ("llamacpp:prompt_tokens_total", 1000),
    ), "llamacpp:requests_processing", ()),
)  # fmt: skip
#: A LiteLLM proxy before vLLM: two teams, 3 to 1.
LITELLM = (("nlp", 3), ("vision", 1))
LITELLM_METRICS = (
    ("litellm_output_tokens_metric_total", 250),
    ("litellm_input_tokens_metric_total", 1000),
    ("litellm_requests_metric_total", 1),
)


def quiet(engine: Engine, of_day_s: int) -> bool:
    return engine.name == "vllm" and 18 * H <= of_day_s < 19 * H


def first(at_s: int) -> Scene:
    """gpu-1."""
    of_day_s = at_s % (24 * H)
    pause = 17 * H <= of_day_s < 17 * H + H // 2
    training_w = 90 if pause else 400
    g = [sensor.key for sensor in GPUS_1]
    busy = 0 if pause else 97
    holding = GpuHolding((Holder(TRAINING, busy, 70 << 30),))
    mig = GpuHolding(
        (Holder(SEARCH, 50_000, 30 << 30, 60), Holder(LABELLER, 50_000, 12 << 30, 32)), instance_sms=108, sm_total=132
    )
    shared = GpuHolding((Holder(OCR, 30_000, 20 << 30), Holder(SPEECH, 10_000, 20 << 30)))
    seen = Observation(
        cpu=(Share(TRAINING, 40_000_000), Share(SEARCH, 8_000_000), Share(SYSTEM, 2_000_000)),
        cpu_capacity_us=60 * 224 * 1_000_000,
        dram=(Share(TRAINING, 300 << 30), Share(SEARCH, 40 << 30), Share(SYSTEM, 20 << 30)),
        dram_capacity_bytes=1 << 40,
        gpu={g[0]: holding, g[1]: holding, g[2]: mig, g[3]: shared},
        joined_processes=6,
    )
    reports = () if pause else ((TRAINING, "steps", 30), (TRAINING, "tokens", 60 * 8_192))
    power = {g[0]: training_w, g[1]: training_w, g[2]: 250, g[3]: 320}
    power |= {"package-0": 210, "package-1": 190, "dram-0": 40, "core-0": 150}
    return Scene(power, seen, reports=reports)


def second(at_s: int) -> Scene:
    """gpu-2."""
    of_day_s = at_s % (24 * H)
    g = [sensor.key for sensor in GPUS_2]
    power = {g[6]: 80, g[7]: 70, "package-0": 180, "dram-0": 30}
    held = {g[6]: GpuHolding((Holder(NOTEBOOK, 0, 3 << 30),)), g[7]: GpuHolding()}
    for engine in ENGINES:
        still = quiet(engine, of_day_s)
        power[g[engine.gpu]] = 120 if still else 300
        held[g[engine.gpu]] = GpuHolding((Holder(engine.workload, 0 if still else 80_000, 60 << 30),))
    seen = Observation(
        cpu=(*(Share(engine.workload, 3_000_000) for engine in ENGINES), Share(SYSTEM, 2_000_000)),
        cpu_capacity_us=60 * 112 * 1_000_000,
        dram=tuple(Share(engine.workload, 40 << 30) for engine in ENGINES),
        dram_capacity_bytes=1 << 40,
        gpu=held,
        joined_processes=7,
        unjoined_processes=1,
    )
    lost = {g[7]: GapReason.LOST} if 19 * H + H // 2 <= of_day_s < 20 * H else {}
    power["bmc"] = 2_500
    return Scene(power, seen, failing=lost)


def third(_: int) -> Scene:
    """cpu-1, a virtual machine: one modelled package, one user."""
    seen = Observation(cpu=(Share(ADA, 10_000_000), Share(SYSTEM, 5_000_000)), cpu_capacity_us=60 * 16 * 1_000_000)
    return Scene({"package-0": 60}, seen)


def serve(samples: Samples, target: dict[str, str], start_s: int, end_s: int, every_s: int) -> None:
    """The engines' own metrics, scraped by pod as a PodMonitor would: with ``namespace`` and ``pod``."""
    for engine in ENGINES:
        work = engine.workload
        place = {**target, "job": engine.name, "instance": f"10.0.1.{engine.gpu}:8000"}
        place |= {"namespace": work.namespace, "pod": work.pod, "container": work.container}
        tokens = 0
        for at_s in range(start_s, end_s + 1, every_s):
            still = quiet(engine, (at_s - every_s) % (24 * H))
            tokens += 0 if still or at_s == start_s else engine.output_per_s * every_s
            for metric, per_250 in engine.counters:
                samples.add(metric, {**place, **dict(engine.labels)}, at_s, tokens * per_250 / 250)
            if engine.running:
                labels = {key: text for key, text in engine.labels if key != "finished_reason"}
                samples.add(engine.running, {**place, **labels}, at_s, 0 if still else 12)
            if engine.name == "vllm":
                _proxy(samples, target, at_s, tokens)


def _proxy(samples: Samples, target: dict[str, str], at_s: int, tokens: int) -> None:
    place = {**target, "job": "litellm", "instance": "10.0.1.9:4000", "namespace": "serving", "pod": "litellm-0"}
    for team, quarters in LITELLM:
        labels = {"team": team, "team_alias": team, "model": "llama-3-8b", "api_key_alias": team, "user": ""}
        kept = {key: text for key, text in labels.items() if text}
        for metric, per_250 in LITELLM_METRICS:
            samples.add(metric, {**place, **kept}, at_s, tokens * quarters / 4 * per_250 / 250)
