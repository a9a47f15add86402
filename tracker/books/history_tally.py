"""Hours of one node, added up from steps of its counters, and charged so that workloads never exceed their devices.

The devices' counters decide how much there is. A workload's plain differences are taken as they are. What a counter
shows when it appears or starts anew may be energy (a new workload starts at 0) or its lifetime (one that was shown
together with others until now): it is taken, the smallest first, as far as the devices have that much. What is left is
unattributed. The rounding of doubles is no difference: see ``TOLERANCE_UJ``.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tracker.core.hours import COVERED, HourEntry, HourState
from tracker.core.model import UNATTRIBUTED, Component, GapReason, Method, Workload
from tracker.core.rounding import apportion
from tracker.core.telescoping import HOUR_MS, REACH_MS, SILENCE_MS, Step, cut
from tracker.core.units import UJ_PER_J

#: Doubles of up to 9 GJ tell single microjoules; a hundred larger ones of an hour stay within this.
TOLERANCE_UJ = 1_000

Charged = tuple[int, Component, Workload, Method]  # hour_s first
Held = tuple[int, Component, Workload]
Device = tuple[int, Component, str]


@dataclass(slots=True)
class Sums:
    """``maybe``: as far as the devices have that much."""

    sure: Counter[Charged] = field(default_factory=Counter)
    maybe: Counter[Charged] = field(default_factory=Counter)

    def add(self, step: Step, since_ms: int, key: tuple[Component, Workload, Method], *, maybe: bool) -> None:
        into = self.maybe if maybe else self.sure
        for hour_s, amount, _ in cut(step, since_ms):
            into[hour_s, *key] += amount


@dataclass(slots=True)
class Tally:
    """``silence_ms``: the longest time between two samples that counts as covered."""

    silence_ms: int = SILENCE_MS
    energy: Sums = field(default_factory=Sums)
    idle: Sums = field(default_factory=Sums)
    held: Sums = field(default_factory=Sums)  # of no method: as measured
    whole: Counter[tuple[int, Component, Method]] = field(default_factory=Counter)  # of the devices
    by_holder: Counter[tuple[Device, Workload, Method]] = field(default_factory=Counter)
    held_by: Counter[tuple[Device, Workload, Method]] = field(default_factory=Counter)
    time: dict[Device, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    models: dict[tuple[Component, str], str] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)

    def add_device(self, step: Step, device: tuple[Component, str], method: Method, holder: Workload) -> None:
        """A step of a device's counter, and who held the device then."""
        component, key = device
        if step.reason is not None:
            self.notes[f"{component} {key}: {_NOTES[step.reason]}"] += 1
        if step.end_ms - step.start_ms > REACH_MS:
            self.notes[f"{component} {key}: {_SILENCE}"] += 1
        state = str(step.reason or (COVERED if step.end_ms - step.start_ms <= self.silence_ms else GapReason.RECOVERED))
        for hour_s, amount, duration_ms in cut(step):
            self.whole[hour_s, component, method] += amount
            self.by_holder[(hour_s, component, key), holder, method] += amount
            self.held_by[(hour_s, component, key), holder, method] += duration_ms
            self.time[hour_s, component, key][state] += duration_ms

    def add_gap(self, step: Step, since_ms: int, device: tuple[Component, str], reason: str) -> None:
        """Time in which the node itself had no reading: it is taken from what looks covered."""
        if reason == GapReason.COVERED:  # another sensor stands for that device
            return
        for hour_s, amount_ms, _ in cut(step, since_ms):
            time = self.time.get((hour_s, *device))
            if time is not None and amount_ms:
                gap_ms = min(amount_ms, time[COVERED])
                time[COVERED] -= gap_ms
                time[reason] += gap_ms


_SILENCE = "no sample for more than six hours; what was counted is in the last six, and the hours before are missing"
_NOTES = {
    GapReason.RESET: "the counter started anew; what it had counted since its last sample is not known",
    GapReason.IMPLAUSIBLE: "a change of the counter is more than can have been used, and is not booked",
}


def entries_by_device(tally: Tally) -> Iterator[HourEntry]:
    """Of an exporter that says who held a device, not how much each used."""
    for each in sorted(tally.held_by, key=lambda each: (each[0], each[1].key, each[2])):
        (hour_s, component, device), holder, method = each
        model = tally.models.get((component, device), "")
        energy_uj = tally.by_holder[each]
        yield HourEntry(hour_s, device, component, model, holder, method, energy_uj, 0, tally.held_by[each])


def entries_by_workload(tally: Tally) -> Iterator[HourEntry]:
    """Of an exporter that charges workloads by component: its device is all of the component ("gpu")."""
    energy = _charges(tally)
    idle = tally.idle.sure.copy()
    for charged, amount in tally.idle.maybe.items():
        if energy[charged] and charged in tally.energy.maybe:
            idle[charged] += amount
    held = _held(tally, energy)
    models: dict[Component, set[str]] = defaultdict(set)
    for (component, _), model in tally.models.items():
        models[component].add(model)
    for charged in sorted({*energy, *held}, key=lambda each: (each[0], each[1], each[2].key, each[3])):
        hour_s, component, workload, method = charged
        energy_uj, held_ms = energy[charged], held[charged]
        if energy_uj or held_ms:
            model = next(iter(models[component])) if len(models[component]) == 1 else ""
            idle_uj = min(idle[charged], energy_uj)
            yield HourEntry(hour_s, str(component), component, model, workload, method, energy_uj, idle_uj, held_ms)


def _charges(tally: Tally) -> Counter[Charged]:
    charges = tally.energy.sure.copy()
    used: Counter[tuple[int, Component, Method]] = Counter()
    for (hour_s, component, _, method), amount in charges.items():
        used[hour_s, component, method] += amount
    measured = {(hour_s, component) for hour_s, component, _ in tally.time}
    for charged, amount in sorted(tally.energy.maybe.items(), key=lambda each: (each[1], each[0][2].key)):
        hour_s, component, _, method = charged
        if used[hour_s, component, method] + amount <= tally.whole[hour_s, component, method] + TOLERANCE_UJ:
            used[hour_s, component, method] += amount
            charges[charged] += amount
    for key in sorted({*used, *tally.whole}):
        left_uj, (hour_s, component, method) = tally.whole[key] - used[key], key
        if left_uj > TOLERANCE_UJ:
            charges[hour_s, component, UNATTRIBUTED, method] += left_uj
        elif left_uj < -TOLERANCE_UJ and (hour_s, component) in measured:
            _fit(charges, key, tally.whole[key])
            text = f"{component}: workloads claimed {-left_uj / UJ_PER_J:.0f} J more in an hour than the devices used"
            tally.notes[f"{text}; each is charged its part of what was used"] += 1
    return charges


def _fit(charges: Counter[Charged], key: tuple[int, Component, Method], whole_uj: int) -> None:
    mine = sorted((each for each in charges if (each[0], each[1], each[3]) == key), key=lambda each: each[2].key)
    for charged, amount in zip(mine, apportion(whole_uj, [charges[each] for each in mine]), strict=True):
        charges[charged] = amount


def _held(tally: Tally, energy: Counter[Charged]) -> Counter[Charged]:
    """Held time as exported, by method in proportion to energy. An exporter that knows none: the devices' time in
    proportion to energy, so that device-hours and coverage belong together."""
    of: dict[Held, list[Charged]] = defaultdict(list)
    for charged in sorted(energy, key=lambda each: (each[0], each[1], each[2].key, each[3])):
        of[charged[:3]].append(charged)
    held: Counter[Held] = Counter()
    for charged, amount in tally.held.sure.items():
        held[charged[:3]] += amount
    for charged, amount in tally.held.maybe.items():
        mine = of[charged[:3]]
        if any(energy[each] for each in mine) or not any(each in tally.energy.maybe for each in mine):
            held[charged[:3]] += amount
    found: Counter[Charged] = Counter()
    if not held:
        return _held_by_energy(tally, energy)
    for key, held_ms in held.items():
        those = of[key] or [(*key, Method.MEASURED)]
        weights = [energy[each] for each in those]
        for each, part_ms in zip(those, apportion(held_ms, weights if any(weights) else [1] * len(those)), strict=True):
            found[each] += part_ms
    return found


def _held_by_energy(tally: Tally, energy: Counter[Charged]) -> Counter[Charged]:
    room_ms: Counter[tuple[int, Component]] = Counter()
    for (hour_s, component, _), time in tally.time.items():
        room_ms[hour_s, component] += sum(time.values())
    found: Counter[Charged] = Counter()
    for hour, held_ms in room_ms.items():
        mine = sorted((each for each in energy if each[:2] == hour), key=lambda each: (each[2].key, each[3]))
        weights = [energy[each] for each in mine]
        if any(weights):
            found.update(dict(zip(mine, apportion(held_ms, weights), strict=True)))
    return found


def states_by_device(tally: Tally) -> Iterator[HourState]:
    for (hour_s, component, device), time in sorted(tally.time.items()):
        yield from _states(hour_s, device, component, time)


def states_by_component(tally: Tally) -> Iterator[HourState]:
    """The mean of a component's devices, under the name that its entries have."""
    sums: dict[tuple[int, Component], Counter[str]] = defaultdict(Counter)
    count: Counter[tuple[int, Component]] = Counter()
    for (hour_s, component, _), time in tally.time.items():
        sums[hour_s, component].update(time)
        count[hour_s, component] += 1
    for hour, time in sorted(sums.items()):
        mean = Counter({state: ms // count[hour] for state, ms in time.items()})
        yield from _states(hour[0], str(hour[1]), hour[1], mean)


def _states(hour_s: int, device: str, component: Component, time: Counter[str]) -> Iterator[HourState]:
    room_ms = HOUR_MS
    for state, ms in sorted(time.items()):
        part_ms = min(ms, room_ms)
        room_ms -= part_ms
        if part_ms > 0:
            yield HourState(hour_s, device, component, state, part_ms)
