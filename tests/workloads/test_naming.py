"""Rules and phases on the way from an identity to a workload: who is named, by which rule, and from when on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tests.workloads.scheduler import Scheduler, pod, uid
from tests.workloads.test_names import names
from tests.workloads.world import Node
from tracker.core.model import SYSTEM, Kind, Workload
from tracker.core.rules import parse_rules
from tracker.workloads.paths import identify

POD = identify(f"/kubepods/burstable/pod{uid('a')}")
NLP: dict[str, object] = {"match": {"label:app": "bert*"}, "set": {"team": "nlp", "project": "{label:app}"}}
INFRA: dict[str, object] = {"match": {"kind": "unit"}, "set": {"team": "infra", "cost_centre": "{unit}"}}


def test_rules_see_what_resolvers_know() -> None:
    scheduler = Scheduler()
    scheduler.attributes_of["a"] = {"label:app": "bert-large"}
    workload = names(scheduler, rules=(NLP,)).workload(POD)
    assert (workload.name, workload.team, workload.project) == ("a", "nlp", "bert-large")


def test_rules_name_what_no_resolver_knows() -> None:
    made = names(units=("*",), rules=(NLP, INFRA))
    workload = made.workload(identify("/system.slice/nginx.service"))
    assert (workload.team, workload.cost_centre) == ("infra", "nginx.service")
    (named,) = made.named()
    assert named.workload is workload
    assert named.rule is not None
    assert named.rule.number == 2


def test_the_operating_system_is_no_workload_and_gets_no_team() -> None:
    made = names(rules=({"set": {"team": "x"}},))
    assert made.workload(identify("/system.slice")) is SYSTEM
    assert made.named() == ()


def test_a_workload_that_no_rule_fits_is_listed_as_such() -> None:
    made = names(Scheduler(), rules=(NLP,))
    workload = made.workload(POD)
    assert [(named.workload, named.rule) for named in made.named()] == [(workload, None)]
    made.begin_tick()
    assert made.named() == (), "only those of this tick"


def test_a_label_that_changes_makes_a_new_label_set_from_then_on() -> None:
    scheduler = Scheduler()
    scheduler.attributes_of["a"] = {"label:app": "bert"}
    made = names(scheduler, rules=(NLP,))
    first = made.workload(POD)
    scheduler.attributes_of["a"] = {"label:app": "bert-2"}
    assert made.workload(POD) is first, "asked once per tick"
    made.begin_tick()
    assert made.workload(POD) == replace(first, project="bert-2")
    made.begin_tick()
    scheduler.attributes_of["a"] = {"label:app": "bert-2", "label:other": "x"}
    before = made.workload(POD)
    assert before == replace(first, project="bert-2")


def test_the_same_object_while_nothing_visible_changes() -> None:
    scheduler = Scheduler()
    scheduler.attributes_of["a"] = {"label:app": "bert"}
    made = names(scheduler, rules=(NLP,))
    first = made.workload(POD)
    for other in ("x", "y"):
        scheduler.attributes_of["a"] = {"label:app": "bert", "label:other": other}
        made.begin_tick()
        assert made.workload(POD) is first


def test_attributes_once_known_stay() -> None:
    """A deleted pod's last energy is still its team's."""
    scheduler = Scheduler()
    scheduler.attributes_of["a"] = {"label:app": "bert"}
    made = names(scheduler, rules=(NLP,))
    first = made.workload(POD)
    scheduler.attributes_of = {}
    made.begin_tick()
    assert made.workload(POD) is first


def test_a_phase_is_given_where_it_is_certain_and_nobody_said_another() -> None:
    scheduler = Scheduler()
    scheduler.attributes_of["a"] = {"image": "vllm/vllm-openai:v1"}
    assert names(scheduler).workload(POD).phase == "inference"
    rule: dict[str, object] = {"set": {"phase": "evaluation"}}
    assert names(scheduler, rules=(rule,)).workload(POD).phase == "evaluation"
    assert names(scheduler, rules=({"set": {"team": "x"}},)).workload(POD).phase == "inference"


def test_a_declared_run_gets_the_last_hand_that_all_get() -> None:
    made = names(rules=({"match": {"kind": "run", "user": "ada"}, "set": {"cost_centre": "CC-1"}},))
    run = Workload("run/42", Kind.RUN, "x\n" * 99, run="run-42", user="ada", project="own", phase="warm-up")
    finished = made.finish(run)
    assert (finished.project, finished.phase, finished.cost_centre) == ("own", "warm-up", "CC-1")
    assert (len(finished.name), "\n" in finished.name) == (128, False)
    made.begin_tick()
    assert made.finish(replace(run)) is finished
    assert [named.workload for named in made.named()] == [finished]


def test_an_allocation_is_labelled_as_its_pod() -> None:
    scheduler = Scheduler({"GPU-0": ["a"]})
    scheduler.attributes_of["a"] = {"label:app": "bert"}
    made = names(scheduler, rules=(NLP,))
    (allocation,) = made.allocations()
    early = made.given(allocation.workload)
    assert (early.key, early.name, early.team, early.project) == (pod("a"), "a", "nlp", "bert")
    made.begin_tick()
    assert made.workload(POD) is early
    assert made.given(allocation.workload) is early


def test_an_allocation_whose_labels_change() -> None:
    made = names()
    first = made.given(Workload("slurm/7", Kind.SLURM, "7"))
    made.begin_tick()
    second = made.given(Workload("slurm/7", Kind.SLURM, "7", user="ada"))
    assert (first.user, second.user) == ("", "ada")


def test_labels_that_hurt_are_harmless(tmp_path: Path) -> None:
    """A newline, a quote, a formula and 10 kB, in a label that a template uses: one printable, short value, and the
    same energy as before."""
    nasty = 'a"b\n=cmd()' + "x" * 10_000
    scheduler = Scheduler()
    scheduler.attributes_of["a"] = {"label:app": nasty}
    node = Node(tmp_path)
    path = node.make(f"/kubepods/pod{uid('a')}")
    rules = parse_rules([{"match": {"label:app": "a*"}, "set": {"team": "{label:app}", "phase": "{label:app}"}}])
    with node.observer(resolvers=(scheduler,), rules=rules) as observer:
        node.burn(path, 7)
        (share,) = [share for share in node.tick(observer).cpu if share.workload.key == pod("a")]
    assert share.weight == 7
    assert share.workload.team == 'a"b\ufffd=cmd()' + "x" * 118
    assert share.workload.phase == "other"


def test_resolvers_live_as_long_as_the_observer(tmp_path: Path) -> None:
    scheduler = Scheduler()
    node = Node(tmp_path)
    with node.observer(resolvers=(scheduler,)) as observer:
        observer.start()
        assert scheduler.life == ["start"]
    assert scheduler.life == ["start", "close"]
