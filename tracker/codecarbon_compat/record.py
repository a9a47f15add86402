"""One row of ``emissions.csv``: its columns, its arithmetic, its file.

Columns, order and units are those of codecarbon 3.3 (s, kg, kg/s, W, kWh, L). A value that is not known is empty in the
file and None here: codecarbon would write 0.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
from collections import OrderedDict
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

Number = float | None
#: Columns that grow while a run goes on: of a task, what they grew by.
_GROWING = ("emissions", "cpu_energy", "gpu_energy", "ram_energy", "energy_consumed", "water_consumed")


@dataclass(frozen=True)
class EmissionsData:
    """What codecarbon calls by the same name."""

    timestamp: str
    project_name: str
    run_id: str
    experiment_id: str
    duration: float
    emissions: Number = None
    emissions_rate: Number = None
    cpu_power: Number = None
    gpu_power: Number = None
    ram_power: Number = None
    cpu_energy: Number = None
    gpu_energy: Number = None
    ram_energy: Number = None
    energy_consumed: Number = None
    water_consumed: Number = None
    country_name: str = ""
    country_iso_code: str = ""
    region: str = ""
    cloud_provider: str = ""
    cloud_region: str = ""
    os: str = ""
    python_version: str = ""
    codecarbon_version: str = ""
    cpu_count: Number = None
    cpu_model: str = ""
    gpu_count: Number = None
    gpu_model: str = ""
    longitude: Number = None
    latitude: Number = None
    ram_total_size: Number = None
    tracking_mode: str = "machine"
    cpu_utilization_percent: Number = None
    gpu_utilization_percent: Number = None
    ram_utilization_percent: Number = None
    ram_used_gb: Number = None
    on_cloud: str = "N"
    pue: Number = None
    wue: Number = None

    @property
    def values(self) -> OrderedDict[str, Any]:
        return OrderedDict((field.name, getattr(self, field.name)) for field in fields(self))

    def toJSON(self) -> str:  # noqa: N802 - codecarbon's name
        return json.dumps(self.values, sort_keys=True, indent=4)

    def since(self, before: EmissionsData, duration: float) -> EmissionsData:
        """The part of it that came after ``before``, over so many seconds."""
        grown: dict[str, Any] = {name: _minus(getattr(self, name), getattr(before, name)) for name in _GROWING}
        return with_rates(replace(self, duration=duration, **grown))


COLUMNS = tuple(field.name for field in fields(EmissionsData))
#: Of the file of tasks: as the run's, with the task's name and without the last columns of a run.
TASK_COLUMNS = ("task_name", *(name for name in COLUMNS if name not in {"experiment_id", "pue", "wue"}))


def with_rates(data: EmissionsData) -> EmissionsData:
    """With the mean powers and the emissions rate that its energies and its duration make. PUE is in them as it is in
    the energies."""
    hours = data.duration / 3600

    def power(energy_kwh: Number) -> Number:
        return None if energy_kwh is None or hours <= 0 else energy_kwh * 1000 / hours

    rate = None if data.emissions is None or data.duration <= 0 else data.emissions / data.duration
    return replace(
        data,
        emissions_rate=rate,
        cpu_power=power(data.cpu_energy),
        gpu_power=power(data.gpu_energy),
        ram_power=power(data.ram_energy),
    )


def write_row(path: Path, data: EmissionsData, *, update: bool = False) -> None:
    """Append a row, or with ``update`` replace the rows of the same run. Other processes may append to the same file at
    the same time. A file with other columns is kept beside it as ``.bak``. Raises OSError."""
    row = {name: "" if value is None else value for name, value in data.values.items()}
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        with os.fdopen(fd, "r+", encoding="utf-8", newline="") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if not _same(path, file.fileno()):
                continue  # somebody put another file in its place while we waited
            header = next(csv.reader(file), [])
            if header and sorted(header) != sorted(COLUMNS):
                path.rename(_unused(path))
                continue
            if update and header:
                kept = [old for old in csv.DictReader(file, header) if old["run_id"] != data.run_id]
                _replace(path, _text(header, [*kept, row], titled=True))
            else:
                file.seek(0, os.SEEK_END)
                file.write(_text(header or list(COLUMNS), [row], titled=not header))
            return


def write_tasks(path: Path, tasks: list[tuple[str, EmissionsData]]) -> None:
    """The tasks of one run, each its row. Raises OSError."""
    rows = [
        {name: "" if value is None else value for name, value in {**data.values, "task_name": task}.items()}
        for task, data in tasks
    ]
    _replace(path, _text(list(TASK_COLUMNS), rows, titled=True))


def _text(header: list[str], rows: list[dict[str, Any]], *, titled: bool) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, header, extrasaction="ignore", lineterminator="\n")
    if titled:
        writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _replace(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.write_text(text, encoding="utf-8", newline="")
    fresh.replace(path)


def _same(path: Path, fd: int) -> bool:
    try:
        there, here = path.stat(), os.fstat(fd)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)


def _unused(path: Path) -> Path:
    number = 0
    while True:
        aside = path.with_name(f"{path.name}{f'_{number}' if number else ''}.bak")
        if not aside.exists():
            return aside
        number += 1


def _minus(now: Number, before: Number) -> Number:
    return None if now is None else max(0.0, now - (before or 0.0))
