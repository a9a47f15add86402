"""Which GPUs a container sees."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker.workloads.kubernetes.visible import MOUNTED, visible_devices

GPU = "GPU-8f2c1d90-3e5a-4b17-9c2e-5da9abb51763"
MIG = "MIG-41b35d8c-15cd-5c5e-9c5a-0a2b7c9d1e2f"


@pytest.mark.parametrize(
    ("value", "devices"),
    [
        ("all", None),
        ("0", ("index:0",)),
        ("0, 2", ("index:0", "index:2")),
        ("0:1", ("index:0",)),
        (GPU, (GPU,)),
        (f"{MIG},{GPU},{MIG}", (MIG, GPU)),
        ("nvidia.com/gpu=3", ("index:3",)),
        ("nvidia.com/gpu=all", None),
        ("none", ()),
        ("void", ()),
        ("", ()),
        (None, ()),
        ("rm -rf", ()),
    ],
)
def test_what_the_variable_says(tmp_path: Path, value: str | None, devices: tuple[str, ...] | None) -> None:
    environ = {} if value is None else {"NVIDIA_VISIBLE_DEVICES": value}
    assert visible_devices(environ, tmp_path) == devices


@pytest.mark.parametrize("value", ["void", "", str(MOUNTED)])
def test_where_the_variable_says_nothing_the_device_nodes_do(tmp_path: Path, value: str) -> None:
    """Under CDI and dynamic resource allocation."""
    for name in ("nvidia10", "nvidia2", "nvidiactl", "nvidia-uvm", "null"):
        (tmp_path / name).write_text("")
    environ = {"NVIDIA_VISIBLE_DEVICES": value}
    assert visible_devices(environ, tmp_path, tmp_path / "none") == ("index:2", "index:10")


def test_devices_that_are_given_as_mounts(tmp_path: Path) -> None:
    (tmp_path / "mounts" / GPU).mkdir(parents=True)
    environ = {"NVIDIA_VISIBLE_DEVICES": str(MOUNTED)}
    assert visible_devices(environ, tmp_path / "dev", tmp_path / "mounts") == (GPU,)
