"""Values that people write: keys that are taken away, and texts that look like something else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped] # ships none
from helm_python import HelmRenderError, HelmValuesError

from tests.deploy import helm
from tests.deploy.helm import BOOKS, EXPORT, Values, merged, render
from tests.deploy.helm_operator import SCHEMAS
from tests.deploy.test_helm_chart import VERSIONS, config_of

SWITCHES = ("ship", "serviceMonitor", "prometheusRule", "networkPolicy", "declare")
EVERYTHING = merged(
    BOOKS,
    EXPORT,
    {name: {"enabled": True} for name in SWITCHES},
    {"portal": {"enabled": True, "tokenSecret": "t"}},
)


def places_of(values: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every key of the values, by its path."""
    for name, value in values.items():
        yield (*place, name)
        if isinstance(value, dict):
            yield from places_of(value, (*place, name))


def without(place: tuple[str, ...]) -> str:
    """What the chart says when a key is null, which takes its default away; "" where it can do without."""
    taken: Values = {place[-1]: None}
    for name in reversed(place[:-1]):
        taken = {name: taken}
    try:
        rendered = render(merged(EVERYTHING, taken))
    except (HelmValuesError, HelmRenderError) as error:
        return str(error)
    for each in rendered:
        if each["kind"] not in SCHEMAS:
            validate(json.dumps(each))
    return ""


@cache
def validate(text: str) -> None:
    """Most keys change one object of many."""
    kubernetes_validate.validate(json.loads(text), VERSIONS[-1], strict=True)


def test_a_key_that_is_taken_away_is_named_or_not_missed() -> None:
    """A sentence: no nil pointer, and nothing that Kubernetes refuses."""
    said = {place: text for place in places_of(helm.chart().values) if (text := without(place))}
    missing = {place for place, text in said.items() if f"missing property '{place[-1]}'" in text}
    ours = "execution error at (wattledger/templates/configmap.yaml"  # the sentences of wattledger.validate
    assert [place for place in said.keys() - missing if ours not in said[place]] == []
    assert {("config",), ("image",), ("daemon", "nvidia"), ("networkPolicy",), ("web", "port")} <= missing
    free = {("daemon", name) for name in ("nodeSelector", "tolerations", "affinity", "resources")}
    assert not free & said.keys()


def test_a_configuration_may_begin_with_spaces(tmp_path: Path) -> None:
    assert config_of({"config": '    [node]\n    cluster = "c"\n'}, tmp_path).node.cluster == "c"


def test_what_only_looks_like_shipping_is_taken(tmp_path: Path) -> None:
    text = '# ship = "1h"\n[[workloads.rules]]\nmatch = {namespace = "a"}\nset = {project = "worship"}\n'
    assert config_of({"config": text}, tmp_path).books.ship is False
