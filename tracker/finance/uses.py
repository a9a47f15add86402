"""The factor page: everything that weighed something, how much, and where it can be looked up.

Values of hours are listed by series: the hours of one service, place, type and tier on one line, with their range and
the checksum of all of them. ``wattledger trace`` names the value of each hour.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from tracker.core.accounting import printed
from tracker.core.chain import INTERVAL_TIERS
from tracker.core.factors import Choice, FactorRow
from tracker.core.footing import foot
from tracker.core.statement import FactorUse
from tracker.core.weights import FACILITY_WH

NOBODY_SET_A_ZONE = "Nobody set a grid zone: the world's average is assumed."
_PLACES = 6  # decimals of a mean, in g/kWh

#: basis, zone, name of the factor or series, flags
UseKey = tuple[str, str, str, tuple[str, ...]]


@dataclass(slots=True)
class Tally:
    """What one line of the page is made of."""

    rows: dict[str, FactorRow] = field(default_factory=dict)
    recorded_at_s: int = 0
    energy_nj: int = 0
    weighed: Fraction = Fraction(0)  # energy x g/kWh


class Uses:
    """Collects uses; ``listed`` prints them."""

    def __init__(self) -> None:
        self._tallies: dict[UseKey, Tally] = {}

    def add(
        self,
        basis: str,
        zone: str,
        row: FactorRow,
        energy_nj: int,
        recorded_at_s: int,
        flags: Iterable[str] = (),
        name: str = "",
    ) -> None:
        """``name``: of what is made of several rows (life-cycle less direct); "": the row's own."""
        key = (basis, zone, name or _series(row), tuple(dict.fromkeys(flags)))
        tally = self._tallies.setdefault(key, Tally())
        tally.rows[row.factor_id] = row
        tally.recorded_at_s = max(tally.recorded_at_s, recorded_at_s)
        tally.energy_nj += energy_nj
        value = row.value_g_per_kwh
        tally.weighed += energy_nj * Fraction(value or 0)

    def listed(self) -> tuple[FactorUse, ...]:
        """In order of basis, zone and name. The energy of each basis foots."""
        found: list[FactorUse] = []
        by_basis: dict[str, list[tuple[UseKey, Tally]]] = {}
        for key, tally in sorted(self._tallies.items()):
            by_basis.setdefault(key[0], []).append((key, tally))
        for tallies in by_basis.values():
            _, energies_wh = foot([tally.energy_nj for _, tally in tallies], FACILITY_WH)
            found += [_use(key, tally, wh) for (key, tally), wh in zip(tallies, energies_wh, strict=True)]
        return tuple(found)


def flags_of(choice: Choice, *, assumed: bool = False) -> tuple[str, ...]:
    """What the factor is less than was asked for, and what else to know of it."""
    return (*((NOBODY_SET_A_ZONE,) if assumed else ()), *choice.steps, *choice.cautions)


def _series(row: FactorRow) -> str:
    if row.quality_tier not in INTERVAL_TIERS:
        return row.factor_id
    return f"{row.origin.provider}:{row.zone}:{row.factor_type.value}:tier {row.quality_tier}"


def _use(key: UseKey, tally: Tally, energy_wh: int) -> FactorUse:
    basis, zone, name, flags = key
    rows = [tally.rows[factor_id] for factor_id in sorted(tally.rows)]
    row = rows[-1]
    single = len(rows) == 1
    mean = tally.weighed / tally.energy_nj if tally.energy_nj else Fraction(row.value_g_per_kwh or 0)
    return FactorUse(
        basis=basis,
        zone=zone,
        factor_id=f"{name} x{len(rows)}" if row.quality_tier in INTERVAL_TIERS else name,
        value=row.value_printed if single else _range(rows),
        unit=row.unit_printed if single else "g/kWh",
        value_g_per_kwh=row.value_g_per_kwh if single else printed(mean, _PLACES),
        factor_type=row.factor_type.value,
        gases=row.gases,
        gwp_set=row.gwp_set,
        tier=row.quality_tier,
        edition=row.edition,
        data_year=row.data_year,
        publisher=row.publisher,
        source=row.source,
        url=row.publisher_url,
        licence=row.licence,
        attribution=row.attribution,
        recorded_at_s=tally.recorded_at_s,
        raw_sha256=row.origin.raw_sha256 if single else _checksum(rows),
        energy_wh=energy_wh,
        flags=flags,
    )


def _range(rows: Iterable[FactorRow]) -> str:
    values = sorted(value for row in rows if (value := row.value_g_per_kwh) is not None)
    return f"{values[0]:f} to {values[-1]:f}" if values else ""


def _checksum(rows: Iterable[FactorRow]) -> str:
    """Of all values, by factor_id: that of their raw answers would differ from reading to reading."""
    text = "\n".join(f"{row.factor_id} {row.value_printed} {row.unit_printed}" for row in rows)
    return hashlib.sha256(text.encode()).hexdigest()
