"""Writes what a test says into the shared page. Readers may be in the middle of a call: see the order of the writes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from typing import Any

from tests.fakes.nvml.layout import MAX_MIG, MAX_PROCESSES, MAX_SAMPLES, MAX_SEGMENTS
from tests.fakes.nvml.parts import FakeGpu, FakeMig, FakeProcess, FakeSample


def append_power(page: Any, at_us: int, power_mw: int) -> None:
    """Begin a segment. The count is written last: a reader never sees half a segment."""
    count = int(page.segment_count)
    energy_nj = 0
    if count:
        last = page.segments[(count - 1) % MAX_SEGMENTS]
        if at_us < last.start_us:
            raise ValueError("a trace goes forward")
        energy_nj = last.energy_nj + last.power_mw * (at_us - last.start_us)
    segment = page.segments[count % MAX_SEGMENTS]
    segment.start_us, segment.energy_nj, segment.power_mw = at_us, energy_nj, power_mw
    page.segment_count = count + 1


def write_gpu(page: Any, index: int, gpu: FakeGpu) -> None:
    board = gpu.board
    page.name, page.uuid, page.serial = board.name.encode(), gpu.uuid.encode(), f"16500230{index:05d}".encode()
    page.pci_bus, page.minor = 0x17 + index * 0x10, index
    page.module_id = index + 1 if gpu.module_id is None else gpu.module_id
    page.arch, (page.cc_major, page.cc_minor) = board.arch, board.capability
    limit_mw = board.limit_w * 1000
    page.limit_min_mw, page.limit_max_mw, page.limit_default_mw, page.limit_mw = 200_000, limit_mw, limit_mw, limit_mw
    page.memory_bytes, page.cores = board.memory_gib << 30, board.cores
    page.persistence, page.generation, page.mig_generation = int(gpu.persistence), 1, 1
    page.mig_capable = int(board.mig)
    page.period_us, page.reset_us, page.stuck_us, page.counter_permille = board.period_ms * 1000, -1, -1, 1000
    page.offset_nj = gpu.offset_j * 1_000_000_000
    page.c2c = 0 if gpu.module_w is None else 1
    page.module_mw = round((gpu.module_w or 0.0) * 1000)
    page.memory_power_mw = round(gpu.memory_power_w * 1000)
    page.sample_every_us = 1_000_000
    for at_s, watts in gpu.power:
        append_power(page, round(at_s * 1e6), round(watts * 1000))
    write_migs(page, gpu.migs)


def write_migs(page: Any, migs: Sequence[FakeMig]) -> None:
    if len(migs) > MAX_MIG:
        raise ValueError(f"at most {MAX_MIG} instances")
    page.mig_count, page.mig_mode = 0, int(bool(migs))
    for slot, mig in zip(page.migs, migs, strict=False):
        slot.uuid, slot.name = mig.uuid.encode(), mig.name.encode()
        slot.gi, slot.ci, slot.sm_count, slot.slices = mig.gi, mig.ci, mig.sm_count, mig.slices
        slot.memory_mb, slot.code = mig.memory_gib << 10, mig.code
    page.mig_count = len(migs)


def write_table(page: Any, processes: Iterable[FakeProcess], samples: Iterable[FakeSample], now_us: int) -> None:
    """Fill the table that nobody reads, then flip: a reader sees the old one or the new one, never a mixture."""
    old, new = page.tables[page.active & 1], page.tables[(page.active & 1) ^ 1]
    starts = {int(p.sample_pid): int(p.start_us) for p in old.processes[: old.process_count] if p.listed}
    ctypes.memset(ctypes.addressof(new), 0, ctypes.sizeof(new))
    running = list(processes)
    _check_room(len(running), MAX_PROCESSES)
    for slot, process in zip(new.processes, running, strict=False):
        slot.list_pid = process.pid if process.namespace_pid is None else process.namespace_pid
        slot.sample_pid, slot.kinds, slot.listed = process.pid, process.kinds, 1
        slot.memory_bytes = 2**64 - 1 if process.memory_bytes is None else process.memory_bytes
        slot.start_us, slot.end_us = starts.get(process.pid, now_us), -1
        slot.sm_percent = process.sm_percent
        slot.mig = -1 if process.instance is None else process.instance
    new.process_count = len(running)
    kept = [(s.time_us, s.pid, s.sm_percent) for s in old.samples[: old.sample_count]]
    kept += [(round(s.at_s * 1e6), s.pid, s.sm_percent) for s in samples]
    _check_room(len(kept), MAX_SAMPLES)
    for place, sample in zip(new.samples, kept, strict=False):
        place.time_us, place.pid, place.sm_percent = sample
    new.sample_count = len(kept)
    page.active = (page.active & 1) ^ 1


def _check_room(count: int, room: int) -> None:
    if count > room:
        raise ValueError(f"at most {room} entries, got {count}")
