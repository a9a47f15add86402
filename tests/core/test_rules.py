"""Which team pays, by rule."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.thorough import thorough
from tracker.core.model import Kind, Workload
from tracker.core.rules import FACTS, PHASES, RuleError, apply, facts_of, parse_rules

POD = Workload("pod/1", Kind.POD, "trainer-0", namespace="nlp-prod", pod="trainer-0", user="ada")
ATTRIBUTES = {
    "label:app": "bert",
    "annotation:owner": "grace",
    "image": "nvcr.io/nvidia/pytorch:24.05",
    "account": "a1",
}


def labelled(
    *tables: dict[str, object], workload: Workload = POD, facts: dict[str, str] | None = None
) -> tuple[Workload, int]:
    """The workload after the rules, and the number of the rule that named it (0: none)."""
    facts = facts_of(workload, "x.service", {**ATTRIBUTES, **(facts or {})})
    named, rule = apply(parse_rules(tables), workload, facts)
    return named, rule.number if rule else 0


def team(match: dict[str, object], workload: Workload = POD, facts: dict[str, str] | None = None) -> bool:
    """Whether a rule with this match fits."""
    named, number = labelled({"match": match, "set": {"team": "t"}}, workload=workload, facts=facts)
    assert (named.team == "t") == (number == 1)
    return number == 1


def refused(*tables: object) -> tuple[tuple[str, ...], str]:
    with pytest.raises(RuleError) as caught:
        parse_rules(tables)
    assert caught.value.exit_code == 2
    return caught.value.path, str(caught.value)


def test_the_first_rule_that_fits_wins_alone() -> None:
    named, number = labelled(
        {"match": {"namespace": "vision-*"}, "set": {"team": "vision"}},
        {"match": {"namespace": "nlp-*"}, "set": {"team": "nlp"}},
        {"match": {"namespace": "*"}, "set": {"team": "others", "project": "misc"}},
    )
    assert (named, number) == (replace(POD, team="nlp"), 2)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        ({"namespace": "nlp-*"}, True),
        ({"namespace": "NLP-*"}, False),
        ({"namespace": "nlp-prod"}, True),
        ({"namespace": "nlp"}, False),
        ({"namespace": "nlp-pro?"}, True),
        ({"namespace": "nlp-[pq]*"}, True),
        ({"namespace": "nlp-[!p]*"}, False),
        ({"namespace": ["chat", "nlp-*"]}, True),
        ({"namespace": ["chat", "vision"]}, False),
        ({"namespace": "nlp-*", "user": "ada"}, True),
        ({"namespace": "nlp-*", "user": "bob"}, False),
        ({"kind": "pod"}, True),
        ({"kind": ["slurm", "run"]}, False),
        ({"unit": "x.service"}, True),
        ({"label:app": "bert"}, True),
        ({"label:tier": "*"}, False),
        ({"annotation:owner": "gra*"}, True),
        ({"image": "nvcr.io/*:24.*"}, True),
        ({"account": "a1"}, True),
        ({"partition": "*"}, False),
        ({"partition": ""}, True),
        ({"partition": ["gpu", ""]}, True),
        ({"user": ""}, False),
        ({}, True),
    ],
)
def test_what_fits(match: dict[str, object], fits: bool) -> None:
    assert team(match) is fits


def test_every_fact_can_be_matched() -> None:
    job = Workload("slurm/7", Kind.SLURM, "train", "n", "p", "c", "u", "j", "q", run="r")
    facts = {"namespace": "n", "kind": "slurm", "name": "train", "pod": "p", "container": "c", "user": "u"}
    facts |= {"job": "j", "queue": "q", "run": "r", "unit": "x.service", "image": "i", "account": "a"}
    facts |= {"partition": "gpu", "qos": "high", "command": "python train.py"}
    assert set(facts) == set(FACTS)
    for fact, value in facts.items():
        assert team({fact: value}, job, facts), fact
        assert not team({fact: "run" if fact == "kind" else "another"}, job, facts), fact


def test_a_rule_without_match_fits_everything() -> None:
    assert labelled({"set": {"team": "infra"}}) == (replace(POD, team="infra"), 1)


def test_templates() -> None:
    named, _ = labelled(
        {
            "set": {
                "team": "{namespace}/{label:app}",
                "project": "{label:missing|none}-{annotation:owner}",
                "cost_centre": "{{{account}}}",
                "phase": "{label:phase|training}",
            }
        }
    )
    assert named == replace(POD, team="nlp-prod/bert", project="none-grace", cost_centre="{a1}", phase="training")


def test_a_value_that_comes_out_empty_replaces_nothing() -> None:
    """A forgotten label does not take a pod from its team."""
    mine = replace(POD, team="nlp", project="chat")
    assert labelled({"set": {"team": "{label:missing}", "project": " {label:x|} "}}, workload=mine) == (mine, 1)


def test_rules_win_over_labels_and_over_what_a_run_declares_where_they_set_something() -> None:
    """Finance's word counts; what the rule leaves open is the run's own."""
    run = Workload("run/42", Kind.RUN, "run-42", run="run-42", team="mine", project="own", phase="evaluation")
    named, _ = labelled({"match": {"kind": "run"}, "set": {"team": "nlp"}}, workload=run)
    assert named == replace(run, team="nlp")


def test_a_rule_that_sets_nothing_spares_from_the_rest() -> None:
    mine = replace(POD, team="own")
    assert labelled({"match": {"user": "ada"}, "set": {}}, {"set": {"team": "x"}}, workload=mine) == (mine, 1)


@pytest.mark.parametrize(("value", "phase"), [("training", "training"), ("Train!", "other"), ("", "")])
def test_a_phase_from_a_label_is_one_of_five(value: str, phase: str) -> None:
    assert labelled({"set": {"phase": "{label:stage}"}}, facts={"label:stage": value})[0].phase == phase


def test_what_the_workload_says_goes_before_attributes() -> None:
    assert team({"user": "ada"}, facts={"user": "mallory"})
    assert team({"queue": "q1"}, facts={"queue": "q1"}), "which the workload does not say"


def test_no_text_is_too_long_or_too_strange() -> None:
    """10 kB, newlines, formulas: matched up to a bound, and never by a pattern that explodes."""
    assert team({"label:app": "*" + "a*" * 60 + "b*"}, facts={"label:app": "a" * 10_000}) is False
    named, _ = labelled({"set": {"team": "{label:app}"}}, facts={"label:app": "x" * 10_000})
    assert named.team == "x" * 1024
    assert labelled({"set": {"team": "{label:app}"}}, facts={"label:app": '=cmd()\n"'})[0].team == '=cmd()\n"'
    assert team({"label:app": "a*b"}, facts={"label:app": "a\nb"})


@pytest.mark.parametrize(
    ("table", "path", "words"),
    [
        ({"match": {"namespce": "x"}, "set": {}}, ("0", "match", "namespce"), ("namespce", '"namespace"?')),
        ({"match": {"label:": "x"}, "set": {}}, ("0", "match", "label:"), ('"label:<name>"?',)),
        ({"match": {"zzz": "x"}, "set": {}}, ("0", "match", "zzz"), ("There are: namespace,", "annotation:<name>")),
        ({"match": {"kind": "pods"}, "set": {}}, ("0", "match", "kind"), ('no kind "pods"', '"pod"')),
        ({"match": {"kind": "idle"}, "set": {}}, ("0", "match", "kind"), ("no kind",)),
        ({"match": {"user": 7}, "set": {}}, ("0", "match", "user"), ("a pattern or a list",)),
        ({"match": {"user": []}, "set": {}}, ("0", "match", "user"), ("a pattern or a list",)),
        ({"match": {"user": ["a", 7]}, "set": {}}, ("0", "match", "user"), ("a pattern or a list",)),
        ({"match": "x", "set": {}}, ("0", "match"), ("is no table",)),
        ({"set": {"tem": "x"}}, ("0", "set", "tem"), ('sets "tem"', "Did you mean team?")),
        ({"set": {"costcenter": "x"}}, ("0", "set", "costcenter"), ("cost_centre",)),
        ({"set": {"team": ""}}, ("0", "set", "team"), ("to nothing", "leave it out")),
        ({"set": {"team": 7}}, ("0", "set", "team"), ("to nothing",)),
        ({"set": {"phase": "train"}}, ("0", "set", "phase"), ('no phase "train"', '"training"')),
        ({"set": {"team": "{lable:app}"}}, ("0", "set", "team"), ('"{lable:app}" asks for "lable:app"', "label")),
        ({"set": {"team": "{label:app"}}, ("0", "set", "team"), ("brace without its other half", "{{")),
        ({"set": {"team": "a}b"}}, ("0", "set", "team"), ("brace",)),
        ({"set": {"team": "{}"}}, ("0", "set", "team"), ('asks for ""',)),
        ({"set": "team"}, ("0", "set"), ("is no table",)),
        ({"match": {}}, ("0",), ("sets nothing", "set = {}")),
        ({"set": {}, "mach": {}}, ("0", "mach"), ('"mach"', "Did you mean match?")),
        ("x", ("0",), ("no table",)),
    ],
)  # fmt: skip
def test_what_is_refused_and_what_to_write_instead(
    table: object, path: tuple[str, ...], words: tuple[str, ...]
) -> None:
    where, message = refused(table)
    assert where == path
    assert all(word in message for word in ("1", *words) if path != ("0",) or word != "1"), message


def test_the_number_of_the_wrong_rule_is_told() -> None:
    where, message = refused({"set": {}}, {"set": {"x": "y"}})
    assert where == ("1", "set", "x")
    assert message.startswith("Rule 2 ")


def test_a_table_in_place_of_the_list() -> None:
    with pytest.raises(RuleError, match=r"\[\[workloads\.rules\]\]"):
        parse_rules({"match": {}, "set": {}})


def test_a_rule_knows_where_it_is_written() -> None:
    rules = parse_rules([{"set": {}}, {"set": {"team": "x"}}], ["a.toml:3"])
    assert [(rule.number, rule.place) for rule in rules] == [(1, "a.toml:3"), (2, "")]


PATTERNS = st.text("ab*?[]!-", max_size=8)
MATCHES = st.dictionaries(
    st.sampled_from(["namespace", "user", "label:app"]), PATTERNS | st.lists(PATTERNS, min_size=1)
)
SETS = st.dictionaries(st.sampled_from(["team", "project"]), st.sampled_from(["x", "{namespace}", "{label:app|y}"]))


@thorough
@given(st.lists(st.builds(lambda m, s: {"match": m, "set": s}, MATCHES, SETS), max_size=4), st.text(max_size=20))
def test_rules_change_nothing_but_their_labels(tables: list[dict[str, object]], value: str) -> None:
    workload = replace(POD, namespace=value)
    named, rule = apply(parse_rules(tables), workload, facts_of(workload, "", {"label:app": value}))
    assert replace(named, team="", project="", cost_centre="", phase="") == workload
    if rule is None:
        assert named is workload
    assert named.phase in {"", *PHASES}
