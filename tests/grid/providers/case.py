"""What a provider's tests bring for the contract that all providers keep (``tests/grid/test_provider_contract.py``).

Each ``<name>_case.py`` of this folder has one ``CASE``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tracker.grid.interface import Ask, LiveProvider


@dataclass(frozen=True, slots=True)
class Case:
    """A provider, a documented good answer, and the same answer gone wrong."""

    name: str
    make: Callable[[str, Ask], LiveProvider]  # base URL of the local server, and what asks
    zone: str  # a code of the catalogue
    start_s: int  # the range that the good answers are for
    end_s: int
    now_s: int
    good: Mapping[str, bytes]  # path without its query -> body
    data_path: str  # the path whose answer carries the values: faults replace this one
    #: Bodies in the place of the good one that must end as BadAnswer, by what is wrong with them: "wrong zone",
    #: "negative", "absurd", "contradicting hours", "times without offset" ...
    bad: Mapping[str, bytes] = field(default_factory=dict)
    #: Bodies in which single values are missing (null): read() leaves those intervals out and keeps the others.
    holes: bytes | None = None
    #: The same hours in another order and one of them twice: read() gives what it gives for the good answer.
    shuffled: bytes | None = None
    secrets: tuple[str, ...] = ()  # appear in no error, row, endpoint or representation
