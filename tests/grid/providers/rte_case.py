"""RTE: two consolidated half hours and the real-time quarters after them, on the evening of 14 June 2026."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from tests.grid.providers.case import Case
from tests.grid.providers.replay import body
from tracker.grid.rte import Options, Rte

START_S = 1_781_460_000  # 2026-06-14T18:00:00Z
END_S = START_S + 2 * 3600
NOW_S = START_S + 2 * 3600 - 600
DATASETS = "/api/explore/v2.1/catalog/datasets"
FINAL = f"{DATASETS}/eco2mix-national-cons-def/records"
REAL_TIME = f"{DATASETS}/eco2mix-national-tr/records"
CONSOLIDATED, DEFINITIVE, LIVE = "Données consolidées", "Données définitives", "Données temps réel"


def record(
    start_s: int, value: object, nature: str = LIVE, offset_h: int = 2, local: str | None = None
) -> dict[str, object]:
    """As the portal prints it; ``offset_h``: how far the local time is ahead of UTC."""
    at = datetime.fromtimestamp(start_s, UTC)
    heure = at.astimezone(timezone(timedelta(hours=offset_h))).strftime("%H:%M")
    return {"date_heure": at.isoformat(), "heure": local or heure, "nature": nature, "taux_co2": value}


def page(records: list[dict[str, object]]) -> bytes:
    return body({"total_count": len(records), "results": records})


_LATE = START_S + 3600
_HALVES = [record(START_S, 15, CONSOLIDATED), record(START_S + 1800, 16, CONSOLIDATED)]
#: The first one lies in a half hour that is consolidated already, the last one begins later than now.
_QUARTERS = [record(_LATE + number * 900, value) for number, value in [(-1, 99), (0, 17), (1, 18.5), (2, 19), (3, 20)]]
_NAIVE = {**_QUARTERS[1], "date_heure": "2026-06-14T19:00:00"}

CASE = Case(
    name="rte",
    make=lambda base_url, ask: Rte(Options(base_url=base_url), ask),
    zone="FR",
    start_s=START_S,
    end_s=END_S,
    now_s=NOW_S,
    good={FINAL: page(_HALVES), REAL_TIME: page(_QUARTERS)},
    data_path=REAL_TIME,
    bad={
        "negative": page([record(_LATE, -1)]),
        "absurd": page([record(_LATE, 2001)]),
        "no number": page([record(_LATE, "NaN")]),
        "a signal for a number": page([record(_LATE, "sNaN")]),
        "contradicting quarters": page([*_QUARTERS, record(_LATE, 40)]),
        "times without offset": page([_NAIVE]),
        "off the quarter": page([record(_LATE + 60, 17)]),
        "before 1970": page([record(-900, 17)]),
        "no results": body({"total_count": 0}),
        "an error with 200": body({"error_code": "ODSQLError", "message": "ODSQL query is malformed"}),
    },
    holes=page([_QUARTERS[1], record(_LATE + 900, None), _QUARTERS[3]]),
    shuffled=page([*reversed(_QUARTERS), _QUARTERS[2]]),
)
