"""Site rules: which team, project, cost centre and phase a workload belongs to. Ordered; the first that matches wins.

    [[workloads.rules]]
    match = { namespace = "nlp-*", kind = ["pod", "run"] }
    set = { team = "nlp", project = "{label:app|unknown}", phase = "training" }

``match``: shell patterns (fnmatch(3): ``*``, ``?``, ``[abc]``), case-sensitive; all keys must fit, of a list one
pattern is enough. What a workload does not have fits only the pattern ``""``: ``user = "*"`` means "has a user".
Without ``match`` a rule fits everything.

``set``: texts with ``{fact}`` or ``{fact|default}`` in them; ``{{`` is a brace. Site rules are finance's word: what a
rule sets replaces what labels, resolvers and declared runs say, and a value that comes out empty replaces nothing. What
it does not set stays. ``set = {}`` keeps everything as it is and spares a workload from the rules that follow.

Rules name what is charged from now on; what is booked keeps its name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import translate

from tracker.core.errors import UsageError
from tracker.core.model import Kind, Workload

PHASES = ("training", "inference", "evaluation", "interactive", "other")
#: What a rule may set.
LABELS = ("team", "project", "cost_centre", "phase")
#: Facts that are fields of the workload, and those that only resolvers know.
FIELDS = ("namespace", "kind", "name", "pod", "container", "user", "job", "queue", "run")
FACTS = (*FIELDS, "unit", "image", "account", "partition", "qos", "command")
NAMED = ("label:", "annotation:")
#: Kinds of work; the remainders of a split are nobody's.
KINDS = (Kind.POD, Kind.SLURM, Kind.CONTAINER, Kind.UNIT, Kind.USER, Kind.RUN)
#: Longer values are matched, and taken over, up to here: an annotation may have 256 KiB.
MAX_VALUE = 1024

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}|]*)(?:\|([^{}]*))?\}|[^{}]+|[{}]")


class RuleError(UsageError):
    """A rule that cannot be. ``path``: where in the rules, as ("1", "match", "namespce") for the second rule."""

    def __init__(self, path: Sequence[str], sentence: str, remedy: str = "") -> None:
        super().__init__(sentence, remedy)
        self.path = tuple(path)


@dataclass(frozen=True, slots=True)
class Test:
    """One key of ``match``."""

    fact: str
    pattern: re.Pattern[str]
    absent: bool  # fits a workload that has no such fact

    def fits(self, facts: Mapping[str, str]) -> bool:
        value = facts.get(self.fact, "")[:MAX_VALUE]
        return self.pattern.match(value) is not None if value else self.absent


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a template: ``text`` as it is, or the value of ``fact`` with ``text`` where it is empty."""

    text: str
    fact: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """``number`` from 1; ``place`` where it is written ("config.toml:14"), for people."""

    number: int
    place: str
    tests: tuple[Test, ...]
    labels: tuple[tuple[str, tuple[Piece, ...]], ...]


def apply(rules: Sequence[Rule], workload: Workload, facts: Mapping[str, str]) -> tuple[Workload, Rule | None]:
    """The workload with the labels of the first rule that fits, and that rule. ``facts``: see ``facts_of``."""
    for rule in rules:
        if all(test.fits(facts) for test in rule.tests):
            labels = {name: _fill(template, facts) for name, template in rule.labels}
            return _labelled(workload, labels), rule
    return workload, None


def _labelled(workload: Workload, labels: Mapping[str, str]) -> Workload:
    phase = labels.get("phase") or workload.phase
    if labels.get("phase") and phase not in PHASES:
        phase = "other"  # from a template: somebody's label, which could not be refused at the start
    return replace(
        workload,
        team=labels.get("team") or workload.team,
        project=labels.get("project") or workload.project,
        cost_centre=labels.get("cost_centre") or workload.cost_centre,
        phase=phase,
    )


def facts_of(workload: Workload, unit: str, attributes: Mapping[str, str]) -> dict[str, str]:
    """What rules may ask about a workload. What the workload itself says of a fact goes before ``attributes``."""
    facts = dict(attributes)
    facts.setdefault("unit", unit)
    for name in FIELDS:
        value = getattr(workload, name)
        if value or name not in facts:
            facts[name] = value
    return facts


def _fill(template: Sequence[Piece], facts: Mapping[str, str]) -> str:
    parts = [(facts.get(piece.fact, "")[:MAX_VALUE] or piece.text) if piece.fact else piece.text for piece in template]
    return "".join(parts).strip()


# --- from the configuration -------------------------------------------------------------------------------------------


def parse_rules(tables: object, places: Sequence[str] = ()) -> tuple[Rule, ...]:
    """Rules from the plain values of ``[[workloads.rules]]``. ``places``: where each is written. Raises RuleError."""
    if not isinstance(tables, list | tuple):
        raise RuleError((), "workloads.rules is no list of rules.", "Begin every rule with [[workloads.rules]].")
    return tuple(
        _rule(position, table, places[position] if position < len(places) else "")
        for position, table in enumerate(tables)
    )


def _rule(position: int, table: object, place: str) -> Rule:
    at, number = (str(position),), position + 1
    if not isinstance(table, Mapping):
        raise RuleError(at, f"Rule {number} is no table.", 'Write: match = { … }, set = { team = "…" }.')
    for key in table:
        if key not in {"match", "set"}:
            raise RuleError((*at, key), f'Rule {number} has "{key}".', _nearest(key, ("match", "set"), quote=False))
    if "set" not in table:
        raise RuleError(at, f"Rule {number} sets nothing.", 'Add set = { team = "…" }, or set = {} to change nothing.')
    tests = [
        _test((*at, "match"), number, fact, value)
        for fact, value in _table((*at, "match"), number, table.get("match", {})).items()
    ]
    labels = [
        (name, _label((*at, "set"), number, name, value))
        for name, value in _table((*at, "set"), number, table["set"]).items()
    ]
    return Rule(number, place, tuple(tests), tuple(labels))


def _table(path: Sequence[str], number: int, value: object) -> Mapping[str, object]:
    if isinstance(value, Mapping):
        return value
    raise RuleError(path, f"The {path[-1]} of rule {number} is no table.", f'Write: {path[-1]} = {{ name = "value" }}.')


def _test(above: Sequence[str], number: int, fact: str, value: object) -> Test:
    path = (*above, fact)
    _check_fact(path, f"Rule {number} matches", fact)
    listed = value if isinstance(value, list | tuple) else [value]
    patterns = [pattern for pattern in listed if isinstance(pattern, str)]
    if not patterns or len(patterns) < len(listed):
        remedy = 'Write "nlp-*", or a list of which one must fit: ["nlp-*", "chat"].'
        raise RuleError(path, f"Rule {number}: {fact} must be a pattern or a list of patterns.", remedy)
    for pattern in patterns:
        if fact == "kind" and not any(re.match(translate(pattern), kind) for kind in KINDS):
            raise RuleError(path, f'Rule {number}: there is no kind "{pattern}".', _nearest(pattern, KINDS))
    return Test(fact, re.compile("|".join(translate(pattern) for pattern in patterns)), "" in patterns)


def _label(above: Sequence[str], number: int, name: str, value: object) -> tuple[Piece, ...]:
    path = (*above, name)
    if name not in LABELS:
        raise RuleError(path, f'Rule {number} sets "{name}".', _nearest(name, LABELS, quote=False))
    if not isinstance(value, str) or not value.strip():
        remedy = "Write a text, or leave it out to keep what is known otherwise."
        raise RuleError(path, f"Rule {number} sets {name} to nothing.", remedy)
    template = _template(path, number, value)
    plain = len(template) == 1 and not template[0].fact
    if name == "phase" and plain and value not in PHASES:
        raise RuleError(path, f'Rule {number}: there is no phase "{value}".', _nearest(value, PHASES))
    return template


def _template(path: Sequence[str], number: int, text: str) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for found in _PIECE.finditer(text):
        fact, default = found[1], found[2]
        if fact is not None:
            fact = fact.strip()
            _check_fact(path, f'Rule {number}: "{text}" asks for', fact)
            pieces.append(Piece(default or "", fact))
        elif found[0] in {"{", "}"}:
            remedy = "Write {fact} or {fact|default}, and {{ or }} for a brace."
            raise RuleError(path, f'Rule {number}: "{text}" has a brace without its other half.', remedy)
        else:
            plain = found[0][0] if found[0] in {"{{", "}}"} else found[0]
            before = pieces.pop().text if pieces and not pieces[-1].fact else ""
            pieces.append(Piece(before + plain))
    return tuple(pieces)


def _check_fact(path: Sequence[str], what: str, fact: str) -> None:
    if fact in FACTS or any(fact.startswith(prefix) and fact != prefix for prefix in NAMED):
        return
    _, colon, rest = fact.partition(":")
    known = [f"{prefix}{rest or '<name>'}" for prefix in NAMED]
    raise RuleError(path, f'{what} "{fact}", which is no fact.', _nearest(fact, known if colon else (*FACTS, *known)))


def _nearest(word: str, known: Collection[str], *, quote: bool = True) -> str:
    """A remedy that names the right word, or all of them."""
    import difflib  # noqa: PLC0415 - only needed for a mistake

    near = difflib.get_close_matches(word.casefold(), known, n=1)
    if near:
        return f'Did you mean "{near[0]}"?' if quote else f"Did you mean {near[0]}?"
    return f"There are: {', '.join(known)}."
