"""The trackers: they declare a run instead of measuring, and ask the daemon what it used."""

from __future__ import annotations

import logging
import os
import time
import uuid
from datetime import datetime
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from tracker.codecarbon_compat.host import machine
from tracker.codecarbon_compat.record import EmissionsData, with_rates, write_row, write_tasks
from tracker.codecarbon_compat.settings import ARGUMENTS, Settings
from tracker.declare import Energy, Run, declare
from tracker.declare.wire import Json, ask

WAIT_S = 12.0
ASK_S = 1.0
_G_PER_KG = 1000
_J_PER_KWH = 3_600_000
_PERMILLE = 1000

logger = logging.getLogger("wattledger")
_warned: set[str] = set()


def _warn_once(text: str) -> None:
    if text not in _warned:
        _warned.add(text)
        logger.warning("wattledger: %s", text)


class EmissionsTracker:
    """codecarbon's ``EmissionsTracker``, kept by the daemon of this node. All its arguments are accepted.

    What is different, because the daemon knows better: what a run used is its own processes' part of the node, not the
    whole node; PUE and the grid's factor are the daemon's; what is not known is None, and empty in the file, not 0.
    Values of a running tracker are as old as the daemon's last commit (10 s). ``stop`` waits for the last one, at most
    12 s. Water is ``wue`` times IT energy.

    Ignored: measure_power_secs, api_call_interval, api_endpoint, api_key, save_to_api, save_to_logger, logging_logger,
    save_to_prometheus, save_to_logfire, prometheus_url, gpu_ids (CUDA_VISIBLE_DEVICES is read for the file),
    emissions_endpoint, electricitymaps_api_token, co2_signal_api_token, log_level, logger_preamble, force_cpu_power,
    force_ram_power, pue, force_carbon_intensity_g_co2e_kwh, force_mode_cpu_load, allow_multiple_runs,
    rapl_include_dram, rapl_prefer_psys, metadata.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        settings = self._settings = Settings({**dict(zip(ARGUMENTS, args, strict=False)), **kwargs})
        self.run_id = uuid.uuid4()
        self.final_emissions: float | None = None
        self.final_emissions_data: EmissionsData | None = None
        self._project = settings.text("project_name", "codecarbon")
        self._run: Run | None = None
        self._stopped = False
        self._began_s = 0.0
        self._tasks: dict[str, _Task] = {}
        self._active_task: str | None = None
        self._persisted: EmissionsData | None = None
        folder = settings.text("output_dir", ".")
        if not Path(folder).is_dir():
            raise OSError(f"Folder '{folder}' doesn't exist !")  # what codecarbon says
        self._path = Path(folder, settings.text("output_file", "emissions.csv"))

    # -- codecarbon's methods ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to track."""
        if self._run is not None:
            logger.info("wattledger: this tracker was started already.")
            return
        self._run = declare(str(self.run_id), name=self._project, project=self._project)
        self._began_s = time.monotonic()
        self._run.start()

    def flush(self) -> float | None:
        """Write what is known so far. Returns kg, None where they are not known."""
        if self._run is None or self._stopped:
            return self.final_emissions
        data = self._data(self._run.energy())
        self._persist(data, update=self._settings.text("on_csv_write", "append") == "update")
        return data.emissions

    def stop(self) -> float | None:
        """End, wait for the last commit, write the row. Returns kg; None where they are not known: there is no daemon,
        nothing was charged, or the grid has no factor."""
        if self._run is None or self._stopped:
            return self.final_emissions
        self._stopped = True
        duration = time.monotonic() - self._began_s
        if self._active_task is not None:
            self.stop_task()
        data = self._data(self._run.end(wait_s=WAIT_S), duration)
        self._persist(data, update=self._settings.text("on_csv_write", "append") == "update")
        self.final_emissions_data, self.final_emissions = data, data.emissions
        for handler in self._settings.items("output_handlers"):
            _call(handler, "exit")
        return data.emissions

    def start_task(self, task_name: str | None = None) -> None:
        """Begin a part that is told apart. One at a time."""
        if self._active_task is not None:
            logger.info("wattledger: a task is tracked already.")
            return
        self._begin()
        name = task_name or uuid.uuid4().hex
        name = f"{name}_{uuid.uuid4().hex}" if name in self._tasks else name
        assert self._run is not None
        self._tasks[name] = _Task(self._data(self._run.energy()), time.monotonic())
        self._active_task = name

    def stop_task(self, task_name: str | None = None) -> EmissionsData | None:
        """End it. What it used is what was booked meanwhile: from the commit before its beginning to the last one."""
        name = task_name or self._active_task
        task = self._tasks.get(name) if name is not None else None
        if task is None or task.data is not None or self._run is None:
            logger.info("wattledger: no task is tracked.")
            return None
        now = self._data(self._run.energy())
        task.data = now.since(task.before, time.monotonic() - task.began_s)
        self._active_task = None
        return task.data

    def service_shutdown(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler
        """A signal handler that stops."""
        self.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def run(self) -> Run | None:
        """The declared run: for tokens, phases and windows, which codecarbon does not have."""
        return self._run

    # -- inside --------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._run is None:
            self.start()

    def _data(self, energy: Energy | None, duration: float | None = None) -> EmissionsData:
        node = ask({"op": "node"}, ASK_S)
        known = node if node is not None and node.get("ok") else None
        if node is None:
            _warn_once("no daemon is running on this node, so nothing is measured. Start it with: wattledger run")
        elif energy is not None and energy.joules and energy.grams is None:
            _warn_once("the grid of this node has no factor, so emissions are unknown.")
        settings = self._settings
        wue = settings.number("wue")
        data = EmissionsData(
            timestamp=datetime.now().strftime("%Y-%m-%dT%H:%M:%S"),  # noqa: DTZ005 - local time, as codecarbon's readers expect
            project_name=self._project,
            run_id=str(self.run_id),
            experiment_id=settings.text("experiment_id"),
            duration=time.monotonic() - self._began_s if duration is None else duration,
            country_iso_code=settings.text("country_iso_code"),
            region=settings.text("region") or _zone(known),
            cloud_provider=settings.text("cloud_provider"),
            cloud_region=settings.text("cloud_region"),
            tracking_mode=settings.text("tracking_mode", "machine"),
            on_cloud="Y" if settings.given("cloud_provider") else "N",
            pue=None if known is None else known["pue_permille"] / _PERMILLE,
            wue=wue,
            water_consumed=None if wue is None or energy is None else wue * energy.kwh,
            **machine(known, os.environ),
            **_energies(energy, known),
        )
        return with_rates(data)

    def _persist(self, data: EmissionsData, *, update: bool) -> None:
        tasks = [(name, task.data) for name, task in self._tasks.items() if task.data is not None]
        experiment = self._settings.text("experiment_name", "base")
        before = self._persisted
        delta = data if before is None else data.since(before, data.duration - before.duration)
        if self._to_file():
            try:
                write_row(self._path, data, update=update)
                if tasks:
                    write_tasks(self._path.with_name(f"emissions_{experiment}_{self.run_id}.csv"), tasks)
            except OSError as error:
                _warn_once(f"{self._path} cannot be written: {error.strerror}.")
        for handler in self._settings.items("output_handlers"):
            _call(handler, "out", data, delta)
            if tasks:
                _call(handler, "task_out", [each for _, each in tasks], experiment)
        self._persisted = data

    def _to_file(self) -> bool:
        methods = self._settings.items("output_methods")
        if methods or self._settings.given("output_methods"):
            return any(str(getattr(method, "value", method)).lower() == "csv" for method in methods)
        return self._settings.flag("save_to_file", default=True)


class OfflineEmissionsTracker(EmissionsTracker):
    """codecarbon's ``OfflineEmissionsTracker``. The country is written to the file; the factor is the daemon's."""


class _Task:
    """``before``: what was booked when it began. ``data``: what it used, once it has ended."""

    def __init__(self, before: EmissionsData, began_s: float) -> None:
        self.before, self.began_s = before, began_s
        self.data: EmissionsData | None = None


def _energies(energy: Energy | None, node: Json | None) -> dict[str, Any]:
    """In kWh at the meter of the site (PUE is multiplied in, as codecarbon does), and kg. A component that this node
    books, and this run did not use, is 0; one that nobody measures here is not known."""
    if energy is None or node is None:
        return {}
    pue = node["pue_permille"] / _PERMILLE
    found: dict[str, Any] = {"energy_consumed": energy.kwh * pue}
    for column, component in (("cpu_energy", "cpu"), ("gpu_energy", "gpu"), ("ram_energy", "dram")):
        joules = energy.joules_by_component.get(component)
        if joules is not None:
            found[column] = joules / _J_PER_KWH * pue
        elif component in node["components"]:
            found[column] = 0.0
    if energy.grams is not None:
        found["emissions"] = energy.grams / _G_PER_KG
    return found


def _zone(node: Json | None) -> str:
    factor = node["factor"] if node is not None else None
    return "" if factor is None or factor["assumed"] else str(factor["zone"])


def _call(handler: object, method: str, *args: object) -> None:
    """A handler that a user wrote for codecarbon."""
    try:
        getattr(handler, method)(*args)
    except Exception:  # noqa: BLE001 - as everything here, it must not end the training
        _warn_once(f"an output handler failed in {method}().")
