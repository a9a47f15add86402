"""Says what NVIDIA GPUs can tell here, and for what they cannot, the exact step that would mend it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from tracker.core.model import Finding, Level
from tracker.sources.interface import SourceAbsent, SourceDenied, SourceError, SourceFailed
from tracker.sources.nvml_codes import Answer, Reaction, answer_of
from tracker.sources.nvml_inventory import Gpu, Inventory
from tracker.sysfs import Roots, read_text

SUBJECT = "nvml"
_CONTAINER = (
    "In a container: start it with the NVIDIA runtime (runtimeClassName nvidia, or --gpus all), "
    "NVIDIA_VISIBLE_DEVICES=all and NVIDIA_DRIVER_CAPABILITIES=utility."
)
_NO_LIBRARY = f"{_CONTAINER} On a host: install the libraries of the same driver (Debian: libnvidia-ml1)."
_INSTALL = "Install the NVIDIA driver, load it (modprobe nvidia) and start again."
_UPGRADED = (
    "Restart wattledger; in a container start the pod anew, so that the library of the new driver is mounted into it."
)
_SICK_REMEDY = {
    Reaction.DENIED: "Let the container see it (NVIDIA_VISIBLE_DEVICES=all) and this user open its /dev/nvidia* node.",
    Reaction.REST: "See the kernel log (dmesg | grep -i xid); reseat, reset or reboot. The other GPUs are measured.",
}
_PCI_NVIDIA, _PCI_DISPLAY = "0x10de", "0x03"


class SourceNeedsRestart(SourceFailed):
    """Only a new process can go on: the driver was upgraded, and this one holds the old library (pynvml cannot let go
    of it). ``needs_restart`` says so to a caller that only knows SourceFailed: book, then re-execute or exit."""

    needs_restart = True


def refusal(code: int, roots: Roots, dev: Path) -> SourceError:
    """Why the driver cannot be used at all, as the error to raise."""
    answer = answer_of(code)
    if answer.reaction is Reaction.RESTART:
        return SourceNeedsRestart("The NVIDIA driver was upgraded while the old library was loaded.", _UPGRADED)
    if answer.reaction is Reaction.DENIED:
        return SourceDenied("This process may not open the NVIDIA driver.", _open_remedy(dev))
    if answer.reaction is Reaction.ABSENT:
        return _absent(answer, roots, dev)
    if answer.reaction is Reaction.UNSUPPORTED:
        return SourceAbsent("The NVIDIA driver is too old to be asked.", "Install driver 450 or newer.")
    if answer.reaction is Reaction.REOPEN:
        return SourceFailed("The NVIDIA driver was reloaded.", "Nothing to do: it is taken up again by itself.")
    return SourceFailed(f"The NVIDIA driver does not start: {answer.meaning} ({answer.name}).", "See the kernel log.")


def _absent(answer: Answer, roots: Roots, dev: Path) -> SourceAbsent:
    """The library or the driver is missing; what else is here says which step is missing."""
    loaded = (roots.procfs / "driver/nvidia/version").exists()  # the host's, in a container too
    if loaded and answer.name == "LIBRARY_NOT_FOUND":
        return SourceAbsent("The NVIDIA driver is loaded, but libnvidia-ml.so.1 is not here.", _NO_LIBRARY)
    if loaded:
        if (dev / "nvidiactl").exists():
            return SourceAbsent("The NVIDIA driver is loaded, but does not answer this process.", _CONTAINER)
        remedy = f"{_CONTAINER} On a host: create the device nodes: nvidia-modprobe -u -c 0."
        return SourceAbsent("The NVIDIA driver is loaded, but /dev/nvidiactl is not here.", remedy)
    if has_nvidia_gpu(roots.sysfs):
        return SourceAbsent(f"There is an NVIDIA GPU on the PCI bus, but {answer.meaning}.", _INSTALL)
    return SourceAbsent(
        "There is no NVIDIA GPU here.",
        f"If there is one in this machine, the driver is missing. {_INSTALL} {_CONTAINER}",
    )


def has_nvidia_gpu(sysfs: Path) -> bool:
    """Whether the PCI bus has a display or 3D controller of NVIDIA (Documentation/ABI/testing/sysfs-bus-pci)."""
    for folder in (sysfs / "bus/pci/devices").glob("*"):
        try:
            if read_text(folder / "vendor") == _PCI_NVIDIA and read_text(folder / "class").startswith(_PCI_DISPLAY):
                return True
        except OSError:
            continue
    return False


def _open_remedy(dev: Path) -> str:
    nodes = [*dev.glob("nvidiactl"), *sorted(dev.glob("nvidia[0-9]*"))]
    closed = [str(node) for node in nodes if not os.access(node, os.R_OK | os.W_OK, effective_ids=True)]
    if closed:
        return f"Give this user read and write access to {', '.join(closed)}, by their group or a udev rule."
    return f"A device cgroup or security profile forbids /dev/nvidia*. {_CONTAINER}"


def nothing_opened(inventory: Inventory, dev: Path) -> SourceError:
    """The driver works and yet there is no GPU to read: why, as the error to raise."""
    if not inventory.failed:
        return SourceAbsent("The NVIDIA driver is loaded but has no GPU.", _CONTAINER)
    if all(answer.reaction is Reaction.DENIED for answer in inventory.failed.values()):
        return SourceDenied("This process may not open any NVIDIA GPU.", _open_remedy(dev))
    index, answer = next(iter(inventory.failed.items()))
    return SourceFailed(f"No NVIDIA GPU answers; GPU {index}: {answer.meaning} ({answer.name}).", "See the kernel log.")


def refused(error: SourceError) -> tuple[Finding, ...]:
    """The one finding of a source that could not be opened."""
    level = Level.WARN if isinstance(error, SourceAbsent) else Level.FAIL
    return (Finding(level, SUBJECT, error.sentence, error.remedy),)


def findings(inventory: Inventory, version: str) -> tuple[Finding, ...]:
    """What the GPUs can tell, from what enumeration found: asks the driver nothing, so it cannot hang."""
    gpus = sorted(inventory.gpus.values(), key=lambda gpu: gpu.index)
    able = [gpu for gpu in gpus if gpu.sensor is not None and not gpu.detail]
    lines = [Finding(Level.OK, SUBJECT, f"Driver {version}: {_name(able)} can be read.")] if able else []
    lines += [_sick(f"GPU {index}", answer) for index, answer in sorted(inventory.failed.items())]
    lines += [
        Finding(Level.FAIL, SUBJECT, f"{_name([gpu])} gives no reading: {gpu.detail}.", _SICK_REMEDY[Reaction.REST])
        for gpu in gpus
        if gpu.detail and gpu.index not in inventory.failed
    ]
    for select, level, message, remedy in _COMPLAINTS:
        concerned = [gpu for gpu in gpus if select(gpu)]
        if concerned:
            lines.append(Finding(level, SUBJECT, f"{_name(concerned)}: {message}", remedy))
    return tuple(lines)


def _sick(name: str, answer: Answer) -> Finding:
    remedy = _SICK_REMEDY.get(answer.reaction, _SICK_REMEDY[Reaction.REST])
    return Finding(Level.FAIL, SUBJECT, f"{name} cannot be opened: {answer.meaning} ({answer.name}).", remedy)


def _name(gpus: Iterable[Gpu]) -> str:
    return "GPU " + ", ".join(str(gpu.index) for gpu in gpus)


def _hides_instances(gpu: Gpu) -> bool:
    partition = gpu.partition
    return partition is not None and (partition.hidden > 0 or not partition.parts or gpu.lists_denied)


#: (which GPUs, level, message, remedy)
_COMPLAINTS = (
    (
        lambda gpu: gpu.sensor is None,
        Level.FAIL,
        "neither energy nor power can be read.",
        "A vGPU has no sensors: measure on the host, or pass the whole GPU through.",
    ),
    (
        lambda gpu: gpu.power and not gpu.counter,
        Level.WARN,
        "no energy counter; power is read once a second instead, which errs on bursty load.",
        "Energy counters need a Volta or newer GPU and no vGPU.",
    ),
    (
        lambda gpu: gpu.facts.persistent is False,
        Level.WARN,
        "persistence mode is off, so the counter starts anew whenever the last program lets go of the GPU.",
        "systemctl enable --now nvidia-persistenced (or nvidia-smi -pm 1).",
    ),
    (
        _hides_instances,
        Level.WARN,
        "MIG is on, and its instances or their processes are hidden from this process.",
        "In a container: NVIDIA_MIG_MONITOR_DEVICES=all with CAP_SYS_ADMIN; on a host: run as root.",
    ),
    (
        lambda gpu: gpu.partition is None and (gpu.lists_denied or not gpu.lists),
        Level.WARN,
        "its processes cannot be listed, so its energy has no known user.",
        "Run in the host's PID namespace (hostPID: true) as a user that may open /dev/nvidia*.",
    ),
)
