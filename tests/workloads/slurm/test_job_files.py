"""The job-file contract: what the prolog wrote becomes labels; what anybody else may have written does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.workloads.slurm.stage import JOB, NS, Stage
from tracker.core.model import Kind, Workload
from tracker.workloads.slurm.files import parse_job_file


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_a_job_has_the_names_of_its_file(stage: Stage) -> None:
    stage.prolog("6", **JOB)
    stage.turn()
    assert stage.resolve("6") == Workload(
        "slurm/6", Kind.SLURM, "train me", user="ada", job="6", queue="a100", project="nlp"
    )
    assert stage.resolver.attributes("slurm/6") == {"account": "nlp", "partition": "a100", "qos": "high"}
    assert stage.held() == {"slurm/6": ["index:0"]}
    assert stage.problems() == []


@pytest.mark.parametrize(("label", "expected"), [("team", ("nlp", "")), ("project", ("", "nlp")), ("", ("", ""))])
def test_which_label_the_account_becomes_can_be_chosen(tmp_path: Path, label: str, expected: tuple[str, str]) -> None:
    stage = Stage(tmp_path, account_label=label)
    stage.prolog("6", **JOB)
    stage.turn()
    workload = stage.resolve("6")
    assert workload is not None
    assert (workload.team, workload.project) == expected


def test_a_job_without_name_is_called_by_its_number(stage: Stage) -> None:
    """Prologs are not told the name."""
    stage.prolog("6", user="ada", partition="a100")
    stage.turn()
    workload = stage.resolve("6")
    assert workload is not None
    assert (workload.name, workload.project, stage.resolver.attributes("slurm/6")) == ("6", "", {"partition": "a100"})


@pytest.mark.parametrize(
    ("fields", "label"),
    [
        ({"array_job": "5", "array_task": "7"}, "5_7"),
        ({"het_job": "5", "het_offset": "0"}, "5+0"),
        ({"het_job": "5"}, "6"),
        ({"array_job": "5"}, "6"),
    ],
)
def test_array_tasks_and_het_components_are_called_as_squeue_does(
    stage: Stage, fields: dict[str, str], label: str
) -> None:
    stage.prolog("6", **JOB, **fields)
    stage.turn()
    workload = stage.resolve("6")
    assert workload is not None
    assert (workload.job, workload.key) == (label, "slurm/6")


def test_the_same_object_is_returned_until_something_changes(stage: Stage) -> None:
    """Otherwise every tick would compare every label of every job."""
    stage.prolog("6", **JOB)
    stage.turn()
    plain = Workload("slurm/6", Kind.SLURM, "6", job="6")
    identity = stage.identity("6")
    first = stage.resolver.resolve(identity, plain)
    stage.turn(12)
    assert stage.resolver.resolve(identity, plain) is first
    assert stage.resolver.allocations()[0].workload is first
    stage.prolog("6", **{**JOB, "account": "vision"})
    stage.turn()
    changed = stage.resolver.resolve(identity, plain)
    assert changed is not None
    assert changed.project == "vision"


def test_allocations_are_labelled_as_the_tick_labels_the_job(stage: Stage) -> None:
    stage.prolog("6", **JOB)
    stage.turn()
    names = stage.names()
    names.begin_tick()
    assert names.workload(stage.identity("6", uid="1000")) == stage.resolver.allocations()[0].workload


def test_uuids_are_preferred_to_numbers(stage: Stage) -> None:
    stage.prolog("6", **{**JOB, "gpus": "0,1"}, devices=["GPU-1111", "MIG-2222"])
    stage.prolog("7", **{**JOB, "gpus": "2-3"}, devices=[])
    stage.turn()
    assert stage.held() == {"slurm/6": ["GPU-1111", "MIG-2222"], "slurm/7": ["index:2", "index:3"]}


def test_numbers_are_minor_numbers_of_device_files(stage: Stage) -> None:
    """/dev/nvidia5 need not be the fifth GPU of the driver's order: the kernel module shows which it is."""
    stage.gpu(0, "GPU-aaaa", "0000:db:00.0")
    stage.gpu(5, "GPU-bbbb", "0000:18:00.0")
    stage.gpu(6, "GPU-????????-????-????-????-????????????", "0000:19:00.0")
    stage.prolog("6", **{**JOB, "gpus": "5"})
    stage.prolog("7", **{**JOB, "gpus": "6"})
    stage.turn()
    assert stage.held() == {"slurm/6": ["GPU-bbbb"]}
    assert any("GPUs of 1 jobs are not known" in problem for problem in stage.problems())


def test_numbers_of_mig_instances_are_not_taken_for_gpus(stage: Stage) -> None:
    (stage.roots.procfs / "driver/nvidia/capabilities/gpu0/mig/gi1").mkdir(parents=True)
    stage.prolog("6", **{**JOB, "gpus": "3"})
    stage.prolog("7", **{**JOB, "gpus": "4"}, devices=["MIG-4444"])
    stage.turn()
    assert stage.held() == {"slurm/7": ["MIG-4444"]}


def test_no_gpus_is_known_to_be_none(stage: Stage) -> None:
    stage.prolog("6", **{**JOB, "gpus": ""})
    stage.prolog("7", **{**JOB, "gpus": "NoDevFiles"})
    stage.turn()
    assert stage.held() == {}
    assert stage.problems() == []


def test_two_jobs_on_one_gpu_both_hold_it(stage: Stage) -> None:
    stage.prolog("6", **JOB)
    stage.prolog("7", **{**JOB, "user": "bob"})
    stage.turn()
    assert stage.held() == {"slurm/6": ["index:0"], "slurm/7": ["index:0"]}


def test_several_slurmd_on_one_host(stage: Stage) -> None:
    """Each writes a file of its own: a job on both has the GPUs of both, and one end is not the end."""
    stage.prolog("6", **JOB, node="vn1", file="6.vn1.json")
    stage.prolog("6", **{**JOB, "gpus": "1"}, node="vn2", file="6.vn2.json")
    stage.turn()
    assert stage.held() == {"slurm/6": ["index:0", "index:1"]}
    (stage.jobs_dir / "6.vn1.json").rename(stage.jobs_dir / "6.vn1.json.ended")
    stage.turn()
    assert stage.held() == {"slurm/6": ["index:1"]}


def test_a_file_with_an_sluid_names_the_cgroup_of_that_name(stage: Stage) -> None:
    """Slurm 26.05 names v2 cgroups so. The allocation carries the key that the cgroup has."""
    stage.cgroup_v2("s5K1KKYAYG5D00")
    stage.prolog("6", **JOB, sluid="s5K1KKYAYG5D00")
    stage.turn(11)
    workload = stage.resolve("s5K1KKYAYG5D00")
    assert workload is not None
    assert (workload.key, workload.job, workload.user) == ("slurm/s5K1KKYAYG5D00", "6", "ada")
    assert stage.held() == {"slurm/s5K1KKYAYG5D00": ["index:0"]}


def test_a_file_with_an_sluid_names_a_numbered_cgroup_too(stage: Stage) -> None:
    """CgroupJobIdPaths=yes, or cgroup v1."""
    stage.cgroup_v2("job_6")
    stage.turn(11)
    stage.prolog("6", **JOB, sluid="s5K1KKYAYG5D00")
    stage.turn()
    assert stage.held() == {"slurm/6": ["index:0"]}


# --- what is not believed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", '{"version":1,"job":"6","us', "[]", "null", '"x"', "\x00\xff", "[" * 5000])
def test_a_damaged_file_is_reported_and_harms_nothing(stage: Stage, content: str) -> None:
    stage.prolog("7", **JOB)
    (stage.jobs_dir / "6.json").write_text(content, encoding="latin-1")
    stage.turn()
    assert stage.resolve("6") is None
    assert stage.held() == {"slurm/7": ["index:0"]}
    assert any("6.json: it is no job file" in problem for problem in stage.problems())


def test_a_job_whose_file_is_damaged_later_keeps_its_name(stage: Stage) -> None:
    stage.prolog("6", **JOB)
    stage.turn()
    (stage.jobs_dir / ".x").write_text("{")
    (stage.jobs_dir / ".x").rename(stage.jobs_dir / "6.json")
    stage.turn()
    workload = stage.resolve("6")
    assert workload is not None
    assert workload.user == "ada"


def test_a_file_that_is_being_written_is_not_read(stage: Stage) -> None:
    (stage.jobs_dir / ".6.4711").write_text('{"version":1,"job":"6"')
    stage.turn()
    assert stage.problems() == []


def test_a_link_is_not_followed(stage: Stage, tmp_path: Path) -> None:
    elsewhere = stage.prolog("7", **{**JOB, "user": "root"})
    (stage.jobs_dir / "6.json").symlink_to(elsewhere)
    stage.turn()
    assert stage.resolve("6") is None


def test_a_pipe_does_not_stop_the_thread(stage: Stage) -> None:
    os.mkfifo(stage.jobs_dir / "6.json")
    stage.prolog("7", **JOB)
    stage.turn()
    assert stage.resolve("7") is not None
    assert any("no regular file" in problem for problem in stage.problems())


def test_a_file_that_others_may_write_is_not_believed(stage: Stage) -> None:
    stage.prolog("6", **JOB).chmod(0o664)
    stage.turn()
    assert stage.resolve("6") is None
    assert any("can be written by others" in problem for problem in stage.problems())


def test_a_folder_that_others_may_write_is_not_believed(stage: Stage) -> None:
    stage.prolog("6", **JOB)
    stage.jobs_dir.chmod(0o777)
    stage.turn()
    assert stage.resolve("6") is None
    assert any("chmod 755" in problem for problem in stage.problems())


@pytest.mark.needs("root")
def test_a_file_of_another_owner_is_not_believed(stage: Stage) -> None:
    os.chown(stage.prolog("6", **JOB), 1000, 1000)
    stage.turn()
    assert stage.resolve("6") is None
    assert any("belongs to uid 1000, not to uid 0" in problem for problem in stage.problems())


def test_a_file_that_speaks_of_another_job_is_not_believed(stage: Stage) -> None:
    stage.prolog("7", **JOB, file="6.json")
    stage.turn()
    assert stage.resolve("6") is None
    assert stage.resolve("7") is None


def test_a_file_of_a_later_version_is_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="version 2"):
        parse_job_file('{"version":2,"job":"6"}')


def test_unknown_fields_are_for_later_versions_and_numbers_may_be_numbers() -> None:
    facts, node, run = parse_job_file('{"version":1,"job":"6","node":"n1","started":"17","colour":[1]}')
    assert (facts.job, node, run) == ("6", "n1", (17, ""))


def test_long_and_strange_names_are_cut_and_cleaned(stage: Stage) -> None:
    stage.prolog("6", **{**JOB, "name": "a\nb" + "x" * 10_000, "account": '=cmd("|")\u202e'})
    stage.turn()
    workload = stage.resolve("6")
    assert workload is not None
    assert (len(workload.name), workload.name[:4]) == (128, "a\ufffdbx")
    assert workload.project == '=cmd("|")\ufffd'


def test_an_enormous_file_is_not_read(stage: Stage) -> None:
    stage.prolog("6", **{**JOB, "name": "x" * 70_000})
    stage.turn()
    assert stage.resolve("6") is None
    assert any("bytes, more than 65536" in problem for problem in stage.problems())


def test_a_thousand_gpus_are_bounded(stage: Stage) -> None:
    stage.prolog("6", **{**JOB, "gpus": "0-999999999"})
    stage.turn()
    assert len(stage.held()["slurm/6"]) == 64


def test_what_is_no_job_file_is_left_alone(stage: Stage) -> None:
    for name in ("README", "x.json", "6.json~", "-6.json", "6.json.tmp"):
        (stage.jobs_dir / name).write_text("{}")
    stage.turn()
    assert stage.problems() == []


# --- the life of a job ------------------------------------------------------------------------------------------------


def test_an_ended_job_holds_nothing_and_keeps_its_name_for_15_minutes(stage: Stage) -> None:
    stage.prolog("6", **JOB)
    stage.turn()
    stage.epilog("6")
    stage.turn()
    assert stage.held() == {}
    (stage.jobs_dir / "6.json.ended").unlink()
    stage.turn(14 * 60)
    assert stage.resolve("6") is not None
    stage.turn(62)
    assert stage.resolve("6") is None


def test_a_job_shorter_than_a_look_is_named(stage: Stage) -> None:
    """It began and ended between two turns: the file is marked, not removed."""
    stage.turn()
    stage.prolog("6", **JOB)
    stage.epilog("6")
    stage.turn()
    assert stage.resolve("6") is not None
    assert stage.held() == {}


def test_a_file_that_is_removed_instead_of_marked_ends_the_job(stage: Stage) -> None:
    path = stage.prolog("6", **JOB)
    stage.turn()
    path.unlink()
    stage.turn()
    assert stage.held() == {}
    assert stage.resolve("6") is not None


def test_a_job_that_is_requeued_has_its_new_gpus(stage: Stage) -> None:
    stage.prolog("6", **JOB, restart="0")
    stage.turn()
    stage.epilog("6")
    stage.turn()
    stage.turn(120)
    stage.prolog("6", **{**JOB, "gpus": "3"}, restart="1")
    stage.turn()
    assert stage.held() == {"slurm/6": ["index:3"]}


def test_a_number_that_comes_round_again_is_another_users_job(stage: Stage) -> None:
    stage.prolog("6", **JOB)
    stage.turn()
    stage.epilog("6")
    stage.turn(300)
    stage.prolog("6", **{**JOB, "user": "bob", "account": "vision"})
    stage.turn()
    workload = stage.resolve("6")
    assert workload is not None
    assert (workload.user, workload.project) == ("bob", "vision")


def test_a_restarted_daemon_knows_the_jobs_that_run(stage: Stage) -> None:
    stage.prolog("6", **JOB)
    stage.turn()
    stage.turn(3600)
    stage.restart()
    stage.turn()
    assert stage.held() == {"slurm/6": ["index:0"]}


def test_a_crashed_slurmd_does_not_charge_a_dead_job_for_ever(tmp_path: Path) -> None:
    """Its file is there and says that it runs; nothing else does. Nobody can be asked."""
    stage = Stage(tmp_path, ask=False)
    stage.prolog("6", **JOB)
    folder = stage.cgroup_v2("job_6")
    stage.turn()
    stage.turn(3600)
    assert stage.held() == {"slurm/6": ["index:0"]}, "its cgroup is there"
    (folder / "cgroup.events").write_text("populated 0\n")
    stage.turn(61)
    stage.turn(3 * 60)
    assert stage.held() == {"slurm/6": ["index:0"]}, "perhaps between two steps"
    stage.turn(2 * 60)
    assert stage.held() == {}
    assert stage.resolve("6") is not None


def test_a_folder_that_cannot_be_read_ends_no_job(stage: Stage) -> None:
    stage.prolog("6", **JOB)
    stage.turn()
    stage.jobs_dir.rename(stage.folder / "away")
    stage.turn()
    assert stage.held() == {"slurm/6": ["index:0"]}
    (stage.folder / "away").rename(stage.jobs_dir)
    stage.turn()
    stage.epilog("6")
    stage.turn()
    assert stage.held() == {}


def test_5000_jobs_are_bounded(stage: Stage) -> None:
    for number in range(5000):
        (stage.jobs_dir / f"{number}.json").write_text(f'{{"version":1,"job":"{number}","user":"ada"}}')
    stage.turn()
    assert len(stage.resolver._jobs.by_name) == 4096


def test_nothing_is_read_again_while_the_folder_has_not_changed(stage: Stage) -> None:
    """An idle look costs one fstat: what is scribbled into a file in place is not even seen."""
    path = stage.prolog("6", **JOB)
    os.utime(stage.jobs_dir, (1_700_000_000, 1_700_000_000))
    stage.turn()
    path.write_text("scribble")
    jobs = stage.resolver._folder.read(stage.moment.wall_ns)
    assert stage.resolver._folder.read(stage.moment.wall_ns + 100 * NS) is jobs
    assert stage.problems() == []


def test_a_node_without_slurm_is_silent(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.jobs_dir.rmdir()
    stage.turn()
    assert stage.resolver.check() == ()
    assert stage.calls() == []
    assert stage.resolver.turn(stage.moment) == 30, "it looks again now and then"
    stage.jobs_dir.mkdir(mode=0o755)
    assert stage.resolver.turn(stage.moment) == 2


def test_what_check_says_where_the_prolog_is_missing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ask=False)
    stage.jobs_dir.rmdir()
    stage.cgroup_v2("job_6")
    stage.turn(11)
    problems = stage.problems()
    assert any("There are no job files in" in problem and "prolog.sh" in problem for problem in problems)
    assert any("1 of 1 jobs are known by their number only" in problem for problem in problems)
