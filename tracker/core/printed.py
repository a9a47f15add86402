"""A yearly average of a region, with the number that stands in the table.

Countries are printed in g/kWh; regions come in other units too, and a value is kept as printed and converted exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracker.core.carbon import AnnualIntensity


@dataclass(frozen=True, slots=True)
class PrintedIntensity(AnnualIntensity):
    """``intensity_mg_per_kwh`` is the printed value, rounded once. ``unit_printed``: a key of ``factors.UNITS``."""

    value_printed: str
    unit_printed: str
