"""How the frozen objects of core.model lie in the tables: one function each way. No SQL is run here."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from tracker.core.model import Component, Cursor, Factor, Kind, Method, Sensor, Workload

Row = tuple[Any, ...]

#: Column names are the field names, so that a new field without its migration fails the first test.
WORKLOAD_COLUMNS = tuple(field.name for field in fields(Workload))
SENSOR_COLUMNS = tuple(field.name for field in fields(Sensor))
FACTOR_COLUMNS = tuple(field.name for field in fields(Factor))
CURSOR_COLUMNS = tuple(field.name for field in fields(Cursor))


def column_list(columns: tuple[str, ...]) -> str:
    """The names for a statement; quoted, because ``index`` is a keyword of SQL."""
    return ", ".join(f'"{name}"' for name in columns)


def marks(columns: tuple[str, ...]) -> str:
    return ", ".join("?" * len(columns))


def text(value: str) -> str:
    """Text that UTF-8 can hold. A lone surrogate (a file name that was no UTF-8) becomes U+FFFD: a label that cannot be
    written must not keep energy out of the book."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def workload_row(workload: Workload) -> Row:
    return (
        text(workload.key),
        str(workload.kind),
        text(workload.name),
        text(workload.namespace),
        text(workload.pod),
        text(workload.container),
        text(workload.user),
        text(workload.job),
        text(workload.queue),
        text(workload.cost_centre),
        text(workload.run),
        text(workload.team),
        text(workload.project),
        text(workload.phase),
    )


def workload_of(row: Row) -> Workload:
    key, kind, *labels = row
    return Workload(key, Kind(kind), *labels)


def sensor_row(sensor: Sensor) -> Row:
    return (
        text(sensor.key),
        text(sensor.source),
        str(sensor.component),
        json.dumps(sensor.scopes),
        sensor.preference,
        str(sensor.method),
        text(sensor.sensor),
        sensor.max_power_mw,
        sensor.counter_range_uj,
        sensor.averaged,
        text(sensor.vendor),
        text(sensor.model),
        text(sensor.index),
    )


def sensor_of(row: Row) -> Sensor:
    key, source, component, scopes, preference, method, sensor, max_power_mw, counter_range_uj, averaged, *model = row
    return Sensor(
        key,
        source,
        Component(component),
        tuple(json.loads(scopes)),
        preference,
        Method(method),
        sensor,
        max_power_mw,
        counter_range_uj,
        bool(averaged),
        *model,
    )


def factor_row(factor: Factor) -> Row:
    return (
        text(factor.factor_id),
        text(factor.zone),
        factor.intensity_mg_per_kwh,
        text(factor.factor_type),
        text(factor.basis),
        factor.tier,
        text(factor.provider),
        text(factor.source),
        factor.valid_from_s,
        factor.recorded_at_s,
        factor.assumed,
        text(factor.note),
        factor.valid_to_s,
        factor.flagged,
    )


def cursor_row(cursor: Cursor) -> Row:
    return (
        text(cursor.sensor),
        text(cursor.boot_id),
        cursor.boot_ns,
        cursor.wall_ns,
        cursor.counter_uj,
        text(cursor.epoch),
    )


def cursor_of(row: Row) -> Cursor:
    return Cursor(*row)
