"""The whole page: head, header, what needs attention, today in four figures, and the sections.

Works without JavaScript (it reloads itself every 10 s); with it, the header and the main part are swapped every 5 s.
Style and script are inlined at the start and named by hash in the content policy, so nothing else can run and nothing
is fetched from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tracker.core.model import Kind, Level, Method
from tracker.core.snapshot import Snapshot
from tracker.web.interface import TodayRow
from tracker.web.node import figures, grid, health, power, workloads
from tracker.web.node.markup import label, text
from tracker.web.node.power import clock, coverage, total_mw

_STATIC = Path(__file__).resolve().parent.parent / "static"
_STYLE = (_STATIC / "node.css").read_text(encoding="utf-8")
_SCRIPT = (_STATIC / "node.js").read_text(encoding="utf-8")
_STALE_S = 60  # many ticks
_ICON = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E"
    "%3Crect width='16' height='16' rx='4' fill='%230b6e5f'/%3E"
    "%3Cpath d='M9.5 2.5 4 9h3.5l-1 4.5L12 7H8.5z' fill='%23fff'/%3E%3C/svg%3E"
)


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


#: The page may run and show what it carries, and ask this server; nothing else, and in nobody's frame.
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        f"default-src 'none'; style-src {_hash(_STYLE)}; script-src {_hash(_SCRIPT)}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
}


def render(snapshot: Snapshot, rows: Sequence[TodayRow] | None, now_s: float, since: str) -> bytes:
    """The page as UTF-8. ``rows`` None: today could not be read. ``since``: when the day began, "since 00:00 UTC"."""
    day = None if rows is None else workloads.add_up(rows)
    now = total_mw(snapshot)
    title = f"{text(snapshot.hostname)} · {figures.power_or_words(now)} · wattledger"
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        '<noscript><meta http-equiv="refresh" content="10"></noscript>'
        f'<title>{title}</title><link rel="icon" href="{_ICON}">'
        f"<style>{_STYLE}</style></head><body>"
        f"{_header(snapshot, now, now_s)}"
        f'<main id="main">{_attention(snapshot, now_s)}{_summary(snapshot, day)}'
        f"{power.render(snapshot)}{workloads.render(snapshot, day, since)}"
        f'<div class="columns">{health.sources(snapshot)}{grid.render(snapshot)}'
        f"{health.book(snapshot)}{health.gaps(snapshot)}{health.crosscheck(snapshot)}</div></main>"
        f"{_footer(snapshot)}<script>{_SCRIPT}</script></body></html>"
    )
    return page.encode("utf-8", "replace")


def _header(snapshot: Snapshot, now_mw: int | None, now_s: float) -> str:
    factor = snapshot.factor
    zone = "" if factor is None else f"zone {label(factor.zone)}{' (assumed)' if factor.assumed else ''}"
    site = f"site {label(snapshot.site)}" if snapshot.site else ""
    place = " · ".join(part for part in (site, zone) if part) or "no site set"
    if now_mw is None:
        hero = f'<p class="hero quiet"><span>{figures.NOT_MEASURED}</span></p>'
    else:
        shown = figures.power(now_mw)
        hero = f'<p class="hero"><span>{shown.number}</span> {shown.unit} <small>now, {coverage(snapshot)}</small></p>'
    return (
        '<header><div id="top"><div class="who">'
        f'<p class="brand">wattledger <span class="at">{_state(snapshot, now_s)}</span></p>'
        f'<h1>{label(snapshot.hostname)}</h1><p class="place">{place}</p></div>{hero}</div>'
        '<p id="stale" role="status"></p></header>'
    )


def _state(snapshot: Snapshot, now_s: float) -> str:
    if not snapshot.ready:
        return "starting: the first reading is under way"
    at = f'<time id="tick">{clock(snapshot.tick_wall_s)}</time>'
    return f"last reading {at}" if now_s - snapshot.tick_wall_s > _STALE_S else at


def _attention(snapshot: Snapshot, now_s: float) -> str:
    """What is wrong now, worst first; nothing at all when nothing is."""
    items = [f'<li class="{css}">{sentence}</li>' for css, sentence in _problems(snapshot, now_s)]
    if not items:
        return ""
    return f'<section class="attention" aria-label="Needs attention"><ul class="plain">{"".join(items)}</ul></section>'


def _problems(snapshot: Snapshot, now_s: float) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    if any(d.booked and d.sensor.method is Method.SIMULATED for d in snapshot.devices):
        found.append(("warn", "<strong>Simulated.</strong> These numbers are a demonstration, not this machine."))
    if snapshot.ready and now_s - snapshot.tick_wall_s > _STALE_S:
        found.append(("bad", f"The last reading was {figures.ago(now_s, snapshot.tick_wall_s)}: wattledger is stuck."))
    if not snapshot.ledger.ok:
        found.append(("bad", text(snapshot.ledger.message) or "Booking has stopped."))
    if snapshot.conservation_error_uj:
        found.append(("bad", f'{snapshot.conservation_error_uj:,} µJ do not add up in the <a href="#book">book</a>.'))
    for state in snapshot.sources:
        broken = any(finding.level is Level.FAIL for finding in state.findings)
        if snapshot.ready and not state.up and (state.last_success_wall_s is not None or broken):
            found.append(("bad", f'The source {label(state.name)} is down. <a href="#sources">See what helps</a>.'))
        elif broken:
            found.append(
                ("warn", f'The source {label(state.name)} cannot read everything. <a href="#sources">See the fix</a>.')
            )
    if snapshot.factor is not None and snapshot.factor.assumed:
        found.append(("warn", f'{grid.ASSUMED} <a href="#grid">See the fix</a>.'))
    elif snapshot.ready and (snapshot.factor is None or snapshot.factor.intensity_mg_per_kwh is None):
        found.append(("warn", 'No grid factor: emissions are unknown, not zero. <a href="#grid">See why</a>.'))
    return found


def _summary(snapshot: Snapshot, day: workloads.Day | None) -> str:
    if day is None or not day.totals:
        return ""
    lost_uj = day.energy_of(Kind.UNATTRIBUTED)
    guess = "<small>with an assumed factor</small>" if snapshot.factor is not None and snapshot.factor.assumed else ""
    cells = [
        ("Energy today", str(figures.energy(day.energy_uj))),
        ("Emissions today", figures.mass_or_words(day.emissions_ug) + guess),
        ("Idle share", figures.percent(day.idle_uj, day.energy_uj)),
        ("Unattributed share", figures.percent(lost_uj, day.energy_uj)),
    ]
    return f'<dl class="summary">{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in cells)}</dl>'


def _footer(snapshot: Snapshot) -> str:
    return (
        f"<footer>wattledger {text(snapshot.version)} "
        '<nav aria-label="Other formats">· <a href="/metrics">metrics</a> · <a href="/api/v1/snapshot">JSON</a> · '
        '<a href="/-/ready">ready</a></nav></footer>'
    )
