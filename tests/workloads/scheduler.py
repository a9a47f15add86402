"""A resolver that a test plays: it knows pods by their uid and gives devices away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tracker.core.model import Finding, Kind, Workload
from tracker.workloads.interface import Allocation, Identity, Resolver


def uid(letter: str) -> str:
    """Of the pod with this name."""
    return f"b1d0c5e4-5c5c-4a6f-9d0e-{ord(letter):012x}"


def pod(letter: str) -> str:
    """The key of its workload."""
    return f"pod/{uid(letter)}"


class Scheduler(Resolver):
    """``devices``: who is given what, by letter. ``attributes_of``: what rules may match, by letter."""

    name = "scheduler"

    def __init__(self, devices: Mapping[str, Sequence[str]] | None = None) -> None:
        self.devices = dict(devices or {})
        self.attributes_of: dict[str, dict[str, str]] = {}
        self.teams = True
        self.fails = False
        self.life: list[str] = []

    def start(self) -> None:
        self.life.append("start")

    def close(self) -> None:
        self.life.append("close")

    def resolve(self, identity: Identity, workload: Workload) -> Workload | None:
        if identity.kind is not Kind.POD or not identity.pod_uid:
            return None
        letter = chr(int(identity.pod_uid[-12:], 16))
        team = f"team-{letter}" if self.teams else ""
        return replace(workload, name=letter, pod=letter, namespace="ml", team=team)

    def attributes(self, key: str) -> Mapping[str, str]:
        known = {pod(letter): attributes for letter, attributes in self.attributes_of.items()}
        return known.get(key, {})

    def allocations(self) -> tuple[Allocation, ...]:
        if self.fails:
            raise RuntimeError("no answer")
        return tuple(
            Allocation(device, self._workload(letter)) for device, letters in self.devices.items() for letter in letters
        )

    def _workload(self, letter: str) -> Workload:
        named = self.resolve(Identity(Kind.POD, pod(letter), pod_uid=uid(letter)), Workload(pod(letter), Kind.POD))
        assert named is not None
        return named

    def check(self) -> tuple[Finding, ...]:
        return ()
