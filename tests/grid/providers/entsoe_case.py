"""ENTSO-E: an hour of German quarters on 3 October 2026; of the last one the power of gas is not there yet."""

from __future__ import annotations

from tests.grid.providers.case import Case
from tests.grid.providers.generation import acknowledgement, document, series
from tracker.grid.entsoe import Entsoe, Options

START_S = 1_791_050_400  # 2026-10-03T18:00:00Z
END_S = START_S + 3600
PATH = "/api"
TOKEN = "entsoe-0123-4567"

COAL = series("B05", START_S, [10_000, 10_000, 9_000, 9_000])
GAS = series("B04", START_S, {1: 10_000, 2: 8_000, 3: 6_000}, count=4)
WIND = series("B19", START_S, [20_000, 22_000, 25_000, 26_000])
OTHER = series("B20", START_S, [100, 100, 100, 100])
PUMPED = series("B10", START_S, [3_000, 3_000, 3_000, 3_000])
PUMPING = series("B10", START_S, [5_000, 5_000, 5_000, 5_000], direction="out")
_GOOD = (COAL, GAS, WIND, OTHER, PUMPED, PUMPING)


def gas(*powers: object, **other: str) -> str:
    return series("B04", START_S, powers, **other)  # type: ignore[arg-type] # words of the document


CASE = Case(
    name="entsoe",
    make=lambda base_url, ask: Entsoe(Options(base_url=base_url, token=TOKEN), ask),
    zone="DE",
    start_s=START_S,
    end_s=END_S,
    now_s=START_S + 2 * 3600,
    good={PATH: document(*_GOOD)},
    data_path=PATH,
    bad={
        "wrong zone": document(*_GOOD, series("B06", START_S, [1, 1, 1, 1], zone="10YFR-RTE------C")),
        "kilowatts": document(COAL, WIND, gas(10_000, 8_000, 6_000, 5_000, unit="KWT")),
        "absurd": document(COAL, WIND, gas(10_000_000, 1, 1, 1)),
        "text for a number": document(COAL, WIND, gas("many", 1, 1, 1)),
        "not a number": document(COAL, WIND, gas("NaN", 1, 1, 1)),
        "no number": document(COAL, WIND, gas("", 1, 1, 1)),
        "contradicting quarters": document(*_GOOD, gas(9_000, 8_000, 6_000, 1)),
        "too many positions": document(COAL, WIND, series("B04", START_S, [1, 1, 1, 1], count=3)),
        "off the quarter": document(COAL, WIND, series("B04", START_S + 60, [1, 1, 1, 1])),
        "days": document(COAL, WIND, gas(1, resolution="P1D")),
        "times without offset": document(COAL, WIND, gas(1, 1, 1, 1).replace("Z</", "</")),
        "another document": document(*_GOOD, kind="A73"),
        "an error with 200": acknowledgement("The time interval is not valid."),
        "entities": document(*_GOOD).replace(b"\n<GL", b'\n<!DOCTYPE x [<!ENTITY a "aaaa">]><GL'),
        "no document": b"<?xml version='1.0'?><html/>",
    },
    holes=document(COAL, series("B04", START_S, {1: 10_000, 3: 6_000}, count=4), WIND, OTHER),
    shuffled=document(PUMPING, WIND, GAS, OTHER, COAL, WIND, PUMPED),
    secrets=(TOKEN,),
)
