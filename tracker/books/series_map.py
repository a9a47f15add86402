"""What the series of an exporter mean for the books: ``data/exporters.toml``, and how labels are read by it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from fnmatch import fnmatchcase
from importlib.resources import files
from typing import Literal

import msgspec

from tracker.core.model import IDLE, UNATTRIBUTED, Component, Kind, Method, Workload

_PORT = re.compile(r":[0-9]+$")
_FIELD = re.compile(r"\{(\w+)\}")
_COMPONENTS, _METHODS, _KINDS = ({str(each) for each in enum} for enum in (Component, Method, Kind))
_NAMES = tuple(each.name for each in fields(Workload) if each.name not in {"key", "kind"})


class WorkloadRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: str
    key: str
    needs: tuple[str, ...]
    unless: dict[str, str] = {}
    set: dict[str, str] = {}


class SeriesSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One metric, or those of its series that ``where`` names."""

    metric: str
    role: Literal["device", "workload", "idle", "held", "gap", "info", "model", "site", "zone"]
    per_unit: int
    component: str
    where: str = ""
    device: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    model: str = ""
    says: str = ""
    method: str = str(Method.MEASURED)
    modelled: dict[str, str] = {}
    idle: bool = False
    by_target: bool = False
    most_w: int = 0
    wraps_uj: tuple[int, ...] = ()


class Exporter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    about: str
    host: tuple[str, ...]
    merge: tuple[str, ...] = ()
    workloads: tuple[WorkloadRule, ...] = ()
    series: tuple[SeriesSpec, ...]

    def specs(self, *roles: str) -> list[SeriesSpec]:
        return [each for each in self.series if each.role in roles]

    @property
    def charges(self) -> bool:
        """It says how much of the devices' energy each workload used; else only who held a device, if that."""
        return any(each.role == "workload" for each in self.series)


def exporters() -> dict[str, Exporter]:
    """By name, from the table that ships."""
    text = files("tracker.books").joinpath("data/exporters.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, Exporter])


class Labels:
    """The exporter's own labels of a series. Where Prometheus has moved a label aside because its target has one of
    that name, "exported_x" is the exporter's; ``moved`` are those names, and their plain form is the target's."""

    def __init__(self, labels: Mapping[str, str], moved: frozenset[str] = frozenset()) -> None:
        self.all = labels
        self._moved = moved

    def get(self, name: str) -> str:
        if f"exported_{name}" in self.all:
            return self.all[f"exported_{name}"]
        return "" if name in self._moved else self.all.get(name, "")

    def fill(self, template: str) -> str:
        return _FIELD.sub(lambda found: self.get(found[1]), template)


def moved_labels(series: list[Mapping[str, str]]) -> frozenset[str]:
    return frozenset(name.removeprefix("exported_") for each in series for name in each if name.startswith("exported_"))


def host_of(exporter: Exporter, labels: Labels) -> tuple[str, str, str]:
    """The node's name, and the label and value that say so; empty where nothing does."""
    for name in exporter.host:
        for label in (f"exported_{name}", name):
            value = labels.all.get(label, "")
            if value:
                return (_PORT.sub("", value) if name == "instance" else value), label, value
    return "", "", ""


def component_of(spec: SeriesSpec, labels: Labels) -> Component:
    text = labels.fill(spec.component)
    return Component(text) if text in _COMPONENTS else Component.OTHER


def method_of(spec: SeriesSpec, labels: Labels) -> Method:
    if any(fnmatchcase(labels.get(name), pattern) for name, pattern in spec.modelled.items()):
        return Method.MODELLED
    text = labels.fill(spec.method)
    return Method(text) if text in _METHODS else Method.MODELLED


def workload_of(exporter: Exporter, spec: SeriesSpec, labels: Labels) -> Workload:
    """By the first rule that fits; without one its owner is not known."""
    if spec.idle:
        return IDLE
    for rule in exporter.workloads:
        refused = any(fnmatchcase(labels.get(name), pattern) for name, pattern in rule.unless.items())
        if all(labels.get(name) for name in rule.needs) and not refused:
            kind = labels.fill(rule.kind)
            names = {name: labels.fill(template) for name, template in rule.set.items() if name in _NAMES}
            return Workload(labels.fill(rule.key), Kind(kind) if kind in _KINDS else Kind.OTHER, **names)
    return UNATTRIBUTED
