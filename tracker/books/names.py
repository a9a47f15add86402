"""Names of the lake's files: read from the right, because a hostname may have dashes."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, unquote

from tracker.core.hours import HOUR_S

KINDS = ("entries", "coverage", "emissions")
DAY_H = 24
_NAME = re.compile(
    r"(?P<kind>[a-z]+)/month=(?P<month>\d{4}-\d\d)/day=(?P<day>\d\d)/"
    r"(?P<host>[^/]+)-(?P<ledger>[0-9a-f]{8})-(?P<span>day|h\d\d_\d\d)-(?P<sha>[0-9a-f]{16})\.parquet",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class LakeFile:
    """Hours [from_h, to_h) of a UTC day of one ledger. ``whole``: it is the day's last word."""

    kind: str
    date: str  # 2026-10-03
    hostname: str
    ledger: str  # the first eight digits of the ledger's identity
    from_h: int
    to_h: int
    whole: bool
    sha16: str
    size_bytes: int = 0

    @property
    def name(self) -> str:
        span = "day" if self.whole else f"h{self.from_h:02}_{self.to_h:02}"
        host = quoted(self.hostname)
        return f"{day_prefix(self.kind, self.date)}{host}-{self.ledger}-{span}-{self.sha16}.parquet"

    @property
    def start_s(self) -> int:
        return day_start_s(self.date) + self.from_h * HOUR_S

    @property
    def end_s(self) -> int:
        return day_start_s(self.date) + self.to_h * HOUR_S


def quoted(text: str) -> str:
    """As a part of a name: no slash in it and no dot before it, where it would be hidden or another folder."""
    safe = quote(text, safe="") or "_"
    return safe.replace(".", "%2E", 1) if safe.startswith(".") else safe


def day_start_s(date: str) -> int:
    return int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp())


def date_of(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d")


def parse_name(name: str, size_bytes: int = 0) -> LakeFile | None:
    """None: not a file of the lake."""
    found = _NAME.fullmatch(name)
    if found is None or found["kind"] not in KINDS:
        return None
    whole = found["span"] == "day"
    from_h, to_h = (0, DAY_H) if whole else (int(found["span"][1:3]), int(found["span"][4:6]))
    date = f"{found['month']}-{found['day']}"
    if not 0 <= from_h < to_h <= DAY_H or not _is_day(date):
        return None
    return LakeFile(
        kind=found["kind"],
        date=date,
        hostname=unquote(found["host"]),
        ledger=found["ledger"],
        from_h=from_h,
        to_h=to_h,
        whole=whole,
        sha16=found["sha"],
        size_bytes=size_bytes,
    )


@functools.lru_cache(maxsize=1024)
def _is_day(date: str) -> bool:
    """Of very many names of few days."""
    try:
        day_start_s(date)
    except ValueError:
        return False
    return True


def prefixes(kind: str, start_s: int, end_s: int) -> tuple[str, ...]:
    """Where the files of [start_s, end_s) lie: one prefix for each UTC month."""
    months, at = [], datetime.fromtimestamp(start_s, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while at.timestamp() < end_s:
        months.append(f"{kind}/month={at:%Y-%m}/")
        at = (at + timedelta(days=32)).replace(day=1)
    return tuple(months)


def day_prefix(kind: str, date: str) -> str:
    """Where the files of one UTC day lie."""
    return f"{kind}/month={date[:7]}/day={date[8:]}/"


def without_entries(coverage: Iterable[LakeFile], entries: Iterable[LakeFile]) -> dict[tuple[str, str], list[int]]:
    """Starts of the hours of which files of coverage are there and none of entries, by (hostname, ledger). Every span
    is shipped in a file of each kind, if need be an empty one: the energy of such an hour is on its way or was lost."""
    have, found = _hours(entries), dict[tuple[str, str], list[int]]()
    for (hostname, ledger, date), hours in sorted(_hours(coverage).items()):
        lacking = hours & ~have.get((hostname, ledger, date), 0)
        if lacking:
            hours_s = (day_start_s(date) + hour * HOUR_S for hour in range(DAY_H) if lacking >> hour & 1)
            found.setdefault((hostname, ledger), []).extend(hours_s)
    return found


def shipped_until_s(coverage: Iterable[LakeFile], entries: Iterable[LakeFile]) -> dict[str, int]:
    """The end of the last hour of each hostname that files of both kinds have."""
    have, found = _hours(entries), dict[str, int]()
    for (hostname, ledger, date), hours in _hours(coverage).items():
        both = hours & have.get((hostname, ledger, date), 0)
        if both:
            found[hostname] = max(found.get(hostname, 0), day_start_s(date) + both.bit_length() * HOUR_S)
    return found


def _hours(files: Iterable[LakeFile]) -> dict[tuple[str, str, str], int]:
    """By hostname, ledger and date, a bit for each hour: names are very many and hours are more."""
    found: dict[tuple[str, str, str], int] = {}
    for file in files:
        key = (file.hostname, file.ledger, file.date)
        found[key] = found.get(key, 0) | (1 << file.to_h) - (1 << file.from_h)
    return found


@dataclass(frozen=True, slots=True)
class Selection:
    """The files to read, and those that contradict others about the same hours of the same ledger."""

    files: tuple[LakeFile, ...]
    conflicts: tuple[tuple[LakeFile, LakeFile], ...] = ()


def select(files: Iterable[LakeFile]) -> Selection:
    """Of each kind, ledger and day: the day file if there is one, else its pieces. Of two that overlap the first by
    name is read and both are reported: nobody's energy is counted twice."""
    groups: dict[tuple[str, str, str, str], list[LakeFile]] = {}
    for each in sorted(files):
        groups.setdefault((each.kind, each.date, each.hostname, each.ledger), []).append(each)
    chosen: list[LakeFile] = []
    conflicts: list[tuple[LakeFile, LakeFile]] = []
    for group in groups.values():
        whole = [each for each in group if each.whole]
        taken: list[LakeFile] = []
        for each in whole or group:
            rival = next((one for one in taken if one.from_h < each.to_h and each.from_h < one.to_h), None)
            if rival is None:
                taken.append(each)
            else:
                conflicts.append((rival, each))
        chosen += taken
    return Selection(tuple(chosen), tuple(conflicts))
