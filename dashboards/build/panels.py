"""The four stock panels of the dashboards. Whoever adds a panel says what it means and what its unit is."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.common import (
    BarGaugeDisplayMode,
    BarGaugeNamePlacement,
    BarGaugeValueMode,
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataTransformerConfig,
    DynamicConfigValue,
    FieldColorModeId,
    Panel,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.build.style import COLOURS, DATASOURCE, GOOD, TEXT

PanelBuilder = Builder[Panel]
#: (from this value on, this colour), the first from minus infinity: (None, "green").
Steps = tuple[tuple[float | None, str], ...]
NEUTRAL: Steps = ((None, "text"),)


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and the name of its series, with labels as {{label}}. For one series a ``str`` will do."""

    expr: str
    legend: str = "__auto"


Queries = str | Query | Sequence[Query]


_LOW = 4


@dataclass(frozen=True, slots=True)
class Look:
    """How a panel looks where it differs from the rest.

    ``span`` and ``height`` are in Grafana's grid of 24 columns; ``empty`` is what a reader sees when there is nothing
    to show, which is not 0. No panel has a time range of its own: Grafana forgets it where the dashboard's is absolute.
    """

    unit: str
    empty: str
    span: int = 4
    height: int = _LOW
    decimals: int | None = None
    lowest: float | None = 0
    highest: float | None = None
    steps: Steps = NEUTRAL


@dataclass(frozen=True, slots=True)
class Column:
    """One query of a table: its expression must keep exactly the labels of the table. ``steps`` colour the text;
    ``words`` stand for values."""

    title: str
    expr: str
    unit: str
    decimals: int | None = None
    steps: Steps = ()
    words: Mapping[float, str] = field(default_factory=dict)


def number(
    title: str,
    description: str,
    query: Queries,
    look: Look,
    *,
    now: bool = False,
    names: bool = False,
    listed: bool = False,
) -> Panel:
    """A big number: the last value with its course behind it, or (``now``) one instant query; ``names`` shows legends
    in place of values; ``listed`` puts several of them one below the other."""
    panel = stat.Panel()
    _frame(panel, title, description, look)
    _ask(panel, query, instant=now or names)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
    beside = look.height > _LOW  # in a low panel the course would run through the number
    panel.graph_mode(BigValueGraphMode.AREA if beside and not (now or names) else BigValueGraphMode.NONE)
    panel.color_mode(BigValueColorMode.VALUE)
    panel.text_mode(BigValueTextMode.NAME if names else BigValueTextMode.AUTO)
    panel.wide_layout(not listed)
    panel.orientation(VizOrientation.HORIZONTAL if listed else VizOrientation.AUTO)
    return panel.build()


def lines(
    title: str,
    description: str,
    query: Queries,
    look: Look,
    *,
    stacked: bool = False,
    table_legend: bool = False,
    dashed: str = "",
) -> Panel:
    """A course over time. ``stacked`` only for parts that add up to something; a gap stays a gap. ``dashed``: the name
    of a series that lies over another one."""
    panel = timeseries.Panel()
    _frame(panel, title, description, look)
    _ask(panel, query, instant=False)
    panel.line_interpolation(LineInterpolation.LINEAR).line_width(1).show_points(VisibilityMode.NEVER)
    panel.fill_opacity(30 if stacked else 0).span_nulls(False)
    if look.lowest is None:
        panel.axis_soft_min(0)
    panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL if stacked else StackingMode.NONE).group("A"))
    panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    legend = common.VizLegendOptions().show_legend(True).placement(LegendPlacement.BOTTOM)
    if table_legend:
        legend.display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.RIGHT).calcs(["mean", "max"])
    else:
        legend.display_mode(LegendDisplayMode.LIST).calcs([])
    panel.legend(legend)
    panel.color_scheme(build.FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC))
    for name, colour in COLOURS.items():
        panel.override_by_name(name, [DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})])
    if dashed:
        panel.override_by_name(dashed, [DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 8]})])
    return panel.build()


def bars(title: str, description: str, query: Queries, look: Look) -> Panel:
    """A ranking: one instant query, one bar for each series."""
    panel = bargauge.Panel()
    _frame(panel, title, description, look if look.steps != NEUTRAL else replace(look, steps=((None, GOOD),)))
    _ask(panel, query, instant=True)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).fields("").values(False))
    panel.orientation(VizOrientation.HORIZONTAL).display_mode(BarGaugeDisplayMode.BASIC)
    panel.display_name("${__series.name}")  # a single bar has no name otherwise
    # Grafana makes room for a name by the height of its bar: lower than 28, and names of 12 are cut; higher than 40,
    # and one bar fills it all.
    panel.text(common.VizTextDisplayOptions().title_size(12).value_size(14)).min_viz_height(28).max_viz_height(40)
    panel.value_mode(BarGaugeValueMode.TEXT).name_placement(BarGaugeNamePlacement.AUTO).show_unfilled(True)
    return panel.build()


def rows(
    title: str,
    description: str,
    columns: Sequence[Column],
    look: Look,
    *,
    labels: dict[str, str],
    links: dict[str, tuple[str, str]] | None = None,
    names: str = "",
    sort: str = "",
    widths: dict[str, int] | None = None,
) -> Panel:
    """A table of instant queries, joined by their labels.

    ``labels``: label -> title of its column, in order; other labels are hidden. ``links``: title of a column -> (text,
    URL). ``names``: a query whose labels say more about the rows; its value is not shown. ``sort``: the column
    that comes first, largest first. ``widths``: title of a column -> pixels, where an equal share would be wrong.
    """
    panel = table.Panel()
    _frame(panel, title, description, replace(look, unit=TEXT))
    queries = [Query(column.expr) for column in columns] + ([Query(names)] if names else [])
    _ask(panel, queries, instant=True, table_format=True)
    panel.show_header(True).filterable(True)
    values = [f"Value #{ref}" if len(queries) > 1 else "Value" for ref in _refs(len(columns))]
    titles = {**labels, **dict(zip(values, (column.title for column in columns), strict=True))}
    panel.with_transformation(DataTransformerConfig("filterFieldsByName", options={"include": {"names": [*titles]}}))
    panel.with_transformation(DataTransformerConfig("merge", options={}))
    order = {name: place for place, name in enumerate(titles)}
    panel.with_transformation(
        DataTransformerConfig("organize", options={"excludeByName": {}, "indexByName": order, "renameByName": titles})
    )
    # An empty cell is empty: what the panel says when it has no row at all would be cut there.
    panel.override_by_regexp(".*", [DynamicConfigValue("noValue", "-")])
    for column in columns:
        panel.override_by_name(column.title, _column_look(column))
    for column_title, (text, url) in (links or {}).items():
        panel.override_by_name(column_title, [DynamicConfigValue("links", [{"title": text, "url": url}])])
    for column_title, width in (widths or {}).items():
        panel.override_by_name(column_title, [DynamicConfigValue("custom.width", width)])
    if sort:
        panel.sort_by([common.TableSortByFieldState().display_name(sort).desc(True)])
    return panel.build()


def _column_look(column: Column) -> list[DynamicConfigValue]:
    look = [DynamicConfigValue("unit", column.unit)]
    if column.decimals is not None:
        look.append(DynamicConfigValue("decimals", column.decimals))
    if column.steps:
        steps = [{"value": value, "color": colour} for value, colour in column.steps]
        look.append(DynamicConfigValue("thresholds", {"mode": "absolute", "steps": steps}))
        look.append(DynamicConfigValue("color", {"mode": "thresholds"}))
        look.append(DynamicConfigValue("custom.cellOptions", {"type": "color-text"}))
    if column.words:
        options = {str(value): {"text": text, "index": at} for at, (value, text) in enumerate(column.words.items())}
        look.append(DynamicConfigValue("mappings", [{"type": "value", "options": options}]))
    return look


_Any = stat.Panel | timeseries.Panel | bargauge.Panel | table.Panel


def _frame(panel: _Any, title: str, description: str, look: Look) -> None:
    """What every panel has: its words, its place in the grid, its unit and what it says when it has nothing to say."""
    panel.title(title).description(description).datasource(DATASOURCE)
    panel.span(look.span).height(look.height)
    panel.unit(look.unit).no_value(look.empty)
    if look.decimals is not None:
        panel.decimals(look.decimals)
    if look.lowest is not None and look.unit != TEXT:
        panel.min(look.lowest)
    if look.highest is not None:
        panel.max(look.highest)
    steps = [Threshold(value, colour) for value, colour in look.steps]
    panel.thresholds(build.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
    panel.color_scheme(build.FieldColor().mode(FieldColorModeId.THRESHOLDS))


def _ask(panel: _Any, query: Queries, *, instant: bool, table_format: bool = False) -> None:
    if isinstance(query, str):
        query = Query(query)
    queries = [query] if isinstance(query, Query) else query
    for ref, each in zip(_refs(len(queries)), queries, strict=True):
        target = prometheus.Dataquery().expr(each.expr).legend_format(each.legend).ref_id(ref).datasource(DATASOURCE)
        target = target.instant() if instant else target.range()
        target.format(PromQueryFormat.TABLE if table_format else PromQueryFormat.TIME_SERIES)
        panel.with_target(target)


def _refs(count: int) -> str:
    return string.ascii_uppercase[:count]
