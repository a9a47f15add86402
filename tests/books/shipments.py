"""A node that ships, without a ledger: its hours are what a test says they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tracker.books.interface import BookStore
from tracker.books.lake import rows_in
from tracker.books.names import KINDS, LakeFile, day_start_s, parse_name, select
from tracker.books.schema import SCHEMAS, Row
from tracker.books.shipping import Hours, Shipped, ship
from tracker.core.hours import COVERED, HOUR_S, HourEmission, HourEntry, HourState, NodeFacts
from tracker.core.model import IDLE, Component, Kind, Method, Workload

DAY_S = 86_400
FIRST = day_start_s("2026-10-03")
LEDGER = "ab12cd34" + "0" * 24
TRAIN = Workload("pod/1234", Kind.POD, "train", namespace="nlp", team="nlp", project="llm", phase="training")


class Node:
    """Books ``energy_uj`` of one GPU in each hour from ``first_s`` on, a hundred of it idle."""

    def __init__(self, store: BookStore, hostname: str = "gpu-017", ledger: str = LEDGER, site: str = "par1") -> None:
        self.store = store
        self.facts = NodeFacts(hostname, ledger, "paris-1", site, "FR", version="0.1.0")
        self.energy_uj: dict[int, int] = {}  # by hour_s
        self.closed_s = FIRST
        self.reads: list[tuple[int, int]] = []

    def run(self, hours: int, energy_uj: int = 1_000) -> None:
        """Time passes."""
        for hour_s in range(self.closed_s, self.closed_s + hours * HOUR_S, HOUR_S):
            self.energy_uj[hour_s] = energy_uj + hour_s // HOUR_S
        self.closed_s += hours * HOUR_S

    def off(self, hours: int) -> None:
        self.closed_s += hours * HOUR_S

    def read(self, start_s: int, end_s: int) -> Hours:
        self.reads.append((start_s, end_s))
        entries, states, emissions = [], [], []
        for hour_s, energy_uj in sorted(self.energy_uj.items()):
            if start_s <= hour_s < end_s:
                gpu = (hour_s, "GPU-0", Component.GPU)
                entries.append(HourEntry(*gpu, "H100", TRAIN, Method.MEASURED, energy_uj - 100, 0, 3_000_000))
                entries.append(HourEntry(*gpu, "H100", IDLE, Method.MEASURED, 100, 100, 600_000))
                states.append(HourState(*gpu, COVERED, 3_600_000))
                emissions.append(HourEmission(hour_s, TRAIN, "location", "cc/FR/2024", 1_200, energy_uj // 50))
        return entries, states, emissions

    def ship(self, check_from_s: int = 1 << 40) -> Shipped:
        """By default what is there is not compared again."""
        days = sorted({hour_s // DAY_S * DAY_S for hour_s in self.energy_uj})
        return ship(self.store, self.facts, days, self.closed_s, self.read, check_from_s=check_from_s)

    @property
    def total_uj(self) -> int:
        return sum(self.energy_uj.values())


def lake_files(store: BookStore, kind: str) -> list[LakeFile]:
    """Those of a kind that a statement would read."""
    parsed = (parse_name(name, size) for name, size in store.names(f"{kind}/"))
    return [*select(file for file in parsed if file is not None).files]


def read_lake(store: BookStore, kind: str) -> list[Row]:
    return [row for file in lake_files(store, kind) for row in rows_in(kind, store.read(file.name) or b"", file.name)]


def column(kind: str, name: str, rows: Iterable[Row]) -> list[object]:
    number = [known for known, _ in SCHEMAS[kind]].index(name)
    return [row[number] for row in rows]


def sums(store: BookStore) -> Counter[str]:
    """Exact totals of everything a statement would read."""
    found: Counter[str] = Counter()
    for kind, name in (("entries", "energy_uj"), ("entries", "held_ms"), ("coverage", "duration_ms")):
        found[name] = sum(int(str(value)) for value in column(kind, name, read_lake(store, kind)))
    return found


def spans(store: BookStore) -> dict[str, list[str]]:
    """What lies in the lake by kind, as dates and spans: "03 day", "04 h00_05"."""
    found: dict[str, list[str]] = {}
    for kind in KINDS:
        files = [parse_name(name) for name, _ in store.names(f"{kind}/")]
        found[kind] = [
            f"{file.date[8:]} day" if file.whole else f"{file.date[8:]} h{file.from_h:02}_{file.to_h:02}"
            for file in sorted(file for file in files if file is not None)
        ]
    return found


def everything(root: Path) -> dict[str, bytes]:
    """Every file under a folder, hidden ones too."""
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
