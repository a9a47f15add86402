"""A powercap tree in a folder: zones with counters that move only when told.

Values are what the kernel would print: a 32-bit register in energy units, multiplied by the unit and truncated
(intel_rapl_common.c), so a wrap adds ``range_uj`` plus one unit. Files are rewritten in place, because a daemon keeps
them open; a number is padded with blanks so that a reader never sees the tail of a longer one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

REGISTER = 2**32
#: max_energy_range_uj of real parts.
RANGE_61_UJ = 262_143_328_850  # energy unit 61 µJ: client and most server packages
RANGE_15_UJ = 65_712_999_613  # 15.3 µJ: DRAM of Haswell-EP to Ice Lake-SP
RANGE_AMD_UJ = 65_532_610_987  # energy unit 2^-16 J


class Zone:
    """One zone. ``watts`` may be set at any time; ``total_uj`` is the exact energy since the zone was made."""

    def __init__(
        self,
        tree: Powercap,
        zone_id: str,
        name: str,
        watts: float,
        range_uj: int | None,
        max_power_w: float | None,
        start_uj: int,
        mirror_of: Zone | None,
    ) -> None:
        self.tree, self.zone_id, self.name = tree, zone_id, name
        self.watts = watts
        self.range_uj, self.max_power_w, self.mirror_of = range_uj, max_power_w, mirror_of
        self.present = False
        self._start_pj = self._energy_pj = start_uj * 10**6
        self._fd = -1
        self.appear()

    @property
    def folder(self) -> Path:
        parts = self.zone_id.split(":")
        names = [":".join(parts[: i + 1]) for i in range(len(parts))]
        return self.tree.devices.joinpath(*names)

    @property
    def energy_file(self) -> Path:
        return self.folder / "energy_uj"

    @property
    def total_uj(self) -> int:
        """What a perfect meter has seen since the beginning; a mirror has nothing of its own."""
        if self.mirror_of is not None:
            return self.mirror_of.total_uj
        return (self._energy_pj - self._start_pj) // 10**6

    @property
    def counter_uj(self) -> int:
        """What ``energy_uj`` says now."""
        if self.mirror_of is not None:
            return self.mirror_of.counter_uj
        if self.range_uj is None:
            return self._energy_pj // 10**6
        register = self._energy_pj * (REGISTER - 1) // (self.range_uj * 10**6) % REGISTER
        return register * self.range_uj // (REGISTER - 1)

    def advance(self, duration_ns: int) -> None:
        """Energy flows; the file follows if it is healthy."""
        self._energy_pj += round(self.watts * 1000) * duration_ns
        self._write()

    def restart(self) -> None:
        """The register starts anew, as after a reboot. ``total_uj`` too."""
        self._start_pj = self._energy_pj = 0
        self._write()

    def appear(self) -> None:
        """The zone is registered (again), and healthy."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tree.put(self.folder / "name", self.name)
        self.tree.put(self.folder / "enabled", "0")
        if self.range_uj is not None:
            self.tree.put(self.folder / "max_energy_range_uj", str(self.range_uj))
        if self.max_power_w is not None:
            self.tree.put(self.folder / "constraint_0_name", "long_term")
            self.tree.put(self.folder / "constraint_0_max_power_uw", str(round(self.max_power_w * 10**6)))
        link = self.tree.class_folder / self.zone_id
        if self.tree.class_links and not link.is_symlink():
            link.symlink_to(Path(os.path.relpath(self.folder, link.parent)))
        self.present = True
        self.heal()

    def vanish(self) -> None:
        """The zone is unregistered. A descriptor that is still open reads nothing (the kernel answers ENODEV)."""
        self._drop()
        self.present = False
        shutil.rmtree(self.folder)
        (self.tree.class_folder / self.zone_id).unlink(missing_ok=True)

    def garbage(self, text: str = "n/a") -> None:
        """``energy_uj`` says this instead of a number."""
        self._drop()
        self.tree.put(self.energy_file, text)

    def link(self, target: Path) -> None:
        """``energy_uj`` is another file."""
        self._drop()
        self.energy_file.symlink_to(target)

    def io_error(self) -> None:
        """Reading gives EIO: that is what a process's memory answers at address 0."""
        self.link(Path("/proc/self/mem"))

    def deny(self) -> None:
        """Mode 000. Root needs ``unprivileged.drop_dac`` to feel it."""
        self.energy_file.chmod(0)

    def heal(self) -> None:
        """A readable counter again, after any of the above."""
        self._drop()
        if self.mirror_of is not None:
            self.energy_file.symlink_to(os.path.relpath(self.mirror_of.energy_file, self.folder))
            return
        self._fd = os.open(self.energy_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o400)
        self._write()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _drop(self) -> None:
        """Empty the file for whoever holds it open, and take it away."""
        if self._fd >= 0:
            os.ftruncate(self._fd, 0)
        self.close()
        self.energy_file.unlink(missing_ok=True)

    def _write(self) -> None:
        if self._fd >= 0:
            os.pwrite(self._fd, f"{self.counter_uj:<23}\n".encode(), 0)


class Powercap:
    """The two places of the tree below a sysfs folder: ``devices/virtual/powercap`` and ``class/powercap``."""

    def __init__(self, sysfs: Path, *, class_links: bool = True) -> None:
        self.devices = sysfs / "devices" / "virtual" / "powercap"
        self.class_folder = sysfs / "class" / "powercap"
        self.class_links = class_links
        self.zones: dict[str, Zone] = {}

    def add(
        self,
        zone_id: str,
        name: str,
        watts: float = 100,
        *,
        range_uj: int | None = RANGE_61_UJ,
        max_power_w: float | None = None,
        start_uj: int = 1_000_000,
        mirror_of: Zone | None = None,
    ) -> Zone:
        """A zone such as ("intel-rapl:0:1", "dram"). The ids are hex."""
        self.devices.mkdir(parents=True, exist_ok=True)
        if self.class_links:
            self.class_folder.mkdir(parents=True, exist_ok=True)
        self.zones[zone_id] = Zone(self, zone_id, name, watts, range_uj, max_power_w, start_uj, mirror_of)
        return self.zones[zone_id]

    def zone(self, name: str) -> Zone:
        """The first zone of this name, such as "package-1"; "package-1/dram" is the dram in it."""
        for zone in self.zones.values():
            parent = self.zones.get(zone.zone_id.rpartition(":")[0])
            if name in {zone.name, f"{parent.name}/{zone.name}" if parent is not None else zone.name}:
                return zone
        raise KeyError(name)

    def advance(self, duration_ns: int) -> None:
        for zone in self.zones.values():
            zone.advance(duration_ns)

    def unload(self) -> None:
        """All zones go, as with the driver. Inner ones first."""
        for zone_id in sorted(self.zones, key=len, reverse=True):
            if self.zones[zone_id].present:
                self.zones[zone_id].vanish()

    def load(self) -> None:
        """All zones are there and healthy."""
        for zone in self.zones.values():
            zone.appear()

    def mask(self) -> None:
        """What container runtimes do: an empty folder over the zones, while the class still lists them."""
        self.devices.rename(self.devices.with_name(".powercap-masked"))
        self.devices.mkdir()

    def unmask(self) -> None:
        self.devices.rmdir()
        self.devices.with_name(".powercap-masked").rename(self.devices)

    def put(self, path: Path, text: str) -> None:
        path.write_text(f"{text}\n", encoding="ascii")

    def close(self) -> None:
        for zone in self.zones.values():
            zone.close()
