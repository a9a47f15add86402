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
        pairs = [("Factor", '<span class="warn">none yet</span>'), _pue(snapshot)]
        return section("grid", "Grid", note("No grid factor is in use, so nothing is weighed yet."), facts(pairs))
    alarm = ""
    if factor.assumed:
        alarm = f'<p class="finding warn"><strong>Assumed.</strong> {ASSUMED}</p>{code(fix(snapshot), "zone")}'
    return section("grid", "Grid", alarm, _intensity(factor), facts([*_origin(factor), _pue(snapshot)]))


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
    return "PUE", f"{snapshot.pue_permille / 1000:.2f} · {label(snapshot.pue_source)}"


def date(wall_s: int) -> str:
    """The day, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(wall_s))
