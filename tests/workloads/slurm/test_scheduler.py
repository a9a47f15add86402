"""Asking the scheduler: seldom, with a deadline, and with doubts about the answer."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.workloads.slurm.said import JSON_22, JSON_25, TEXT_22
from tests.workloads.slurm.stage import JOB, Stage
from tracker.workloads.slurm.commands import AskFailed, run

NO_JSON = 'case "$*" in *--json*) echo "scontrol: unrecognized option \'--json\'" >&2; exit 1;; esac\n'


def cat(text: str) -> str:
    return f"cat <<'EOF_OF_ANSWER'\n{text}\nEOF_OF_ANSWER"


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A node whose job 6 nothing but the scheduler knows."""
    made = Stage(tmp_path, environ=False)
    made.cgroup_v2("job_6")
    return made


def labels(stage: Stage, job: str = "6") -> tuple[str, ...] | None:
    found = stage.resolve(job)
    return None if found is None else (found.name, found.user, found.project, found.queue, found.job)


KNOWN = ("train me", "games", "nlp", "long", "6")


def test_text_of_an_old_scontrol(stage: Stage) -> None:
    stage.command("scontrol", NO_JSON + cat(TEXT_22))
    stage.turn()
    assert labels(stage) == KNOWN
    assert stage.held() == {"slurm/6": ["index:0"]}
    assert stage.calls() == ["scontrol --json show job 6", "scontrol show job -d 6"]


def test_json_of_a_new_scontrol(stage: Stage) -> None:
    stage.command("scontrol", cat(JSON_25))
    stage.turn()
    assert labels(stage) == KNOWN
    assert stage.held() == {"slurm/6": ["index:0"]}
    assert stage.calls() == ["scontrol --json show job 6"]


def test_that_it_knows_no_json_is_remembered(stage: Stage) -> None:
    stage.command("scontrol", NO_JSON + cat(TEXT_22))
    stage.turn()
    stage.cgroup_v2("job_7")
    stage.turn(61)
    assert stage.calls()[2:] == ["scontrol show job -d 7"]


def test_squeue_where_there_is_no_scontrol(stage: Stage) -> None:
    stage.command("squeue", cat(JSON_22))
    stage.turn()
    assert labels(stage) == KNOWN
    assert stage.calls() == ["squeue --json"]


def test_a_job_that_forges_lines_is_looked_up_in_json(stage: Stage) -> None:
    """Its name holds a line that makes it root's: text is not believed, squeue is asked for the truth."""
    forged = TEXT_22.replace("JobName=train me", "JobName=x\n   UserId=root(0) GroupId=root(0) MCS_label=N/A")
    stage.command("scontrol", NO_JSON + cat(forged))
    stage.command("squeue", cat(JSON_22))
    stage.turn()
    assert labels(stage) == KNOWN
    assert stage.calls()[-1] == "squeue --json"


def test_a_job_is_asked_about_once(stage: Stage) -> None:
    stage.command("scontrol", cat(JSON_25))
    stage.turn()
    for _ in range(40):
        stage.turn(60)
    assert len(stage.calls()) == 1


def test_at_most_once_a_minute_however_many_jobs_come(stage: Stage) -> None:
    stage.command("scontrol", cat(JSON_25))
    stage.turn()
    stage.cgroup_v2("job_7")
    for _ in range(5):
        stage.turn(11)
    assert len(stage.calls()) == 1
    stage.turn(11)
    assert stage.calls()[1:] == ["scontrol --json show job 7"]


def test_a_round_has_a_bound(stage: Stage) -> None:
    stage.command("scontrol", cat(JSON_25))
    for number in range(100, 140):
        stage.cgroup_v2(f"job_{number}")
    stage.turn()
    assert len(stage.calls()) == 16


def test_nobody_is_asked_about_a_job_with_a_complete_file(stage: Stage) -> None:
    stage.command("scontrol", cat(JSON_25))
    stage.prolog("6", **JOB)
    for _ in range(10):
        stage.turn(61)
    assert stage.calls() == []


def test_the_name_that_the_file_lacks_is_asked_for(stage: Stage) -> None:
    """And the file goes first in everything else."""
    stage.command("scontrol", cat(JSON_25))
    stage.prolog("6", user="ada", account="vision", partition="a100", gpus="1")
    stage.turn()
    assert labels(stage) == ("train me", "ada", "vision", "a100", "6")
    assert stage.held() == {"slurm/6": ["index:1"]}


def test_it_may_be_forbidden(tmp_path: Path) -> None:
    stage = Stage(tmp_path, ask=False)
    stage.command("scontrol", cat(JSON_25))
    stage.cgroup_v2("job_6")
    stage.turn(61)
    assert stage.calls() == []


def test_a_job_that_is_over_for_the_scheduler_holds_nothing(stage: Stage) -> None:
    """Slurm was killed: the file says that it runs, no cgroup is left."""
    stage.prolog("7", **JOB)
    stage.command("scontrol", "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1")
    stage.turn()
    assert stage.held() == {"slurm/7": ["index:0"]}
    stage.turn(4 * 60 + 1)
    assert stage.held() == {}
    assert stage.resolve("7") is not None


def test_an_interactive_allocation_without_processes_is_kept_while_it_runs(stage: Stage) -> None:
    """An salloc without a step has no cgroup; the scheduler vouches for it every four minutes."""
    stage.prolog("7", **JOB)
    stage.command("scontrol", cat(JSON_25.replace('"number": 6', '"number": 7').replace('"job_id": 6', '"job_id": 7')))
    for _ in range(30):
        stage.turn(60)
    assert stage.held()["slurm/7"] == ["index:0"]
    assert 5 <= len([call for call in stage.calls() if call.endswith(" 7")]) <= 8


# --- faults -----------------------------------------------------------------------------------------------------------


def test_nothing_is_installed(stage: Stage) -> None:
    """A container without Slurm's commands: no error per minute, one finding."""
    for _ in range(3):
        stage.turn(61)
    assert labels(stage) is None
    assert any("not installed here" in problem for problem in stage.problems())


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "null",
        "[]",
        "{",
        '{"jobs": 5}',
        '{"jobs": [{"job_id": "six"}]}',
        "\\0\\377",
        "JobId=6 JobName=x",
        "x" * 9000,
    ],
)
def test_garbage_is_no_name(stage: Stage, answer: str) -> None:
    stage.command("scontrol", cat(answer))
    stage.command("squeue", cat(answer))
    stage.turn()
    assert labels(stage) is None
    assert stage.problems()


def test_a_controller_that_is_down(stage: Stage) -> None:
    """One sentence of its own words; asked again, but not for ever."""
    stage.command("scontrol", 'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1')
    for _ in range(30):
        stage.turn(61)
    assert any("Unable to contact slurm controller" in problem for problem in stage.problems())
    assert 5 <= len(stage.calls()) <= 12
    stage.command("scontrol", cat(JSON_25))
    stage.prolog("7", **{**JOB, "name": ""})
    stage.turn(61)
    assert not any("Unable to contact" in problem for problem in stage.problems())


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    """It ignores SIGTERM and has a child that keeps the pipe open."""
    script = tmp_path / "hang"
    script.write_text(f"#!/bin/sh\ntrap '' TERM\necho $$ > {tmp_path}/pid\nsleep 300 & wait\n")
    script.chmod(0o755)
    before_s = time.monotonic()
    with pytest.raises(AskFailed, match=r"did not answer within 0\.5 s"):
        run((str(script),), 0.5, 1000, {"PATH": os.environ["PATH"]})
    assert time.monotonic() - before_s < 30
    group = int((tmp_path / "pid").read_text())
    end_s = time.monotonic() + 10
    while _lives(group) and time.monotonic() < end_s:
        time.sleep(0.01)
    assert not _lives(group)


def _lives(group: int) -> bool:
    """Whether a process of the group is left that is no zombie."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            return True
    return False


def test_a_command_that_closes_its_pipes_and_stays_is_killed(tmp_path: Path) -> None:
    with pytest.raises(AskFailed, match="did not answer"):
        run(("/bin/sh", "-c", "exec >&- 2>&-; sleep 300"), 0.5, 1000, {"PATH": os.environ["PATH"]})


def test_a_command_that_never_stops_talking_is_killed(stage: Stage) -> None:
    stage.command("scontrol", "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done")
    stage.turn()
    assert labels(stage) is None
    assert any("said more than 262144 bytes" in problem for problem in stage.problems())


def test_a_file_that_is_no_program(stage: Stage) -> None:
    path = stage.folder / "scontrol"
    path.write_bytes(b"\x7fELF nonsense")
    path.chmod(0o755)
    stage.turn()
    assert any("cannot be run" in problem for problem in stage.problems())


def test_only_numbers_reach_a_command_line(stage: Stage) -> None:
    """A folder's name is all that a job id is."""
    stage.command("scontrol", cat(JSON_25))
    stage.cgroup_v2("job_6;reboot")
    stage.cgroup_v2("job_--help")
    stage.cgroup_v2("job_all")
    stage.turn()
    assert stage.calls() == ["scontrol --json show job 6"]
