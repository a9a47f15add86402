"""What a powercap zone is, from its id and its name. Parsers only: nothing here touches a file.

Sources: Documentation/power/powercap/powercap.rst, Documentation/ABI/testing/sysfs-class-powercap,
drivers/powercap/powercap_sys.c and intel_rapl_common.c.

What contains what (and is therefore a scope): psys holds the packages, their DRAM and more; a package holds core and
uncore. ``dram`` is nested in the package's folder, but its energy is *not* part of the package's on servers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from tracker.core.model import Component
from tracker.core.units import MW_PER_W

#: Control types: ``intel-rapl`` (also AMD's and TPMI's) and ``intel-rapl-mmio``, the same registers seen another way.
MSR, MMIO = "intel-rapl", "intel-rapl-mmio"
_ZONE_ID = re.compile(r"(intel-rapl(?:-mmio)?)((?::[0-9a-f]{1,8})+)")
_PACKAGE = re.compile(r"package-(\d{1,5})(?:-die-(\d{1,5}))?")
#: A counter has at most 12 digits (262143328850); more than 20 do not fit the kernel's u64.
COUNTER_BYTES = 64


class Domain(StrEnum):
    PACKAGE = "package"
    CORE = "core"
    UNCORE = "uncore"
    DRAM = "dram"
    PSYS = "psys"


#: Of overlapping zones the most preferred is booked; the others are read and shown.
_PREFERENCE = {Domain.PACKAGE: 90, Domain.DRAM: 90, Domain.CORE: 20, Domain.UNCORE: 20, Domain.PSYS: 10}
_MMIO_PENALTY = 10
#: Plausibility bounds where the hardware declares nothing. Generous on purpose: the bound shall catch a reset taken for
#: a wrap (65 to 262 kJ in a second), and must never quarantine a true reading. psys of a GPU node is the whole node.
_CEILING_W = {Domain.PACKAGE: 1000, Domain.CORE: 1000, Domain.UNCORE: 1000, Domain.DRAM: 400, Domain.PSYS: 20_000}
#: ... and never below this: desktop parts draw several times their declared 65 W for seconds.
_FLOOR_W = {Domain.PACKAGE: 500, Domain.CORE: 500, Domain.UNCORE: 500, Domain.DRAM: 200, Domain.PSYS: 4000}
_SANE_W = 3000  # a declaration above it is a register full of ones ("4096 W"), not a limit


@dataclass(frozen=True, slots=True)
class ZoneId:
    """``intel-rapl:1:0`` is control ``intel-rapl``, path (1, 0): the first zone in the second top-level zone."""

    control: str
    path: tuple[int, ...]

    @property
    def parent(self) -> ZoneId | None:
        return ZoneId(self.control, self.path[:-1]) if len(self.path) > 1 else None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a zone measures and how it is booked. ``package`` None: not one package's (psys). ``owner``: key of the zone
    whose energy contains this one's ("": none; DRAM has none)."""

    key: str
    domain: Domain
    component: Component
    scopes: tuple[str, ...]
    preference: int
    control: str
    package: int | None = None
    die: int | None = None
    owner: str = ""


def parse_zone_id(text: str) -> ZoneId | None:
    """The id in a zone's folder name; None: not a RAPL zone. The kernel prints ids in hex: package 10 may be
    ``intel-rapl:a``."""
    match = _ZONE_ID.fullmatch(text)
    if match is None:
        return None
    return ZoneId(match[1], tuple(int(part, 16) for part in match[2][1:].split(":")))


def plan_zone(control: str, name: str, parent_name: str | None) -> Plan | None:
    """What the zone of this name measures; None: a name that is not documented, which is never booked on a guess."""
    if name == Domain.PSYS:
        return _plan(control, Domain.PSYS, Component.CPU, ("node/cpu", "node/dram"), None, None)
    package = _PACKAGE.fullmatch(name)
    if package is not None:
        return _plan_package(control, package)
    parent = _PACKAGE.fullmatch(parent_name or "")
    if parent is None or name not in {Domain.CORE, Domain.UNCORE, Domain.DRAM}:
        return None
    domain = Domain(name)
    number, die = _numbers(parent)
    if domain is Domain.DRAM:
        return _plan(control, domain, Component.DRAM, (_scope("dram", number, die),), number, die)
    owner = _plan_package(control, parent)
    inner = _plan(control, domain, Component.CPU, (f"{owner.scopes[0]}/{domain}",), number, die)
    return replace(inner, owner=owner.key)


def parse_counter(raw: bytes, range_uj: int | None) -> int:
    """The content of ``energy_uj`` in µJ. Raises ValueError for anything but a number within the counter's range."""
    text = raw.strip()
    if not text.isdigit():
        raise ValueError(f"energy_uj reads {raw[:24]!r}, which is no number" if text else "energy_uj is empty")
    counter_uj = int(text)
    if range_uj is not None and counter_uj > range_uj:
        raise ValueError(f"energy_uj reads {counter_uj}, more than max_energy_range_uj ({range_uj})")
    return counter_uj


def parse_range(text: str) -> int | None:
    """The content of ``max_energy_range_uj`` as what a wrap adds; None where it says nothing usable.

    The register has 32 bits and the file says (2^32 - 1) energy units in µJ, so a wrap truly adds the file's number
    plus one unit (15 or 61 µJ). The file's number is taken as it is: it can be compared by eye, and the error is below
    one unit per wrap, a billionth of it, and always downwards: no joule is invented. "Plus 1 µJ" would be no better.

    Without a range a wrap looks like a counter that started anew: a short gap each time, never a wrong energy.
    """
    return int(text) or None if text.isascii() and text.isdigit() else None


def bound_mw(domain: Domain, declared_uw: tuple[int, ...], tdp_mw: int | None) -> int:
    """The plausibility bound: twice the largest power the zone declares (``constraint_*_max_power_uw``) or the TDP,
    within floor and ceiling. Turbo exceeds the declared thermal power for seconds, hence twice."""
    sane_mw = [uw // 1000 for uw in declared_uw if 0 < uw // 1000 <= _SANE_W * MW_PER_W]
    if tdp_mw is not None and domain in {Domain.PACKAGE, Domain.CORE, Domain.UNCORE}:
        sane_mw.append(tdp_mw)
    if not sane_mw:
        return _CEILING_W[domain] * MW_PER_W
    return max(2 * max(sane_mw), _FLOOR_W[domain] * MW_PER_W)


def _plan_package(control: str, match: re.Match[str]) -> Plan:
    number, die = _numbers(match)
    return _plan(control, Domain.PACKAGE, Component.CPU, (_scope("cpu", number, die),), number, die)


def _plan(
    control: str, domain: Domain, component: Component, scopes: tuple[str, ...], package: int | None, die: int | None
) -> Plan:
    prefix, penalty = ("mmio-", _MMIO_PENALTY) if control == MMIO else ("", 0)
    number = "" if package is None else f"-{package}"
    part = "" if die is None else f"-die-{die}"
    key = f"{prefix}{domain}{number}{part}"
    return Plan(key, domain, component, scopes, _PREFERENCE[domain] - penalty, control, package, die)


def _numbers(match: re.Match[str]) -> tuple[int, int | None]:
    return int(match[1]), None if match[2] is None else int(match[2])


def _scope(kind: str, package: int, die: int | None) -> str:
    return f"node/{kind}/{package}" if die is None else f"node/{kind}/{package}/die/{die}"
