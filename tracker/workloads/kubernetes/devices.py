"""Device ids as the kubelet hands them on, in the words of ``Allocation.device``. No file is read here.

| id | given by | device |
|---|---|---|
| ``GPU-<uuid>``, ``GPU-<uuid>::N`` | NVIDIA's device plugin; ``::N``: a replica (time-slicing, MPS) | the GPU's UUID |
| ``MIG-<uuid>``, ``MIG-<uuid>::N`` | the same, for a MIG instance | the MIG UUID |
| ``MIG-GPU-<uuid>/<gi>/<ci>`` | drivers before R470 | as it is: those drivers call the instance so |
| ``nvidiaN``, ``nvidiaN/giM``, ``nvidiaN/vgpuM``, ``nvidiaN/giM/vgpuM`` | GKE's device plugin | ``index:N`` |
| ``gpu-N``, ``gpu-N-mig-…`` | NVIDIA's DRA driver (``gpu.nvidia.com``) | ``index:N`` |

The last two name no UUID. N is the minor number of ``/dev/nvidiaN``, which is the driver's order on every node but one
whose GPUs were renumbered; of a MIG instance only the GPU is known. Everything else (AMD's PCI addresses, network
cards, ids of sharing schemes that choose the GPU later than the kubelet) is no device that can be told from here.
"""

from __future__ import annotations

import re

DRA_DRIVER = "gpu.nvidia.com"

_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_NVIDIA = re.compile(rf"((?:GPU|MIG)-{_UUID}|MIG-GPU-{_UUID}/\d{{1,4}}/\d{{1,4}})(?:::\d{{1,6}})?", re.ASCII)
_GKE = re.compile(r"nvidia(\d{1,4})(?:/gi\d{1,4})?(?:/vgpu\d{1,6})?", re.ASCII)
_DRA = re.compile(r"gpu-(\d{1,4})(?:-mig-[0-9A-Za-z._-]{1,100})?", re.ASCII)


def plugin_device(device_id: str) -> str | None:
    """The device behind an id of a device plugin; None: it is no GPU that is known here. Any text is accepted."""
    match = _NVIDIA.fullmatch(device_id)
    if match is not None:
        return match[1]
    match = _GKE.fullmatch(device_id)
    return None if match is None else f"index:{int(match[1])}"


def dra_device(driver: str, device_name: str) -> str | None:
    """The device behind a name in a claim; None: another driver's, or a name of another form."""
    match = _DRA.fullmatch(device_name) if driver == DRA_DRIVER else None
    return None if match is None else f"index:{int(match[1])}"
