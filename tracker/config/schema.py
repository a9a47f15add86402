"""The settings, their types and their defaults. One struct per section of the file.

Power sources bring their own ``Options``; ``[sources]`` is made of those.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from tracker.core.units import MW_PER_W, NS_PER_S

PERMILLE = 1000

_UNIT_NS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86400 * 10**9}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time, written "5s", "10m" or "1h30m"."""

    ns: int

    @classmethod
    def parse(cls, text: str) -> Duration:
        """Raises ValueError."""
        parts = _PART.findall(text)
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise ValueError(text)
        return cls(sum(round(float(number) * _UNIT_NS[unit]) for number, unit in parts))

    @property
    def s(self) -> float:
        return self.ns / NS_PER_S

    def __str__(self) -> str:
        rest, text = self.ns, ""
        for unit in ("d", "h", "m", "s", "ms"):
            whole, rest = divmod(rest, _UNIT_NS[unit])
            text += f"{whole}{unit}" if whole else ""
        return text or "0s"


class Node(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The machine. The defaults of ``hostname`` and ``state_dir`` are found at start (``load.py``)."""

    hostname: str = "localhost"
    cluster: str = ""
    site: str = ""  # the name of a [site.<name>]; may be left out when there is one
    state_dir: Path = Path("/var/lib/wattledger")
    sysfs: Path = Path("/sys")
    procfs: Path = Path("/proc")


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place where nodes stand. ``zone`` None: nobody set it, WORLD is assumed and flagged."""

    zone: str | None = None
    pue: float = 1.0
    pue_source: str = ""  # who says so and of when; "": nobody did, 1.0 is assumed
    timezone: str = "UTC"
    control: Literal["owned", "colo", "leased", "cloud"] = "owned"

    @property
    def pue_permille(self) -> int:
        return round(self.pue * PERMILLE)


class Sampling(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    tick: Duration = Duration(5 * NS_PER_S)  # one turn of the agent
    commit: Duration = Duration(10 * NS_PER_S)  # how often the ledger is written: what a power loss may cost


class Workloads(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who uses the node. What names workloads brings its own ``Options``: ``resolvers`` has those that are given, by
    the name of their section ([workloads.kubernetes]); the others find out by themselves whether they are of use."""

    units: tuple[str, ...] = ()  # systemd units that are workloads of their own (globs); the others are system
    max_series: int = 500  # live workloads with series of their own; the others share workload="other"
    own_only: bool = False  # as a sidecar: book the share of the own pod and nothing else
    gpu_replicas: int = 1  # with own_only: how many pods share each GPU (time-slicing, MPS)
    rules: tuple[dict[str, Any], ...] = ()  # [[workloads.rules]] as written; read by core/rules.py
    resolvers: dict[str, msgspec.Struct] = {}


class Grid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    provider: str = "tables"


class Accounting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    location_factor: Literal["annual"] = "annual"  # hourly factors need a live provider, which there is not yet


class Web(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    listen: str = "127.0.0.1:9837"
    web_config_file: str = ""  # TLS and authentication in the exporter-toolkit format


class Idle(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Idle floors in watts of one device, instead of learning them."""

    gpu_w: float | None = None
    cpu_w: float | None = None

    @property
    def gpu_mw(self) -> int | None:
        return None if self.gpu_w is None else round(self.gpu_w * MW_PER_W)

    @property
    def cpu_mw(self) -> int | None:
        return None if self.cpu_w is None else round(self.cpu_w * MW_PER_W)


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "logfmt", "json", "human"] = "auto"


class Config(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that was decided before the start."""

    node: Node = Node()
    site: dict[str, Site] = {}
    sampling: Sampling = Sampling()
    sources: dict[str, msgspec.Struct] | None = None  # by name; None: everything that is present is used
    workloads: Workloads = Workloads()
    grid: Grid = Grid()
    accounting: Accounting = Accounting()
    web: Web = Web()
    idle: Idle = Idle()
    log: LogSettings = LogSettings()
    path: Path | None = None  # the file that was read
    origins: dict[str, str] = {}  # where each value is from, by dotted path; absent: a built-in default

    @property
    def here(self) -> Site:
        """The site of this node; without any, one of which nothing is known."""
        return self.site.get(self.node.site, Site())
