"""Reads a source as the daemon does and holds every batch to what `tracker/sources/interface.py` promises."""

from __future__ import annotations

from tests.sources.world import SourceWorld
from tracker.sources.interface import Batch, Source, SourceError

#: Simulated seconds within which a source must be back by itself once its hardware is.
BACK_WITHIN_S = 300


class Watcher:
    """Reads a source and holds it to what every batch promises."""

    def __init__(self, world: SourceWorld, source: Source) -> None:
        self.world, self.source = world, source
        self.inventory: set[str] | None = None
        self.last_boot_ns: dict[str, int] = {}

    def open(self) -> None:
        self.source.open()
        self.inventory = None

    def read(self) -> Batch:
        """One read, a period later."""
        self.world.advance(self.source.period_s)
        batch = self.source.read()
        self._check(batch)
        return batch

    def read_many(self, number: int) -> list[Batch]:
        return [self.read() for _ in range(number)]

    def until_all_are_back(self, wanted: set[str]) -> None:
        """Go on as the daemon does (after a failure: close, wait, open) until every sensor reads again."""
        waited_s, seen, opened = 0.0, set[str](), True
        while not wanted <= seen and waited_s < BACK_WITHIN_S:
            try:
                if not opened:
                    self.open()
                    opened = True
                seen |= {reading.sensor for reading in self.read().readings}
                waited_s += self.source.period_s
            except SourceError:
                opened = False
                self.source.close()
                self.world.advance(60)
                waited_s += 60
        assert wanted <= seen, f"not back within {BACK_WITHIN_S} s: {wanted - seen}"

    def _check(self, batch: Batch) -> None:
        if self.inventory is None:
            assert batch.sensors is not None, "the first batch after open brings the inventory"
        if batch.sensors is not None:
            self._check_inventory(batch)
        assert self.inventory is not None
        read, failed = [r.sensor for r in batch.readings], [m.sensor for m in batch.missing]
        assert set(read) | set(failed) <= self.inventory, "only sensors of the inventory are reported"
        assert not set(read) & set(failed), "a sensor is read or missing, not both"
        assert all(missing.detail for missing in batch.missing), "a gap says in words what happened"
        for reading in batch.readings:
            assert reading.counter_uj is not None or reading.power_mw is not None
            assert reading.counter_uj != 0, "absence is never zero"
            assert reading.power_mw != 0, "absence is never zero"
            assert (reading.counter_uj or 0) >= 0
            assert (reading.power_mw or 0) >= 0
            assert reading.boot_ns > self.last_boot_ns.get(reading.sensor, 0), "time goes on"
            self.last_boot_ns[reading.sensor] = reading.boot_ns

    def _check_inventory(self, batch: Batch) -> None:
        sensors = batch.sensors or ()
        keys = [sensor.key for sensor in sensors]
        assert len(keys) == len(set(keys)), "keys are unique"
        for sensor in sensors:
            assert sensor.source == self.source.name
            assert sensor.scopes
            assert sensor.sensor
            assert sensor.max_power_mw > 0
        self.inventory = set(keys)
