"""A whole statement's aggregation, weights and all, in a second engine: the same integers in every sum of every row.

DuckDB makes the statement; here Polars reads the same files, joins the same weights and sums in its own 128 bits.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC
from pathlib import Path

import polars as pl
import pytest

from tests.books.small_lake import NODE, Hours, put
from tracker.books.dimensions import REMAINDERS, Wanted
from tracker.books.folder import FolderStore
from tracker.books.names import day_start_s
from tracker.books.statement import Making, MonthQuery
from tracker.books.sums import NAMES, RowSums, Sums
from tracker.core.model import Component, Kind, Method, Workload
from tracker.core.period import period_of
from tracker.core.weights import Place, Weight

OCTOBER = period_of("2026-10", "UTC", UTC)
FIRST_S = OCTOBER.start_s
WANTED = Wanted(("site", "team", "workload_kind", "component"))
RATES = ("annual", "hourly", "market", "upstream")
INT128 = pl.Int128
SEED = 20_261_001
PLACES = (("par1", "FR"), ("lon1", "GB"))


@dataclass(frozen=True, slots=True)
class Month:
    """Files and what weighs them."""

    files: list[Path]
    places: list[Place]
    weights: list[Weight]
    makings: list[Making]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Month:
    """Two days of three nodes at two sites; gigawatt-hours, so that no double and no 64 bits can hold a sum."""
    chance, folder = random.Random(SEED), tmp_path_factory.mktemp("books")
    for number, (site, zone) in enumerate((*PLACES, PLACES[0])):
        node = replace(NODE, hostname=f"gpu-{number}", ledger=f"{number:08x}" * 4, site=site, zone=zone)
        for date in ("2026-10-01", "2026-10-02"):
            put(FolderStore(folder), date, _day(chance, day_start_s(date)), node=node)
    weights = [_weight(chance, *place, FIRST_S + 3600 * hour) for place in PLACES for hour in range(48)]
    places = [Place("par1", "FR", "FR", False, "owned", "2", ""), Place("lon1", "GB", "GB", False, "cloud", "3", "1")]
    makings = [Making("gpu", "NVIDIA H100 80GB HBM3", 1_039_000_000), Making("cpu", "0", 7)]
    return Month(sorted(folder.rglob("entries/**/*.parquet")), places, weights, makings)


def _weight(chance: random.Random, site: str, zone: str, hour_s: int) -> Weight:
    names = (
        "annual_ng_per_kwh",
        "hourly_ng_per_kwh",
        "market_ng_per_kwh",
        "upstream_ng_per_kwh",
        "price_micro_per_kwh",
    )
    rates = {name: chance.choice((None, 0, chance.randrange(10**12))) for name in names}
    estimated = {f"{name}_estimated": chance.random() < 0.5 for name in ("annual", "hourly")}
    weight = Weight(site, zone, hour_s, chance.choice((1000, 1210, 1999)))
    return replace(weight, **rates, **estimated)  # type: ignore[arg-type]  # names are the fields


def _day(chance: random.Random, start_s: int) -> Hours:
    hours = Hours()
    for hour_s in range(start_s, start_s + 86_400, 3600):
        for workload, component, method in _mixture(chance):
            energy_uj = chance.choice((0, 1, chance.randrange(10**9), chance.randrange(10**17)))
            hours.add(
                hour_s,
                energy_uj,
                workload=workload,
                component=component,
                device=f"{component}-0",
                model=chance.choice(("NVIDIA H100 80GB HBM3", "unheard of")),
                method=method,
                idle_uj=chance.randrange(energy_uj + 1),
                held_ms=chance.randrange(3_600_001),
            )
    return hours


def _mixture(chance: random.Random) -> Iterator[tuple[Workload, Component, Method]]:
    workloads = [Workload(f"pod/{n}", Kind.POD, f"job {n}", team=f"team {n % 3}" if n % 4 else "") for n in range(6)]
    workloads += [Workload("idle", Kind.IDLE, "idle"), Workload("system", Kind.SYSTEM, "system")]
    for workload in workloads:
        for component in (Component.GPU, Component.CPU, Component.DRAM):
            if chance.random() < 0.7:
                yield workload, component, chance.choice(tuple(Method))


def _of_duckdb(month: Month, spill: Path) -> list[RowSums]:
    with MonthQuery(spill, 200) as query:
        query.read_entries(month.files, OCTOBER, WANTED)
        hours = {weight.hour_s: "2026-10" for weight in month.weights}
        query.weigh(month.places, month.weights, month.makings, hours, WANTED, "Example SA")
        return list(query.rows(WANTED))


def _of_polars(month: Month) -> pl.DataFrame:
    weights = pl.DataFrame([asdict(each) for each in month.weights], infer_schema_length=None)
    makings = pl.DataFrame([asdict(each) for each in month.makings]).filter(pl.col("component") != "cpu")
    places = pl.DataFrame([asdict(each) for each in month.places])
    for_cpu = next(each.fg_per_ms for each in month.makings if each.component == "cpu")
    energy, idle, held = (pl.col(name).cast(INT128) for name in ("energy_uj", "idle_uj", "held_ms"))
    remainder = pl.col("kind").is_in(list(REMAINDERS))
    team = pl.when((pl.col("team") == "") & remainder).then("__" + pl.col("kind") + "__").otherwise(pl.col("team"))
    rows = (
        pl.scan_parquet(month.files, hive_partitioning=False)
        .join(weights.lazy(), left_on=["site", "grid_zone", "hour_s"], right_on=["site", "zone_written", "hour_s"])
        .join(places.lazy(), left_on=["site", "grid_zone"], right_on=["site", "zone_written"])
        .join(makings.lazy(), left_on=["component", "device_model"], right_on=["component", "made"], how="left")
        .with_columns(
            team.alias("team"),
            remainder.alias("remainder"),
            energy.alias("it"),
            (energy * pl.col("pue_permille").cast(INT128)).alias("facility"),
            pl.when(pl.col("component") == "cpu").then(for_cpu).otherwise(pl.col("fg_per_ms")).alias("fg"),
            held.alias("held"),
            idle.alias("idle"),
        )
    )
    keys = ["site", "team", "kind", "component", "scope", "category", "remainder"]
    return rows.group_by(keys).agg(**_sums()).sort(keys).collect()


def _sums() -> dict[str, pl.Expr]:
    """As their definitions in ``core/weights.py`` say; nothing known is null."""
    facility, it, held = pl.col("facility"), pl.col("it"), pl.col("held")

    def of(method: str) -> pl.Expr:
        return it.filter(pl.col("method") == method).sum()

    def known(product: pl.Expr, rate: pl.Expr) -> pl.Expr:
        return pl.when(rate.is_not_null().any()).then(product.filter(rate.is_not_null()).sum())

    sums = {
        "it_uj": it.sum(),
        "facility_nj": facility.sum(),
        "measured_uj": of("measured"),
        "simulated_uj": of("simulated"),
        "idle_uj": pl.col("idle").sum(),
        "held_ms": held.sum(),
    }
    rates = {name: pl.col(f"{name}_ng_per_kwh") for name in RATES} | {"cost": pl.col("price_micro_per_kwh")}
    for name, rate in rates.items():
        sums[name] = known(facility * rate.cast(INT128), rate)
        sums[f"{name}_unknown_nj"] = facility.filter(rate.is_null()).sum()
    sums["embodied"] = known(held * pl.col("fg").cast(INT128), pl.col("fg"))
    of_made = pl.col("fg").is_null() & pl.col("component").is_in(["gpu", "cpu"])
    sums["embodied_unknown_ms"] = held.filter(of_made).sum()
    for name in ("annual", "hourly"):
        sums[f"{name}_estimated_nj"] = facility.filter(pl.col(f"{name}_estimated")).sum()
    return sums


def test_two_engines_weigh_a_month_to_the_same_integers(month: Month, tmp_path: Path) -> None:
    duck, polars = _of_duckdb(month, tmp_path), _of_polars(month)
    assert {*NAMES} == {field.name for field in fields(Sums)} == {*_sums()}
    theirs = {
        (row["site"], row["team"], row["kind"], row["component"]): (
            row["scope"],
            row["category"],
            row["remainder"],
            Sums(**{name: row[name] for name in NAMES}),
        )
        for row in polars.iter_rows(named=True)
    }
    ours = {row.key: (row.scope, row.category, row.remainder, row.sums) for row in duck}
    assert ours == theirs
    assert len(ours) == len(duck) > 30
    assert max(row.sums.annual or 0 for row in duck) > 2**64, "no 64-bit sum, no double"
    assert any(row.sums.market_unknown_nj for row in duck)
