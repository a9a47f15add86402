"""Coming from codecarbon: the same program, one import changed, kept by a daemon."""

from __future__ import annotations

import csv
import logging
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.declare.daemon import J_PER_CPU_S, SmallDaemon
from tests.declare.test_declare import burn
from tests.e2e.daemon import until
from tracker.codecarbon_compat import (
    EmissionsTracker,
    OfflineEmissionsTracker,
    OutputMethod,
    TaskEmissionsTracker,
    track_emissions,
    track_task_emissions,
)
from tracker.codecarbon_compat.host import machine
from tracker.codecarbon_compat.record import COLUMNS, TASK_COLUMNS, EmissionsData, with_rates, write_row

PUE, G_PER_KWH = 1.2, 50


def rows(path: str = "emissions.csv") -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def number(row: dict[str, str], name: str) -> float:
    return float(row[name])


def test_stop_returns_kg_and_writes_a_row(daemon: SmallDaemon) -> None:
    """Facility energy, as codecarbon 3.3 has it: PUE is multiplied in, and stands in its column."""
    tracker = EmissionsTracker(project_name="nlp", experiment_id="e1", measure_power_secs=1, pue=9.9)
    began_s = sum(os.times()[:4])
    tracker.start()
    burn(0.4)
    kg = tracker.stop()
    used_s = sum(os.times()[:4]) - began_s  # of this process too, not of its child alone: how much is not known before
    assert kg is not None
    kwh = used_s * J_PER_CPU_S / 3.6e6
    assert kg == pytest.approx(kwh * PUE * G_PER_KWH / 1000, rel=0.25)
    assert (kg, kg) == (tracker.final_emissions, tracker.stop())
    (row,) = rows()
    assert tuple(row) == COLUMNS
    assert (row["project_name"], row["experiment_id"], row["run_id"]) == ("nlp", "e1", str(tracker.run_id))
    assert number(row, "cpu_energy") == pytest.approx(kwh * PUE, rel=0.25)
    assert number(row, "energy_consumed") == number(row, "cpu_energy")
    assert number(row, "emissions") == kg
    assert number(row, "emissions_rate") == pytest.approx(kg / number(row, "duration"))
    assert number(row, "cpu_power") == pytest.approx(number(row, "cpu_energy") * 3.6e6 / number(row, "duration"))
    assert (row["pue"], row["region"], row["tracking_mode"], row["on_cloud"]) == ("1.2", "FR", "machine", "N")
    assert (row["cpu_count"], row["gpu_count"], row["gpu_model"]) == (str(machine(None, {})["cpu_count"]), "0", "")
    unknown = {name for name, value in row.items() if value == ""}
    assert {"gpu_energy", "ram_energy", "longitude", "latitude", "cpu_utilization_percent", "wue"} <= unknown
    (state,) = [s for s in daemon.agent.snapshot.workloads if s.workload.run == str(tracker.run_id)]
    assert (state.workload.name, state.workload.project) == ("nlp", "nlp")


def test_two_trackers_at_one_time_do_not_count_a_joule_twice(daemon: SmallDaemon) -> None:
    """Where codecarbon charges the whole machine to each of them."""
    outer = EmissionsTracker("outer")
    outer.start()
    burn(0.2)
    with EmissionsTracker("inner") as inner:
        burn(0.2)
    outer.stop()
    told = {row["project_name"]: number(row, "energy_consumed") for row in rows()}
    charged = {tracker: sum(daemon.run(str(tracker.run_id)).values()) * PUE / 3.6e12 for tracker in (outer, inner)}
    assert told["inner"] == pytest.approx(charged[inner])
    assert told["outer"] == pytest.approx(charged[outer] + charged[inner])


def test_flush_writes_what_is_known_so_far(daemon: SmallDaemon) -> None:
    with EmissionsTracker() as tracker:
        burn(0.1)
        until(lambda: tracker.flush() is not None, "something is booked")
        burn(0.1)
    assert len(rows()) >= 2
    energies = [number(row, "energy_consumed") for row in rows() if row["energy_consumed"]]
    assert energies == sorted(energies)
    assert len({row["run_id"] for row in rows()}) == 1


def test_flush_may_update_its_row_instead(daemon: SmallDaemon) -> None:
    with EmissionsTracker(on_csv_write="update") as first:
        burn(0.1)
        first.flush()
    with EmissionsTracker(on_csv_write="update") as second:
        second.flush()
    assert [row["run_id"] for row in rows()] == [str(first.run_id), str(second.run_id)]


def test_tasks_are_told_apart(daemon: SmallDaemon) -> None:
    tracker = EmissionsTracker(experiment_name="exp")
    tracker.start_task("load")
    burn(0.2)
    until(lambda: sum(daemon.run(str(tracker.run_id)).values()) > 0, "the first task is booked")
    load = tracker.stop_task()
    with TaskEmissionsTracker("fit", tracker):
        burn(0.2)
        booked = sum(daemon.run(str(tracker.run_id)).values())
        until(lambda: sum(daemon.run(str(tracker.run_id)).values()) > booked, "the second task is booked")
    assert tracker.stop_task() is None
    tracker.stop()
    assert load is not None
    assert load.energy_consumed is not None
    assert load.energy_consumed > 0
    (total,) = rows()
    tasks = rows(f"emissions_exp_{tracker.run_id}.csv")
    assert [row["task_name"] for row in tasks] == ["load", "fit"]
    assert tuple(tasks[0]) == TASK_COLUMNS
    assert sum(number(row, "energy_consumed") for row in tasks) <= number(total, "energy_consumed") + 1e-12


def test_the_decorators(daemon: SmallDaemon) -> None:
    @track_emissions
    def bare() -> int:
        burn(0.05)
        return 1

    @track_emissions(project_name="named", offline=True, country_iso_code="FRA")
    def named(value: int) -> int:
        return value

    shared = EmissionsTracker("shared")

    @track_task_emissions(tracker=shared, task_name="t")
    def task() -> int:
        return 3

    @track_task_emissions
    def own_task() -> int:
        return 4

    assert (bare(), named(2), task(), own_task()) == (1, 2, 3, 4)
    shared.stop()
    assert [(row["project_name"], row["country_iso_code"]) for row in rows()] == [
        ("codecarbon", ""),
        ("named", "FRA"),
        ("codecarbon", ""),
        ("shared", ""),
    ]


def test_a_function_that_raises_has_its_row(daemon: SmallDaemon) -> None:
    @track_emissions()
    def fails() -> None:
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fails()
    assert len(rows()) == 1


def test_the_offline_tracker_writes_the_country_that_was_given(daemon: SmallDaemon) -> None:
    with OfflineEmissionsTracker(
        country_iso_code="USA", region="california", cloud_provider="aws", cloud_region="us-west-1", wue=1.8
    ):
        burn(0.1)
    (row,) = rows()
    assert (row["country_iso_code"], row["region"], row["on_cloud"]) == ("USA", "california", "Y")
    assert (row["cloud_provider"], row["cloud_region"]) == ("aws", "us-west-1")
    it_kwh = number(row, "energy_consumed") / PUE
    assert number(row, "water_consumed") == pytest.approx(1.8 * it_kwh), "per kWh of IT energy"


def test_the_environment_and_the_file_set_what_arguments_do_not(
    daemon: SmallDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("CODECARBON_OUTPUT_DIR", str(tmp_path / "out"))
    Path(".codecarbon.config").write_text("[codecarbon]\nproject_name = filed\noutput_file = e.csv\n")
    with EmissionsTracker():
        pass
    assert [row["project_name"] for row in rows(str(tmp_path / "out" / "e.csv"))] == ["filed"]


class Handler:
    """What a user wrote for codecarbon."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []

    def out(self, total: EmissionsData, delta: EmissionsData) -> None:
        self.heard.append(("out", (total.duration, delta.duration)))

    def task_out(self, data: list[EmissionsData], experiment: str) -> None:
        self.heard.append(("task_out", (len(data), experiment)))

    def exit(self) -> None:
        self.heard.append(("exit", None))
        raise RuntimeError("a defect of the user's")


def test_output_handlers_are_served_and_cannot_hurt(daemon: SmallDaemon, caplog: pytest.LogCaptureFixture) -> None:
    handler = Handler()
    with EmissionsTracker(output_handlers=[handler], output_methods=[OutputMethod.LOGGER]) as tracker:
        tracker.start_task()
        tracker.stop_task()
        tracker.flush()
    assert [name for name, _ in handler.heard] == ["out", "task_out", "out", "task_out", "exit"]
    first, last = handler.heard[0][1], handler.heard[2][1]
    assert last[1] == pytest.approx(last[0] - first[0])
    assert not Path("emissions.csv").exists(), "CSV was not among the methods"


@pytest.mark.parametrize("methods", ["csv,api", [OutputMethod.CSV], ["csv"], None])
def test_where_the_row_goes(daemon: SmallDaemon, methods: object) -> None:
    with EmissionsTracker(output_methods=methods):
        pass
    assert len(rows()) == 1


def test_save_to_file_false_writes_nothing(daemon: SmallDaemon) -> None:
    with EmissionsTracker(save_to_file=False):
        pass
    assert not Path("emissions.csv").exists()


def test_a_folder_that_is_not_there_is_codecarbons_error() -> None:
    with pytest.raises(OSError, match="Folder 'nowhere' doesn't exist !"):
        EmissionsTracker(output_dir="nowhere")


def test_a_signal_stops_it(daemon: SmallDaemon) -> None:
    tracker = EmissionsTracker()
    tracker.start()
    tracker.service_shutdown(signal.SIGTERM, None)
    assert len(rows()) == 1


# -- without a daemon --------------------------------------------------------------------------------------------------


def test_without_a_daemon_nothing_is_known_which_is_not_zero(caplog: pytest.LogCaptureFixture) -> None:
    """One warning, a row with empty numbers, None instead of kg, and the program goes on."""
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with EmissionsTracker("nlp", unknown_argument=5) as tracker:
                tracker.start_task("t")
                assert tracker.flush() is None
                assert tracker.stop_task() is not None
            assert tracker.final_emissions is None
            assert tracker.stop() is None
    assert [record.getMessage() for record in caplog.records] == [
        "wattledger: no daemon is running on this node, so nothing is measured. Start it with: wattledger run"
    ]
    for row in rows():
        assert row["project_name"] == "nlp"
        assert number(row, "duration") >= 0
        assert all(row[name] == "" for name in ("emissions", "energy_consumed", "cpu_energy", "cpu_power", "gpu_count"))


def test_no_grid_factor_is_no_kg(daemon: SmallDaemon, caplog: pytest.LogCaptureFixture) -> None:
    daemon.grid.intensity_mg_per_kwh = None
    with EmissionsTracker() as tracker:
        burn(0.1)
    (row,) = rows()
    assert tracker.final_emissions is None
    assert number(row, "energy_consumed") > 0
    assert row["emissions"] == ""
    assert "no factor" in caplog.records[-1].getMessage()


# -- the file ----------------------------------------------------------------------------------------------------------

ROW = with_rates(EmissionsData("2026-10-03T12:00:05", 'a,b\n"c"', "r1", "", 3600.0, emissions=0.5, cpu_energy=2.0))


def test_rates_and_powers() -> None:
    assert (ROW.cpu_power, ROW.gpu_power, ROW.emissions_rate) == (2000.0, None, 0.5 / 3600)
    assert with_rates(replace(ROW, duration=0.0)).cpu_power is None
    assert '"project_name": "a,b\\n\\"c\\""' in ROW.toJSON()


def test_text_that_would_break_a_row_is_quoted(tmp_path: Path) -> None:
    write_row(tmp_path / "e.csv", ROW)
    assert rows(str(tmp_path / "e.csv"))[0]["project_name"] == 'a,b\n"c"'


def test_an_older_file_is_kept_beside_the_new_one(tmp_path: Path) -> None:
    """Version 2 of codecarbon had 31 columns: its rows are nobody's to rewrite."""
    path = tmp_path / "e.csv"
    for number_, aside in enumerate(("e.csv.bak", "e.csv_1.bak")):
        path.write_text(f"timestamp,old{number_}\n1,2\n")
        write_row(path, ROW)
        assert (tmp_path / aside).read_text() == f"timestamp,old{number_}\n1,2\n"
        assert len(rows(str(path))) == 1


def test_columns_in_another_order_are_written_in_theirs(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text(",".join(reversed(COLUMNS)) + "\n")
    write_row(path, ROW)
    (row,) = rows(str(path))
    assert tuple(row) == tuple(reversed(COLUMNS))
    assert row["run_id"] == "r1"


def test_an_empty_file_gets_its_header(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.touch()
    write_row(path, ROW)
    assert len(rows(str(path))) == 1


def _write_many(path: Path, rank: int, update: bool) -> None:
    for number_ in range(20):
        write_row(path, replace(ROW, run_id=f"{rank}-{0 if update else number_}"), update=update and number_ % 3 == 0)


@pytest.mark.parametrize("update", [False, True])
def test_ranks_that_write_at_the_same_time_lose_no_row(tmp_path: Path, update: bool) -> None:
    path = tmp_path / "e.csv"
    context = multiprocessing.get_context("fork")
    ranks = [context.Process(target=_write_many, args=(path, rank, update)) for rank in range(4)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join()
        assert process.exitcode == 0
    written = [row["run_id"] for row in rows(str(path))]
    if update:
        assert {run.partition("-")[0] for run in written} == {"0", "1", "2", "3"}
    else:
        assert sorted(written) == sorted(f"{rank}-{number_}" for rank in range(4) for number_ in range(20))


def test_the_gpus_that_the_process_sees_are_counted() -> None:
    gpus = [{"index": str(n), "uuid": f"GPU-{n}", "model": "H100" if n < 2 else "L4"} for n in range(3)]
    node = {"version": "1", "gpus": gpus}
    seen = {
        given: (found["gpu_count"], found["gpu_model"])
        for given in ("0,1,2", "2", "", "GPU-1,GPU-2", "NoDevFiles")
        for found in [machine(node, {"CUDA_VISIBLE_DEVICES": given})]
    }
    assert seen == {
        "0,1,2": (3, "2 x H100, 1 x L4"),
        "2": (1, "1 x L4"),
        "": (0, ""),
        "GPU-1,GPU-2": (2, "1 x H100, 1 x L4"),
        "NoDevFiles": (0, ""),
    }
