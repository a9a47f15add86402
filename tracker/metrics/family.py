"""What a metric family is."""

from __future__ import annotations

from dataclasses import dataclass

from tracker.metrics.rows import Rows

PREFIX = "wattledger_"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric family. ``name`` is that of its samples, without the prefix."""

    name: str
    kind: str  # counter | gauge | info
    labels: tuple[str, ...]
    help: str
    rows: Rows
    per: int = 1  # amounts in one base unit: 1,000,000 µJ in a joule
    unit: str = ""  # for OpenMetrics: the last words of the family's name
    always: bool = False  # about the daemon itself: exported before the first complete tick, too

    @property
    def sample_name(self) -> str:
        return PREFIX + self.name

    @property
    def family_name(self) -> str:
        """OpenMetrics names a family without the suffix that its type gives to its samples."""
        return self.sample_name.removesuffix({"counter": "_total", "info": "_info"}.get(self.kind, ""))

    def value(self, amount: float) -> float:
        """The one conversion to a float. An info metric is 1, however many rows fell together."""
        return 1.0 if self.kind == "info" else amount / self.per
