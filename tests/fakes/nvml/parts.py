"""What a test says about a faked GPU: frozen data, with the figures of real boards where a figure is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# nvml.h, nvmlReturn_enum
UNINITIALIZED = 1
INVALID_ARGUMENT = 2
NOT_SUPPORTED = 3
NO_PERMISSION = 4
NOT_FOUND = 6
INSUFFICIENT_SIZE = 7
INSUFFICIENT_POWER = 8
DRIVER_NOT_LOADED = 9
TIMEOUT = 10
IRQ_ISSUE = 11
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
GPU_IS_LOST = 15
RESET_REQUIRED = 16
LIB_RM_VERSION_MISMATCH = 18
UNKNOWN = 999

COMPUTE = 1
GRAPHICS = 2
MPS = 4


@dataclass(frozen=True, slots=True)
class Board:
    """A product: name, NVML architecture id, compute capability, power limits, cores, memory, sensor period."""

    name: str
    arch: int
    capability: tuple[int, int]
    limit_w: int
    cores: int
    memory_gib: int
    period_ms: int = 100
    mig: bool = False


V100 = Board("Tesla V100-SXM2-32GB", 5, (7, 0), 300, 5120, 32, period_ms=20)
P100 = Board("Tesla P100-PCIE-16GB", 4, (6, 0), 250, 3584, 16)
A100 = Board("NVIDIA A100-SXM4-80GB", 7, (8, 0), 400, 6912, 80, mig=True)
A40 = Board("NVIDIA A40", 7, (8, 6), 300, 10752, 48)
L40S = Board("NVIDIA L40S", 8, (8, 9), 350, 18176, 48)
H100 = Board("NVIDIA H100 80GB HBM3", 9, (9, 0), 700, 16896, 80, mig=True)
GH200 = Board("NVIDIA GH200 480GB", 9, (9, 0), 900, 16896, 96, mig=True)
B200 = Board("NVIDIA B200", 10, (10, 0), 1000, 18944, 180, mig=True)


@dataclass(frozen=True, slots=True)
class FakeProcess:
    """A process on a GPU. It leaves utilisation samples by itself while it runs (``sm_percent`` 0: none).

    ``namespace_pid``: what the lists say instead of ``pid``, as newer drivers do in a PID namespace.
    ``instance``: index of its MIG instance.
    """

    pid: int
    memory_bytes: int | None = 1 << 30
    sm_percent: int = 0
    kinds: int = COMPUTE
    namespace_pid: int | None = None
    instance: int | None = None


@dataclass(frozen=True, slots=True)
class FakeSample:
    """A utilisation sample that a test writes itself: seconds since the trace began."""

    at_s: float
    pid: int
    sm_percent: int


@dataclass(frozen=True, slots=True)
class FakeMig:
    """A MIG instance. ``code``: what asking for its handle answers (0: the handle)."""

    uuid: str
    name: str
    sm_count: int
    slices: int
    memory_gib: int
    gi: int
    ci: int = 0
    code: int = 0


#: The layout of a real H100 80GB: 124 of 132 SMs are in instances, 8 belong to nobody.
H100_MIG = (
    FakeMig("MIG-3a8b0f6e-0000-5000-8000-000000000001", "NVIDIA H100 80GB HBM3 MIG 3g.40gb", 60, 3, 40, 1),
    FakeMig("MIG-3a8b0f6e-0000-5000-8000-000000000002", "NVIDIA H100 80GB HBM3 MIG 2g.20gb", 32, 2, 20, 5),
    FakeMig("MIG-3a8b0f6e-0000-5000-8000-000000000003", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", 16, 1, 10, 9),
    FakeMig("MIG-3a8b0f6e-0000-5000-8000-000000000004", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", 16, 1, 10, 10),
)


@dataclass(frozen=True, slots=True)
class FakeGpu:
    """One GPU of the node. ``power`` is its trace: (seconds, watts) from which the power is constant.

    ``offset_j`` is what the counter stood at before the trace began. ``module_w`` not None: a Grace-Hopper module,
    whose CPU and memory draw this much beside the GPU and are in the counter too. ``migs`` not empty: MIG mode is on.
    """

    board: Board = H100
    power: Sequence[tuple[float, float]] = ((0.0, 70.0),)
    uuid: str = ""  # made from the index when empty
    offset_j: int = 1_000_000
    module_w: float | None = None
    module_id: int | None = None
    migs: Sequence[FakeMig] = ()
    processes: Sequence[FakeProcess] = ()
    persistence: bool = True
    memory_power_w: float = 0.0
