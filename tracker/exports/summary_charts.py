"""The charts of the workbook's summary: native ones, which Excel and LibreOffice draw from the tables beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_WIDTH, _HEIGHT = 585, 360  # pixels
_ROWS = 19  # lines of a sheet that a chart covers
_ENERGY, _IT, _IDLE, _IDLE_RATIO, _LOCATION, _MARKET = 1, 2, 3, 4, 5, 6
# dark, middle and light: told apart in greyscale too
_GREEN, _BLUE, _AMBER = "#0B6E5F", "#5B8FD0", "#D9A441"


#: The largest on top, as in the table, and a name at every bar.
_NAMES = {"reverse": True, "interval_unit": 1, "num_font": {"size": 8}}


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines [first, last] of a table on the sheet; there may be none."""

    first: int
    last: int

    def __bool__(self) -> bool:
        return self.last >= self.first


def draw(made: Any, sheet: Any, top: int, teams: Lines, months: Lines) -> None:
    """Two beside each other, two below. ``made`` is the workbook."""
    if teams:
        bars = _chart(made, "bar", "Energy by team, kWh", teams, [("energy_facility_kwh", _ENERGY, _GREEN)])
        bars.set_y_axis(_NAMES)
        bars.set_x_axis({"num_format": "#,##0", "num_font": {"size": 8}, "label_position": "high"})
        bars.set_legend({"none": True})
        sheet.insert_chart(top, 0, bars)
        idle = _chart(made, "bar", "Idle share of IT energy", teams, [("idle_ratio", _IDLE_RATIO, _AMBER)])
        idle.set_y_axis(_NAMES)
        idle.set_x_axis({"num_format": "0%", "min": 0, "num_font": {"size": 8}, "label_position": "high"})
        idle.set_legend({"none": True})
        sheet.insert_chart(top + _ROWS, 0, idle)
    both = [("location-based", _LOCATION, _GREEN), ("market-based", _MARKET, _AMBER)]
    emissions = _chart(made, "column", "Location-based and market-based, kg CO2e by month", months, both)
    sheet.insert_chart(top, 4, emissions)
    energies = [("facility", _ENERGY, _BLUE), ("of it idle", _IDLE, _AMBER)]
    sheet.insert_chart(top + _ROWS, 4, _chart(made, "line", "Energy over twelve months, kWh", months, energies))


def _chart(made: Any, kind: str, title: str, lines: Lines, series: list[tuple[str, int, str]]) -> Any:
    chart = made.add_chart({"type": kind})
    for name, column, color in series:
        look = {"line": {"color": color, "width": 2}} if kind == "line" else {"fill": {"color": color}, "gap": 60}
        chart.add_series(
            {
                "name": name,
                "categories": ["Summary", lines.first, 0, lines.last, 0],
                "values": ["Summary", lines.first, column, lines.last, column],
                **look,
                **({"marker": {"type": "circle", "size": 5, "fill": {"color": color}}} if kind == "line" else {}),
            }
        )
    chart.set_title({"name": title, "name_font": {"size": 12}, "overlay": False})
    chart.set_size({"width": _WIDTH, "height": _HEIGHT})
    chart.set_legend({"position": "bottom"})
    chart.set_x_axis({"num_font": {"size": 8}})
    chart.set_y_axis({"num_format": "#,##0", "num_font": {"size": 8}})
    return chart
