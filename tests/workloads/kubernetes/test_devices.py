"""Ids that device plugins and DRA drivers hand out: a form that is not understood is an idle GPU charged to nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.workloads.kubernetes.devices import dra_device, plugin_device

GPU = "GPU-8f2c1d90-3e5a-4b17-9c2e-5da9abb51763"
MIG = "MIG-41b35d8c-15cd-5c5e-9c5a-0a2b7c9d1e2f"


@pytest.mark.parametrize(
    ("device_id", "device"),
    [
        (GPU, GPU),
        (f"{GPU}::0", GPU),
        (f"{GPU}::12", GPU),
        (MIG, MIG),
        (f"{MIG}::3", MIG),
        (f"MIG-{GPU}/7/0", f"MIG-{GPU}/7/0"),
        (f"MIG-{GPU}/7/0::1", f"MIG-{GPU}/7/0"),
        ("nvidia0", "index:0"),
        ("nvidia12", "index:12"),
        ("nvidia3/gi2", "index:3"),
        ("nvidia3/vgpu1", "index:3"),
        ("nvidia3/gi2/vgpu1", "index:3"),
        # no GPU that is known here
        ("0000:c1:00.0", None),
        ("amdgpu_xcp_3", None),
        ("mlx5_0", None),
        (f"{GPU}-0", None),  # a scheme that chooses the GPU after the kubelet: the id does not name it
        (f"{GPU}::", None),
        (f"{GPU}::x", None),
        (f"{GPU}\n", None),
        (f" {GPU}", None),
        ("GPU-8f2c1d90", None),
        ("nvidia", None),
        ("nvidia٣", None),
        ("nvidiactl", None),
        ("", None),
    ],
)
def test_ids_of_device_plugins(device_id: str, device: str | None) -> None:
    assert plugin_device(device_id) == device


@pytest.mark.parametrize(
    ("driver", "name", "device"),
    [
        ("gpu.nvidia.com", "gpu-0", "index:0"),
        ("gpu.nvidia.com", "gpu-7", "index:7"),
        ("gpu.nvidia.com", "gpu-1-mig-1g.10gb-19-0", "index:1"),
        ("gpu.nvidia.com", "gpu-", None),
        ("gpu.nvidia.com", "gpu-0-vfio", None),
        ("compute-domain.nvidia.com", "gpu-0", None),
        ("gpu.amd.com", "gpu-0", None),
        ("", "", None),
    ],
)
def test_names_of_dynamic_resource_allocation(driver: str, name: str, device: str | None) -> None:
    assert dra_device(driver, name) == device


@given(st.text())
def test_any_text_is_accepted(text: str) -> None:
    for device in (plugin_device(text), dra_device("gpu.nvidia.com", text)):
        assert device is None or device.isprintable()
