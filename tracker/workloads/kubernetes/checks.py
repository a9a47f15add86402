"""What ``wattledger check`` says of Kubernetes: what each source brings here, and the lines that would add the rest."""

from __future__ import annotations

from collections.abc import Mapping

from tracker.core.model import Finding, Level
from tracker.workloads.kubernetes.poller import Health
from tracker.workloads.labels import clean_label

KUBELET, API, LOGS = "kubelet", "api", "logs"
_SUBJECTS = {KUBELET: "pod devices", API: "pod labels", LOGS: "pod logs"}
_LOST = {
    KUBELET: "GPUs that are given to a pod but idle are charged to nobody",
    API: "pods have no labels, jobs or queues",
    LOGS: "pods are named by the API server alone, up to 30 s late",
}
_NEEDED = "pods have no names at all, and GPUs given to them cannot be joined with their CPU time"


def findings(
    health: Mapping[str, Health], silent_s: Mapping[str, float | None], known: int, devices: int, strange: str
) -> tuple[Finding, ...]:
    """One line for each source; none at all where nothing of Kubernetes is. ``known``: pods with a name; ``devices``:
    given to pods; ``strange``: a device id of unknown form."""
    if all(_absent(each) for each in health.values()):
        return ()
    named = any(health[name].succeeded_ns is not None for name in (API, LOGS))
    found = [_finding(name, health[name], silent_s[name], known, devices, named=named) for name in _SUBJECTS]
    if strange:
        message = (
            f'A device id of unknown form was given to a pod: "{clean_label(strange)}". It is charged by use only.'
        )
        found.append(Finding(Level.WARN, _SUBJECTS[KUBELET], message))
    return tuple(found)


def _finding(name: str, health: Health, silent_s: float | None, known: int, devices: int, *, named: bool) -> Finding:
    subject, trouble = _SUBJECTS[name], health.trouble
    if trouble is None:
        if silent_s is None:
            return Finding(Level.OK, subject, "Not asked yet.")
        brought = {KUBELET: f"{devices} devices given to pods", API: f"{known} pods known", LOGS: f"{known} pods known"}
        return Finding(Level.OK, subject, f"{brought[name]}, read {silent_s:.0f} s ago.")
    if silent_s is not None:
        message = f"{trouble.sentence} What was last known, {silent_s:.0f} s ago, is still used."
        return Finding(Level.WARN, subject, message, trouble.remedy)
    needed = name != KUBELET and not named
    optional = name == LOGS and named
    message = f"{trouble.sentence} Without it {_NEEDED if needed else _LOST[name]}."
    return Finding(Level.OK if optional else Level.WARN, subject, message, trouble.remedy)


def _absent(health: Health) -> bool:
    return health.succeeded_ns is None and health.trouble is not None and health.trouble.kind == "absent"
