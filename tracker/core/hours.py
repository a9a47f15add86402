"""A node's closed hours, as they leave its ledger for the books: sums of five-minute slots, nothing decided anew."""

from __future__ import annotations

from dataclasses import dataclass

from tracker.core.model import Component, Method, Workload

HOUR_S = 3600
#: The state of the time in which a device had a reading; every other state is a ``GapReason``.
COVERED = "covered"


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """Who ships. ``ledger`` is the identity of the ledger file (hex): two nodes with one hostname differ in it."""

    hostname: str
    ledger: str
    cluster: str = ""
    site: str = ""
    zone: str = ""  # of the catalogue; "": nobody set it
    version: str = ""  # of wattledger


@dataclass(frozen=True, slots=True)
class HourEntry:
    """Energy of an hour x device x workload x method. ``model`` is the device's, as its driver names it."""

    hour_s: int
    device: str
    component: Component
    model: str
    workload: Workload
    method: Method
    energy_uj: int
    idle_uj: int
    held_ms: int


@dataclass(frozen=True, slots=True)
class HourState:
    """Time of an hour x device in one state: ``covered``, or a gap's reason."""

    hour_s: int
    device: str
    component: Component
    state: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class HourEmission:
    """What the node itself booked, at the factor it knew then; explains why its counter and a statement differ."""

    hour_s: int
    workload: Workload
    basis: str
    factor_id: str
    pue_permille: int
    emissions_ug: int
