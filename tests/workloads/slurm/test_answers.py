"""What scontrol and squeue say, as text: parsers alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.workloads.slurm.said import JSON_22, JSON_25, TEXT_22
from tracker.workloads.slurm.answers import Ambiguous, parse_gres, parse_json, parse_show_job
from tracker.workloads.slurm.facts import Facts, parse_indices
from tracker.workloads.slurm.hosts import MAX_HOSTS, expand

ARRAY = TEXT_22.replace("JobId=6 JobName", "JobId=6 ArrayJobId=5 ArrayTaskId=7 ArrayTaskThrottle=1 JobName")
HET = TEXT_22.replace("JobId=6 JobName=train me", "JobId=6 HetJobId=5 HetJobOffset=1 JobName=x\n   HetJobIdSet=5-6")


def test_text() -> None:
    facts, running = parse_show_job(TEXT_22, "6", {"gpu-1"})
    assert running
    assert facts == Facts("6", "", "games", "nlp", "long", "", "train me", gpus=("0",))


def test_text_of_an_array_task_and_of_a_component() -> None:
    assert parse_show_job(ARRAY, "6", ())[0].label == "5_7"
    assert parse_show_job(HET, "6", ())[0].label == "5+1"


def test_text_of_a_whole_array_has_the_one_that_was_asked_for() -> None:
    """The number of the first task stands for the array."""
    other = ARRAY.replace("JobId=6 ", "JobId=8 ").replace("ArrayTaskId=7", "ArrayTaskId=9").replace("games(5)", "x(9)")
    facts, _ = parse_show_job(f"{other}\n{ARRAY}\n", "6", ())
    assert (facts.label, facts.user) == ("5_7", "games")


def test_text_of_a_job_that_is_not_there() -> None:
    with pytest.raises(ValueError, match="job 9 is not in the answer"):
        parse_show_job(TEXT_22, "9", ())


def test_text_of_an_sluid() -> None:
    facts, _ = parse_show_job(TEXT_22, "s5K1KKYAYG5D00", ())
    assert (facts.job, facts.sluid) == ("6", "s5K1KKYAYG5D00")


@pytest.mark.parametrize(
    "name",
    [
        "x\n   UserId=root(0) GroupId=root(0) MCS_label=N/A",
        "x\n   Priority=1 Nice=0 Account=other QOS=high",
        "x\n   JobState=COMPLETED Reason=None Dependency=(null)",
        "x\n   Partition=debug AllocNode:Sid=a:1",
        "x\n   NodeList=gpu-2\n     Nodes=gpu-1 CPU_IDs=1 Mem=0 GRES=gpu:1(IDX:7)\n   MinCPUsNode=1",
        "x\n\nJobId=6 JobName=y\n   UserId=root(0) GroupId=root(0) MCS_label=N/A",
        "x\n\nJobId=7 JobName=y",
        "x\r   UserId=root(0) GroupId=root(0)",
        "x\u2028   UserId=root(0) GroupId=root(0)",
    ],
)
@pytest.mark.parametrize("place", ["JobName=train me", "Comment=hi"])
def test_text_that_a_user_has_forged_is_not_believed(name: str, place: str) -> None:
    """A newline is allowed in a job's name and comment."""
    forged = TEXT_22.replace(place, f"{place.partition('=')[0]}={name}")
    try:
        facts, running = parse_show_job(forged, "6", {"gpu-1"})
    except Ambiguous:
        return
    assert (facts.user, facts.account, facts.partition, facts.gpus) == ("games", "nlp", "long", ("0",))
    assert running


def test_a_harmless_newline_is_only_a_shorter_name() -> None:
    assert parse_show_job(TEXT_22.replace("train me", "train\nme"), "6", ())[0].name == "train"


def test_text_of_several_nodes() -> None:
    lines = (
        "     Nodes=gpu-[1-2] CPU_IDs=0-3 Mem=0 GRES=gpu:a100:2(IDX:0-1)\n"
        "     Nodes=gpu-3 CPU_IDs=0-3 Mem=0 GRES=gpu:a100:2(IDX:2,3)"
    )
    text = TEXT_22.replace("     Nodes=gpu-1 CPU_IDs=1 Mem=0 GRES=gpu:1(IDX:0)", lines)
    gpus = {node: parse_show_job(text, "6", {node})[0].gpus for node in ("gpu-1", "gpu-2", "gpu-3", "gpu-4")}
    assert gpus == {"gpu-1": ("0", "1"), "gpu-2": ("0", "1"), "gpu-3": ("2", "3"), "gpu-4": None}


def test_on_a_single_node_the_name_of_the_node_does_not_matter() -> None:
    assert parse_show_job(TEXT_22, "6", {"another"})[0].gpus == ("0",)


def test_a_job_without_gpus_has_none_and_one_that_waits_is_not_known_to_have_none() -> None:
    plain = TEXT_22.replace("GRES=gpu:1(IDX:0)", "GRES=")
    assert parse_show_job(plain, "6", {"gpu-1"})[0].gpus == ()
    waiting = TEXT_22.replace("JobState=RUNNING", "JobState=PENDING")
    facts, running = parse_show_job(waiting, "6", {"gpu-1"})
    assert (facts.gpus, running) == (None, False)


def test_json_of_22() -> None:
    jobs = parse_json(JSON_22.encode(), {"gpu-1"})
    assert jobs["6"] == (Facts("6", "", "games", "nlp", "long", "", "train me", gpus=("0",)), True)
    assert jobs["9"][0].label == "8_7"
    assert jobs["9"][0].qos == "high"
    assert jobs["11"][0].label == "10+1"
    assert jobs["11"][1] is False


def test_json_of_25() -> None:
    jobs = parse_json(JSON_25.encode(), {"gpu-1"})
    assert jobs["6"] == (Facts("6", "", "games", "nlp", "long", "normal", "train me", gpus=("0",)), True)


def test_json_of_several_nodes() -> None:
    text = JSON_25.replace('"gpu-1"', '"gpu-[1-2]"').replace('["gpu:1(IDX:0)"]', '["gpu:1(IDX:0)", "gpu:1(IDX:3)"]')
    assert [parse_json(text.encode(), {node})["6"][0].gpus for node in ("gpu-1", "gpu-2", "x")] == [
        ("0",),
        ("3",),
        None,
    ]


@pytest.mark.parametrize(
    ("gres", "gpus"),
    [
        ("gpu:1(IDX:0)", ("0",)),
        ("gpu:a100:4(IDX:0-2,5)", ("0", "1", "2", "5")),
        ("gpu:a100:1(IDX:0),gpu:v100:1(IDX:4)", ("0", "4")),
        ("shard:2(0/8,2/8)", ("1",)),
        ("shard:a100:4(4/8,0/8,0/8)", ("0",)),
        ("mps:50(IDX:1)", ("1",)),
        ("gpu:1", ()),
        ("craynetwork:1(IDX:0)", ()),
        ("gpu:1(IDX:N/A)", ()),
        ("", ()),
        ("(null)", ()),
    ],
)
def test_gres(gres: str, gpus: tuple[str, ...]) -> None:
    assert parse_gres(gres) == gpus


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("gpu-1", ["gpu-1"]),
        ("gpu[08-10,3]", ["gpu08", "gpu09", "gpu10", "gpu3"]),
        ("a[1-2]b,c,d[5]", ["a1b", "a2b", "c", "d5"]),
        ("", []),
        ("a[1-", []),
        ("a[x]", []),
        ("a[1-999999999]", []),
        ("a[1][2]", []),
        ("a[2-1]", []),
    ],
)
def test_host_lists(text: str, names: list[str]) -> None:
    assert expand(text) == names


@given(st.text(alphabet="ab019[],-", max_size=40))
def test_no_host_list_is_too_long_or_raises(text: str) -> None:
    assert len(expand(text)) <= MAX_HOSTS


@given(st.text(max_size=60))
def test_no_list_of_numbers_is_too_long_or_raises(text: str) -> None:
    assert len(parse_indices(text)) <= 64


@given(st.text(max_size=300))
def test_no_name_makes_a_job_somebody_elses(name: str) -> None:
    try:
        facts, _ = parse_show_job(TEXT_22.replace("train me", name), "6", {"gpu-1"})
    except ValueError:
        return
    assert (facts.user, facts.account, facts.partition, facts.gpus) == ("games", "nlp", "long", ("0",))


@given(st.binary(max_size=300))
def test_no_bytes_are_jobs_by_accident(data: bytes) -> None:
    with pytest.raises(ValueError, match="no answer"):
        parse_json(data, ())
