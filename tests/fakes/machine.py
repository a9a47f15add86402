"""A machine in a folder: what ``/sys`` and ``/proc`` of it would show. Time passes only when told.

    machine = Machine.xeon(tmp_path)            # two sockets, package, core and dram zones
    machine.load = 0.5                          # half of every CPU is busy
    machine.powercap.zone("package-0").watts = 200
    machine.advance(5)                          # all counters and /proc/stat move by five seconds
    with machine.run():                         # ... or by themselves, in real time, for a daemon that reads them
        ...

Give ``machine.sysfs`` and ``machine.procfs`` to the part under test (``--path.sysfs``, ``--path.procfs``).
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.powercap import RANGE_15_UJ, RANGE_AMD_UJ, Powercap
from tracker.sysfs import Roots

US_PER_TICK = 10_000  # USER_HZ is 100


@dataclass(frozen=True)
class Cpu:
    vendor: str
    family: int
    model: int
    name: str


XEON = Cpu("GenuineIntel", 6, 143, "Intel(R) Xeon(R) Platinum 8480+")
EPYC = Cpu("AuthenticAMD", 25, 17, "AMD EPYC 9554 64-Core Processor")


class Machine:
    """See the module. ``load``: busy share of every CPU; ``loads``: of single ones; ``steal``: a hypervisor's share."""

    def __init__(
        self,
        root: Path,
        *,
        cpu: Cpu = XEON,
        sockets: int = 2,
        cores: int = 2,
        threads: int = 2,
        memory_gib: int = 512,
        virtual: bool = False,
        class_links: bool = True,
    ) -> None:
        self.sysfs, self.procfs = root / "sys", root / "proc"
        self.roots = Roots(self.sysfs, self.procfs)
        self.cpu, self.sockets, self.cores, self.threads = cpu, sockets, cores, threads
        self.memory_gib, self.virtual = memory_gib, virtual
        self.load, self.loads, self.steal = 0.25, dict[int, float](), 0.0
        self.writes_stat = True  # False: a test has put something else there
        self.lock = threading.RLock()
        self.online = list(range(sockets * cores * threads))
        self._busy_us = dict.fromkeys(self.online, 0)
        self._steal_us = dict.fromkeys(self.online, 0)
        self._passed_us = 0
        self.cgroup_root.mkdir(parents=True)
        (self.procfs / "sys" / "kernel" / "random").mkdir(parents=True)
        self.powercap = Powercap(self.sysfs, class_links=class_links)
        self.write_proc()
        self.reboot()

    @classmethod
    def xeon(
        cls, root: Path, *, sockets: int = 2, dram: bool = True, psys: bool = False, mmio: bool = False
    ) -> Machine:
        """Intel: package-N with core and dram in it. Zones tick at different rates, as real ones do."""
        machine = cls(root, sockets=sockets)
        tree = machine.powercap
        for i in range(sockets):
            start_uj = 10_000_000_000 * (i + 1)
            tree.add(f"intel-rapl:{i:x}", f"package-{i}", 120 + 7 * i, max_power_w=350, start_uj=start_uj)
            tree.add(f"intel-rapl:{i:x}:0", "core", 80 + 5 * i, start_uj=start_uj // 2)
            if dram:
                tree.add(f"intel-rapl:{i:x}:1", "dram", 20 + i, range_uj=RANGE_15_UJ, start_uj=start_uj // 3)
            if mmio:
                zone = tree.zone(f"package-{i}")
                tree.add(f"intel-rapl-mmio:{i:x}", f"package-{i}", mirror_of=zone)
        if psys:
            tree.add(f"intel-rapl:{sockets:x}", "psys", 300, start_uj=77_000_000_000)
        return machine

    @classmethod
    def epyc(cls, root: Path, *, sockets: int = 2, dies: int = 1, mirrored: bool = False) -> Machine:
        """AMD: package-N, or package-N-die-M, with core in it and no dram; ``mirrored``: as kernels before 6.9 have
        it, every die of a package shows the counter of the package."""
        machine = cls(root, cpu=EPYC, sockets=sockets)
        tree = machine.powercap
        for i in range(sockets * dies):
            socket, die = divmod(i, dies)
            name = f"package-{socket}" if dies == 1 else f"package-{socket}-die-{die}"
            first = tree.zone(f"package-{socket}-die-0") if mirrored and die > 0 else None
            start_uj = 5_000_000_000 * (i + 1)
            watts = 90 + 11 * i
            tree.add(f"intel-rapl:{i:x}", name, watts, range_uj=RANGE_AMD_UJ, start_uj=start_uj, mirror_of=first)
            tree.add(f"intel-rapl:{i:x}:0", "core", 2 + i, range_uj=RANGE_AMD_UJ, start_uj=start_uj // 2)
        return machine

    @classmethod
    def vm(cls, root: Path, *, vcpus: int = 8, memory_gib: int = 32) -> Machine:
        """A virtual machine: no powercap, a hypervisor flag."""
        return cls(root, cpu=EPYC, sockets=1, cores=vcpus, threads=1, memory_gib=memory_gib, virtual=True)

    @property
    def cgroup_root(self) -> Path:
        """An empty folder for whoever fakes cgroups."""
        return self.sysfs / "fs" / "cgroup"

    @property
    def boot_id(self) -> str:
        return self._boot_id_file.read_text(encoding="ascii").strip()

    def advance(self, seconds: float) -> None:
        """Let time pass for every counter and for ``/proc/stat``."""
        duration_ns = round(seconds * 1e9)
        with self.lock:
            self.powercap.advance(duration_ns)
            for cpu in self.online:
                self._busy_us[cpu] += round(self.loads.get(cpu, self.load) * duration_ns / 1000)
                self._steal_us[cpu] += round(self.steal * duration_ns / 1000)
            self._passed_us += duration_ns // 1000
            self._write_stat()

    @contextmanager
    def run(self, speed: float = 1.0, tick_s: float = 0.02) -> Iterator[None]:
        """A thread advances the machine in real time (times ``speed``) until the block ends."""
        stop = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(stop, speed, tick_s), daemon=True)
        ticker.start()
        try:
            yield
        finally:
            stop.set()
            ticker.join()

    def reboot(self) -> None:
        """Another boot id; all counters start anew."""
        with self.lock:
            self._boot_id_file.write_text(f"{uuid.uuid4()}\n", encoding="ascii")
            for zone in self.powercap.zones.values():
                zone.restart()
            self._passed_us = 0
            self._busy_us = dict.fromkeys(self._busy_us, 0)
            self._steal_us = dict.fromkeys(self._steal_us, 0)
            self._write_stat()

    def set_online(self, cpus: list[int]) -> None:
        """Switch CPUs on and off: an offline one has no line in ``/proc/stat`` and no topology."""
        with self.lock:
            self.online = sorted(cpus)
            self.write_proc()

    def write_proc(self) -> None:
        """(Re)write every file of ``/proc`` and the topology: also mends damaged ones."""
        with self.lock:
            self._write_cpuinfo()
            self._write_topology()
            kib = self.memory_gib * 1024 * 1024
            text = f"MemTotal:       {kib} kB\nMemFree:        {kib // 2} kB\nMemAvailable:   {kib // 2} kB\n"
            _rewrite(self.procfs / "meminfo", text)
            self._write_stat()

    def close(self) -> None:
        self.powercap.close()

    @property
    def _boot_id_file(self) -> Path:
        return self.procfs / "sys" / "kernel" / "random" / "boot_id"

    def _tick(self, stop: threading.Event, speed: float, tick_s: float) -> None:
        last = time.monotonic()
        while not stop.wait(tick_s):
            now = time.monotonic()
            self.advance((now - last) * speed)
            last = now

    def _package_of(self, cpu: int) -> int:
        """As Linux numbers them: the second threads come after all first ones."""
        return cpu % (self.sockets * self.cores) // self.cores

    def _write_stat(self) -> None:
        if not self.writes_stat:
            return
        rows = {cpu: self._row(cpu) for cpu in self.online}
        total = [sum(column) for column in zip(*rows.values(), strict=True)]
        lines = [f"cpu  {' '.join(map(str, total))}"]
        lines += [f"cpu{cpu} {' '.join(map(str, row))}" for cpu, row in rows.items()]
        lines += ["intr 0 0 0", "ctxt 0", "btime 1790000000", "processes 1", "procs_running 1", "procs_blocked 0"]
        _rewrite(self.procfs / "stat", "\n".join(lines) + "\n")

    def _row(self, cpu: int) -> list[int]:
        """The columns user nice system idle iowait irq softirq steal guest guest_nice: 3/4 of the busy time is user."""
        busy, steal = self._busy_us[cpu] // US_PER_TICK, self._steal_us[cpu] // US_PER_TICK
        user = busy * 3 // 4
        idle = max(0, self._passed_us // US_PER_TICK - busy - steal)
        return [user, 0, busy - user, idle, 0, 0, 0, steal, 0, 0]

    def _write_cpuinfo(self) -> None:
        flags = "fpu vme msr constant_tsc" + (" hypervisor" if self.virtual else "")
        blocks = [
            f"processor\t: {cpu}\nvendor_id\t: {self.cpu.vendor}\ncpu family\t: {self.cpu.family}\n"
            f"model\t\t: {self.cpu.model}\nmodel name\t: {self.cpu.name}\nstepping\t: 1\n"
            f"physical id\t: {self._package_of(cpu)}\nsiblings\t: {self.cores * self.threads}\n"
            f"core id\t\t: {cpu % self.cores}\ncpu cores\t: {self.cores}\nflags\t\t: {flags}\n\n"
            for cpu in self.online
        ]
        _rewrite(self.procfs / "cpuinfo", "".join(blocks))

    def _write_topology(self) -> None:
        folder = self.sysfs / "devices" / "system" / "cpu"
        for cpu in self._busy_us:
            topology = folder / f"cpu{cpu}" / "topology"
            topology.mkdir(parents=True, exist_ok=True)
            for name, value in (
                ("physical_package_id", self._package_of(cpu)),
                ("core_id", cpu % self.cores),
                ("die_id", 0),
            ):
                (topology / name).unlink(missing_ok=True)
                if cpu in self.online:
                    _rewrite(topology / name, f"{value}\n")
        _rewrite(folder / "online", ",".join(map(str, self.online)) + "\n")


def _rewrite(path: Path, text: str) -> None:
    """In place, with one write: a reader sees the old or the new content, never an empty file."""
    data = text.encode()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.pwrite(fd, data, 0)
        os.ftruncate(fd, len(data))
    finally:
        os.close(fd)
