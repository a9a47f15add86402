"""The store's questions and additions as SQL. No transaction begins or ends in here. All times are UTC seconds."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from tracker.core.factors import FactorRow, FactorType, Scheme
from tracker.core.forecast import Expected, Forecast
from tracker.core.known import FactorRecord, is_news, is_news_from_elsewhere, next_record, other_identity, same_content
from tracker.grid.store_files import StoreError
from tracker.grid.store_rows import COLUMN_LIST, COLUMNS, record_of, sound, text, values_of, why_unusable

#: Forecasts so much older than a new one of their kind are removed: at 288 points an hour they would fill the disk.
FORECASTS_KEPT_S = 31 * 86_400
EVER = 2**63 - 1

# The statements are put together from the column names of this program and the constants below.
_SELECT = f"SELECT {COLUMN_LIST} FROM factor AS one"  # noqa: S608 - see above
_HISTORY = f"{_SELECT} WHERE factor_id = ? ORDER BY number"
_NEWEST = f"{_HISTORY} DESC LIMIT 1"
_INSERT = f"INSERT INTO factor ({COLUMN_LIST}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - see above
_BEST = """zone = :zone AND recorded_at_s <= :as_of_s AND NOT EXISTS (SELECT 1 FROM factor AS later
    WHERE later.factor_id = one.factor_id AND later.number > one.number AND later.recorded_at_s <= :as_of_s)"""
#: A correction may move an interval: the best known record counts, and whether that one lies in the range.
_KNOWN = f"""{_SELECT} WHERE {_BEST} AND valid_to_s > :start_s AND valid_from_s < :end_s
    UNION ALL {_SELECT} WHERE {_BEST} AND valid_to_s = 0 AND valid_from_s = 0
    ORDER BY valid_from_s, valid_to_s, factor_id"""
#: The literal is that of the index.
_YEARLY = f"{_SELECT} WHERE {_BEST} AND quality_tier > 3 ORDER BY valid_from_s, valid_to_s, factor_id"

_FORECASTS = """SELECT forecast_id, zone, provider, scheme, factor_type, gases, generated_at_s, licence, raw_sha256
    FROM forecast WHERE forecast_id IN (SELECT max(forecast_id) FROM forecast
        WHERE zone = ? AND recorded_at_s <= ? GROUP BY provider, scheme, factor_type)
    ORDER BY provider, scheme, factor_type"""
_POINTS = "SELECT start_s, end_s, g_per_kwh FROM forecast_point WHERE forecast_id = ? ORDER BY start_s"
_KIND = "zone = ? AND provider = ? AND scheme = ? AND factor_type = ?"
_LATEST = f"SELECT max(recorded_at_s) FROM forecast WHERE {_KIND}"  # noqa: S608 - see above
_ADD_FORECAST = """INSERT INTO forecast (zone, provider, scheme, factor_type, recorded_at_s, gases, generated_at_s,
    licence, raw_sha256) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_FORGET = f"DELETE FROM forecast WHERE {_KIND} AND recorded_at_s < ?"  # noqa: S608 - see above


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of rows: ``new`` to the store, ``changed`` what was known, ``same`` as what was known. ``older``: the
    ids of those that say something else and were read before what is known; they were not added."""

    new: int = 0
    changed: int = 0
    same: int = 0
    older: tuple[str, ...] = ()


def write_rows(
    connection: sqlite3.Connection, rows: Iterable[FactorRow], recorded_at_s: int, *, from_elsewhere: bool
) -> Appended:
    """Add what is news. Raises StoreError for a row that no store may hold, sqlite3.Error."""
    number = connection.execute("SELECT coalesce(max(number), 0) FROM factor").fetchone()[0]
    new = changed = same = 0
    older: list[str] = []
    for row in map(_checked, rows):
        newest = _newest(connection, row.factor_id)
        if from_elsewhere and newest is not None:
            refuse_other(newest.row, row)
        is_added = _is_news(connection, newest, row, from_elsewhere=from_elsewhere)
        if is_added:
            number += 1
            connection.execute(_INSERT, values_of(next_record(newest, row, recorded_at_s, number)))
        elif newest is None:  # an interval without a value, of which nothing was known
            continue
        if newest is not None and same_content(newest.row, row):
            same += 1
        elif not is_added:
            older.append(row.factor_id)
        else:
            new, changed = new + (newest is None), changed + (newest is not None)
    return Appended(new, changed, same, tuple(older))


def _is_news(
    connection: sqlite3.Connection, newest: FactorRecord | None, row: FactorRow, *, from_elsewhere: bool
) -> bool:
    if from_elsewhere:
        return is_news_from_elsewhere(read_history(connection, row.factor_id), row)
    return is_news(newest, row)


def _checked(row: FactorRow) -> FactorRow:
    """The row with text that can be kept. One that cannot be used would fail whoever asks for it, for ever."""
    problem = why_unusable(row)
    if problem:
        raise StoreError(f"The factor {text(row.factor_id)[:120]} {problem}", "Nothing of this addition was stored.")
    return sound(row)


def refuse_other(known: FactorRow, row: FactorRow) -> None:
    """Two factors of one id: the later one would take the other's place away. Raises StoreError."""
    other = other_identity(known, row)
    if other:
        raise StoreError(
            f"{row.factor_id[:120]} is the id of a factor of {other}.",
            "Nothing of the file was used. Give this one another id. Was that one wrong? Import it without a value.",
        )


def _newest(connection: sqlite3.Connection, factor_id: str) -> FactorRecord | None:
    found = connection.execute(_NEWEST, (factor_id,)).fetchone()
    return None if found is None else record_of(found)


def read_history(connection: sqlite3.Connection, factor_id: str) -> tuple[FactorRecord, ...]:
    """Every record, in the order in which they were learnt."""
    return tuple(map(record_of, connection.execute(_HISTORY, (text(factor_id),))))


def read_records(
    connection: sqlite3.Connection, zones: Collection[str], start_s: int, end_s: int, as_of_s: int | None
) -> tuple[FactorRecord, ...]:
    """The best known ones of the zones in their order, each by interval."""
    return _of_zones(connection, _KNOWN, zones, {"start_s": start_s, "end_s": end_s}, as_of_s)


def read_yearly(
    connection: sqlite3.Connection, zones: Collection[str], as_of_s: int | None
) -> tuple[FactorRecord, ...]:
    """The best known yearly factors (tiers 4 to 6, residual mixes) of the zones in their order, of whatever year."""
    return _of_zones(connection, _YEARLY, zones, {}, as_of_s)


def _of_zones(
    connection: sqlite3.Connection, sql: str, zones: Collection[str], asked: dict[str, int], as_of_s: int | None
) -> tuple[FactorRecord, ...]:
    found: list[FactorRecord] = []
    for zone in dict.fromkeys(zones):
        told = {**asked, "as_of_s": EVER if as_of_s is None else as_of_s, "zone": text(zone)}
        found.extend(map(record_of, connection.execute(sql, told)))
    return tuple(found)


def read_zones(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Every zone that has a record."""
    return tuple(zone for (zone,) in connection.execute("SELECT DISTINCT zone FROM factor ORDER BY zone"))


def write_forecast(connection: sqlite3.Connection, forecast: Forecast, recorded_at_s: int) -> bool:
    """Add it unless it is the newest one again, and remove old ones of its kind. Raises StoreError, sqlite3.Error."""
    if not all(point.g_per_kwh.is_finite() for point in forecast.points):
        raise StoreError(f"The forecast of {forecast.provider} for {forecast.zone} has values that are no numbers.")
    kind = tuple(map(text, (forecast.zone, forecast.provider, forecast.scheme, forecast.factor_type)))
    known = [each for each in read_forecasts(connection, forecast.zone, None) if _same_kind(each, forecast)]
    if known and replace(known[0], raw_sha256="") == replace(forecast, raw_sha256=""):
        return False
    latest = connection.execute(_LATEST, kind).fetchone()[0]
    recorded_at_s = recorded_at_s if latest is None else max(latest, recorded_at_s)
    rest = (recorded_at_s, text(forecast.gases), forecast.generated_at_s, text(forecast.licence), forecast.raw_sha256)
    forecast_id = connection.execute(_ADD_FORECAST, (*kind, *rest)).lastrowid
    points = ((forecast_id, point.start_s, point.end_s, str(point.g_per_kwh)) for point in forecast.points)
    connection.executemany("INSERT INTO forecast_point VALUES (?, ?, ?, ?)", points)
    connection.execute(_FORGET, (*kind, recorded_at_s - FORECASTS_KEPT_S))
    return True


def _same_kind(one: Forecast, other: Forecast) -> bool:
    return (one.provider, one.scheme, one.factor_type) == (other.provider, other.scheme, other.factor_type)


def read_forecasts(connection: sqlite3.Connection, zone: str, as_of_s: int | None) -> tuple[Forecast, ...]:
    """The newest of each provider, scheme and factor type."""
    asked = (text(zone), EVER if as_of_s is None else as_of_s)
    found = []
    for forecast_id, *head, generated_at_s, licence, raw_sha256 in connection.execute(_FORECASTS, asked).fetchall():
        zone, provider, scheme, factor_type, gases = head
        points = tuple(
            Expected(start, end, Decimal(g)) for start, end, g in connection.execute(_POINTS, (forecast_id,))
        )
        kinds = Scheme(scheme), FactorType(factor_type)
        found.append(Forecast(zone, provider, *kinds, gases, generated_at_s, points, licence, raw_sha256))
    return tuple(found)
