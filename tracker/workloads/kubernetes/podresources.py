"""Which devices the kubelet gave to which pod: the answer of PodResources ``List`` (``podresources.proto``).

The answer names pods by namespace and name; it knows no uid. Reading it is somebody else's: bytes in, data out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tracker.workloads.kubernetes.devices import dra_device, plugin_device
from tracker.workloads.kubernetes.wire import fields, text

METHOD = "/v1.PodResourcesLister/List"
#: Limits of what is believed. A node has at most a few hundred pods; names are at most 253 characters (RFC 1123).
MAX_PODS, MAX_DEVICES, MAX_NAME = 4096, 1024, 253


@dataclass(frozen=True, slots=True)
class PodDevices:
    """``devices`` as in ``Allocation.device``, each once however many containers or replicas of it the pod has.
    ``strange``: ids of an NVIDIA resource whose form is not known."""

    namespace: str
    name: str
    devices: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()


def parse_list(data: bytes) -> tuple[PodDevices, ...]:
    """All pods in the answer, those without devices too. Raises ValueError when it is no such message."""
    pods = [content for number, content in fields(data) if number == 1]
    if len(pods) > MAX_PODS:
        raise ValueError(f"{len(pods)} pods on one node")
    return tuple(pod for pod in map(_pod, pods) if pod.namespace and pod.name)


def _pod(data: bytes) -> PodDevices:
    namespace = name = ""
    devices: dict[str, None] = {}
    strange: dict[str, None] = {}
    for number, content in fields(data):
        match number:
            case 1:
                name = text(content)[:MAX_NAME]
            case 2:
                namespace = text(content)[:MAX_NAME]
            case 3:
                _container(content, devices, strange)
            case _:
                pass
    return PodDevices(namespace, name, _first(devices), _first(strange))


def _container(data: bytes, devices: dict[str, None], strange: dict[str, None]) -> None:
    for number, content in fields(data):
        match number:
            case 2:
                _plugin_devices(content, devices, strange)
            case 5:
                _claims(content, devices)
            case _:
                pass


def _plugin_devices(data: bytes, devices: dict[str, None], strange: dict[str, None]) -> None:
    resource, ids = "", []
    for number, content in fields(data):
        match number:
            case 1:
                resource = text(content)
            case 2:
                ids.append(text(content))
            case _:
                pass
    for device_id in ids:
        device = plugin_device(device_id)
        if device is not None:
            devices[device] = None
        elif resource.startswith("nvidia.com/"):
            strange[device_id[:MAX_NAME]] = None


def _claims(data: bytes, devices: dict[str, None]) -> None:
    for number, content in fields(data):
        if number != 4:  # noqa: PLR2004 - DynamicResource.claim_resources
            continue
        claim = {number: text(value) for number, value in fields(content) if number in {2, 4}}
        device = dra_device(claim.get(2, ""), claim.get(4, ""))
        if device is not None:
            devices[device] = None


def _first(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(names)[:MAX_DEVICES]
