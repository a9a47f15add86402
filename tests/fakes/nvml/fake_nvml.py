"""A node of NVIDIA GPUs that exists only as a C ``libnvidia-ml.so.1``: traces with a known integral, scripted faults.

    fake = FakeNvml(tmp_path, [FakeGpu(power=[(0, 70), (60, 650)])])
    fake.load()                    # pynvml in this process binds to it
    fake.advance(3600)             # an hour passes (virtual clock)
    fake.energy_uj(0)              # the true integral, to the microjoule
    fake.fault(0, GPU_IS_LOST)     # from now on, every call about GPU 0
    subprocess.run(..., env=fake.env())

Everything can be changed while a process runs on it, from this process or another one (``control.page`` is shared).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from tests.fakes.nvml.build import library, nvidia_smi, slots_of, symbols
from tests.fakes.nvml.layout import FAULT_HANG, LOG_CALLS, MAGIC, MAX_GPUS, MAX_SEGMENTS, Control
from tests.fakes.nvml.parts import FakeGpu, FakeMig, FakeProcess, FakeSample
from tests.fakes.nvml.script import append_power, write_gpu, write_migs, write_table


def _wall_us() -> int:
    return time.time_ns() // 1000


class FakeNvml:
    """See the module. ``virtual`` False: the trace runs on CLOCK_MONOTONIC from the moment of construction."""

    def __init__(
        self,
        folder: Path,
        gpus: Sequence[FakeGpu] = (FakeGpu(),),
        *,
        virtual: bool = True,
        wall_us: int | None = None,
        driver: str = "590.48.01",
    ) -> None:
        if len(gpus) > MAX_GPUS:
            raise ValueError(f"at most {MAX_GPUS} GPUs")
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.path = folder / "control.page"
        self.gpus = [
            replace(gpu, uuid=gpu.uuid or f"GPU-{i:08x}-0000-4000-8000-{i:012x}") for i, gpu in enumerate(gpus)
        ]
        with self.path.open("w+b") as file:
            file.truncate(ctypes.sizeof(Control))
            self._page = Control.from_buffer(mmap.mmap(file.fileno(), ctypes.sizeof(Control)))
        page = self._page
        page.layout_size = ctypes.sizeof(Control)
        page.virtual_clock = int(virtual)
        page.t0_us = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        page.wall_us = _wall_us() if wall_us is None else wall_us
        page.driver_version, page.nvml_version = driver.encode(), f"13.{driver}".encode()
        page.cuda_version = 13010
        page.gpu_count = len(gpus)
        for i, gpu in enumerate(self.gpus):
            write_gpu(page.gpus[i], i, gpu)
            self.set_processes(i, gpu.processes)
        page.magic = MAGIC

    # how a process gets to it

    def load(self) -> None:
        """Bind this process to it. The library is loaded once per process and then only looks at another page."""
        lib = ctypes.CDLL(str(library()), mode=ctypes.RTLD_GLOBAL)
        code = lib.fake_nvml_use(str(self.path).encode())
        if code != 0:
            raise RuntimeError(f"the fake NVML library refused {self.path} ({code}): layout.h and layout.py differ")

    def env(self) -> dict[str, str]:
        """Environment variables for a process that shall see these GPUs (``nvidia-smi`` included)."""
        tools = nvidia_smi(self.folder / "bin")
        return {
            "LD_LIBRARY_PATH": os.pathsep.join(
                filter(None, [str(library().parent), os.environ.get("LD_LIBRARY_PATH")])
            ),
            "PATH": os.pathsep.join([str(tools), os.environ.get("PATH", os.defpath)]),
            "FAKE_NVML_CONTROL": str(self.path),
        }

    @staticmethod
    def holds() -> int:
        """How often this process holds the driver open; a GPU can only be reset at 0."""
        return int(ctypes.CDLL(str(library())).fake_nvml_holds())

    # time, power and energy

    @property
    def now_s(self) -> float:
        """Seconds since the trace began."""
        return self._now_us() / 1e6

    def _now_us(self) -> int:
        if self._page.virtual_clock:
            return int(self._page.now_us)
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000 - int(self._page.t0_us)

    def advance(self, seconds: float) -> None:
        """Let virtual time pass."""
        if not self._page.virtual_clock:
            raise ValueError("real time passes by itself")
        self._page.now_us += round(seconds * 1e6)

    def set_clock(self, step_s: float) -> None:
        """The wall clock is set: samples carry the new time."""
        self._page.wall_us += round(step_s * 1e6)

    def set_power(self, gpu: int, watts: float) -> None:
        """From now on it draws this much."""
        append_power(self._page.gpus[gpu], self._now_us(), round(watts * 1000))

    def energy_uj(self, gpu: int, at_s: float | None = None) -> int:
        """True energy since the trace began, not quantised, without ``offset_j``; of the module where it is one."""
        at_us = self._now_us() if at_s is None else round(at_s * 1e6)
        page = self._page.gpus[gpu]
        count, total_nj = int(page.segment_count), 0
        for i in range(count, max(0, count - MAX_SEGMENTS), -1):
            segment = page.segments[(i - 1) % MAX_SEGMENTS]
            if segment.start_us <= at_us:
                total_nj = segment.energy_nj + segment.power_mw * (at_us - segment.start_us)
                break
        module_nj = page.module_mw * at_us if page.c2c == 1 else 0
        return int(total_nj + module_nj) // 1000

    def counter_uj(self, gpu: int) -> int:
        """What a healthy counter says now: the integral at the sensor's last period, in whole mJ, plus the offset."""
        page = self._page.gpus[gpu]
        at_s = (self._now_us() // page.period_us * page.period_us) / 1e6
        return (self.energy_uj(gpu, at_s) // 1000 + int(page.offset_nj) // 1_000_000) * 1000

    def reset_counter(self, gpu: int, at_s: float | None = None) -> None:
        """The counter starts anew, now or then (a GPU reset that left the handles alone)."""
        self._page.gpus[gpu].reset_us = self._now_us() if at_s is None else round(at_s * 1e6)

    def stick_counter(self, gpu: int, *, stuck: bool = True) -> None:
        """The counter stands still while power flows."""
        self._page.gpus[gpu].stuck_us = self._now_us() if stuck else -1

    def skew_counter(self, gpu: int, permille: int) -> None:
        """The counter runs at this rate of the truth."""
        self._page.gpus[gpu].counter_permille = permille

    def set_limit(self, gpu: int, watts: float) -> None:
        """The power limit in force, as nvidia-smi -pl sets it."""
        self._page.gpus[gpu].limit_mw = round(watts * 1000)

    def nonsense(self, gpu: int, *, counter: int = 2**64 - 1, power: int = 2**32 - 1) -> None:
        """It answers these numbers with SUCCESS (0: the truth again)."""
        self._page.gpus[gpu].counter_override = counter
        self._page.gpus[gpu].power_override = power

    def lenient_fields(self, gpu: int) -> None:
        """GetFieldValues succeeds whatever its values say: their own codes must be looked at."""
        self._page.gpus[gpu].lenient_fields = 1

    def garble_uuid(self, gpu: int) -> None:
        """Its UUID is bytes that are no text."""
        self._page.gpus[gpu].uuid = b"GPU-\xff\xfe"

    # who is on it

    def set_processes(self, gpu: int, processes: Iterable[FakeProcess], samples: Iterable[FakeSample] = ()) -> None:
        """From now on these run there. A process that was there before keeps its start; ``samples`` are added."""
        write_table(self._page.gpus[gpu], processes, samples, self._now_us())

    def end_process(self, gpu: int, pid: int) -> None:
        """It exits now: it leaves the lists at once, and its samples remain."""
        page = self._page.gpus[gpu]
        table = page.tables[page.active]
        for process in table.processes[: table.process_count]:
            if process.sample_pid == pid:
                process.end_us, process.listed = self._now_us(), 0

    def sampler(self, gpu: int, *, every_s: float = 1.0, ring: bool = False, ignore_last_seen: bool = False) -> None:
        """How utilisation samples come: period, all of them or the newest of each process, stale ones or not."""
        page = self._page.gpus[gpu]
        page.sample_every_us = round(every_s * 1e6)
        page.ring_samples, page.ignore_last_seen = int(ring), int(ignore_last_seen)

    def set_migs(self, gpu: int, migs: Sequence[FakeMig]) -> None:
        """Re-partition it; old MIG handles become invalid. Empty: MIG mode off."""
        write_migs(self._page.gpus[gpu], migs)
        self._page.gpus[gpu].mig_generation += 1

    # faults

    def fault(self, gpu: int, code: int, what: str = "all") -> None:
        """From now on these calls about this GPU answer ``code`` (a group, one function, or "all")."""
        for slot in slots_of(what):
            self._page.gpus[gpu].fault[slot] = code

    def heal(self, gpu: int | None = None) -> None:
        """No faults any more, of one GPU or of everything; calls that hang return."""
        for page in self._page.gpus if gpu is None else [self._page.gpus[gpu]]:
            ctypes.memset(ctypes.addressof(page.fault), 0, ctypes.sizeof(page.fault))
        if gpu is None:
            ctypes.memset(ctypes.addressof(self._page.fault), 0, ctypes.sizeof(self._page.fault))

    def fault_driver(self, code: int, what: str = "init") -> None:
        """From now on these calls, which are not about a GPU, answer ``code``."""
        for slot in slots_of(what):
            self._page.fault[slot] = code

    def hang(self, gpu: int, what: str = "all") -> None:
        """These calls sleep until ``heal`` or another fault."""
        self.fault(gpu, FAULT_HANG, what)

    def hang_driver(self, what: str = "init") -> None:
        """The same for calls that are not about a GPU."""
        self.fault_driver(FAULT_HANG, what)

    @property
    def hung(self) -> int:
        """Calls that are asleep now."""
        return int(self._page.hung)

    def delay(self, what: str, seconds: float) -> None:
        """Each of these calls takes so long in real time."""
        for slot in slots_of(what):
            self._page.delay_us[slot] = round(seconds * 1e6)

    def reset_gpu(self, gpu: int) -> None:
        """A GPU reset: old handles are invalid, the counter starts anew."""
        page = self._page.gpus[gpu]
        page.generation += 1
        page.mig_generation += 1
        self.reset_counter(gpu)

    def reload_driver(self, version: str | None = None) -> None:
        """The driver was reloaded: every session is void, every counter starts anew.

        With another ``version`` it was upgraded: a process that has the old library loaded cannot initialise again.
        """
        for gpu in range(self._page.gpu_count):
            self.reset_gpu(gpu)
        self._page.driver_generation += 1
        if version is not None:
            self._page.driver_version = version.encode()
            self._page.library_generation += 1

    def swap_indices(self, first: int, second: int) -> None:
        """Two GPUs change their index, as after a reboot or a re-plug; old handles are invalid."""
        gpus = self._page.gpus
        gpus[first], gpus[second] = (
            type(gpus[0]).from_buffer_copy(gpus[second]),
            type(gpus[0]).from_buffer_copy(gpus[first]),
        )
        self.gpus[first], self.gpus[second] = self.gpus[second], self.gpus[first]
        for index in (first, second):
            gpus[index].generation += 1

    def set_count(self, count: int) -> None:
        """The driver counts so many GPUs (never more than there are)."""
        self._page.gpu_count = min(count, len(self.gpus))

    # what was asked

    def calls(self, name: str | None = None, gpu: int | None = None) -> int:
        """How often a function (None: any) was called, about one GPU or altogether."""
        pages = [self._page, *self._page.gpus] if gpu is None else [self._page.gpus[gpu]]
        slots = range(len(symbols())) if name is None else [symbols().index(name)]
        return sum(int(page.calls[slot]) for page in pages for slot in slots)

    def log(self) -> list[tuple[float, str, int]]:
        """The last calls in their order: seconds, function, GPU index (-1: none)."""
        count, names = int(self._page.log_count), symbols()
        entries = [self._page.log[i % LOG_CALLS] for i in range(max(0, count - LOG_CALLS), count)]
        return [(entry.time_us / 1e6, names[entry.symbol], int(entry.gpu)) for entry in entries]
