"""Which GPUs a process is allowed to see, from its environment. Standard library only; text in, names out.

What the variables mean, by whom they are read:

- ``CUDA_VISIBLE_DEVICES`` (CUDA C++ Programming Guide, "CUDA Environment Variables"): numbers, or UUIDs that may be cut
  short as long as they are unique (``GPU-8932f937``), or MIG UUIDs (``MIG-…``). The list ends before the first entry
  that is invalid or negative, so ``0,2,-1,1`` are two devices, and ``""``, ``-1`` and Slurm's ``NoDevFiles`` are none.
  A number is read as strtoul(3) does: ``1gpu2`` is 1. The first entry decides whether numbers or UUIDs follow. An entry
  that comes twice leaves no device at all. Not set: all.
- ``NVIDIA_VISIBLE_DEVICES`` (container toolkit): ``all``; ``none``, ``void`` or empty: no GPU; or numbers, UUIDs,
  ``0:1`` (GPU 0, MIG instance 1), CDI names (``nvidia.com/gpu=0``). The container gets no others, and the numbers of
  the other variables count among these.
- ``ROCR_VISIBLE_DEVICES``: numbers or ``GPU-<hex>`` ids; ``HIP_VISIBLE_DEVICES``: numbers among those that ROCr shows.
  AMD's HIP also reads ``CUDA_VISIBLE_DEVICES`` where its own is not set.

Numbers are in the order of the driver here. CUDA's own order is "fastest first" unless CUDA_DEVICE_ORDER=PCI_BUS_ID;
the two differ on nodes with mixed GPUs only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_UUID_FORMS = ("GPU-", "MIG-")
_NUMBER = re.compile(r"\s*\+?([0-9]+)", re.ASCII)
_INSTANCE = re.compile(r"[0-9]+:[0-9]+", re.ASCII)
_CDI = re.compile(r"^[\w.-]+/[\w.-]+=")
_NO_GPU = frozenset({"", "none", "void"})


@dataclass(frozen=True, slots=True)
class Visible:
    """``names``: numbers, UUIDs or beginnings of UUIDs, in order. ``everything``: nothing is hidden."""

    names: tuple[str, ...] = ()
    everything: bool = False


ALL = Visible(everything=True)
NONE = Visible()


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU as the driver numbers it."""

    index: str
    uuid: str
    model: str = ""


def parse_list(text: str | None, uuid_forms: Sequence[str] = _UUID_FORMS) -> Visible:
    """``CUDA_VISIBLE_DEVICES`` and, with its forms, the ROCr and HIP variables. None: not set."""
    if text is None:
        return ALL
    entries = text.split(",")
    form = next((form for form in uuid_forms if entries[0].strip().startswith(form)), "")
    names: list[str] = []
    for entry in entries:
        name = _uuid(entry, form) if form else _number(entry)
        if name is None:
            break
        if name in names:
            return NONE
        names.append(name)
    return Visible(tuple(names))


def parse_nvidia(text: str | None) -> Visible:
    """``NVIDIA_VISIBLE_DEVICES``. None: not set, which hides nothing outside of a container."""
    if text is None:
        return ALL
    words = [_CDI.sub("", word.strip()) for word in text.split(",")]
    if "all" in words:
        return ALL
    return Visible(tuple(word for word in words if word.lower() not in _NO_GPU))


def visible_gpus(environ: Mapping[str, str], gpus: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """The GPUs of a node that a process with this environment sees, in its order. A MIG instance is a ``Gpu`` of its
    own with the name that was given, since the node's list has whole GPUs only."""
    seen = select(parse_nvidia(environ.get("NVIDIA_VISIBLE_DEVICES")), gpus)
    cuda, hip = environ.get("CUDA_VISIBLE_DEVICES"), environ.get("HIP_VISIBLE_DEVICES")
    rocr = environ.get("ROCR_VISIBLE_DEVICES")
    if rocr is not None:
        seen = select(parse_list(rocr, ("GPU-",)), _renumbered(seen))
    if rocr is not None or hip is not None:
        return select(parse_list(hip if hip is not None else cuda, ()), _renumbered(seen))
    return select(parse_list(cuda), _renumbered(seen))


def select(visible: Visible, gpus: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """Those of ``gpus`` that are named, up to the first name that fits none, or more than one."""
    if visible.everything:
        return tuple(gpus)
    found: list[Gpu] = []
    for name in visible.names:
        gpu = _named(name, gpus)
        if gpu is None or gpu in found:
            break
        found.append(gpu)
    return tuple(found)


def _named(name: str, gpus: Sequence[Gpu]) -> Gpu | None:
    if name.startswith("MIG-") or _INSTANCE.fullmatch(name):
        return Gpu("", name)
    if name.isascii() and name.isdecimal():
        fits = [gpu for gpu in gpus if gpu.index == name]
    else:
        fits = [gpu for gpu in gpus if gpu.uuid.lower().startswith(name.lower())]
    return fits[0] if len(fits) == 1 else None


def _renumbered(gpus: Sequence[Gpu]) -> tuple[Gpu, ...]:
    """As they are numbered behind a variable that hides others."""
    return tuple(Gpu(str(number), gpu.uuid, gpu.model) for number, gpu in enumerate(gpus))


def _uuid(entry: str, form: str) -> str | None:
    entry = entry.strip()
    return entry if entry.startswith(form) and len(entry) > len(form) else None


def _number(entry: str) -> str | None:
    match = _NUMBER.match(entry)
    return str(int(match[1])) if match else None
