"""A phase is given only where it is certain."""

from __future__ import annotations

import pytest

from tracker.core.phases import certain_phase
from tracker.core.rules import PHASES


@pytest.mark.parametrize(
    ("image", "phase"),
    [
        ("vllm/vllm-openai:v0.6.3", "inference"),
        ("docker.io/vllm/vllm-openai", "inference"),
        ("registry.local:5000/mirror/vllm-openai@sha256:abc", "inference"),
        ("ghcr.io/huggingface/text-generation-inference:3.0", "inference"),
        ("lmsysorg/sglang:latest", "inference"),
        ("nvcr.io/nvidia/tritonserver:24.05-py3", "inference"),
        ("nvcr.io/nim/meta/llama3-8b-instruct:1.0", "inference"),
        ("ghcr.io/ggml-org/llama.cpp:server-cuda", "inference"),
        ("ghcr.io/ggml-org/llama.cpp:full", ""),
        ("ollama/ollama", "inference"),
        ("quay.io/jupyter/pytorch-notebook:cuda12", "interactive"),
        ("rayproject/ray:2.9.0-gpu", ""),
        ("nvcr.io/nvidia/pytorch:24.05-py3", ""),
        ("example.org/not-vllm-openai-client:1", ""),
        ("", ""),
    ],
)
def test_images(image: str, phase: str) -> None:
    assert certain_phase({"image": image}) == phase


@pytest.mark.parametrize(
    ("command", "phase"),
    [
        ("vllm serve meta-llama/Llama-3", "inference"),
        ("/opt/venv/bin/vllm serve x", "inference"),
        ("/usr/bin/python3 -u -m vllm.entrypoints.openai.api_server --model x", "inference"),
        ("python3.11 -m sglang.launch_server --port 1", "inference"),
        ("vllm bench throughput", ""),
        ("text-generation-launcher", "inference"),
        ("tritonserver --model-repository=/m", "inference"),
        ("/app/llama-server -m x.gguf", "inference"),
        ("llama-cli -m x.gguf", ""),
        ("ollama serve", "inference"),
        ("ollama pull x", ""),
        ("ray::ServeReplica:app:Model", "inference"),
        ("ray::Train", ""),
        ("torchrun --nproc-per-node 8 train.py", "training"),
        ("/opt/venv/bin/python /opt/venv/bin/torchrun train.py", "training"),
        ("python -m torch.distributed.run train.py", "training"),
        ("torchrunner x", ""),
        ("accelerate launch eval.py", ""),
        ("python train.py", ""),
        ("cat /opt/bin/torchrun", ""),
        ("jupyter-lab --ip 0.0.0.0", "interactive"),
        ("/usr/bin/python3 /usr/local/bin/jupyter-lab", "interactive"),
        ("jupyter nbconvert x.ipynb", ""),
        ("python", ""),
        ("python -m", ""),
        ("   ", ""),
    ],
)
def test_commands(command: str, phase: str) -> None:
    assert certain_phase({"command": command}) == phase


@pytest.mark.parametrize(
    ("label", "value", "phase"),
    [
        ("serving.kserve.io/inferenceservice", "llama", "inference"),
        ("ray.io/originated-from-crd", "RayService", "inference"),
        ("ray.io/originated-from-crd", "RayJob", ""),
        ("app.kubernetes.io/name", "vllm", "inference"),
        ("app.kubernetes.io/name", "vllm-client", ""),
        ("training.kubeflow.org/job-name", "bert", "training"),
        ("notebook-name", "ada", "interactive"),
        ("training.kubeflow.org/job-name", "", ""),
    ],
)
def test_labels(label: str, value: str, phase: str) -> None:
    assert certain_phase({f"label:{label}": value}) == phase


def test_what_the_pod_is_for_goes_before_what_runs_in_it() -> None:
    """A notebook server in a pod of KServe is a model server's pod."""
    facts = {"label:serving.kserve.io/inferenceservice": "x", "image": "quay.io/jupyter/base", "command": "torchrun x"}
    assert certain_phase(facts) == "inference"


def test_only_phases_that_exist() -> None:
    from tracker.core import phases

    named = [row[0] for table in (phases.LABELS, phases.IMAGES, phases.COMMANDS) for row in table]
    assert set(named) <= set(PHASES)
