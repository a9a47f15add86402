"""The tables of the factor store and the numbered steps that lead to them.

Rules of this file:

1. A migration that was released is never edited; a change is a new one at the end.
2. Each migration is applied together with its record in one transaction: a crash leaves the old schema or the new one.
3. A factor is added and never changed or removed. SQLite itself refuses: triggers raise, whoever asks.
4. Values are TEXT as they were printed; no number of a publisher ever becomes a float.
5. A step after the first adds indexes only: what only reads takes a file as it finds it, and on a machine that asks no
   service nobody may come who brings it up to date. A step that has to do more needs the reader to know both.

SQLite >= 3.37 is needed (STRICT, https://www.sqlite.org/stricttables.html).
"""

from __future__ import annotations

import sqlite3

from tracker.migrations import Migration, apply_missing

#: "WFAC" in the header of every store (offset 68, https://www.sqlite.org/fileformat2.html): a foreign file is known.
APPLICATION_ID = 0x57464143
SQLITE_NEEDED = (3, 37, 0)


_FIRST = (
    # One column per field of a factor's provenance; the names are those of FactorRow and Origin.
    """CREATE TABLE factor (
        number INTEGER PRIMARY KEY,
        recorded_at_s INTEGER NOT NULL,
        supersedes INTEGER REFERENCES factor,
        factor_id TEXT NOT NULL,
        zone TEXT NOT NULL,
        zone_printed TEXT NOT NULL,
        zone_system TEXT NOT NULL,
        value_printed TEXT NOT NULL,
        unit_printed TEXT NOT NULL,
        gases TEXT NOT NULL,
        factor_type TEXT NOT NULL,
        basis TEXT NOT NULL,
        scheme TEXT NOT NULL,
        quality_tier INTEGER NOT NULL CHECK (quality_tier BETWEEN 1 AND 6),
        valid_from_s INTEGER NOT NULL,
        valid_to_s INTEGER NOT NULL CHECK (valid_to_s > valid_from_s OR (valid_from_s = 0 AND valid_to_s = 0)),
        edition TEXT NOT NULL,
        data_year TEXT NOT NULL,
        publisher TEXT NOT NULL,
        source_ref TEXT NOT NULL,
        licence TEXT NOT NULL,
        gwp_set TEXT NOT NULL,
        includes_td INTEGER CHECK (includes_td IN (0, 1)),
        confidence TEXT NOT NULL,
        note TEXT NOT NULL,
        publisher_url TEXT NOT NULL,
        attribution TEXT NOT NULL,
        provider TEXT NOT NULL,
        endpoint TEXT NOT NULL,
        api_version TEXT NOT NULL,
        model_version TEXT NOT NULL,
        is_estimated INTEGER CHECK (is_estimated IN (0, 1)),
        estimation_method TEXT NOT NULL,
        imputed INTEGER CHECK (imputed IN (0, 1)),
        created_at_s INTEGER,
        updated_at_s INTEGER,
        fetched_at_s INTEGER,
        raw_sha256 TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX factor_history ON factor (factor_id, number)",
    # The end first: what is asked for is mostly recent, and everything older is passed over.
    "CREATE INDEX factor_interval ON factor (zone, valid_to_s, valid_from_s)",
    """CREATE TRIGGER factor_stays BEFORE UPDATE ON factor
        BEGIN SELECT RAISE(ABORT, 'a factor is never changed: add a record that supersedes it'); END""",
    """CREATE TRIGGER factor_is_kept BEFORE DELETE ON factor
        BEGIN SELECT RAISE(ABORT, 'a factor is never removed'); END""",
    # Also keeps INSERT OR REPLACE from removing a record by taking its number: that fires no DELETE trigger
    # (https://www.sqlite.org/lang_conflict.html).
    """CREATE TRIGGER factor_follows BEFORE INSERT ON factor
        WHEN NEW.number IS NOT (SELECT coalesce(max(number), 0) + 1 FROM factor)
            OR NEW.supersedes IS NOT (SELECT max(number) FROM factor WHERE factor_id = NEW.factor_id)
            OR NEW.recorded_at_s < (SELECT recorded_at_s FROM factor WHERE number = NEW.supersedes)
        BEGIN SELECT RAISE(ABORT, 'a factor follows the newest record'); END""",
    # Advice, which nobody books with: kept as long as store_rows says, and then removed.
    """CREATE TABLE forecast (
        forecast_id INTEGER PRIMARY KEY AUTOINCREMENT,
        recorded_at_s INTEGER NOT NULL,
        zone TEXT NOT NULL,
        provider TEXT NOT NULL,
        scheme TEXT NOT NULL,
        factor_type TEXT NOT NULL,
        gases TEXT NOT NULL,
        generated_at_s INTEGER NOT NULL,
        licence TEXT NOT NULL,
        raw_sha256 TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX forecast_history ON forecast (zone, provider, scheme, factor_type, forecast_id)",
    """CREATE TABLE forecast_point (
        forecast_id INTEGER NOT NULL REFERENCES forecast ON DELETE CASCADE,
        start_s INTEGER NOT NULL,
        end_s INTEGER NOT NULL CHECK (end_s > start_s),
        g_per_kwh TEXT NOT NULL,
        PRIMARY KEY (forecast_id, start_s)
    ) STRICT, WITHOUT ROWID""",
    # How providers are doing and what was read when: state that is overwritten, no facts about a grid.
    """CREATE TABLE provider_status (
        provider TEXT PRIMARY KEY,
        failures INTEGER NOT NULL CHECK (failures >= 0),
        retry_at_s INTEGER NOT NULL,
        last_ok_s INTEGER,
        last_error TEXT NOT NULL,
        last_error_kind TEXT NOT NULL
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE last_read (
        provider TEXT NOT NULL,
        zone TEXT NOT NULL,
        job TEXT NOT NULL,
        at_s INTEGER NOT NULL,
        PRIMARY KEY (provider, zone, job)
    ) STRICT, WITHOUT ROWID""",
)

_SECOND = (
    # Among years of hours they are a handful, and they are asked for whatever year they are of.
    "CREATE INDEX factor_of_years ON factor (zone) WHERE quality_tier > 3",
)

MIGRATIONS = (
    Migration(1, "factors, forecasts and how providers are doing", _FIRST),
    Migration(2, "yearly factors are found among hours", _SECOND),
)
VERSION = MIGRATIONS[-1].version


def migrate(connection: sqlite3.Connection, migrations: tuple[Migration, ...] = MIGRATIONS) -> None:
    """Bring an open file (autocommit mode) to the last version, one transaction per step. Raises sqlite3.Error."""
    apply_missing(connection, migrations)
