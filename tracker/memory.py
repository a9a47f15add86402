"""The little state of an agent that must survive a restart beside cursors and totals: in the ledger's meta table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from tracker.core.device import Device, Past
from tracker.core.model import Moment
from tracker.core.units import NS_PER_MS
from tracker.ledger.interface import Opening

_NAME = "agent"


@dataclass(slots=True)
class Memory:
    """What the daemon before this one knew, brought up to date with every commit."""

    past: Past
    floors_mw: dict[str, int] = field(default_factory=dict)  # learned idle floors
    seen_uj: dict[str, int] = field(default_factory=dict)  # of sensors that are not booked
    by_power: set[str] = field(default_factory=set)  # devices whose counter was found wrong

    @classmethod
    def load(cls, opening: Opening, boot_id: str, start: Moment) -> Memory:
        """Read it back, and find the offset of the wall clock with which booking goes on.

        In the same boot that is the stored one: if the clock stepped meanwhile, the first tick treats it like any step.
        In another boot it is the clock's own, unless that would go back behind what is booked.
        """
        stored = json.loads(opening.meta.get(_NAME, "{}"))
        booked_wall_ns = (opening.booked_until_ms or 0) * NS_PER_MS
        same_boot = bool(boot_id) and stored.get("boot_id") == boot_id
        offset_ns = stored["offset_ns"] if same_boot else max(start.wall_ns, booked_wall_ns) - start.boot_ns
        booked_boot_ns = stored["booked_boot_ns"] if same_boot else 0
        return cls(
            past=Past(boot_id, booked_boot_ns, booked_wall_ns, offset_ns),
            floors_mw=stored.get("floors_mw", {}),
            seen_uj=stored.get("seen_uj", {}),
            by_power=set(stored.get("by_power", ())),
        )

    def store(self, devices: Mapping[str, Device], boot_id: str, booked_boot_ns: int, offset_ns: int) -> dict[str, str]:
        """As the meta row of a booking."""
        for key, device in devices.items():
            if device.floor_mw is not None:
                self.floors_mw[key] = device.floor_mw
            if device.seen_uj:
                self.seen_uj[key] = device.seen_uj
            if device.track.check.use_power:
                self.by_power.add(key)
            else:
                self.by_power.discard(key)
        state = {
            "boot_id": boot_id,
            "booked_boot_ns": booked_boot_ns,
            "offset_ns": offset_ns,
            "floors_mw": self.floors_mw,
            "seen_uj": self.seen_uj,
            "by_power": sorted(self.by_power),
        }
        return {_NAME: json.dumps(state)}
