"""``/api/v1/snapshot``: what the node page shows, as JSON.

The shape is this, and within ``v1`` names are only ever added (a test holds a stored answer against it):

- ``schema``: ``"wattledger/snapshot/v1"``.
- ``snapshot``: ``core.snapshot.Snapshot`` field by field. Integers carry their unit as the last word of the name
  (``energy_uj`` microjoules, ``power_mw`` milliwatts, ``held_ms`` milliseconds, ``emissions_ug`` micrograms,
  ``intensity_mg_per_kwh``, ``pue_permille``, ``size_bytes``), ``..._wall_s`` are seconds since 1970 (UTC). ``null`` is
  "not measured" or "no factor", never zero.
- ``today``: rows of workload and component since the day began, largest energy first; ``null`` when the book could not
  be read. ``emissions_ug`` is of the whole workload, the same on each of its rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tracker.core.snapshot import Snapshot
from tracker.web.interface import TodayRow

SCHEMA = "wattledger/snapshot/v1"
JSON = "application/json"


def render(snapshot: Snapshot, rows: Sequence[TodayRow] | None) -> bytes:
    """The answer as UTF-8."""
    tree = {"schema": SCHEMA, "snapshot": snapshot, "today": None if rows is None else [_row(row) for row in rows]}
    try:
        return msgspec.json.encode(tree, enc_hook=_plain)
    except UnicodeEncodeError:  # a name that is no valid Unicode (half a surrogate pair): rare, so the slow way is here
        return msgspec.json.encode(_scrub(msgspec.to_builtins(tree, enc_hook=_plain)))


def _row(row: TodayRow) -> dict[str, Any]:
    return {
        "workload": row.workload,
        "component": row.component,
        "energy_uj": row.energy_uj,
        "idle_uj": row.idle_uj,
        "held_ms": row.held_ms,
        "emissions_ug": row.emissions_ug,
    }


def _plain(value: Any) -> Any:
    """What msgspec does not know: read-only mappings."""
    if isinstance(value, Mapping):
        return dict(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be in a snapshot")


def _scrub(value: Any) -> Any:
    """The same tree with every text valid."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, Mapping):
        return {_scrub(key): _scrub(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_scrub(item) for item in value]
    return value
