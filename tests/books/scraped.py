"""Two days of a scripted node with a real agent and a real ledger, and what a scraper would have kept of it.

It restarts, loses its ledger, runs jobs that are shorter than a scrape, and a workload leaves and comes back.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from tests.books.past import DAY_S, HOUR_S, Past
from tests.fakes.node import GPU, NS, PACKAGE, POD, USER, Node, ScriptedFeed
from tracker.core.hours import HourEntry, HourState
from tracker.core.model import GpuHolding, Holder, Kind, Observation, Share, Workload
from tracker.ledger.hours import head_of, hours_of
from tracker.metrics.exposition import Renderer

TICK_S = 20
SCRAPE_S = 60
TARGET = {"instance": "10.0.0.1:9837", "job": "wattledger"}
SHORT = Workload(
    "run/short", Kind.RUN, name="short job", team="vision", project="ocr", run="7", job="211", cost_centre="CC-1"
)
_SAMPLE = re.compile(r"(wattledger_\w+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')
_KEPT = re.compile(
    r"wattledger_((device_energy|workload_(idle_)?energy|workload_held|gap)_\w+_total|(workload|device)_info|pue_ratio|"
    r"grid_intensity_grams_per_kwh)"
)


@dataclass(frozen=True)
class Truth:
    """What the ledgers of the node say of the hours in question."""

    entries: tuple[HourEntry, ...]
    states: tuple[HourState, ...]


class ScrapedNode:
    """Runs the node and scrapes it at full minutes."""

    def __init__(self, folder: Path, past: Past, start_s: int, end_s: int) -> None:
        self.folder, self.past, self.start_s, self.end_s = folder, past, start_s, end_s
        self.feeds = (ScriptedFeed("nvml", replace(GPU, model="NVIDIA H100 80GB HBM3")), ScriptedFeed("rapl", PACKAGE))
        for feed in self.feeds:
            feed.lag_ns = 0  # read at the instant of a tick: then an hour's edge cuts ledger and samples alike
        folder.mkdir()
        self.node = Node(folder, *self.feeds)
        self.node.moment = replace(self.node.moment, wall_ns=start_s * NS)
        self.node.restart()
        self.node.first_tick()
        self.renderer = Renderer()
        self.entries: list[HourEntry] = []
        self.states: list[HourState] = []
        self.ledgers = 1

    @property
    def now_s(self) -> int:
        return self.node.moment.wall_ns // NS

    def run_to(self, at_s: int, *, scraped: bool = True) -> None:
        while self.now_s < at_s:
            moment = self.node._step(TICK_S)
            for feed in self.feeds:
                feed.advance(moment, TICK_S)
            self.node.agent.tick(moment, commit=True)
            if scraped and self.now_s % SCRAPE_S == 0:
                self.scrape()

    def scrape(self) -> None:
        text = self.renderer.render(self.node.agent.snapshot)[0].decode()
        for line in text.splitlines():
            found = _SAMPLE.fullmatch(line)
            if found and _KEPT.fullmatch(found[1]):
                labels = ",".join((*_scraped(found[2] or ""), *(f'{name}="{value}"' for name, value in TARGET.items())))
                lines = self.past.families.setdefault(found[1], [])
                lines.append(f"{found[1]}{{{labels}}} {found[3]} {self.now_s}.000\n")

    def see(self, **cpu: int) -> None:
        """Who is there from now on: pod, user, short."""
        who = {"pod": POD, "user": USER, "short": SHORT}
        shares = tuple(Share(who[name], weight) for name, weight in cpu.items())
        holders = (Holder(POD, sm_weight=300, memory_weight=1),) if "pod" in cpu else ()
        self.node.observer.seen = Observation(
            cpu=shares, cpu_capacity_us=TICK_S * 4_000_000, gpu={"GPU-a": GpuHolding(holders)}
        )

    def lose_ledger(self) -> None:
        """Somebody deletes the state directory: counters start anew."""
        self._keep()
        self.node.ledger.close()
        for path in self.folder.glob("ledger.db*"):
            path.unlink()
        self.node.start()
        self.node.first_tick()
        self.ledgers += 1

    def finish(self) -> Truth:
        self._keep()
        self.node.ledger.close()
        return Truth(tuple(self.entries), tuple(self.states))

    def _keep(self) -> None:
        path = self.folder / "ledger.db"
        head = head_of(path)
        end_s = min(head.closed_s, self.end_s)
        hours = hours_of(path, head.identity, self.start_s, end_s)
        self.entries += hours.entries
        self.states += hours.states


def _scraped(labels: str) -> list[str]:
    """As Prometheus keeps them (honor_labels: false): no empty ones, and those that the target has too moved aside."""
    pairs = [(name, value) for name, value in _LABEL.findall(labels) if value]
    return [f'exported_{name}="{value}"' if name in TARGET else f'{name}="{value}"' for name, value in pairs]


def two_days(folder: Path, past: Past) -> Truth:
    """From 18:00 of the day before ``DAY_S`` until 06:10 of the day after it."""
    node = ScrapedNode(folder, past, DAY_S - 6 * HOUR_S, DAY_S + 24 * HOUR_S)
    node.see(pod=3_000_017, user=999_983)
    node.scrape()
    node.run_to(DAY_S + 2 * HOUR_S)
    # the daemon is killed and comes back: its counters go on
    node.node.restart(down_s=300)
    node.node.first_tick()
    node.run_to(DAY_S + 4 * HOUR_S + 60)
    # a job that lives for 40 s, between two scrapes
    node.see(pod=3_000_017, short=2_000_003)
    node.run_to(DAY_S + 4 * HOUR_S + 100)
    node.see(pod=3_000_017)
    node.run_to(DAY_S + 7 * HOUR_S)
    # the user, away since four o'clock, is back with the old total
    node.see(pod=1_000_003, user=2_999_999)
    node.feeds[0].power_w["GPU-a"] = 641
    node.run_to(DAY_S + 10 * HOUR_S)
    # Prometheus is away for three hours, the node is not
    node.run_to(DAY_S + 13 * HOUR_S, scraped=False)
    node.run_to(DAY_S + 16 * HOUR_S)
    node.lose_ledger()
    node.run_to(DAY_S + 20 * HOUR_S)
    # the pod ends, and its series vanishes a quarter of an hour later
    node.see(user=999_983)
    node.run_to(DAY_S + 30 * HOUR_S + 600)
    return node.finish()


def energy(entries: tuple[HourEntry, ...]) -> Counter[tuple[int, str, str, str]]:
    """µJ by hour of the day, component, workload and method."""
    found: Counter[tuple[int, str, str, str]] = Counter()
    for each in entries:
        key = (each.hour_s - DAY_S) // HOUR_S, str(each.component), each.workload.key, str(each.method)
        found[key] += each.energy_uj
    return found
