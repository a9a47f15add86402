"""What a job's own processes say, and which jobs and processes the cgroups show."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.unprivileged import without_dac
from tests.workloads.slurm.stage import JOB, Stage
from tracker.core.model import Workload
from tracker.workloads.environ import MAX_BYTES, parse_environ, read_environ
from tracker.workloads.paths import identify
from tracker.workloads.slurm.cgroups import Place, find_jobs, is_populated, pids_of

SAID = {
    "SLURM_JOB_ID": "6",
    "SLURM_JOB_USER": "ada",
    "SLURM_JOB_ACCOUNT": "nlp",
    "SLURM_JOB_PARTITION": "a100",
    "SLURM_JOB_QOS": "high",
    "SLURM_JOB_NAME": "train me",
    "SLURM_JOB_GPUS": "1",
    "CUDA_VISIBLE_DEVICES": "0",
}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path, ask=False)


def test_a_job_that_nothing_else_knows(stage: Stage) -> None:
    """The GPU is the node's number, not that of CUDA_VISIBLE_DEVICES, which counts within the job."""
    stage.cgroup_v2("job_6")
    stage.environ(SAID)
    stage.turn()
    workload = stage.resolve("6")
    assert workload is not None
    assert (workload.name, workload.user, workload.project, workload.queue) == ("train me", "ada", "nlp", "a100")
    assert stage.resolver.attributes("slurm/6") == {"account": "nlp", "partition": "a100", "qos": "high"}
    assert stage.held() == {"slurm/6": ["index:1"]}


def test_the_prolog_goes_before_what_the_user_may_write(stage: Stage) -> None:
    stage.cgroup_v2("job_6")
    stage.prolog("6", user="ada", account="nlp", partition="a100", gpus="1")
    stage.environ({**SAID, "SLURM_JOB_ACCOUNT": "rich", "SLURM_JOB_USER": "root", "SLURM_JOB_GPUS": "7"})
    stage.turn()
    workload = stage.resolve("6")
    assert workload is not None
    assert (workload.name, workload.user, workload.project) == ("train me", "ada", "nlp")
    assert stage.held() == {"slurm/6": ["index:1"]}


def test_array_het_mig_and_sluid(stage: Stage) -> None:
    stage.cgroup_v2("job_6", pid=1)
    stage.environ({**SAID, "SLURM_ARRAY_JOB_ID": "5", "SLURM_ARRAY_TASK_ID": "7"}, 1)
    stage.cgroup_v2("job_8", pid=2)
    het = {"SLURM_JOB_ID_HET_GROUP_0": "7", "SLURM_JOB_ID_HET_GROUP_1": "8"}
    stage.environ({**SAID, "SLURM_JOB_ID": "8", "CUDA_VISIBLE_DEVICES": "MIG-1,MIG-2", **het}, 2)
    stage.cgroup_v2("s5K1KKYAYG5D00", pid=3)
    stage.environ({**SAID, "SLURM_JOB_ID": "9"}, 3)
    stage.turn()
    found = {name: workload.job for name in ("6", "8", "s5K1KKYAYG5D00") if (workload := stage.resolve(name))}
    assert found == {"6": "5_7", "8": "7+1", "s5K1KKYAYG5D00": "9"}
    assert stage.held()["slurm/8"] == ["MIG-1", "MIG-2"]


def test_a_process_that_speaks_of_another_job_is_not_believed(stage: Stage) -> None:
    """A job that is submitted from inside a job begins with the environment of the outer one."""
    stage.cgroup_v2("job_7")
    stage.environ(SAID)
    stage.turn()
    assert stage.resolve("7") is None


def test_a_batch_script_that_starts_later_is_met_later(stage: Stage) -> None:
    """The cgroup is there before the script; slurmstepd in it has another environment."""
    stage.cgroup_v2("job_6")
    stage.environ({"LANG": "C"})
    stage.turn()
    assert stage.resolve("6") is None
    stage.environ(SAID)
    stage.turn(11)
    assert stage.resolve("6") is not None


def test_it_may_be_forbidden(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ask=False, environ=False)
    stage.cgroup_v2("job_6")
    stage.environ(SAID)
    stage.turn()
    assert stage.resolve("6") is None


@pytest.mark.needs("root")
def test_missing_rights_are_named(stage: Stage) -> None:
    stage.cgroup_v2("job_6")
    stage.environ(SAID).chmod(0o400)
    os.chown(stage.roots.procfs / "77" / "environ", 1000, 1000)
    with without_dac():
        stage.turn()
    assert any("CAP_SYS_PTRACE" in problem for problem in stage.problems())


def test_a_requeued_job_without_file_is_learned_again(stage: Stage) -> None:
    """The same number runs again after two minutes, on another GPU; its user stays known meanwhile."""
    folder = stage.cgroup_v2("job_6")
    stage.environ(SAID)
    stage.turn()
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    folder.rmdir()
    stage.turn(11)
    stage.turn(120)
    stage.cgroup_v2("job_6", pid=78)
    stage.environ({**SAID, "SLURM_JOB_GPUS": "0"}, 78)
    stage.turn(11)
    assert stage.held() == {"slurm/6": ["index:0"]}


def test_a_number_of_another_user_is_another_job(stage: Stage) -> None:
    """The path in cgroup v1 names the user: what was known of the last one is void."""
    stage.cgroup_v1("6", uid="1000")
    stage.environ(SAID)
    stage.turn()
    assert stage.resolve("6") is not None
    (stage.cgroups / "freezer/slurm/uid_1000").rename(stage.cgroups / "freezer/slurm/uid_1001")
    (stage.roots.procfs / "77" / "environ").unlink()
    stage.turn(11)
    assert stage.resolve("6") is None


def test_an_unknown_job_is_learned_although_its_cgroup_lies_elsewhere(stage: Stage) -> None:
    """The tick meets a job in a place that we do not look at; a job file may still come."""
    assert stage.resolve("6") is None
    stage.turn()
    stage.prolog("6", **JOB)
    stage.turn()
    assert stage.resolve("6") is not None


def test_made_up_jobs_displace_no_real_one(tmp_path: Path) -> None:
    """A container may make cgroups called like jobs: they are remembered for a while, nobody is asked about them."""
    stage = Stage(tmp_path, environ=False)
    stage.command("scontrol", "exit 1")
    stage.prolog("6", **JOB)
    stage.turn()
    for number in range(10_000, 16_000):
        stage.resolve(str(number))
        if number % 1000 == 0:
            stage.turn()
    stage.turn(61)
    assert stage.resolve("6") is not None
    assert len(stage.resolver._jobs.by_name) <= 4096
    assert stage.calls() == []


def test_other_workloads_are_none_of_ours(stage: Stage) -> None:
    stage.turn()
    for path in ("/docker/" + "a" * 64, "/oar/ada_6", "/user.slice/user-1000.slice", "/"):
        identity = identify(path)
        assert stage.resolver.resolve(identity, Workload(identity.key, identity.kind)) is None
    assert len(stage.resolver._unknown) == 0


# --- cgroups ----------------------------------------------------------------------------------------------------------


def test_jobs_in_every_layout(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.cgroup_v1("6", uid="5")
    stage.cgroup_v1("7", uid="5", controller="memory")
    other = stage.cgroups / "memory" / "slurm_vn2" / "uid_9" / "job_8"
    other.mkdir(parents=True)
    found = find_jobs(stage.cgroups)
    assert found is not None
    assert {name: (place.node, place.uid) for name, place in found.items()} == {
        "6": ("", "5"),
        "7": ("", "5"),
        "8": ("vn2", "9"),
    }


def test_jobs_in_v2_with_several_slurmd(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.cgroup_v2("job_6", node="vn1")
    stage.cgroup_v2("job_7", node="vn2")
    stage.cgroup_v2("s5K1KKYAYG5D00")
    (stage.cgroups / "slurm" / "x").mkdir(parents=True)
    (stage.cgroups / "system.slice" / "slurm_exporter.service" / "uid_1" / "job_9").mkdir(parents=True)
    found = find_jobs(stage.cgroups)
    assert found is not None
    assert {name: place.node for name, place in found.items()} == {"6": "vn1", "7": "vn2", "s5K1KKYAYG5D00": ""}


def test_no_slurm_and_no_cgroups(tmp_path: Path) -> None:
    assert find_jobs(tmp_path) is None
    assert find_jobs(tmp_path / "nowhere") is None
    (tmp_path / "freezer" / "slurm").mkdir(parents=True)
    assert find_jobs(tmp_path) == {}


def test_processes_of_a_job(tmp_path: Path) -> None:
    """The batch script before user steps, Slurm's own last; bounded."""
    folders = ("step_extern", "step_0/user/task_0", "step_batch/slurm", "step_batch/user/task_0")
    for number, folder in enumerate(folders):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "cgroup.procs").write_text(f"{number}\n")
    place = Place(str(tmp_path), "", "")
    assert pids_of(place) == [3, 2, 1, 0]
    assert len(pids_of(place, 2)) == 2
    (tmp_path / "cgroup.procs").write_text("\n".join(map(str, range(100, 5000))))
    assert len(pids_of(place)) == 16


def test_empty_folders_that_slurm_leaves_behind(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    v1, v2 = stage.cgroup_v1("6"), stage.cgroup_v2("job_7")
    assert is_populated(Place(str(v1), "", ""))
    assert is_populated(Place(str(v2), "", ""))
    (v1 / "step_batch" / "cgroup.procs").write_text("")
    (v2 / "cgroup.events").write_text("populated 0\nfrozen 0\n")
    assert not is_populated(Place(str(v1), "", ""))
    assert not is_populated(Place(str(v2), "", ""))
    assert not is_populated(Place(str(tmp_path / "gone"), "", ""))


# --- the file itself --------------------------------------------------------------------------------------------------


def test_the_environment_of_a_real_process() -> None:
    """Also a long one, in pieces."""
    env = {"SLURM_JOB_ID": "6", "SLURM_JOB_NAME": "a=b\nc", "FILLER": "x" * 60_000}
    code = "import sys; print('up', flush=True); sys.stdin.read()"
    child = subprocess.Popen(
        [sys.executable, "-S", "-c", code], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    data = read_environ(Path("/proc"), child.pid)
    child.communicate()
    assert parse_environ(data, (b"SLURM_",)) == {"SLURM_JOB_ID": "6", "SLURM_JOB_NAME": "a=b\nc"}
    assert len(data) > 60_000
    with pytest.raises(OSError, match="No such"):
        read_environ(Path("/proc"), child.pid)


def test_an_environment_is_bounded(tmp_path: Path) -> None:
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "environ").write_bytes(b"A=" + b"x" * (2 * MAX_BYTES))
    assert len(read_environ(tmp_path, 5)) == MAX_BYTES


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", {}),
        (b"SLURM_A=1\0SLURM_A=2\0", {"SLURM_A": "1"}),
        (b"SLURM_A\0XSLURM_B=1\0SLURM_C=\xff", {"SLURM_C": "\ufffd"}),
        (b"SLURM_A=" + b"x" * 9000, {"SLURM_A": "x" * 4096}),
    ],
)
def test_parsing_an_environment(data: bytes, expected: dict[str, str]) -> None:
    assert parse_environ(data, (b"SLURM_",)) == expected
