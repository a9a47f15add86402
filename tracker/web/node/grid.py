"""What a joule weighs here: the factor in use and how sure it is, and the site's overhead."""

from __future__ import annotations

import time

from tracker.core.model import Factor
from tracker.core.snapshot import Snapshot
from tracker.web.node import figures, words
from tracker.web.node.markup import code, facts, label, note, section, text

ASSUMED = "Nobody set the grid zone of this node: the world average stands in, and no month can be closed with it."
_SOURCE_CHARS = 200  # an address to look the number up must be whole
NO_PUE = "not set: 1.00 is assumed"
TIMES = "\N{MULTIPLICATION SIGN}"
APART = "for making the hardware, by held time. Never added to the emissions of electricity"


def fix(snapshot: Snapshot) -> str:
    """The lines of the configuration that set the zone. The zone is left to be filled in: whoever only copies gets an
    error at the start, not somebody else's grid."""
    site = snapshot.site or "mysite"
    head = "" if snapshot.site else f'[node]\nsite = "{site}"\n\n'
    return f'{head}[site.{site}]\nzone = "YOUR-ZONE"  # of the grid that feeds this machine, such as FR'


def render(snapshot: Snapshot) -> str:
    """The section."""
    factor = snapshot.factor
    if factor is None:
        pairs = [("Factor", '<span class="warn">none yet</span>'), _pue(snapshot), *_embodied(snapshot)]
        return section("grid", "Grid", note("No grid factor is in use, so nothing is weighed yet."), facts(pairs))
    alarm = ""
    if factor.assumed:
        alarm = f'<p class="finding warn"><strong>Assumed.</strong> {ASSUMED}</p>{code(fix(snapshot), "zone")}'
    pairs = [*_origin(factor), *_market(snapshot), _pue(snapshot), *_embodied(snapshot), *_services(snapshot)]
    return section("grid", "Grid", alarm, _intensity(factor), facts(pairs))


def _intensity(factor: Factor) -> str:
    value = factor.intensity_mg_per_kwh
    if value is None:
        reason = f": {text(factor.note)}" if factor.note else ""
        return f'<p class="finding bad"><strong>No factor</strong>{reason}. Emissions are unknown, not zero.</p>'
    shown = figures.mass(value * 1000)
    return f'<p class="hero"><span>{shown.number}</span> {shown.unit} CO₂e per kWh</p>'


def _origin(factor: Factor) -> list[tuple[str, str]]:
    sure = words.TIER.get(factor.tier, "")
    pairs = [("Zone", label(factor.zone) + (" (assumed)" if factor.assumed else ""))]
    if factor.intensity_mg_per_kwh is not None:
        pairs.append(("How sure", f"tier {factor.tier} of {words.LAST_TIER}: {sure}"))
    pairs += [
        ("Counts", text(words.FACTOR_TYPE.get(factor.factor_type, factor.factor_type))),
        ("Source", label(factor.source, _SOURCE_CHARS) if factor.source else figures.NOTHING),
        ("Provider", label(factor.provider)),
    ]
    if factor.valid_from_s:
        pairs.append(("Valid from", date(factor.valid_from_s)))
    pairs.append(("Known since", date(factor.recorded_at_s)))
    if factor.note and factor.intensity_mg_per_kwh is not None:
        pairs.append(("Note", text(factor.note)))
    return pairs


def _pue(snapshot: Snapshot) -> tuple[str, str]:
    if not snapshot.pue_source:
        return "PUE", f'<span class="warn">{NO_PUE}</span>'
    shown = f"{snapshot.pue_permille / 1000:.2f} · {label(snapshot.pue_source, _SOURCE_CHARS)}"
    return "PUE", f'<span class="warn">{shown}</span>' if snapshot.pue_assumed else shown


def _market(snapshot: Snapshot) -> list[tuple[str, str]]:
    """The market-based method, where anything is known of contracts."""
    factor = snapshot.market
    if factor is None:
        return []
    if factor.intensity_mg_per_kwh is None:
        why = f": {text(factor.note)}" if factor.note else ""
        return [("Market-based", f'<span class="warn">no value</span>{why}')]
    shown = figures.mass(factor.intensity_mg_per_kwh * 1000)
    source = f" · {label(factor.source, _SOURCE_CHARS)}" if factor.source else ""
    note = f" · {text(factor.note)}" if factor.note else ""
    return [("Market-based", f"{shown} CO₂e per kWh{source}{note}")]


def _embodied(snapshot: Snapshot) -> list[tuple[str, str]]:
    """The making of the hardware, apart from everything else."""
    made = snapshot.embodied
    if not made:
        return []
    total = figures.mass(sum(state.ug_per_h for state in made))
    parts = "; ".join(
        f"{state.count} {TIMES} {label(state.name)} ({label(state.source, _SOURCE_CHARS)})" for state in made
    )
    return [("Hardware", f"{total} CO₂e per hour {APART}: {parts}")]


def _services(snapshot: Snapshot) -> list[tuple[str, str]]:
    return [
        ("Service", f'{label(provider.name)} <span class="warn">{text(provider.error or "does not answer")}</span>')
        for provider in snapshot.providers
        if not provider.up
    ]


def date(wall_s: int) -> str:
    """The day, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(wall_s))
