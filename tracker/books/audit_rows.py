"""The lake's rows together, a UTC day at a time: nothing twice, nothing without coverage, nothing that cannot be.

Tables of the connection: ``entries`` and ``coverage`` hold the day's rows of all files that a reader would read,
``present`` the hours of every node over all days.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tracker.books.finding import BooksFinding, ranges, some, utc
from tracker.books.schema import SCHEMAS
from tracker.core.hours import COVERED, HOUR_S
from tracker.core.model import Level
from tracker.core.units import UJ_PER_J

HOUR_MS = HOUR_S * 1000
#: Clocks of nodes and of whoever verifies may differ by so much.
CLOCK_S = 300
#: Far above what any device of its kind draws; each device's own limit, by which the node quarantines, is not shipped.
#: One that is measured to use more in an hour has a wrong counter, or its hour is not an hour.
CEILING_W = {"gpu": 6_000, "cpu": 2_000, "dram": 1_000, "other": 40_000}
#: A node that has not shipped for so long before the end of what is looked at is silent.
SILENT_S = 48 * HOUR_S
ROW_KINDS = ("entries", "coverage")
_KEY = ", ".join(f'"{name}"' for name, kind_of in SCHEMAS["entries"] if name not in {"energy_uj", "idle_uj", "held_ms"})
_NAMES = "If these are two nodes, give each a name of its own (node.hostname)."
_BUG = "Keep the files and report this as a bug of wattledger."


def prepare(connection: Any) -> None:
    """Make the empty tables."""
    for kind in ROW_KINDS:
        columns = ", ".join(f'"{name}" {kind_of}' for name, kind_of in SCHEMAS[kind])
        connection.execute(f"CREATE TABLE {kind} ({columns})")
    connection.execute(
        "CREATE TABLE present (hostname VARCHAR, ledger VARCHAR, cluster VARCHAR, component VARCHAR, hour_s BIGINT)"
    )


def take(connection: Any, kind: str) -> None:
    """The rows of ``part`` (``audit_files``) into the day's."""
    connection.execute(f"INSERT INTO {kind} SELECT * FROM part")  # noqa: S608 - a kind of the schema
    connection.execute("INSERT INTO present SELECT DISTINCT hostname, ledger, cluster, component, hour_s FROM part")


def forget(connection: Any) -> None:
    """Empty the day's tables for the next one."""
    connection.execute("DELETE FROM entries")
    connection.execute("DELETE FROM coverage")


def duplicates(connection: Any, _as_of_s: int) -> Iterator[BooksFinding]:
    """The same hour, device, workload and method more than once in one ledger: its energy is counted twice."""
    found = connection.execute(
        f"SELECT hour_s, min(hostname), device, count(*) AS rows FROM entries GROUP BY {_KEY}"  # noqa: S608 - as above
        " HAVING count(*) > 1 ORDER BY ALL"
    ).fetchall()
    for hour_s, hostname, device, rows in found:
        message = (
            f"{device} has {rows} rows of one workload in the hour {utc(hour_s)}: its energy counts more than once."
        )
        yield BooksFinding(Level.FAIL, "duplicate", hostname, message, _BUG)


def shared_devices(connection: Any, _as_of_s: int) -> Iterator[BooksFinding]:
    """A GPU (its UUID is one of a kind) that several ledgers cover for more than the hour: it is booked twice. Sidecars
    that share a GPU in turns stay within the hour."""
    found = connection.execute(
        "SELECT device, list(DISTINCT hostname ORDER BY hostname), list(DISTINCT hour_s ORDER BY hour_s) FROM"
        " (SELECT *, sum(duration_ms) OVER one AS whole_ms, count(DISTINCT ledger) OVER one AS ledgers FROM coverage"
        " WHERE state = ? AND device[:4] = 'GPU-' WINDOW one AS (PARTITION BY hour_s, device))"
        " WHERE ledgers > 1 AND whole_ms > ? GROUP BY device ORDER BY device",
        [COVERED, HOUR_MS],
    ).fetchall()
    for device, hostnames, hours_s in found:
        message = (
            f"{device} is booked by several ledgers of {some(hostnames)} in {some(ranges(hours_s))}: it counts twice."
        )
        remedy = (
            "Run one daemon for each GPU: either the node's, or sidecars with workloads.own_only. If one of them is "
            "history from Prometheus under another hostname, move its files out of the books."
        )
        yield BooksFinding(Level.FAIL, "shared_device", some(hostnames), message, remedy)


def uncovered(connection: Any, _as_of_s: int) -> Iterator[BooksFinding]:
    """Energy of a device in an hour of which nothing says how long it was read."""
    found = connection.execute(
        "SELECT hostname, list(DISTINCT device ORDER BY device), list(DISTINCT hour_s ORDER BY hour_s)"
        " FROM entries ANTI JOIN coverage USING (hour_s, ledger, device) WHERE energy_uj > 0"
        " GROUP BY hostname ORDER BY hostname"
    ).fetchall()
    for hostname, devices, hours_s in found:
        message = f"Energy of {some(devices)} has no coverage in {some(ranges(hours_s))}."
        remedy = f"Ship its hours again from {hostname}: wattledger ship"
        yield BooksFinding(Level.FAIL, "uncovered", hostname, message, remedy)


def beyond_the_hour(connection: Any, _as_of_s: int) -> Iterator[BooksFinding]:
    """A device that was read, or not read, for more time than there is."""
    found = connection.execute(
        "SELECT hostname, device, hour_s, sum(duration_ms)::BIGINT AS whole_ms FROM coverage"
        " GROUP BY hostname, ledger, device, hour_s HAVING whole_ms > ? ORDER BY ALL",
        [HOUR_MS],
    ).fetchall()
    for hostname, device, hour_s, whole_ms in found:
        message = f"{device} has {whole_ms} ms in the hour {utc(hour_s)}, which has {HOUR_MS} ms."
        yield BooksFinding(Level.FAIL, "coverage", hostname, message, _BUG)


def future(connection: Any, as_of_s: int) -> Iterator[BooksFinding]:
    """Hours that are not over yet: the clock of their node runs ahead."""
    found = connection.execute(
        "SELECT hostname, list(DISTINCT hour_s ORDER BY hour_s) FROM (SELECT hostname, hour_s FROM entries"
        " UNION SELECT hostname, hour_s FROM coverage) WHERE hour_s + ? > ? GROUP BY hostname ORDER BY hostname",
        [HOUR_S, as_of_s + CLOCK_S],
    ).fetchall()
    for hostname, hours_s in found:
        message = f"It shipped {some(ranges(hours_s))}, which is in the future of {utc(as_of_s)}: its clock is wrong."
        remedy = f"Set the clock of {hostname} (timedatectl set-ntp true); what it booked stands in wrong hours."
        yield BooksFinding(Level.FAIL, "clock", hostname, message, remedy)


def power(connection: Any, _as_of_s: int) -> Iterator[BooksFinding]:
    """More measured energy in an hour than such a device can draw."""
    limits = [[*CEILING_W], [watts * HOUR_S * UJ_PER_J for watts in CEILING_W.values()]]
    found = connection.execute(
        "SELECT hostname, component, device, hour_s, sum(energy_uj)::HUGEINT AS uj FROM entries"
        " JOIN (SELECT unnest(?::VARCHAR[]) AS component, unnest(?::BIGINT[]) AS limit_uj) USING (component)"
        " WHERE method = 'measured' GROUP BY hostname, ledger, component, device, hour_s, limit_uj"
        " HAVING uj > limit_uj ORDER BY ALL",
        limits,
    ).fetchall()
    for hostname, component, device, hour_s, energy_uj in found:
        mean_w = int(energy_uj) // (HOUR_S * UJ_PER_J)
        message = (
            f"{device} ({component}) used {mean_w} W on average in the hour {utc(hour_s)}: nothing of its kind does."
        )
        remedy = "Its counter or the node's clock is wrong: wattledger verify on the node says more."
        yield BooksFinding(Level.FAIL, "power", hostname, message, remedy)


DayCheck = Callable[[Any, int], Iterator[BooksFinding]]
DAY_CHECKS: tuple[DayCheck, ...] = (duplicates, shared_devices, uncovered, beyond_the_hour, future, power)


def namesakes(connection: Any) -> Iterator[BooksFinding]:
    """Two ledgers under one hostname that have a component in the same hours: two nodes of one name, or one that is
    counted twice. History that fills in what a node did not measure has components of its own."""
    found = connection.execute(
        "SELECT hostname, clusters, list_sort(list_distinct(flatten(list(ledgers)))),"
        " list_sort(list(DISTINCT hour_s)) FROM (SELECT hostname, hour_s, list(DISTINCT ledger) AS ledgers,"
        " list_sort(list(DISTINCT cluster)) AS clusters FROM present"
        " GROUP BY hostname, hour_s, component HAVING count(DISTINCT ledger) > 1)"
        " GROUP BY hostname, clusters ORDER BY hostname, clusters"
    ).fetchall()
    for hostname, clusters, ledgers, hours_s in found:
        which, when = some(ledger[:8] for ledger in ledgers), some(ranges(hours_s))
        if len(clusters) == len(ledgers) and "" not in clusters:
            message = f"Nodes of {some(clusters)} share this name and have {when}; coverage is told by name."
            yield BooksFinding(Level.WARN, "namesake", hostname, message, _NAMES)
            continue
        message = f"Several ledgers of this name ({which}) have {when}: their energy adds up."
        remedy = (
            f"{_NAMES} If one is history from Prometheus or a copied state folder, move its files out of the books."
        )
        yield BooksFinding(Level.FAIL, "namesake", hostname, message, remedy)


def missing_hours(connection: Any, until_s: int, retired: dict[str, int]) -> Iterator[BooksFinding]:
    """Hours between a node's first and its last of which the books have nothing, and nodes that fell silent before
    ``until_s``. ``retired``: hostname -> since when it is not expected any more."""
    connection.execute("CREATE OR REPLACE TEMP TABLE known AS SELECT DISTINCT hostname, hour_s FROM present")
    found = connection.execute(
        "WITH steps AS (SELECT hostname, hour_s, lag(hour_s) OVER (PARTITION BY hostname ORDER BY hour_s) AS before_s"
        " FROM known) SELECT hostname, before_s + $1, hour_s FROM steps WHERE hour_s - before_s > $1 ORDER BY ALL",
        [HOUR_S],
    ).fetchall()
    gaps: dict[str, list[int]] = {}
    for hostname, first_s, end_s in found:
        gaps.setdefault(hostname, []).extend(range(first_s, end_s, HOUR_S))
    for hostname, hours_s in gaps.items():
        message = (
            f"The books have nothing of {len(hours_s)} h: {some(ranges(hours_s))}. They count as missing, not as 0."
        )
        remedy = f"If {hostname} ran, ship them: wattledger ship (or wattledger ship --from-prometheus)."
        yield BooksFinding(Level.WARN, "missing", hostname, message, remedy)
    lasts = connection.execute("SELECT hostname, max(hour_s) FROM known GROUP BY hostname ORDER BY hostname").fetchall()
    for hostname, last_s in lasts:
        if last_s + HOUR_S + SILENT_S <= min(until_s, retired.get(hostname, until_s)):
            message = f"Its last hour is {utc(last_s)}; nothing was shipped after it."
            remedy = f"Ship it (wattledger ship on {hostname}), or name its last day in books.retired."
            yield BooksFinding(Level.WARN, "silent", hostname, message, remedy)
