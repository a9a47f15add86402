"""Small lakes: a node's hours by hand, put into books as shipping names them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tracker.books.interface import BookStore
from tracker.books.lake import file_for, to_parquet
from tracker.books.names import day_start_s
from tracker.books.schema import Row, content_sha256, coverage_rows, emission_rows, entry_rows
from tracker.core.hours import COVERED, HOUR_S, HourEmission, HourEntry, HourState, NodeFacts
from tracker.core.model import IDLE, Component, Kind, Method, Workload

HOUR_MS = 3_600_000
J = 1_000_000
GPU = "GPU-11111111-2222-3333-4444-555555555555"
NODE = NodeFacts("gpu-1", "0a1b2c3d" * 4, cluster="paris-1", site="par1", zone="FR", version="0.1.0")
TRAIN = Workload("pod/1", Kind.POD, "train", team="nlp", project="llama", cost_centre="CC-1", phase="training")


@dataclass(slots=True)
class Hours:
    """What a node ships of some hours."""

    entries: list[HourEntry] = field(default_factory=list)
    states: list[HourState] = field(default_factory=list)
    emissions: list[HourEmission] = field(default_factory=list)

    def add(
        self,
        hour_s: int,
        energy_uj: int,
        *,
        workload: Workload = TRAIN,
        device: str = GPU,
        component: Component = Component.GPU,
        model: str = "NVIDIA H100 80GB HBM3",
        method: Method = Method.MEASURED,
        idle_uj: int = 0,
        held_ms: int = HOUR_MS,
        covered_ms: int | None = HOUR_MS,
    ) -> Hours:
        """An entry, and with ``covered_ms`` what is known of its device's time."""
        self.entries.append(HourEntry(hour_s, device, component, model, workload, method, energy_uj, idle_uj, held_ms))
        if covered_ms is not None:
            self.states.append(HourState(hour_s, device, component, COVERED, covered_ms))
        return self


def day(date: str, *, energy_uj: int = 700 * 3600 * J, hours: Iterable[int] = range(24), device: str = GPU) -> Hours:
    """Hours of a UTC day at 700 W: three quarters for a workload, the rest idle."""
    of_day = Hours()
    for hour in hours:
        at_s = day_start_s(date) + hour * HOUR_S
        of_day.add(at_s, energy_uj * 3 // 4, device=device, held_ms=HOUR_MS * 3 // 4)
        rest_uj = energy_uj - energy_uj * 3 // 4
        of_day.add(at_s, rest_uj, workload=IDLE, idle_uj=rest_uj, device=device, held_ms=HOUR_MS // 4, covered_ms=None)
    return of_day


def put(
    store: BookStore, date: str, hours: Hours, *, node: NodeFacts = NODE, span_h: tuple[int, int] = (0, 24)
) -> dict[str, str]:
    """Ship hours of one UTC day. Names by kind."""
    rows = {
        "coverage": coverage_rows(node, hours.states),
        "emissions": emission_rows(node, hours.emissions),
        "entries": entry_rows(node, hours.entries),
    }
    return {kind: put_rows(store, kind, date, rows[kind], node=node, span_h=span_h) for kind in rows}


def put_rows(
    store: BookStore,
    kind: str,
    date: str,
    rows: Sequence[Row],
    *,
    node: NodeFacts = NODE,
    span_h: tuple[int, int] = (0, 24),
) -> str:
    """One file of these rows, as its name and its footer say. Its name."""
    sha256 = content_sha256(kind, rows)
    start_s, end_s = (day_start_s(date) + hour * HOUR_S for hour in span_h)
    file = file_for(kind, node, start_s, end_s, sha256)
    assert store.create(file.name, to_parquet(kind, node, rows, sha256))
    return file.name
