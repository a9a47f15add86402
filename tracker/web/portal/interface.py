"""What the portal shows and who hands it over. Read this before any other file of this folder.

The portal knows HTTP and HTML. Where statements come from (books, sealed versions, drafts that are composed) is behind
``Office``; ``finance/portal.py`` is the one that reads books. Quantities are printed integers, as in
``core.statement``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from tracker.core.errors import WattledgerError
from tracker.core.statement import Status


class Missing(WattledgerError):
    """There is no such statement: 404."""


class Unavailable(WattledgerError):
    """The books cannot be reached now: 503."""


class Busy(WattledgerError):
    """It takes longer than a client should wait: 503, to be asked for again."""

    def __init__(self, sentence: str, remedy: str = "", *, retry_after_s: int = 10) -> None:
        super().__init__(sentence, remedy)
        self.retry_after_s = retry_after_s


class Wanted(Enum):
    """A version that has no number."""

    LATEST = "latest"  # the latest closed one, else the draft
    DRAFT = "draft"


@dataclass(frozen=True, slots=True)
class Figures:
    """A month's totals. None: not known, never 0."""

    energy_facility_wh: int
    location_g: int | None
    market_g: int | None
    coverage_ppm: int | None = None


@dataclass(frozen=True, slots=True)
class Edition:
    """A closed version."""

    number: int
    formats: tuple[str, ...]
    closed_at_s: int
    preparer: str
    approver: str


@dataclass(frozen=True, slots=True)
class Month:
    """``figures`` of the latest closed version, else of the draft, else of another month's trend; None: not known, and
    ``note`` says why. ``as_of_s``: of a draft. ``editions``: the newest first."""

    month: str  # 2026-10
    status: Status
    figures: Figures | None
    as_of_s: int | None = None
    editions: tuple[Edition, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Format:
    """``viewable``: a browser shows it; the others are saved."""

    name: str
    viewable: bool = False


@dataclass(frozen=True, slots=True)
class Overview:
    """``months``: the newest first. ``pending``: some figures are being put together. ``place``: where the books are,
    without secrets."""

    entity: str
    timezone: str
    place: str
    months: tuple[Month, ...]
    pending: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A file. ``version`` None: a draft. ``sha256`` (hex) and ``size_bytes`` are of what ``read`` returns."""

    name: str  # for those who save it
    media_type: str
    month: str
    status: Status
    version: int | None
    sha256: str
    size_bytes: int
    read: Callable[[], bytes]  # raises WattledgerError


class Office(Protocol):
    """Asked from any thread. Every method may raise Missing, Unavailable, Busy, or another WattledgerError whose
    sentence may be shown."""

    @property
    def formats(self) -> tuple[Format, ...]:
        """In the order in which they are offered."""

    def overview(self) -> Overview: ...

    def document(self, month: str, form: str, version: int | Wanted) -> Document: ...
