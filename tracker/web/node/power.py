"""Power now: the chart of the last minutes and a row for each device."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tracker.core.model import Component, Method
from tracker.core.snapshot import DeviceState, PowerPoint, Snapshot
from tracker.web.node import charts, figures, words
from tracker.web.node.markup import label, note, row, section, table, text

_CHART_MIN_POINTS = 2


def total_mw(snapshot: Snapshot) -> int | None:
    """Power of all booked devices that have a reading; None when none has."""
    powers = [d.power_mw for d in snapshot.devices if d.booked and d.power_mw is not None]
    return sum(powers) if powers else None


def coverage(snapshot: Snapshot) -> str:
    """What the total stands for: "from 12 devices", "from 10 of 12 devices", "from 2 devices, modelled"."""
    booked = [d for d in snapshot.devices if d.booked]
    read = sum(1 for d in booked if d.power_mw is not None)
    noun = "device" if len(booked) == 1 else "devices"
    guessed = sum(1 for d in booked if d.sensor.method is Method.MODELLED)
    how = "" if not guessed else ", modelled" if guessed == len(booked) else ", partly modelled"
    return f"from {'' if read == len(booked) else f'{read} of '}{len(booked)} {noun}{how}"


def render(snapshot: Snapshot) -> str:
    """The section."""
    booked = [d for d in snapshot.devices if d.booked]
    if not booked:
        return section("power", "Power", note("No device has been read yet. The sources below say what is missing."))
    return section("power", "Power", _chart(snapshot, booked), _devices(snapshot, booked), _unbooked(snapshot))


def _chart(snapshot: Snapshot, booked: Sequence[DeviceState]) -> str:
    history = charts.thin(snapshot.history)
    if len(history) < _CHART_MIN_POINTS:
        return note("The chart begins with the second reading.")
    times_s = [point.wall_s for point in history]
    keys = {c: [d.sensor.key for d in booked if d.sensor.component is c] for c in Component}
    components = [c for c in Component if keys[c]]
    bands = [charts.Band(c, tuple(_sum(point, keys[c]) for point in history)) for c in components]
    holes = [any(d.sensor.key not in point.power_mw for d in booked) for point in history]
    span = figures.duration(int((times_s[-1] - times_s[0]) * 1000))
    chart = charts.stacked(
        bands,
        times_s,
        holes,
        {"title": f"Power of the last {span} by component", "start": clock(times_s[0]), "end": clock(times_s[-1])},
    )
    return f"<figure>{chart}<figcaption>{_legend(booked, components, some_hole=any(holes))}</figcaption></figure>"


def _sum(point: PowerPoint, keys: Sequence[str]) -> int | None:
    there = [point.power_mw[key] for key in keys if key in point.power_mw]
    return sum(there) if there else None


def _legend(booked: Sequence[DeviceState], components: Sequence[Component], *, some_hole: bool) -> str:
    items = []
    for component in components:
        powers = [d.power_mw for d in booked if d.sensor.component is component and d.power_mw is not None]
        now = figures.power_or_words(sum(powers) if powers else None)
        items.append(f'<li class="key {component}">{words.COMPONENT[component]} <b>{now}</b></li>')
    if some_hole:
        items.append('<li class="key hole">a device had no reading</li>')
    return f'<ul class="legend">{"".join(items)}</ul>'


def _devices(snapshot: Snapshot, booked: Sequence[DeviceState]) -> str:
    history = charts.thin(snapshot.history, 60)
    columns = [
        ("Device", ""), ("Power now", "num"), ("Of its limit", "wide"), ("Trend", "wide"),
        ("Energy booked", "num wide"),
    ]  # fmt: skip
    rows = (_device(device, history) for device in booked)
    return table("Devices whose energy is booked", columns, rows, "devices")


def _device(device: DeviceState, history: Sequence[PowerPoint]) -> str:
    sensor = device.sensor
    limit_mw = sensor.max_power_mw
    bar = charts.bar([(min(device.power_mw or 0, limit_mw), sensor.component)], limit_mw)
    limit = f"{bar}{_share(device)}" if limit_mw > 0 else "no limit known"
    trend = charts.spark(history, sensor.key, limit_mw) if len(history) >= _CHART_MIN_POINTS else ""
    cells = [
        (_now(device), "num"),
        (limit, "wide limit"),
        (trend, "wide trend"),
        (str(figures.energy(device.energy_uj)), "num wide"),
    ]
    return row(f"{_name(device)}{bar if limit_mw > 0 else ''}", cells)


def _share(device: DeviceState, css: str = "") -> str:
    """What part of its limit a device draws."""
    limit_mw = device.sensor.max_power_mw
    if device.power_mw is None or limit_mw <= 0:
        return ""
    return f'<small class="{css}">{figures.percent(device.power_mw, limit_mw)} of {figures.power(limit_mw)}</small>'


def _now(device: DeviceState) -> str:
    if device.power_mw is not None:
        return f"{figures.power(device.power_mw)}{_share(device, 'narrow')}"
    reason = f": {words.GAP[device.gap]}" if device.gap is not None else ""
    return f'<span class="warn">{figures.NOT_MEASURED}{reason}</span>'


def _name(device: DeviceState) -> str:
    sensor = device.sensor
    name = " ".join(part for part in (words.COMPONENT[sensor.component], sensor.index) if part)
    method = "" if sensor.method is Method.MEASURED else f' <span class="tag">{words.METHOD[sensor.method]}</span>'
    detail = label(sensor.model) if sensor.model else ""
    detail += f'<span class="wide">{" · " if detail else ""}{label(sensor.sensor)}</span>'
    key = f'<span class="key {sensor.component}">{text(name)}</span>'
    return f'{key}{method}<small title="{text(sensor.key)}">{detail}</small>'


def _unbooked(snapshot: Snapshot) -> str:
    others = [d for d in snapshot.devices if not d.booked]
    if not others:
        return ""
    rows = (
        row(
            f"{label(d.sensor.sensor)}<small>{label(d.sensor.key)}</small>",
            [(figures.power_or_words(d.power_mw), "num")],
        )
        for d in others
    )
    head = f"{len(others)} {'sensor is' if len(others) == 1 else 'sensors are'} read but not booked"
    why = note("They contain, or are contained in, devices above: booking them too would count energy twice.")
    inner = table("Sensors that are not booked", [("Sensor", ""), ("Power now", "num")], rows)
    return f'<details id="unbooked"><summary>{head}</summary>{why}{inner}</details>'


def clock(wall_s: float) -> str:
    """The time of day, in UTC."""
    return time.strftime("%H:%M:%S UTC", time.gmtime(wall_s))
