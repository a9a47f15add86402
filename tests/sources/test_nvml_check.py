"""What `wattledger check` says about NVIDIA GPUs: each thing that is missing comes with the step that mends it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.nvml.parts import (
    DRIVER_NOT_LOADED,
    FUNCTION_NOT_FOUND,
    GPU_IS_LOST,
    H100_MIG,
    IRQ_ISSUE,
    LIBRARY_NOT_FOUND,
    NO_PERMISSION,
    NOT_SUPPORTED,
    P100,
    UNKNOWN,
    FakeGpu,
    FakeProcess,
)
from tests.fakes.unprivileged import drop_dac, regain_dac
from tests.sources.world_nvml import World
from tracker.core.model import Finding, Level
from tracker.sources.interface import SourceAbsent, SourceDenied, SourceError, SourceFailed
from tracker.sources.nvml import NvmlSource

pytestmark = pytest.mark.needs("gcc")

REPO = Path(__file__).resolve().parents[2]


def refused(world: World) -> SourceError:
    """The error of open, after check has said the same."""
    (finding,) = world.source().check()
    with pytest.raises(SourceError) as caught:
        world.source().open()
    assert (finding.message, finding.remedy) == (caught.value.sentence, caught.value.remedy)
    assert finding.level is (Level.WARN if isinstance(caught.value, SourceAbsent) else Level.FAIL)
    assert world.fake.holds() == 0
    return caught.value


def by_message(findings: tuple[Finding, ...], part: str) -> Finding:
    return next(finding for finding in findings if part in finding.message)


def load_kernel_driver(world: World) -> None:
    path = world.root / "proc/driver/nvidia/version"
    path.parent.mkdir(parents=True)
    path.write_text("NVRM version: NVIDIA UNIX Open Kernel Module  590.48.01\n", encoding="utf-8")


def plug_in(world: World, vendor: str = "0x10de", kind: str = "0x030200") -> None:
    folder = world.root / "sys/bus/pci/devices/0000:17:00.0"
    folder.mkdir(parents=True)
    (folder / "vendor").write_text(f"{vendor}\n", encoding="ascii")
    (folder / "class").write_text(f"{kind}\n", encoding="ascii")


def test_healthy_gpus_are_one_good_line(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(), FakeGpu()))
    expected = (Finding(Level.OK, "nvml", "Driver 590.48.01: GPU 0, 1 can be read."),)
    source = world.source()
    assert source.check() == expected
    assert world.fake.holds() == 0, "check lets go of what it opened"
    source.open()
    assert source.check() == expected
    assert world.fake.holds() == 1


def test_check_of_a_running_source_asks_the_driver_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(),))
    source = world.source()
    source.open()
    calls = world.fake.calls()
    assert source.check()
    assert world.fake.calls() == calls


def test_without_library_driver_and_gpu_it_is_simply_absent(tmp_path: Path) -> None:
    world = World(tmp_path, None)
    world.fake.fault_driver(LIBRARY_NOT_FOUND)
    plug_in(world, vendor="0x8086")
    error = refused(world)
    assert isinstance(error, SourceAbsent)
    assert error.sentence == "There is no NVIDIA GPU here."


@pytest.mark.parametrize("code", [LIBRARY_NOT_FOUND, DRIVER_NOT_LOADED])
def test_a_gpu_on_the_bus_without_a_driver_says_install_it(tmp_path: Path, code: int) -> None:
    world = World(tmp_path, None)
    world.fake.fault_driver(code)
    plug_in(world)
    error = refused(world)
    assert isinstance(error, SourceAbsent)
    assert "There is an NVIDIA GPU on the PCI bus" in error.sentence
    assert "modprobe nvidia" in error.remedy


def test_a_container_without_the_utility_capability_is_told_so(tmp_path: Path) -> None:
    world = World(tmp_path, None)
    world.fake.fault_driver(LIBRARY_NOT_FOUND)
    load_kernel_driver(world)
    error = refused(world)
    assert isinstance(error, SourceAbsent)
    assert error.sentence == "The NVIDIA driver is loaded, but libnvidia-ml.so.1 is not here."
    assert "NVIDIA_DRIVER_CAPABILITIES=utility" in error.remedy


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ((), "The NVIDIA driver is loaded, but /dev/nvidiactl is not here."),
        (("nvidiactl",), "The NVIDIA driver is loaded, but does not answer this process."),
    ],
)
def test_device_nodes_that_are_missing_are_named(tmp_path: Path, nodes: tuple[str, ...], sentence: str) -> None:
    world = World(tmp_path, None)
    world.fake.fault_driver(DRIVER_NOT_LOADED)
    load_kernel_driver(world)
    make_nodes(world, *nodes)
    error = refused(world)
    assert isinstance(error, SourceAbsent)
    assert error.sentence == sentence
    assert "NVIDIA_VISIBLE_DEVICES=all" in error.remedy


def make_nodes(world: World, *names: str) -> None:
    (world.root / "dev").mkdir()
    for name in names:
        (world.root / "dev" / name).touch(mode=0o600)


def test_device_nodes_that_may_not_be_opened_are_named(tmp_path: Path) -> None:
    world = World(tmp_path, None)
    make_nodes(world, "nvidiactl", "nvidia0", "nvidia1")
    (world.root / "dev/nvidia0").chmod(0)
    (world.root / "dev/nvidiactl").chmod(0)
    world.denied()
    drop_dac()
    try:
        error = refused(world)
    finally:
        regain_dac()
    assert isinstance(error, SourceDenied)
    dev = world.root / "dev"
    assert f"access to {dev}/nvidiactl, {dev}/nvidia0," in error.remedy


def test_a_device_cgroup_that_forbids_the_nodes_is_suspected_when_their_mode_is_right(tmp_path: Path) -> None:
    world = World(tmp_path, None)
    make_nodes(world, "nvidiactl")
    world.denied()
    assert "device cgroup" in refused(world).remedy


def test_a_driver_that_has_no_gpu_is_absent(tmp_path: Path) -> None:
    world = World(tmp_path, None)
    world.fake.set_count(0)
    error = refused(world)
    assert isinstance(error, SourceAbsent)
    assert error.sentence == "The NVIDIA driver is loaded but has no GPU."


@pytest.mark.parametrize(("code", "kind"), [(UNKNOWN, SourceFailed), (FUNCTION_NOT_FOUND, SourceAbsent)])
def test_a_driver_that_does_not_start_says_why(tmp_path: Path, code: int, kind: type[SourceError]) -> None:
    world = World(tmp_path, None)
    world.fake.fault_driver(code)
    error = refused(world)
    assert isinstance(error, kind)
    assert error.remedy


@pytest.mark.parametrize(
    ("gpu", "spoil", "level", "message", "remedy"),
    [
        (
            FakeGpu(P100), lambda fake: None, Level.WARN,
            "GPU 1: no energy counter", "Volta or newer",
        ),
        (
            FakeGpu(), lambda fake: [fake.fault(1, NOT_SUPPORTED, what) for what in ("energy", "power")], Level.FAIL,
            "GPU 1: neither energy nor power can be read.", "measure on the host",
        ),
        (
            FakeGpu(persistence=False), lambda fake: None, Level.WARN,
            "GPU 1: persistence mode is off", "nvidia-persistenced",
        ),
        (
            FakeGpu(migs=[H100_MIG[0], replace(H100_MIG[1], code=NO_PERMISSION)]), lambda fake: None, Level.WARN,
            "GPU 1: MIG is on, and its instances or their processes are hidden", "NVIDIA_MIG_MONITOR_DEVICES=all",
        ),
        (
            FakeGpu(migs=H100_MIG), lambda fake: fake.fault(1, NO_PERMISSION, "lists"), Level.WARN,
            "GPU 1: MIG is on, and its instances or their processes are hidden", "NVIDIA_MIG_MONITOR_DEVICES=all",
        ),
        (
            FakeGpu(processes=[FakeProcess(1)]), lambda fake: fake.fault(1, NO_PERMISSION, "lists"), Level.WARN,
            "GPU 1: its processes cannot be listed", "hostPID: true",
        ),
        (
            FakeGpu(), lambda fake: fake.fault(1, IRQ_ISSUE, "handle"), Level.FAIL,
            "GPU 1 cannot be opened: the kernel has an interrupt problem with it (IRQ_ISSUE).", "dmesg",
        ),
        (
            FakeGpu(), lambda fake: fake.fault(1, NO_PERMISSION, "handle"), Level.FAIL,
            "GPU 1 cannot be opened: this process may not open it (NO_PERMISSION).", "NVIDIA_VISIBLE_DEVICES=all",
        ),
        (
            FakeGpu(), lambda fake: fake.nonsense(1), Level.FAIL,
            "GPU 1 gives no reading: the driver answered a placeholder.", "dmesg",
        ),
    ],
)  # fmt: skip
def test_what_a_gpu_cannot_tell_is_said_with_its_remedy(
    tmp_path: Path, gpu: FakeGpu, spoil: Callable[[object], object], level: Level, message: str, remedy: str
) -> None:
    """The healthy GPU beside it is still the first, good line."""
    world = World(tmp_path, None, (FakeGpu(), gpu))
    spoil(world.fake)
    findings = world.source().check()
    finding = by_message(findings, message)
    assert finding.level is level
    assert remedy in finding.remedy
    assert findings[0].level is Level.OK
    assert "0" in findings[0].message


def test_complaints_about_many_gpus_are_one_line(tmp_path: Path) -> None:
    world = World(tmp_path, None, tuple(FakeGpu(persistence=False) for _ in range(8)))
    assert by_message(world.source().check(), "persistence").message.startswith("GPU 0, 1, 2, 3, 4, 5, 6, 7: ")


def test_a_gpu_that_was_lost_while_running_is_named_and_leaves_when_it_is_back(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(), FakeGpu()))
    source = world.source()
    source.open()
    world.fake.fault(1, GPU_IS_LOST)
    read(world, source, 1)
    assert by_message(source.check(), "GPU 1 gives no reading: it fell off the bus (GPU_IS_LOST).").remedy
    world.fake.heal()
    read(world, source, 185)
    assert source.check() == (Finding(Level.OK, "nvml", "Driver 590.48.01: GPU 0, 1 can be read."),)


def read(world: World, source: NvmlSource, seconds: int) -> None:
    for _ in range(seconds):
        world.advance(1)
        source.read()


def test_a_node_without_the_library_pays_nothing_and_says_absent() -> None:
    """In a process of its own, because a loaded library stays; pynvml is not even imported before open."""
    code = (
        "import sys; from tracker.sources.nvml import *; from tracker.sources.interface import *\n"
        "from tracker import clock, sysfs\n"
        "assert 'pynvml' not in sys.modules and 'ctypes' not in sys.modules\n"
        "s = NvmlSource(Options(), SourceContext(sysfs.Roots(), clock.now))\n"
        "try: s.open()\n"
        "except SourceAbsent as error: print(error.sentence)"
    )
    env = {"LD_LIBRARY_PATH": "/nonexistent"}
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, env=env, capture_output=True, text=True, check=True)
    assert done.stdout
