"""The phase of a workload that nobody named, from what it is for certain: a model server, a launcher of distributed
training, a notebook.

Only what has one use is listed. An image of Ray, PyTorch or CUDA, ``accelerate launch``, a JobSet or a LeaderWorkerSet
may be anything; they have no phase until a label or a rule says it.

Sources: the projects' own installation pages (image names, console commands), KServe and Kubeflow (labels of the pods
they make), KubeRay ("ray.io/originated-from-crd"), JupyterHub's kubespawner and Kubeflow's notebook controller.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

#: (phase, fact, patterns). ``?*``: any value.
LABELS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("inference", "label:serving.kserve.io/inferenceservice", ("?*",)),
    ("inference", "label:serving.kserve.io/servingruntime", ("?*",)),
    ("inference", "label:ray.io/originated-from-crd", ("RayService",)),
    ("inference", "label:seldon-deployment-id", ("?*",)),
    (
        "inference",
        "label:app.kubernetes.io/name",
        ("vllm", "text-generation-inference", "tgi", "sglang", "triton-inference-server", "tritonserver", "ollama"),
    ),
    ("inference", "label:app.kubernetes.io/managed-by", ("k8s-nim-operator",)),
    ("training", "label:training.kubeflow.org/job-name", ("?*",)),
    ("training", "label:trainer.kubeflow.org/trainjob-ancestor-step", ("trainer",)),
    ("interactive", "label:notebook-name", ("?*",)),
    ("interactive", "label:hub.jupyter.org/username", ("?*",)),
)
#: (phase, patterns of the image without registry mirror and digest: "/repository:tag").
IMAGES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "inference",
        (
            "*/vllm-openai:*",
            "*/text-generation-inference:*",
            "*/text-embeddings-inference:*",
            "*/sglang:*",
            "*/tritonserver:*",
            "*/ollama:*",
            "*/llama.cpp:server*",
            "*/kserve/huggingfaceserver:*",
            "*/nvcr.io/nim/*",
        ),
    ),
    (
        "interactive",
        ("*/jupyter/*:*", "*/kubeflownotebookswg/*:*", "*/jupyterhub/singleuser:*", "*/k8s-singleuser-*:*"),
    ),
)
#: (phase, patterns of the program and its first argument, interpreters and folders left out, a blank at the end).
COMMANDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "inference",
        (
            "vllm serve *",
            "vllm.entrypoints.*",
            "sglang.launch_server *",
            "text-generation-launcher *",
            "tritonserver *",
            "llama-server *",
            "ollama serve *",
            "ray::ServeReplica*",
        ),
    ),
    ("training", ("torchrun *", "torch.distributed.run *", "torch.distributed.launch *")),
    (
        "interactive",
        ("jupyter-lab *", "jupyter-notebook *", "jupyter lab *", "jupyter notebook *", "jupyterhub-singleuser *"),
    ),
)


def certain_phase(facts: Mapping[str, str]) -> str:
    """The phase, or "" where nothing is certain. ``facts``: as rules know them."""
    for phase, fact, patterns in LABELS:
        if _fits(facts.get(fact, ""), patterns):
            return phase
    image, command = facts.get("image", ""), facts.get("command", "")
    for text, table in (
        (_repository(image) if image else "", IMAGES),
        (_program(command) if command else "", COMMANDS),
    ):
        for phase, patterns in table if text else ():
            if _fits(text, patterns):
                return phase
    return ""


def _fits(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern) for pattern in patterns)


def _repository(image: str) -> str:
    """``/repository:tag`` of an image reference; without a tag it ends in ``:``."""
    name = image[:512].partition("@")[0]
    return f"/{name}" if ":" in name.rpartition("/")[2] else f"/{name}:"


def _program(command: str) -> str:
    """What a command line runs, and its first argument: ``/usr/bin/python3 -u -m vllm.entrypoints.openai.api_server``
    gives the module, ``python /opt/bin/torchrun train.py`` the script."""
    words = command[:512].split()
    name = _base(words[0]) if words else ""
    if name.startswith("python"):
        del words[0]
        while words and words[0].startswith("-") and words[0] != "-m":
            del words[0]
        if words and words[0] == "-m":
            del words[0]
        name = _base(words[0]) if words else ""
    return " ".join([name, *words[1:2], ""])


def _base(path: str) -> str:
    return path.rpartition("/")[2]
