"""The script of the simulated node: who is on its eight H100s, when, and what every device draws meanwhile.

Time is cut into windows of ten minutes. A window of the day always draws the same power, so that a day has one energy
and the counter at any time is a sum (``scenario.py``); who holds the devices also depends on the day. Everything
follows from integers by ``mix``: no state, no clock, no chance.

| GPU | what happens on it |
|---|---|
| 0-3 | fine-tuning in six-hour runs: loading, steps with data-loading dips, evaluation, checkpoints, a pause |
| 4 | an inference server: load by time of day, with bursts |
| 5 | two containers share it; one of them comes and goes |
| 6 | short batch jobs, one after the other, about eight minutes each |
| 7 | a notebook that holds it and does next to nothing; nobody at all for twenty minutes of every hour |
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from tracker.core.model import Kind, Workload

GPUS = 8
PACKAGES = 2
WINDOW_MS = 600_000
DAY_WINDOWS = 144
CPU_COUNT = 224  # logical, of both packages
DRAM_BYTES = 2 << 40
SYSTEM_CORES_PERMILLE = 1_500
SYSTEM_DRAM_BYTES = 24 << 30
GPU_MEMORY_BYTES = 80 << 30
IDLE_GPU_MW = 68_000


@dataclass(frozen=True, slots=True)
class Slot:
    """A place on the node that one workload after another takes."""

    name: str
    number: int
    gpus: tuple[int, ...]
    run_windows: int  # a new workload begins every so many windows
    cores_permille: int
    dram_bytes: int
    gpu_memory_bytes: int  # on each of its GPUs


LLAMA = Slot("llama", 1, (0, 1, 2, 3), 36, 36_000, 380 << 30, 71 << 30)
CHAT = Slot("chat", 2, (4,), DAY_WINDOWS, 9_000, 96 << 30, 74 << 30)
EMBED = Slot("embed", 3, (5,), DAY_WINDOWS, 4_000, 24 << 30, 9 << 30)
RERANK = Slot("rerank", 4, (5,), 12, 3_000, 16 << 30, 14 << 30)
SWEEP = Slot("sweep", 5, (6,), 1, 14_000, 64 << 30, 38 << 30)
NOTEBOOK = Slot("notebook", 6, (7,), 6, 200, 12 << 30, 3 << 30)
SLOTS = (LLAMA, CHAT, EMBED, RERANK, SWEEP, NOTEBOOK)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of constant power. ``loads``: SM utilisation in percent of each slot that holds the GPU, be it 0."""

    duration_ms: int
    power_mw: int
    loads: tuple[tuple[Slot, int], ...] = ()


def mix(*numbers: int) -> int:
    """64 well-mixed bits of some integers (the finaliser of splitmix64)."""
    state = 0
    for number in numbers:
        state = (state + number + 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state


def between(low: int, high: int, *numbers: int) -> int:
    """A mixed integer in [low, high]."""
    return low + mix(*numbers) % (high - low + 1)


def presence(slot: Slot, window: int, seed: int) -> tuple[int, int]:
    """From when to when, in ms of the window, a slot is taken. Equal: not at all."""
    turn = window % slot.run_windows
    match slot.name:
        case "llama" if turn == slot.run_windows - 1:
            return 0, 0
        case "llama" if turn == slot.run_windows - 2:
            return 0, 400_000
        case "rerank" if turn >= slot.run_windows - 3:
            return 0, 0
        case "notebook" if turn >= slot.run_windows - 2:
            return 0, 0
        case "sweep":
            of_day = window % DAY_WINDOWS
            return between(15_000, 45_000, seed, 1, of_day), between(500_000, 585_000, seed, 2, of_day)
        case _:
            return 0, WINDOW_MS


def workload_of(slot: Slot, window: int, seed: int) -> Workload:
    """Who has the slot in this window (counted from the start of the scenario, not of the day)."""
    run = window // slot.run_windows
    ident = f"{mix(seed, slot.number, run):016x}{mix(seed, slot.number, run, 1):016x}"
    uid = f"{ident[:8]}-{ident[8:12]}-4{ident[13:16]}-a{ident[17:20]}-{ident[20:32]}"
    match slot.name:
        case "llama":
            return _pod(
                uid, "llama-ft-7b", "nlp-training", f"llama-ft-7b-{run}-0", "nlp", "assistant", "training", "CC-1042"
            )
        case "chat":
            return _pod(uid, "chat-api", "serving", f"chat-api-{ident[:5]}", "platform", "chat", "inference", "CC-2001")
        case "notebook":
            return _pod(
                uid, "jupyter-lena", "notebooks", "jupyter-lena", "vision", "exploration", "development", "CC-1077"
            )
        case "sweep":
            job = str(41_000 + run)
            return Workload(
                f"slurm/{job}", Kind.SLURM, "vit-sweep", user="jonas", job=job, queue="gpu-short",
                cost_centre="CC-1077", team="vision", project="vit-large", phase="training",
            )  # fmt: skip
        case _:
            name = "embedder" if slot is EMBED else "reranker"
            return Workload(
                f"container/{ident}{ident[::-1]}", Kind.CONTAINER, name, container=name,
                cost_centre="CC-3110", team="search", project="semantic-search", phase="inference",
            )  # fmt: skip


def _pod(
    uid: str, name: str, namespace: str, pod: str, team: str, project: str, phase: str, cost_centre: str
) -> Workload:
    user = {"training": "amira", "development": "lena"}.get(phase, "")
    job = name if phase == "training" else ""
    return Workload(
        f"pod/{uid}", Kind.POD, name, namespace, pod, name, user, job,
        cost_centre=cost_centre, team=team, project=project, phase=phase,
    )  # fmt: skip


def gpu_trace(gpu: int, window: int, seed: int) -> tuple[Segment, ...]:
    """What a GPU draws in a window of the day and who loads it: ``WINDOW_MS`` in all."""
    script: Callable[[int, int, int], Iterable[Segment]] = {4: _serving, 5: _shared, 6: _batch, 7: _notebook}.get(
        gpu, _training
    )
    return tuple(_fitted(script(gpu, window, seed), WINDOW_MS))


def cpu_trace(package: int, window: int, seed: int) -> tuple[Segment, ...]:
    """A CPU package: a floor, its half of the cores in use, and some flutter every 20 s."""
    return tuple(
        Segment(20_000, 92_000 + cores_permille * 19 // 20 + between(0, 15_000, seed, 20, package, window, step))
        for step, cores_permille in _cores_by_step(window, seed)
    )


def dram_trace(package: int, window: int, seed: int) -> tuple[Segment, ...]:
    """The memory beside a package: refresh, and traffic that follows the cores."""
    return tuple(
        Segment(20_000, 26_000 + cores_permille * 3 // 20 + between(0, 2_000, seed, 30, package, window, step))
        for step, cores_permille in _cores_by_step(window, seed)
    )


def _cores_by_step(window: int, seed: int) -> Iterator[tuple[int, int]]:
    """Thousandths of cores in use in each 20 s of the window."""
    stays = [(slot.cores_permille, *presence(slot, window, seed)) for slot in SLOTS]
    for step, begin in enumerate(range(0, WINDOW_MS, 20_000)):
        yield (
            step,
            SYSTEM_CORES_PERMILLE
            + sum(
                cores * max(0, min(end, begin + 20_000) - max(start, begin)) // 20_000 for cores, start, end in stays
            ),
        )


def _training(gpu: int, window: int, seed: int) -> Iterator[Segment]:
    """Steps of 46 s, a dip while data load, a checkpoint at the end of the window, an evaluation once an hour."""
    _, end_ms = presence(LLAMA, window, seed)
    if end_ms == 0:
        return
    begin_ms = 0
    if window % LLAMA.run_windows == 0:
        yield Segment(30_000, 118_000, ((LLAMA, 4),))  # weights from disk
        begin_ms = 30_000
    if window % 6 == 0:
        yield Segment(40_000, 425_000, ((LLAMA, 62),))  # evaluation between epochs
        begin_ms += 40_000
    step_mw = between(628_000, 668_000, seed, 10, gpu, window)
    cycle = (Segment(46_000, step_mw, ((LLAMA, 97),)), Segment(2_500 + 100 * gpu, 310_000, ((LLAMA, 35),)))
    yield from _repeated(cycle, end_ms - begin_ms - 12_000)
    yield Segment(12_000, 190_000, ((LLAMA, 8),))  # checkpoint


def _serving(gpu: int, window: int, seed: int) -> Iterator[Segment]:
    """Requests follow the hour of the day, with a burst in one of eight half minutes."""
    daily_percent = (20, 15, 12, 10, 10, 12, 18, 30, 45, 60, 68, 72, 70, 66, 70, 74, 76, 72, 65, 60, 55, 46, 36, 27)
    for step in range(20):
        percent = daily_percent[window // 6 % 24] * between(70, 120, seed, gpu, window, step) // 100
        if mix(seed, gpu, window, step, 1) % 8 == 0:
            percent = min(98, 2 * percent + 10)
        yield Segment(30_000, 105_000 + 5_600 * percent, ((CHAT, percent),))


def _shared(gpu: int, window: int, seed: int) -> Iterator[Segment]:
    """Two containers, or one when the other is away."""
    for step in range(24):
        embed, rerank = between(8, 42, seed, gpu, window, step), between(0, 38, seed, gpu, window, step, 1)
        if presence(RERANK, window, seed)[1] == 0:
            yield Segment(25_000, 76_000 + 4_300 * embed, ((EMBED, embed),))
        else:
            yield Segment(25_000, 78_000 + 4_300 * (embed + rerank), ((EMBED, embed), (RERANK, rerank)))


def _batch(gpu: int, window: int, seed: int) -> Iterator[Segment]:
    """Nobody, one job, nobody."""
    start_ms, end_ms = presence(SWEEP, window, seed)
    yield Segment(start_ms, IDLE_GPU_MW)
    yield Segment(18_000, 132_000, ((SWEEP, 6),))
    step_mw = between(520_000, 612_000, seed, gpu, window)
    cycle = (Segment(17_000, step_mw, ((SWEEP, 93),)), Segment(3_000, 240_000, ((SWEEP, 28),)))
    yield from _repeated(cycle, end_ms - start_ms - 18_000)


def _notebook(gpu: int, window: int, seed: int) -> Iterator[Segment]:
    """A context that sits there, and now and then a cell that runs for 25 s."""
    if presence(NOTEBOOK, window, seed)[1] == 0:
        return
    quiet = Segment(between(60_000, 500_000, seed, gpu, window), 74_000, ((NOTEBOOK, 0),))
    yield quiet
    if mix(seed, gpu, window, 1) % 3 == 0:
        yield Segment(25_000, 284_000, ((NOTEBOOK, 44),))
    yield Segment(WINDOW_MS, 74_000, ((NOTEBOOK, 0),))


def _repeated(cycle: tuple[Segment, ...], length_ms: int) -> Iterator[Segment]:
    """The cycle again and again until ``length_ms`` are full."""
    left_ms = length_ms
    while left_ms > 0:
        for segment in cycle:
            yield from _cut(segment, left_ms)
            left_ms -= segment.duration_ms


def _fitted(segments: Iterable[Segment], length_ms: int) -> Iterator[Segment]:
    """The segments cut at ``length_ms``, or filled up to it with an idle GPU."""
    left_ms = length_ms
    for segment in segments:
        yield from _cut(segment, left_ms)
        left_ms -= segment.duration_ms
    yield from _cut(Segment(length_ms, IDLE_GPU_MW), left_ms)


def _cut(segment: Segment, length_ms: int) -> Iterator[Segment]:
    """At most ``length_ms`` of a segment; nothing when none is left."""
    if length_ms > 0:
        yield Segment(min(segment.duration_ms, length_ms), segment.power_mw, segment.loads)
