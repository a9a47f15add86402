"""Finance month: a preview of the month in which the time range ends. The statement is the book."""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import TextBoxVariable
from grafana_foundation_sdk.models.dashboard import Panel

from dashboards.build.page import Band, Page, Shortcut
from dashboards.build.panels import Column, Look, Query, Steps, bars, lines, number, rows
from dashboards.build.quality import factor
from dashboards.build.style import (
    AGE,
    AMOUNT,
    BAD,
    DOUBTFUL,
    EMISSIONS_MONTH,
    ENERGY_MONTH,
    ENERGY_STEPS,
    FLEET,
    GOOD,
    GRAMS,
    KWH,
    NO_RULES,
    PLACE,
    RECORDED,
    SHARE,
    TARGET,
    TEXT,
    THIS_MONTH,
    kwh,
    month,
    named,
    share,
    steps,
)
from dashboards.build.variables import owners

#: A name that no machine has (RFC 2606): the reader's own would answer, or not, to whatever stands here otherwise.
_NO_PORTAL = "https://portal.example"
_BASES = ("location", "market", "embodied")
_BOOK = "The statement is the book, not this."
_CENTRE_ENERGY = "cost_centre:wattledger_workload_energy_joules:month"
_CENTRE_EMISSIONS = "cost_centre:wattledger_workload_emissions_grams:month"
_DEVICE_MONTH = "site:wattledger_device_energy_joules:month"
_HOST = "wattledger_conservation_error_joules"
_TICK, _SHIPPED = "wattledger_tick_timestamp_seconds", "wattledger_ship_last_success_timestamp_seconds"
_USED = "team:wattledger_budget_used:ratio"
_FORECAST = "team:wattledger_budget_forecast:ratio"
_SPENT: Steps = ((None, GOOD), (0.8, DOUBTFUL), (1, BAD))
#: Seconds of the month that the rules have counted, and that it has, at the moment of evaluation.
_COUNTED = f"max(last_over_time(fleet:wattledger_counted_seconds:month[10m]) and on (month) {THIS_MONTH})"
_WHOLE = "(days_in_month(vector(time() - 1)) * 86400)"


def page() -> Page:
    portal = TextBoxVariable("portal").label("Finance portal").default_value(_NO_PORTAL)
    described = portal.description(
        "Where `wattledger serve` answers, such as https://carbon.example: status, statements and exports are there. "
        "Type it here once and save the dashboard."
    )
    return Page(
        "finance-month",
        "wattledger: finance month",
        "A preview of the UTC month in which the time range ends: energy, three bases of emissions, budgets. The "
        "statement (wattledger close, wattledger export) is the book, not this page; whether it is a draft, reviewed "
        "or closed, the finance portal says.",
        owners(described),
        [
            Band(
                "A preview of the month in which the time range ends (UTC). The statement is the book, not this.",
                _sums(),
            ),
            Band("Who", [_by_team(), _by_centre()]),
            Band("Budgets", [_burn_down(), _used(), _ahead()]),
            Band("Course of the month", [_daily(), _cumulated()]),
            Band("How good these numbers are", [_measured(), _coverage(), _unattributed(), *factor()]),
            Band("Before the month can be closed", [_unsplit(), _shipped(), _never()]),
        ],
        since="now/M",
        refresh="5m",
        timezone="utc",
        shortcuts=[
            Shortcut("This month", "now/M", "now"),
            Shortcut("Last month", "now-1M/M", "now-1M/M"),
            Shortcut("2 months ago", "now-2M/M", "now-2M/M"),
            Shortcut("3 months ago", "now-3M/M", "now-3M/M"),
            Shortcut("Status, statements and exports", url="${portal}/"),
        ],
    )


def _emissions(basis: str, by: str = "") -> str:
    return month(EMISSIONS_MONTH, f'{FLEET},basis="{basis}"', by)


def _sums() -> list[Panel]:
    words = {
        "location": "Scope 2, location-based: the grid as it was, PUE included.",
        "market": "Scope 2, market-based: by contracts and certificates, PUE included. Never added to location.",
        "embodied": "Scope 3: making the hardware, spread over its life by held time. Never added to scope 2.",
    }
    return [
        number(
            "Month",
            "The UTC month in which the time range ends: everything below is of this month up to that moment.",
            Query(f'label_replace({THIS_MONTH}, "month", "$1-$2", "month", "(....)(..)")', "{{month}}"),
            Look(TEXT, "no month", span=4),
            names=True,
        ),
        number(
            "Energy (IT)",
            f"Energy of the devices, without PUE, of what is chosen. {_BOOK} {RECORDED}",
            kwh(month(ENERGY_MONTH, FLEET)),
            Look(KWH, NO_RULES),
            now=True,
        ),
        *(
            number(
                f"Emissions, {basis}",
                f"{words[basis]} By the factor known when it was booked; the statement uses the best one. {RECORDED}",
                _emissions(basis),
                Look(GRAMS, f"no {basis} figure"),
                now=True,
            )
            for basis in _BASES
        ),
        number(
            "Energy, month end",
            "The whole month at its mean so far, of the time that the rules have counted: of little worth in its first "
            f"days. {RECORDED}",
            f"{kwh(month(ENERGY_MONTH, FLEET))} * on () group_left () ({_WHOLE} / on () {_COUNTED})",
            Look(KWH, NO_RULES),
            now=True,
        ),
    ]


def _by_team() -> Panel:
    def column(title: str, vector: str, unit: str) -> Column:
        return Column(title, named(vector, "team", "(no team)"), unit, 1 if unit == KWH else None)

    return rows(
        "By team",
        "Everything that is chosen, by team. (No team) holds the unnamed workloads and what is charged to nobody: "
        f"idle, unallocated, system and unattributed. The rows add up to the sums above. {_BOOK} {RECORDED}",
        [
            column("Energy", kwh(month(ENERGY_MONTH, FLEET, "team")), KWH),
            *(column(basis.title(), _emissions(basis, "team"), GRAMS) for basis in _BASES),
        ],
        Look("", NO_RULES, span=12, height=9),
        labels={"team": "Team"},
        sort="Energy",
    )


def _by_centre() -> Panel:
    def column(title: str, named_ones: str, whole: str, unit: str) -> Column:
        rest = f"clamp_min({whole} - (sum({named_ones}) or 0 * {whole}), 0)"
        nobody = f'label_replace({rest}, "cost_centre", "(no cost centre)", "", "")'
        return Column(title, f"{named_ones} or {nobody}", unit, 1 if unit == KWH else None)

    def centres(basis: str) -> Column:
        selector = f'{PLACE},basis="{basis}"'
        return column(
            basis.title(),
            month(_CENTRE_EMISSIONS, selector, "cost_centre"),
            month(EMISSIONS_MONTH, selector),
            GRAMS,
        )

    energy = month(_CENTRE_ENERGY, PLACE, "cost_centre")
    return rows(
        "By cost centre",
        "Of the chosen clusters and sites; a cost centre has no team, so the choice of owners does not apply. The rows "
        f"add up to the whole, but for the five minutes by which rules may be apart. {_BOOK} {RECORDED}",
        [
            column("Energy", kwh(f"({energy})"), kwh(f"({month(ENERGY_MONTH, PLACE)})"), KWH),
            *(centres(basis) for basis in _BASES),
        ],
        Look("", NO_RULES, span=12, height=9),
        labels={"cost_centre": "Cost centre"},
        sort="Energy",
    )


def _burn_down() -> Panel:
    left = month(_USED, 'team=~"$team",budget="energy"', "team")
    return lines(
        "Energy budget left",
        "1 minus what the team used of its monthly budget; below 0 it is overspent. Starts again with each UTC month. "
        f"Of the whole fleet: only the choice of team applies. {RECORDED}",
        Query(f"1 - {left}", "{{team}}"),
        Look(SHARE, "no budget is set", span=12, height=8, lowest=None, highest=1),
    )


def _used() -> Panel:
    return bars(
        "Budget used",
        "Month to date over the budget of the month (dashboards/rules/budgets.example.yml). Emissions: location-based. "
        f"{RECORDED}",
        Query(month(_USED, 'team=~"$team"', "team,budget"), "{{team}} ({{budget}})"),
        Look(SHARE, "no budget is set", span=6, height=8, decimals=0, highest=1.2, steps=_SPENT),
    )


def _ahead() -> Panel:
    return bars(
        "Budget used at the end of the month",
        "The same of the whole month at its mean so far, of the time that the rules have counted. From its fourth day "
        f"on. {RECORDED}",
        Query(month(_FORECAST, 'team=~"$team"', "team,budget"), "{{team}} ({{budget}})"),
        Look(SHARE, "no budget, or too early", span=6, height=8, decimals=0, highest=1.2, steps=_SPENT),
    )


def _daily() -> Panel:
    energy = kwh(f"sum by (team) (sum_over_time({ENERGY_STEPS}{{{FLEET}}}[1d]))")
    return lines(
        "Energy of the last 24 hours",
        f"By team: at each moment, the energy of the day before it. {RECORDED}",
        Query(named(energy, "team", "(no team)"), "{{team}}"),
        Look(KWH, NO_RULES, span=12, height=8),
        stacked=True,
    )


def _cumulated() -> Panel:
    return lines(
        "Emissions since the first of the month",
        f"By basis; bases are never added. Starts again with each UTC month. {RECORDED}",
        [Query(_emissions(basis), basis) for basis in _BASES],
        Look(GRAMS, "no factor, or no rules", span=12, height=8),
    )


def _measured() -> Panel:
    return number(
        "Measured, month",
        f"Energy that a sensor measured over all energy of the month, of the chosen clusters and sites. {RECORDED}",
        share(month(_DEVICE_MONTH, f'{PLACE},method="measured"'), month(_DEVICE_MONTH, PLACE)),
        Look(SHARE, NO_RULES, highest=1, decimals=1, steps=((None, BAD), (0.9, DOUBTFUL), (0.99, GOOD))),
        now=True,
    )


def _coverage() -> Panel:
    return number(
        "Coverage of the time range",
        "Device time with a reading over all device time of the time range, downtime included, of the chosen clusters "
        "and sites. A node that is off is in neither number until it is back. The statement says it by device. "
        f"{RECORDED}",
        _covered(),
        Look(SHARE, NO_RULES, highest=1, decimals=2, steps=((None, BAD), (0.9, DOUBTFUL), (0.99, GOOD))),
        now=True,
    )


def _covered() -> str:
    covered, gaps = (steps(f"site:wattledger_{what}_seconds:delta5m", PLACE) for what in ("covered", "gap"))
    return f"{covered} / ({covered} + {gaps} > 0)"


def _unattributed() -> Panel:
    return number(
        "Unattributed, month",
        f"Energy whose user could not be observed over all energy of the month, of the chosen clusters and sites. "
        f"{RECORDED}",
        share(month(ENERGY_MONTH, f'{PLACE},kind="unattributed"'), month(ENERGY_MONTH, PLACE)),
        Look(SHARE, NO_RULES, highest=1, decimals=1, steps=((None, GOOD), (0.05, DOUBTFUL), (0.2, BAD))),
        now=True,
    )


def _unsplit() -> Panel:
    return number(
        "Energy missing here",
        "Energy of devices that this page's sums lack, in the time range: what new workloads used before their first "
        "scrape, and what a node used while nobody scraped it for one to six hours. Not in here: longer silences, and "
        f"energy that no counter kept. The ledger and the statement have it. {RECORDED}",
        kwh(steps("site:wattledger_unsplit_energy_joules:delta5m", PLACE)),
        Look(KWH, NO_RULES, span=8, lowest=None),
        now=True,
    )


def _seen(metric: str) -> str:
    """The last value of a metric of the daemon in the time range by node, of those that are gone, too: by hostname,
    because the address of a node may change. Half an hour apart, so that a month of a thousand nodes can be asked."""
    host = f"group by ({TARGET},hostname) ({_HOST}{{{PLACE}}})"
    named_ones = f"{metric}{{{PLACE}}} * on ({TARGET}) group_left (hostname) {host}"
    return f"max by (cluster,hostname) (max_over_time(({named_ones})[$__range:30m]))"


def _shipped() -> Panel:
    return number(
        "Longest not shipped",
        "Of the nodes that have shipped to the books: how long before its last tick a node did so last, at most. A "
        "month can be closed when every node has shipped its last hour. Whether the month is a draft, reviewed or "
        "closed, the finance portal says: the link is at the top.",
        f"clamp_min(max({_seen(_TICK)} - {_seen(_SHIPPED)}), 0)",
        Look(AGE, "no node ships", span=8, decimals=0, steps=((None, GOOD), (7200, DOUBTFUL), (86400, BAD))),
        now=True,
    )


def _never() -> Panel:
    nodes = _seen(_TICK)
    return number(
        "Nodes that never shipped",
        "Nodes that were seen in the time range and shipped nothing to the books in it, where any node ships: the "
        "month lacks them. The fleet dashboard names them.",
        f"(count({nodes} unless on (cluster,hostname) {_seen(_SHIPPED)}) or 0 * count({nodes})) "
        f"and on () count(last_over_time(wattledger_ship_up{{{PLACE}}}[1h]))",
        Look(AMOUNT, "no node ships", span=8, decimals=0, steps=((None, GOOD), (1, BAD))),
        now=True,
    )
