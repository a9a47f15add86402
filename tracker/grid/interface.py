"""What a joule weighs. Read this before any other file of this folder.

A ``LiveProvider`` turns the answers of one service into factor rows; it knows no thread, no clock and no socket: it
asks through the ``Ask`` that it is given. What it brings goes into the store (``store.py``); a ``GridProvider`` chooses
from the store and the tables, and is what the agent knows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from tracker.core.errors import UsageError, WattledgerError
from tracker.core.factors import FactorRow
from tracker.core.forecast import Forecast
from tracker.core.model import Factor, Finding
from tracker.grid.catalogue import Zone


class UnknownZone(UsageError):
    """The zone is in no catalogue. The remedy names the nearest right ones (P11: never guess a place)."""


class ProviderError(WattledgerError):
    """A service gave no usable answer. The store keeps what it had."""


class Unreachable(ProviderError):
    """No connection, no answer in time, or a 5xx after all attempts. It may work later."""


class Throttled(ProviderError):
    """429, or 503 with Retry-After, after all attempts."""

    def __init__(self, sentence: str, remedy: str = "", retry_after_s: int = 0) -> None:
        super().__init__(sentence, remedy)
        self.retry_after_s = retry_after_s


class Denied(ProviderError):
    """The key, token or password is wrong, revoked or missing."""


class NotInPlan(ProviderError):
    """The key is right, and what was asked for is not part of what it was bought for."""


class NoData(ProviderError):
    """The service is well and has nothing for this zone and time."""


class BadAnswer(ProviderError):
    """HTML, truncated JSON, another zone, values that no grid has: nothing of it is used."""


@dataclass(frozen=True, slots=True)
class Question:
    """One HTTP request. Secrets are in ``headers``, ``secret_query`` or ``body`` only: those are never shown, kept or
    logged."""

    url: str  # without a query
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret_query: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)  # with one it is a POST
    max_bytes: int | None = None  # of an answer that is known to be large; None: the client's limit


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: a status that the provider has to judge (2xx or 4xx without 429), and the body as received."""

    status: int
    body: bytes
    sha256: str
    fetched_at_s: int
    endpoint: str  # the address with its query, without anything secret


#: Sends a question, retries what may be retried, and keeps deadlines and size limits. Raises Unreachable, Throttled, or
#: BadAnswer for what is no answer at all (too large, not decodable, a redirect elsewhere).
Ask = Callable[[Question], Answer]


class LiveProvider(ABC):
    """A service that knows the intensity of intervals. Implementations are listed in ``registry.py``; their constructor
    takes ``(options, ask)`` and makes no request."""

    name: ClassVar[str]
    #: The longest range that ``read`` is asked for at once; the caller cuts longer ones.
    max_range_s: ClassVar[int]
    #: So far into the future its values are facts already: whoever reads up to now reads them too.
    ahead_s: ClassVar[int] = 0
    #: Whether an answer without any value takes back what was known: of a table that somebody keeps himself. A service
    #: that has lost its data corrects nobody.
    may_take_all_back: ClassVar[bool] = False

    @abstractmethod
    def covers(self, zone: Zone) -> bool:
        """Whether the service knows this zone at all; by the catalogue, without asking anybody."""

    @abstractmethod
    def read(self, zone: Zone, start_s: int, end_s: int, now_s: int) -> tuple[FactorRow, ...]:
        """Factors of the intervals that begin in [start_s, end_s), in order, of tier 1 or 2 (a profile's:
        3), scheme AVERAGE. Intervals that the service does not know are left out, never filled; one that it lists
        without a value is a row without value, which takes back what was known of it. Raises ProviderError."""

    def forecast(self, zone: Zone, now_s: int) -> Forecast | None:  # noqa: ARG002 - for those that override it
        """What is expected from now on; None: this service forecasts nothing. Raises ProviderError."""
        return None


class GridProvider(ABC):
    """Gives the factor for a zone and an instant. Never blocks the caller, never invents a value."""

    name: ClassVar[str]

    @abstractmethod
    def factor(self, zone: str, at_s: int) -> Factor:
        """The best factor known now for ``zone`` at ``at_s`` (UTC seconds). Raises UnknownZone. A zone without a value
        gives a Factor whose intensity is None and whose note says why."""

    def market(self, zone: str, at_s: int) -> Factor | None:  # noqa: ARG002 - for those that know contracts
        """What weighs electricity in the market-based method while no certificate is allocated to it: the supplier's
        rate, else the residual mix, else the grid's average with a note. None: nothing is known of any contract."""
        return None

    @abstractmethod
    def check(self) -> tuple[Finding, ...]:
        """Which tables or services answer. Never raises."""
