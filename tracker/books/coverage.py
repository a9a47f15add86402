"""How much of a month the books have: by node, and by what a row of a statement is made of.

Expected are the nodes that are known: those with files in the month before are expected from the month's first hour,
others from their first hour in it; until they are retired, or until now. An hour without any row is missing and listed;
its devices count as expected and not covered. So is an hour of which there is coverage and the energy did not come:
what was read of it is not in the books.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from tracker.books.names import LakeFile
from tracker.books.statement import MonthQuery
from tracker.core.hours import COVERED, HOUR_S
from tracker.core.period import hours_of
from tracker.core.statement import CoverageLine, Period

PPM = 1_000_000
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Expected:
    """Of a node: from when and until when (UTC seconds, hours that begin in it)."""

    hostname: str
    start_s: int
    end_s: int
    site: str = ""  # as it was last seen; "" if it is seen in the month


@dataclass(frozen=True, slots=True)
class Part:
    """Device time of a node's component: covered, and with its gaps."""

    hostname: str
    site: str
    component: str
    covered_ms: int
    told_ms: int


@dataclass(frozen=True, slots=True)
class Presence:
    """What coverage files say, by hostname. ``doubles``: how many hours two ledgers of one hostname have. ``lost``:
    hours that they tell of and of which no energy came; they are in nothing else of this."""

    parts: tuple[Part, ...]
    gaps_ms: Mapping[str, tuple[tuple[str, int], ...]]
    hours: Mapping[str, tuple[int, ...]]
    doubles: Mapping[str, int]
    lost: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


#: Hours as a string of 0 and 1: one pass and few groups, where rows of hours would be millions.
_PRESENCE = """
CREATE OR REPLACE TEMP TABLE presence AS
SELECT hostname, coalesce(site, '') AS site, component, state, {came} AS came, sum(duration_ms) AS ms,
       bitstring_agg(((hour_s - $1) // 3600)::INTEGER, 0, $2)::VARCHAR AS hours
FROM {files} lake {without} WHERE hour_s >= $3 AND hour_s < $4 GROUP BY ALL
"""
_WITHOUT = "LEFT JOIN without_entries ON hour_s = at_s AND hostname = host AND starts_with(ledger, digits)"
_PACKAGES = """
CREATE OR REPLACE TEMP TABLE packages AS
SELECT hostname, ledger, max(devices) AS count
FROM (SELECT hostname, ledger, hour_s, count(*) AS devices FROM {files}
      WHERE hour_s >= ? AND hour_s < ? AND component = 'cpu' AND state = ? GROUP BY ALL)
GROUP BY ALL
"""
_DOUBLES = """
CREATE OR REPLACE TEMP TABLE doubles AS
SELECT hostname, count(*) AS hours
FROM (SELECT hostname, hour_s FROM {files} WHERE hour_s >= ? AND hour_s < ?
      GROUP BY ALL HAVING count(DISTINCT ledger) > 1)
GROUP BY ALL ORDER BY ALL
"""


def read_presence(
    query: MonthQuery,
    files: Sequence[LakeFile],
    paths: Sequence[Path],
    period: Period,
    *,
    lost: Mapping[tuple[str, str], Sequence[int]] | None = None,
    by_packages: bool = True,
) -> Presence:
    """From the coverage files of a period. ``lost``: hours whose energy did not come (``names.without_entries``).
    ``by_packages``: also make the table ``packages`` (CPU packages of each node). Raises BooksDamaged."""
    between = [period.start_s, period.end_s]
    hours = hours_of(period)
    parts: dict[tuple[str, str, str], list[int]] = {}
    gaps: dict[str, dict[str, int]] = {}
    there: dict[str, int] = {}
    told: dict[str, int] = {}
    query.scan(_presence(query, lost or {}), [hours.start, len(hours) - 1, *between], "coverage", paths)
    found = query.execute("SELECT * FROM presence ORDER BY hostname, site, component, state, came").fetchall()
    for hostname, site, component, state, came, ms, bits in found:
        told[hostname] = told.get(hostname, 0) | int(bits, 2)
        if not came:
            continue
        part = parts.setdefault((hostname, site, component), [0, 0])
        part[0] += ms if state == COVERED else 0
        part[1] += ms
        there[hostname] = there.get(hostname, 0) | int(bits, 2)
        if state != COVERED:
            of_node = gaps.setdefault(hostname, {})
            of_node[state] = of_node.get(state, 0) + ms
    if by_packages:
        query.scan(_PACKAGES, [*between, COVERED], "coverage", paths)
    return Presence(
        tuple(Part(*key, *ms) for key, ms in parts.items()),
        {hostname: tuple(sorted(states.items())) for hostname, states in gaps.items()},
        {host: _hours(bits, hours) for host, bits in there.items()},
        _doubles(query, files, paths, between),
        {host: _hours(alone, hours) for host, bits in told.items() if (alone := bits & ~there.get(host, 0))},
    )


def _presence(query: MonthQuery, lost: Mapping[tuple[str, str], Sequence[int]]) -> str:
    """The hours that are lost are told apart where there are any: as a rule there are none, and a join takes time."""
    if not lost:
        return _PRESENCE.replace("{came}", "true").replace("{without}", "")
    rows = [(at_s, *whose) for whose, hours_s in lost.items() for at_s in hours_s]
    query.execute("CREATE OR REPLACE TEMP TABLE without_entries (at_s BIGINT, host VARCHAR, digits VARCHAR)")
    given = "SELECT unnest(?::BIGINT[]), unnest(?::VARCHAR[]), unnest(?::VARCHAR[])"
    query.execute(f"INSERT INTO without_entries {given}", [list(column) for column in zip(*rows, strict=True)])
    return _PRESENCE.replace("{came}", "at_s IS NULL").replace("{without}", _WITHOUT)


def _hours(bits: int, hours: range) -> tuple[int, ...]:
    """The first hour is the first of the string."""
    return tuple(hour_s for hour_s, bit in zip(hours, f"{bits:0{len(hours)}b}", strict=True) if bit == "1")


def _doubles(
    query: MonthQuery, files: Sequence[LakeFile], paths: Sequence[Path], between: Sequence[int]
) -> dict[str, int]:
    """Of hostnames under which several ledgers ship, which their files' names tell."""
    ledgers: dict[str, set[str]] = {}
    for file in files:
        ledgers.setdefault(file.hostname, set()).add(file.ledger)
    twins = [path for file, path in zip(files, paths, strict=True) if len(ledgers[file.hostname]) > 1]
    if not twins:
        return {}
    query.scan(_DOUBLES, between, "coverage", twins)
    return dict(query.execute("SELECT hostname, hours FROM doubles").fetchall())


def last_sites(query: MonthQuery, paths: Sequence[Path]) -> dict[str, str]:
    """Where nodes were seen last, by hostname, from coverage files of theirs."""
    sql = "CREATE OR REPLACE TEMP TABLE seen AS SELECT hostname, max_by(site, hour_s) AS site FROM {files} GROUP BY ALL"
    query.scan(sql, [], "coverage", paths)
    return {row[0]: row[1] or "" for row in query.execute("SELECT hostname, site FROM seen").fetchall()}


class Coverage:
    """Who was expected, and how much of it is there."""

    def __init__(self, presence: Presence, expected: Sequence[Expected]) -> None:
        self._presence = presence
        self._expected = {each.hostname: each for each in expected}
        self._parts: dict[str, list[Part]] = {}
        for part in presence.parts:
            self._parts.setdefault(part.hostname, []).append(part)
        self._known: dict[tuple[str | None, str | None, str | None], int | None] = {}

    def lines(self) -> tuple[CoverageLine, ...]:
        """One for each node, by site and hostname."""
        return tuple(sorted(map(self._line, self._expected.values()), key=lambda line: (line.site, line.hostname)))

    def of(self, site: str | None = None, component: str | None = None, hostname: str | None = None) -> int | None:
        """Covered over expected device time in ppm of what is named; None: nothing was expected."""
        key = (site, component, hostname)
        if key not in self._known:
            self._known[key] = self._of(*key)
        return self._known[key]

    def _of(self, site: str | None, component: str | None, hostname: str | None) -> int | None:
        covered_ms, expected_ms = 0, Fraction(0)
        for each in self._expected.values():
            parts = self._parts.get(each.hostname, [])
            if hostname not in {None, each.hostname}:
                continue
            if not parts and site in {None, each.site}:
                expected_ms += self._typical_ms(site, component) * self._hours(each)
            for part in parts:
                if site in {None, part.site} and component in {None, part.component}:
                    covered_ms += part.covered_ms
                    expected_ms += self._due_ms(each, part)
        return None if expected_ms <= 0 else min(PPM, covered_ms * PPM // expected_ms)

    def _line(self, each: Expected) -> CoverageLine:
        parts = self._parts.get(each.hostname, [])
        due_ms = sum((self._due_ms(each, part) for part in parts), Fraction(0))
        covered_ms = sum(part.covered_ms for part in parts)
        there = self._hours_there(each)
        gaps_s = tuple(
            (state, round(Fraction(ms, 1000))) for state, ms in self._presence.gaps_ms.get(each.hostname, ())
        )
        site = max(parts, key=lambda part: part.told_ms).site if parts else each.site
        return CoverageLine(
            site=site,
            hostname=each.hostname,
            expected_h=self._hours(each),
            present_h=len(there),
            covered_ppm=min(PPM, covered_ms * PPM // due_ms) if due_ms else (0 if self._hours(each) else None),
            gaps_s=gaps_s,
            missing=missing_ranges(range(each.start_s, each.end_s, HOUR_S), there),
        )

    def _hours(self, each: Expected) -> int:
        return len(range(each.start_s, each.end_s, HOUR_S))

    def _hours_there(self, each: Expected) -> tuple[int, ...]:
        """Sorted, as all hours of a node are."""
        hours = self._presence.hours.get(each.hostname, ())
        return hours[bisect_left(hours, each.start_s) : bisect_left(hours, each.end_s)]

    def _due_ms(self, each: Expected, part: Part) -> Fraction:
        """Device time told of, and as much for each hour that is missing."""
        present_h = len(self._presence.hours.get(each.hostname, ()))
        missing_h = self._hours(each) - len(self._hours_there(each))
        return part.told_ms + Fraction(part.told_ms * missing_h, present_h)

    def _typical_ms(self, site: str | None, component: str | None) -> Fraction:
        """Device time of an hour of a node that is there, for one that is not."""
        parts = [part for part in self._presence.parts if component in {None, part.component}]
        near = [part for part in parts if part.site == site] or parts
        node_hours = sum(len(self._presence.hours[name]) for name in {part.hostname for part in near})
        return Fraction(sum(part.told_ms for part in near), node_hours) if node_hours else Fraction(0)


def missing_ranges(expected: range, there: Sequence[int]) -> tuple[str, ...]:
    """Hours that are not there, as "2026-10-03T04:00Z +3 h"."""
    present = set(there)
    found: list[tuple[int, int]] = []
    for hour_s in expected:
        if hour_s in present:
            continue
        if found and found[-1][0] + found[-1][1] * HOUR_S == hour_s:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((hour_s, 1))
    return tuple(f"{datetime.fromtimestamp(start_s, UTC):%Y-%m-%dT%H:%MZ} +{count} h" for start_s, count in found)
