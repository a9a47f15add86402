"""The settings, their types and their defaults. One struct per section of the file.

Power sources bring their own ``Options``; ``[sources]`` is made of those.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import msgspec

from tracker.config.books import Books
from tracker.core.units import MW_PER_W, NS_PER_S

#: The name in a chain for what ships; it is always there, so that writing it changes nothing.
TABLES = "tables"
DEFAULT_TIERS = (1, 2, 3, 4, 5)

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


class PuePeriod(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"begin": "from"}):
    """What a site's PUE was in a period: [[site.<name>.pue_periods]]. Days of the site's time zone."""

    begin: date  # written "from"
    to: date | None = None  # exclusive; None: until further notice
    pue: float
    source: str  # who says so and of when


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A place where nodes stand. ``zone`` None: nobody set it, WORLD is assumed and flagged.

    ``pue`` holds from ``pue_from`` on, where no period of ``pue_periods`` does; what nobody stated is
    ``config.pue.INDUSTRY`` and flagged as assumed. None: this configuration does not say it. On a node that is the
    default beside it; where finance makes a statement, what the nodes of the site said stays.
    """

    zone: str | None = None
    pue: float | None = None
    pue_source: str = ""  # who says so and of when
    pue_from: date | None = None  # None: it always held
    pue_periods: tuple[PuePeriod, ...] = ()
    timezone: str | None = None  # UTC
    control: Literal["owned", "colo", "leased", "cloud"] | None = None  # owned; as in core/boundary.py
    operational_control: bool | None = None  # of leased hardware: true
    colo_overhead: Literal["scope2", "scope3-8", "scope3-1"] | None = None  # scope2; the building's, by contract

    @property
    def clock(self) -> str:
        """The name of its time zone."""
        return self.timezone or "UTC"


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


class GridZone(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[grid.zone.<ZONE>]: what is different there. Empty: as in [grid]."""

    chain: tuple[str, ...] = ()
    tiers: tuple[int, ...] = ()


class Grid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where grid factors come from. ``providers`` has the settings of each service that is named or has a section
    ([grid.electricitymaps]); the tables that ship always stand behind them."""

    provider: str = "tables"
    token: str = ""  # of ``provider``: short for its own setting
    token_file: str = ""
    chain: tuple[str, ...] = ()  # services in the order in which they are asked; empty: ``provider`` alone
    tiers: tuple[int, ...] = ()  # which kinds of factor may be used, best first; empty: all but the world's average
    poll: Duration = Duration(30 * 60 * NS_PER_S)  # how often the services are asked
    ca_file: str = ""  # PEM file: whose certificates the services' are trusted by, instead of the system's
    cloud_metadata: Literal["", "aws", "gcp", "azure"] = ""  # whose instance metadata says the region; "": not asked
    zone: dict[str, GridZone] = {}  # by the catalogue's code
    providers: dict[str, msgspec.Struct] = {}

    def live_chain(self, zone: str) -> tuple[str, ...]:
        """The services to ask about a zone, in order; empty: the tables are all there is."""
        own = self.zone.get(zone, GridZone()).chain or self.chain or (self.provider,)
        return tuple(name for name in own if name != TABLES)

    def tiers_of(self, zone: str) -> tuple[int, ...]:
        """The kinds of factor that may be used for a zone, best first."""
        return self.zone.get(zone, GridZone()).tiers or self.tiers or DEFAULT_TIERS


class Embodied(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[accounting.embodied]: the making of the hardware, spread over the time it is held."""

    lifetime_h: int = 43_800  # five years
    host_kgco2e: float | None = None  # the server without its GPUs; None: not counted
    devices: dict[str, float] = {}  # own figures in kgCO2e of one device, by model or by a name of the table
    source: str = ""  # where these figures are from


class GridLoss(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[accounting.grid_loss]: losses between power stations and the meter, for Scope 3 category 3."""

    ratio: float | None = None  # such as 0.041; None: not stated, and none are added
    form: Literal["of_delivered", "of_generated"] = "of_delivered"  # as in core/accounting.py
    source: str = ""  # who says so and of when


class Accounting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    location_factor: Literal["annual", "hourly"] = "annual"  # what the counters go by; the other one is shown beside
    instruments_file: str = ""  # certificates, contracts, supplier rates: grid/instruments.py
    embodied: Embodied = Embodied()
    grid_loss: GridLoss = GridLoss()


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
    books: Books = Books()
    web: Web = Web()
    idle: Idle = Idle()
    log: LogSettings = LogSettings()
    path: Path | None = None  # the file that was read
    origins: dict[str, str] = {}  # where each value is from, by dotted path; absent: a built-in default

    @property
    def here(self) -> Site:
        """The site of this node; without any, one of which nothing is known."""
        return self.site.get(self.node.site, Site())
