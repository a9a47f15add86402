"""What inference servers call their tokens and requests, as data. Names change between releases: change them here.

Sources: the metrics pages of vLLM, SGLang, Text Generation Inference, Triton (and its TensorRT-LLM backend),
trtllm-serve, llama.cpp's server and the LiteLLM proxy. All are cumulative except ``running``. A histogram's ``_sum`` is
a counter. NVIDIA Dynamo is left out on purpose: its front end counts tokens in a pod that holds no GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

CLUSTER = 'cluster=~"$cluster"'


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of a server, narrowed by ``matchers`` where it holds more than is meant, and left out on targets that
    also export ``unless``."""

    name: str
    matchers: str = ""
    unless: str = ""

    @property
    def selector(self) -> str:
        return f"{self.name}{{{','.join(filter(None, (CLUSTER, self.matchers)))}}}"

    def over(self, function: str, window: str) -> str:
        """Each series of the metric by a function of a window: ``rate(name{…}[window])``."""
        series = f"{function}({self.selector}[{window}])"
        if not self.unless:
            return series
        return f"({series} unless on (cluster,job,instance) {self.unless}{{{CLUSTER}}})"


@dataclass(frozen=True, slots=True)
class Engine:
    """What one kind of server exports. None: it does not say."""

    name: str
    output: Metric | None  # tokens generated
    prompt: Metric | None  # tokens read
    requests: Metric | None  # requests finished
    running: Metric | None  # a gauge: requests in work


ENGINES = (
    Engine(
        "vLLM",
        Metric("vllm:generation_tokens_total"),
        Metric("vllm:prompt_tokens_total"),
        Metric("vllm:request_success_total"),
        Metric("vllm:num_requests_running"),
    ),
    Engine(
        "SGLang",
        Metric("sglang:generation_tokens_total"),
        Metric("sglang:prompt_tokens_total"),
        Metric("sglang:num_requests_total"),
        Metric("sglang:num_running_reqs"),
    ),
    Engine(
        "TGI",
        Metric("tgi_request_generated_tokens_sum"),  # grows when a request ends, so short windows are uneven
        Metric("tgi_request_input_length_sum"),
        Metric("tgi_request_success"),  # a counter, though its name does not say so
        Metric("tgi_batch_current_size"),
    ),
    Engine(
        # Its TensorRT-LLM backend. Requests are counted by their answers: nv_inference_request_success counts each step
        # of an ensemble.
        "Triton",
        Metric("nv_llm_output_token_len_sum"),
        Metric("nv_llm_input_token_len_sum"),
        Metric("nv_llm_output_token_len_count"),
        Metric("nv_trt_llm_request_metrics", 'request_type="active"'),
    ),
    # Its other backends do not count tokens, except vLLM's, which adds vllm:*.
    Engine("Triton", None, None, Metric("nv_inference_request_success", "", "nv_llm_output_token_len_count"), None),
    Engine(
        "TensorRT-LLM",
        Metric("trtllm_generation_tokens_total"),
        Metric("trtllm_prompt_tokens_total"),
        Metric("trtllm_request_success_total"),
        Metric("trtllm_num_requests_running"),
    ),
    Engine(
        "llama.cpp",
        Metric("llamacpp:tokens_predicted_total"),
        Metric("llamacpp:prompt_tokens_total"),
        None,
        Metric("llamacpp:requests_processing"),
    ),
)

#: The proxy knows teams, not GPUs: energy is split by its output tokens. Labels team_alias and model.
PROXY_MODELS = "litellm_output_tokens_metric_total"
PROXY_OUTPUT = Metric("litellm_output_tokens_metric_total", 'model=~"$model"')
PROXY_PROMPT = Metric("litellm_input_tokens_metric_total", 'model=~"$model"')
PROXY_REQUESTS = Metric("litellm_requests_metric_total", 'model=~"$model"')
