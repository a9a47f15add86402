"""The prolog and epilog as slurmd runs them: a bare environment, whatever is in it, and always exit code 0."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from tests.fakes.slurm import until
from tests.workloads.slurm.stage import Stage

SCRIPTS = Path(__file__).resolve().parents[3] / "deploy" / "slurm"
#: What slurmd 22.05 gives a prolog.
JOB = {
    "SLURM_JOB_ID": "6",
    "SLURM_JOBID": "6",
    "SLURM_JOB_USER": "ada",
    "SLURM_JOB_UID": "1000",
    "SLURM_JOB_ACCOUNT": "nlp",
    "SLURM_JOB_PARTITION": "a100",
    "SLURM_JOB_RESTART_COUNT": "0",
    "SLURM_JOB_GPUS": "0,5",
    "CUDA_VISIBLE_DEVICES": "0,5",
    "SLURM_CLUSTER_NAME": "wl",
}


class Node:
    """Runs the scripts on a node in a folder."""

    def __init__(self, stage: Stage) -> None:
        self.stage, self.jobs = stage, stage.jobs_dir
        self.tools = stage.folder / "bin"
        self.tools.mkdir()
        self.shell = "/bin/sh"

    def run(self, script: str, *, unset: str = "", **variables: str) -> None:
        env = {
            "WATTLEDGER_JOBS_DIR": str(self.jobs),
            "WATTLEDGER_PROCFS": str(self.stage.roots.procfs),
            "WATTLEDGER_REPORT_DIR": "",
            "SLURMD_NODENAME": os.uname().nodename,
            **JOB,
            **variables,
        }
        env.pop(unset, None)
        # The scripts set PATH themselves: our tools go where it begins.
        text = (SCRIPTS / f"{script}.sh").read_text(encoding="utf-8").replace("PATH=/usr", f"PATH={self.tools}:/usr", 1)
        text = text.replace("/etc/wattledger/slurm.env", str(self.stage.folder / "slurm.env"))
        copy = self.stage.folder / f"{script}.sh"
        copy.write_text(text, encoding="utf-8")
        copy.chmod(0o755)
        done = subprocess.run([self.shell, str(copy)], env=env, cwd="/", capture_output=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")

    def tool(self, name: str, script: str) -> None:
        (self.tools / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (self.tools / name).chmod(0o755)

    def written(self, name: str = "6.json") -> dict[str, object]:
        found: dict[str, object] = json.loads((self.jobs / name).read_text(encoding="utf-8"))
        return found


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(Stage(tmp_path))


def test_what_the_prolog_writes(node: Node) -> None:
    node.run("prolog")
    written = node.written()
    assert isinstance(written.pop("started"), int)
    assert written == {
        "version": 1,
        "job": "6",
        "node": os.uname().nodename,
        "user": "ada",
        "account": "nlp",
        "partition": "a100",
        "restart": "0",
        "gpus": "0,5",
    }
    assert stat.S_IMODE((node.jobs / "6.json").stat().st_mode) == 0o644
    assert [path.name for path in node.jobs.iterdir()] == ["6.json"]


def test_the_resolver_reads_what_the_prolog_writes(node: Node) -> None:
    more = {"SLURM_JOB_QOS": "high", "SLURM_JOB_NAME": "träin", "SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "7"}
    node.run("prolog", **more)
    node.stage.turn()
    workload = node.stage.resolve("6")
    assert workload is not None
    assert (workload.name, workload.user, workload.job, workload.queue) == ("träin", "ada", "5_7", "a100")
    assert node.stage.held() == {"slurm/6": ["index:0", "index:5"]}


def test_uuids_come_from_the_kernel_module(node: Node) -> None:
    node.stage.gpu(5, "GPU-aaaa-5", "0000:18:00.0")
    node.stage.gpu(0, "GPU-bbbb-0", "0000:db:00.0")
    node.run("prolog")
    assert node.written()["devices"] == ["GPU-bbbb-0", "GPU-aaaa-5"]


def test_a_uuid_that_the_kernel_module_hides_comes_from_nvidia_smi(node: Node) -> None:
    """It is asked once, whatever it says."""
    node.stage.gpu(0, "GPU-????????-????-????-????-????????????", "0000:0a:00.0")
    node.stage.gpu(5, "GPU-????????-????-????-????-????????????", "0000:db:00.0")
    asked = node.stage.folder / "asked"
    rows = "00000000:DB:00.0, GPU-aaaa-5\n00000000:0A:00.0, GPU-bbbb-0"
    node.tool("nvidia-smi", f"echo x >> {asked}\nprintf '%s\\n' '{rows}'")
    node.run("prolog")
    assert node.written()["devices"] == ["GPU-bbbb-0", "GPU-aaaa-5"]
    assert asked.read_text() == "x\n"


@pytest.mark.parametrize("script", ["exit 9", "echo 'No devices were found'", "kill -9 $$", "exec sleep 300"])
def test_a_broken_nvidia_smi_costs_the_uuids_only(node: Node, script: str) -> None:
    node.stage.gpu(0, "GPU-????????-????-????-????-????????????", "0000:0a:00.0")
    node.stage.gpu(5, "GPU-????????-????-????-????-????????????", "0000:db:00.0")
    node.tool("nvidia-smi", script)
    node.run("prolog")
    assert "devices" not in node.written()
    assert node.written()["gpus"] == "0,5"


@pytest.mark.parametrize(
    "settings",
    [
        'WATTLEDGER_REPORT_DIR="/shared/energy\n',  # a quote that is missing ends a shell
        "WATTLEDGER_REPORT_DIR=/nowhere\nexit 3\n",
        "WATTLEDGER_REPORT_DIR=/nowhere\nexit 0\n",
        "echo read\nexit 0\n",
        "readonly mine=1\nmine=2\n",
        "set -eu\nfalse\n",
        "return 1\n",
        "nosuchcommand\n",
    ],
)
def test_settings_that_are_wrong_drain_no_node(node: Node, settings: str) -> None:
    """A prolog or an epilog that fails takes the node away from its users; the job is known by what is the default."""
    (node.stage.folder / "slurm.env").write_text(settings)
    node.run("prolog")
    assert node.written()["user"] == "ada"
    node.run("epilog")
    assert [path.name for path in node.jobs.iterdir()] == ["6.json.ended"]


def test_settings_are_taken(node: Node, tmp_path: Path) -> None:
    """Also where the last line of the file says that something is not so."""
    (tmp_path / "elsewhere").mkdir()
    text = f"WATTLEDGER_JOBS_DIR={tmp_path / 'elsewhere'}\n[ -d /nonexistent ] && WATTLEDGER_HINT=yes\n"
    (node.stage.folder / "slurm.env").write_text(text)
    node.run("prolog")
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["6.json"]
    assert list(node.jobs.iterdir()) == []


@pytest.mark.parametrize("account", ["x" + "é" * 200, "é" * 128, "é" * 127 + "xy", "x" * 254 + "本"])
def test_a_long_name_is_cut_between_letters(node: Node, account: str) -> None:
    """Half a letter would make the file unreadable for whoever is strict."""
    node.run("prolog", SLURM_JOB_ACCOUNT=account)
    found = json.loads((node.jobs / "6.json").read_bytes().decode("utf-8", "strict"))["account"]
    assert account.startswith(found)
    assert 250 <= len(found.encode()) <= 256


def test_unless_all_uuids_are_known_none_is_given(node: Node) -> None:
    node.stage.gpu(0, "GPU-bbbb-0", "0000:0a:00.0")
    node.run("prolog")
    assert "devices" not in node.written()


def test_mig_instances_have_names_of_their_own(node: Node) -> None:
    node.stage.gpu(0, "GPU-bbbb-0", "0000:0a:00.0")
    node.run("prolog", CUDA_VISIBLE_DEVICES="MIG-1a,MIG-2b", SLURM_JOB_GPUS="0,1")
    assert node.written()["devices"] == ["MIG-1a", "MIG-2b"]


def test_a_job_without_gpus(node: Node) -> None:
    node.run("prolog", unset="SLURM_JOB_GPUS")
    assert "gpus" not in node.written()
    assert "devices" not in node.written()


@pytest.mark.parametrize(
    "name",
    [
        'a"b\\c',
        "x\ny\tz",
        "$(touch /tmp/pwned) `id` ; rm -rf / & | > <",
        "%s%n%d",
        "-n",
        "*",
        '","user":"root',
        "=cmd()",
        "ä" * 300,
        "x" * 10_000,
        "\x01\x1f\x7f",
    ],
)
def test_whatever_a_job_is_called_the_file_is_whole(node: Node, name: str) -> None:
    node.run("prolog", SLURM_JOB_NAME=name, SLURM_JOB_ACCOUNT=name)
    written = json.loads((node.jobs / "6.json").read_bytes().decode("utf-8", "replace"))
    clean = "".join(" " if character < " " or character == "\x7f" else character for character in name)
    assert written["user"] == "ada"
    assert written["name"][:80] == clean[:80]
    assert len(written["name"]) <= 256 or name == "x" * 10_000
    node.stage.turn()
    assert node.stage.resolve("6") is not None


@pytest.mark.parametrize("job", ["", "six", "../../etc/x", "6;id", "-1"])
def test_no_number_no_file(node: Node, job: str) -> None:
    node.run("prolog", SLURM_JOB_ID=job)
    node.run("epilog", SLURM_JOB_ID=job)
    assert list(node.jobs.iterdir()) == []


def test_a_slurmd_with_a_name_of_its_own_has_a_file_of_its_own(node: Node) -> None:
    node.run("prolog", SLURMD_NODENAME="vn1")
    node.run("prolog", SLURMD_NODENAME="vn2", SLURM_JOB_GPUS="1")
    node.run("prolog", SLURMD_NODENAME="../vn3")
    assert sorted(path.name for path in node.jobs.iterdir()) == ["6.vn1.json", "6.vn2.json"]
    node.run("epilog", SLURMD_NODENAME="vn2")
    assert sorted(path.name for path in node.jobs.iterdir()) == ["6.vn1.json", "6.vn2.json.ended"]


def test_the_folder_is_made_and_a_link_in_its_place_is_not_followed(node: Node) -> None:
    node.jobs.rmdir()
    node.run("prolog")
    assert (node.jobs / "6.json").exists()
    shutil.rmtree(node.jobs)
    (node.stage.folder / "victim").mkdir()
    node.jobs.symlink_to(node.stage.folder / "victim")
    node.run("prolog")
    assert list((node.stage.folder / "victim").iterdir()) == []


def test_a_folder_that_cannot_be_written_stops_no_job(node: Node) -> None:
    node.jobs.rmdir()
    node.jobs.write_text("a file")
    node.run("prolog")
    node.run("epilog")


def test_the_epilog_marks_and_the_next_run_takes_the_mark_away(node: Node) -> None:
    node.run("prolog")
    node.run("epilog")
    assert [path.name for path in node.jobs.iterdir()] == ["6.json.ended"]
    node.run("prolog", SLURM_JOB_RESTART_COUNT="1")
    assert [path.name for path in node.jobs.iterdir()] == ["6.json"]
    assert node.written()["restart"] == "1"


def test_the_epilog_clears_away_what_is_old(node: Node) -> None:
    for name in ("1.json.ended", ".2.4711", "3.json"):
        (node.jobs / name).write_text("{}")
        os.utime(node.jobs / name, (1_700_000_000, 1_700_000_000))
    (node.jobs / "4.json.ended").write_text("{}")
    node.run("epilog")
    assert sorted(path.name for path in node.jobs.iterdir()) == ["3.json", "4.json.ended"]


def test_a_long_job_is_not_cleared_away_at_its_end(node: Node) -> None:
    """Its file is old; its end is not."""
    node.run("prolog")
    os.utime(node.jobs / "6.json", (1_700_000_000, 1_700_000_000))
    node.run("epilog")
    assert [path.name for path in node.jobs.iterdir()] == ["6.json.ended"]


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_other_shells(node: Node, shell: str) -> None:
    node.shell = shutil.which(shell) or pytest.skip(f"no {shell} here")
    node.stage.gpu(0, "GPU-bbbb-0", "0000:0a:00.0")
    node.stage.gpu(5, "GPU-aaaa-5", "0000:18:00.0")
    node.run("prolog", SLURM_JOB_NAME='a"b')
    assert node.written()["name"] == 'a"b'
    assert node.written()["devices"] == ["GPU-bbbb-0", "GPU-aaaa-5"]
    node.run("epilog")
    assert [path.name for path in node.jobs.iterdir()] == ["6.json.ended"]


# --- the report -------------------------------------------------------------------------------------------------------


def reported(node: Node, count: int) -> list[str]:
    """The first calls that the epilog's background part made."""
    asked = node.stage.folder / "asked"
    until(lambda: asked.exists() and asked.read_text().count("\n") >= count, f"{count} calls were made")
    return asked.read_text().splitlines()


def test_the_report_is_made_in_the_background_and_for_this_run_only(node: Node) -> None:
    reports = node.stage.folder / "reports"
    node.tool("wattledger", f'echo "$*" >> {node.stage.folder}/asked')
    node.run("prolog")
    since = node.written()["started"]
    node.run("epilog", WATTLEDGER_REPORT_DIR=f"{reports}/%n/jobs", SLURMD_NODENAME=os.uname().nodename)
    folder = f"{reports}/{os.uname().nodename}/jobs"
    assert reported(node, 1) == [f"job 6 --since {since} --wait 30 --write {folder} --brief"]
    assert Path(folder).is_dir()


def test_a_requeued_job_is_reported_with_all_its_runs(node: Node) -> None:
    node.tool("wattledger", f'echo "$*" >> {node.stage.folder}/asked')
    node.run("prolog", SLURM_JOB_RESTART_COUNT="1")
    node.run("epilog", SLURM_JOB_RESTART_COUNT="1", WATTLEDGER_REPORT_DIR=str(node.stage.folder))
    assert reported(node, 1) == [f"job 6 --wait 30 --write {node.stage.folder} --brief"]


def test_the_accounting_database_is_told_when_that_is_wanted(node: Node) -> None:
    asked = node.stage.folder / "asked"
    node.tool("wattledger", f'echo report >> {asked}; echo "node-1: 0.5 kWh, 99 % measured"')
    node.tool("sacctmgr", f'echo "$*" >> {asked}')
    node.run("epilog", WATTLEDGER_REPORT_DIR=str(node.stage.folder), WATTLEDGER_ADMIN_COMMENT="yes")
    text = "-i -Q modify job where jobid=6 cluster=wl set AdminComment=node-1: 0.5 kWh, 99 % measured"
    assert reported(node, 2) == ["report", text]


def test_the_epilog_does_not_wait_for_a_report_that_hangs(node: Node) -> None:
    """And its pipes are free: slurmd waits for their end. Ended here by its own pid."""
    pid = node.stage.folder / "pid"
    node.tool("wattledger", f"echo $$ > {pid}; exec sleep 300")
    node.run("epilog", WATTLEDGER_REPORT_DIR=str(node.stage.folder))
    until(lambda: pid.exists() and pid.read_text().strip(), "the report began")
    session = os.getsid(int(pid.read_text()))
    assert session != os.getsid(0), "a session of its own: slurmd's kill does not reach it"
    os.kill(int(pid.read_text()), signal.SIGKILL)


@pytest.mark.parametrize("command", ["", "/nonexistent/wattledger"])
def test_no_report_without_folder_or_command(node: Node, command: str) -> None:
    folder = "" if not command else str(node.stage.folder / "reports")
    node.run("epilog", WATTLEDGER_REPORT_DIR=folder, WATTLEDGER_COMMAND=command or "wattledger")
    assert not (node.stage.folder / "reports").exists()
