"""What a joule weighs. Read this before any other file of this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from tracker.core.errors import UsageError
from tracker.core.model import Factor, Finding


class UnknownZone(UsageError):
    """The zone is in no catalogue. The remedy names the nearest right ones (P11: never guess a place)."""


class GridProvider(ABC):
    """Gives the factor for a zone and an instant. Never blocks the caller, never invents a value."""

    name: ClassVar[str]

    @abstractmethod
    def factor(self, zone: str, at_s: int) -> Factor:
        """The best factor known now for ``zone`` at ``at_s`` (UTC seconds). Raises UnknownZone. A zone without a value
        gives a Factor whose intensity is None and whose note says why."""

    @abstractmethod
    def check(self) -> tuple[Finding, ...]:
        """Which tables or services answer. Never raises."""
