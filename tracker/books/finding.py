"""What an audit of the books finds, and how much of it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from tracker.core.hours import HOUR_S
from tracker.core.model import Level

#: Findings shown of each check: the first ones say what is wrong, the number says how much.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class BooksFinding:
    """``subject``: the file, node or month that it is about. ``check`` names the promise that is broken."""

    level: Level
    check: str
    subject: str
    message: str
    remedy: str = ""


def shortened(findings: Iterable[BooksFinding], shown: int = SHOWN) -> tuple[BooksFinding, ...]:
    """In order, the first ``shown`` of each check and level, and how many more there are."""
    groups: dict[tuple[str, Level], list[BooksFinding]] = {}
    for each in findings:
        groups.setdefault((each.check, each.level), []).append(each)
    return tuple(each for group in groups.values() for each in _first(group, shown))


def _first(group: list[BooksFinding], shown: int) -> Iterator[BooksFinding]:
    yield from group[:shown]
    if len(group) > shown:
        yield replace(group[shown], subject="", message=f"There are {len(group) - shown} more of these.")


def utc(at_s: int) -> str:
    """The time for people; a number that is no time as it is."""
    try:
        return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%MZ}"
    except (ValueError, OverflowError, OSError):
        return str(at_s)


def ranges(hours_s: Iterable[int]) -> tuple[str, ...]:
    """Hours by their starts, in order, as ranges for people: "2026-10-03T04:00Z +3 h"."""
    found: list[tuple[int, int]] = []
    for hour_s in hours_s:
        if found and found[-1][1] == hour_s:
            found[-1] = (found[-1][0], hour_s + HOUR_S)
        else:
            found.append((hour_s, hour_s + HOUR_S))
    return tuple(f"{utc(first_s)} +{(end_s - first_s) // HOUR_S} h" for first_s, end_s in found)


def some(texts: Iterable[str], shown: int = 5) -> str:
    """The first few, and how many more."""
    listed = list(texts)
    more = f" and {len(listed) - shown} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more
