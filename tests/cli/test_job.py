"""``wattledger job``: what a Slurm job used, from the node's ledger, as people, scripts and sacct users read it."""

from __future__ import annotations

import csv
import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.node import GPU, PACKAGE, FixedGrid, Node, ScriptedFeed
from tracker.cli.job import job, write_report
from tracker.cli.job_report import JobReport
from tracker.core.errors import WattledgerError
from tracker.core.model import GpuHolding, Holder, Kind, Method, Observation, Share, Workload
from tracker.ledger.files import LEDGER_FILE

JOB = Workload("slurm/6", Kind.SLURM, "train me", user="ada", job="5_7", queue="a100", project="nlp")
OTHER = Workload("slurm/7", Kind.SLURM, "=cmd()", user="bob", job="7")
SLUID = Workload("slurm/s5K1KKYAYG5D00", Kind.SLURM, "new", user="eve", job="9")


@pytest.fixture
def node(tmp_path: Path) -> Node:
    """100 s in which job 6 holds GPU-a (100 W) and two of three parts of the CPU (100 W); job 7 has the third."""
    made = Node(tmp_path, ScriptedFeed("nvml", GPU), ScriptedFeed("rapl", PACKAGE))
    made.first_tick()
    made.observer.seen = seen(JOB, OTHER)
    made.run(100)
    return made


def seen(first: Workload, second: Workload) -> Observation:
    return Observation(
        cpu=(Share(first, 2_000_000), Share(second, 1_000_000)),
        cpu_capacity_us=20_000_000,
        gpu={"GPU-a": GpuHolding((Holder(first, sm_weight=300, memory_weight=1),))},
    )


class Command:
    """Runs ``wattledger job ...`` on the node's folder and keeps what it printed."""

    def __init__(self, node: Node, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.node, self.capsys = node, capsys
        monkeypatch.setenv("WATTLEDGER_NODE__STATE_DIR", str(node.folder))
        monkeypatch.setenv("WATTLEDGER_NODE__HOSTNAME", "node-1")

    def __call__(self, *arguments: str) -> str:
        job(list(arguments), standalone_mode=False)
        printed = self.capsys.readouterr()
        assert printed.err == ""
        return printed.out


@pytest.fixture
def command(node: Node, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return Command(node, capsys, monkeypatch)


def test_json(command: Command) -> None:
    report = json.loads(command("6", "--json"))
    assert report["labels"] == {
        "key": "slurm/6",
        "kind": "slurm",
        "name": "train me",
        "user": "ada",
        "job": "5_7",
        "queue": "a100",
        "project": "nlp",
    }
    gpu, cpu = report["parts"]
    assert (gpu["component"], gpu["energy_uj"], gpu["measured_uj"]) == ("gpu", 10_000_000_000, 10_000_000_000)
    assert (cpu["component"], cpu["energy_uj"]) == ("cpu", 6_666_666_660)
    assert gpu["held_ms"] == 100_000
    assert report["energy_uj"] == 16_666_666_660
    assert report["emissions_ug"] > 0
    assert report["hostname"] == "node-1"
    assert report["since_s"] is None


@pytest.mark.parametrize("name", ["6", "5_7"])
def test_a_job_is_found_by_number_and_as_squeue_calls_it(command: Command, name: str) -> None:
    assert json.loads(command(name, "--json"))["energy_uj"] == 16_666_666_660


def test_a_job_is_found_by_sluid_and_by_number_where_cgroups_have_sluids(command: Command) -> None:
    command.node.observer.seen = seen(SLUID, OTHER)
    command.node.run(10)
    found = [json.loads(command(name, "--json"))["energy_uj"] for name in ("s5K1KKYAYG5D00", "9")]
    assert found == [1_666_666_666, 1_666_666_666]


def test_csv_foots_digit_by_digit_and_holds_no_formula(command: Command) -> None:
    rows = list(csv.DictReader(command("7", "--csv").splitlines()))
    assert len(rows) == 1
    row = rows[0]
    assert row["name"] == "'=cmd()"
    assert row["energy_joules"] == row["cpu_joules"] == "3333.333340"
    assert (row["gpu_joules"], row["gpu_held_seconds"], row["measured_joules"]) == ("0.000000", "0.000", "3333.333340")


def test_text_and_one_line(command: Command) -> None:
    lines = command("6").splitlines()
    assert lines[0] == "Job 5_7 on node-1: name train me, user ada, project nlp, queue a100"
    assert lines[2].split() == ["gpu", "0.002778", "0.000000", "0.028"]
    brief = command("6", "--brief")
    assert brief.startswith("node-1: 0.004630 kWh (gpu 0.002778, cpu 0.001852), ")
    assert brief.endswith(" gCO2e location-based (50 g/kWh FR, PUE 1.2), 100 % measured\n")
    assert lines[-1] == "  factor  50 g/kWh in FR, lifecycle, tier 5: test table"


SIMULATED_GPU = replace(GPU, method=Method.SIMULATED)


@pytest.fixture
def doubtful(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """A node of ``run --demo`` where nobody said zone or PUE; its CPU is measured."""
    made = Node(tmp_path, ScriptedFeed("nvml", SIMULATED_GPU), ScriptedFeed("rapl", PACKAGE), pue_permille=1560)
    made.grid = FixedGrid(475_000, assumed=True)
    made.restart()
    made.first_tick()
    made.observer.seen = seen(JOB, OTHER)
    made.run(100)
    return Command(made, capsys, monkeypatch)


def test_what_is_simulated_or_assumed_is_said_for_people(doubtful: Command) -> None:
    brief = doubtful("6", "--brief")
    assert brief.endswith(
        " gCO2e location-based (475 g/kWh FR assumed, PUE 1.56 assumed), 39 % measured, 60 % simulated\n"
    )
    assert doubtful("6").splitlines()[-4:] == [
        "  factor  475 g/kWh in FR, lifecycle, tier 5: test table",
        "  note: Simulated by run --demo: this energy is invented.",
        "  note: Nobody set this site's zone: the mean of the world is assumed. Set it with: [site.<name>] zone",
        "  note: Nobody stated the PUE: the industry's average is assumed. Set it with: [site.<name>] pue",
    ]


def test_what_is_simulated_or_assumed_is_said_for_scripts(doubtful: Command) -> None:
    report = json.loads(doubtful("6", "--json"))
    assert (report["simulated_uj"], report["parts"][0]["simulated_uj"]) == (10_000_000_000, 10_000_000_000)
    assert report["weights"] == [
        {
            "zone": "FR",
            "basis": "location",
            "factor_type": "lifecycle",
            "tier": 5,
            "provider": "fixed",
            "source": "test table",
            "zone_assumed": True,
            "pue_permille": 1560,
            "pue_assumed": True,
            "least_mg_per_kwh": 475_000,
            "most_mg_per_kwh": 475_000,
            "emissions_ug": report["emissions_ug"],
        }
    ]
    row = next(csv.DictReader(doubtful("6", "--csv").splitlines()))
    assert row["simulated_joules"] == "10000.000000"
    assert row["basis"] == "location"
    assert row["factor"] == "475 g/kWh in FR, lifecycle, tier 5: test table"
    assert (row["pue"], row["assumed"]) == ("1.56", "zone pue")


def test_a_pue_of_156_that_somebody_states_is_not_assumed(doubtful: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATTLEDGER_SITE__PAR1__PUE", "1.56")
    monkeypatch.setenv("WATTLEDGER_SITE__PAR1__ZONE", "FR")
    monkeypatch.setenv("WATTLEDGER_NODE__SITE", "par1")
    assert next(csv.DictReader(doubtful("6", "--csv").splitlines()))["assumed"] == "zone"


def test_of_many_factors_the_largest_are_named_and_all_are_in_the_json(command: Command) -> None:
    """An hourly source says another value each hour; sources are told apart, values are a range."""
    assert isinstance(command.node.grid, FixedGrid)
    command.node.observer.seen = seen(SLUID, OTHER)
    for intensity in (60_000, 80_000):
        command.node.grid.intensity_mg_per_kwh = intensity
        command.node.run(300)
    assert "(60-80 g/kWh FR, PUE 1.2)" in command("9", "--brief")
    (weight,) = json.loads(command("9", "--json"))["weights"]
    assert (weight["least_mg_per_kwh"], weight["most_mg_per_kwh"]) == (60_000, 80_000)


def test_labels_that_came_later_are_the_same_job(command: Command) -> None:
    """Its first seconds were booked before anybody knew its name."""
    command.node.observer.seen = seen(Workload("slurm/6", Kind.SLURM, "6", job="6"), OTHER)
    command.node.run(10)
    command.node.observer.seen = seen(replace(JOB, name="5_7"), OTHER)
    command.node.run(10)
    report = json.loads(command("6", "--json"))
    assert report["energy_uj"] == 16_666_666_660 * 12 // 10
    assert (report["labels"]["name"], report["labels"]["project"]) == ("train me", "nlp")


def test_since_leaves_out_older_slots(command: Command) -> None:
    """The number was another job's before."""
    before = json.loads(command("6", "--json"))
    command.node.observer.seen = seen(OTHER, OTHER)
    command.node.run(600)
    command.node.observer.seen = seen(JOB, OTHER)
    start_s = command.node.moment.wall_ns // 1_000_000_000
    command.node.run(100)
    after = json.loads(command("6", "--json", "--since", str(start_s)))
    assert after["energy_uj"] == before["energy_uj"]
    assert abs(after["emissions_ug"] - before["emissions_ug"]) <= 1
    assert after["since_s"] == start_s // 300 * 300
    assert json.loads(command("6", "--json"))["energy_uj"] == 2 * before["energy_uj"]


def test_no_factor_is_not_no_emissions(command: Command) -> None:
    assert isinstance(command.node.grid, FixedGrid)
    command.node.grid.intensity_mg_per_kwh = None
    command.node.observer.seen = seen(SLUID, OTHER)
    command.node.run(10)
    assert json.loads(command("9", "--json"))["emissions_ug"] is None
    assert "no grid factor" in command("9", "--brief")
    assert next(csv.DictReader(command("9", "--csv").splitlines()))["emissions_grams"] == ""


def test_files_for_users(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "reports" / "node-1"
    command("6", "--write", str(folder))
    command("7", "--write", str(folder))
    command("7", "--write", str(folder))
    assert json.loads((folder / "6.json").read_text())["energy_uj"] == 16_666_666_660
    rows = list(csv.DictReader((folder / "jobs.csv").read_text().splitlines()))
    assert [row["job_id"] for row in rows] == ["6", "7", "7"]
    assert sorted(path.name for path in folder.iterdir()) == ["6.json", "7.json", "jobs.csv"]


def test_many_epilogs_at_once_write_one_header_and_whole_lines(command: Command, tmp_path: Path) -> None:
    def write(number: int) -> None:
        report = JobReport(
            job_id=str(number),
            hostname="node-1",
            since_s=None,
            booked_until_s=None,
            energy_uj=0,
            measured_uj=0,
            simulated_uj=0,
            emissions_ug=None,
            weights=(),
            parts=(),
            labels={},
        )
        write_report(report, tmp_path / "reports")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = list(csv.DictReader((tmp_path / "reports" / "jobs.csv").read_text().splitlines()))
    assert sorted(int(row["job_id"]) for row in rows) == list(range(20))


def test_an_unknown_job_is_an_error_with_a_reason(command: Command) -> None:
    with pytest.raises(WattledgerError, match=r"No energy of job 8 is booked in .*ledger.db\."):
        command("8")


@pytest.mark.parametrize("name", ["../6", "6;id", "", "ä", "6 7", "'"])
def test_what_is_no_job_is_bad_usage(command: Command, name: str) -> None:
    with pytest.raises(WattledgerError, match="is no Slurm job") as caught:
        command(name)
    assert caught.value.exit_code == 2


def test_a_folder_that_cannot_be_written(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WattledgerError, match="cannot be written into"):
        command("6", "--write", str(tmp_path / "file" / "below"))


def test_waiting_ends_when_everything_is_booked_and_at_the_deadline(command: Command, tmp_path: Path) -> None:
    """The scripted node lives in the future of this machine's clock, or in its past: waiting is bounded both ways."""
    assert json.loads(command("6", "--json", "--wait", "0.3"))["energy_uj"] == 16_666_666_660


def test_without_a_ledger_it_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(WattledgerError, match="There is no ledger at"):
        job(["6", "--state-dir", str(tmp_path / "none")], standalone_mode=False)
    assert not (tmp_path / "none" / LEDGER_FILE).exists()
