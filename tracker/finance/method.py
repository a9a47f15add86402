"""The method statement: what an auditor asks before looking at a number, in a fixed order of titles."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from tracker.config import Config
from tracker.core.boundary import SCOPE_2, Booked
from tracker.core.statement import FactorUse, SiteUse
from tracker.finance.places import SiteBook

Titled = tuple[str, str]
_SETTINGS = "Settings"
#: Settings that decide a statement; whatever else a configuration holds does not change one.
_SECTIONS = ("site", "grid", "accounting", "books")
_NOT_DECIDING = ("url", "cache", "ship", "memory_mib", "csv_bom")


def method_of(
    config: Config,
    method: str,
    sites: Mapping[str, SiteBook],
    places: Sequence[SiteUse],
    factors: Iterable[FactorUse],
    notes: Iterable[str],
) -> tuple[Titled, ...]:
    """``method``: annual | hourly, which is the location-based figure. ``notes``: what is to be known of these very
    inputs (contradictions, damaged files)."""
    used = list(factors)
    texts = [
        ("Boundary", _BOUNDARY),
        ("Scopes", _scopes(sites)),
        ("Location-based", _location(method)),
        ("Market-based", _market(config)),
        ("Upstream", _upstream(config)),
        ("PUE", _pue(places)),
        ("Embodied", _embodied(config)),
        ("Idle", _IDLE),
        ("Gases", _gases(used)),
        ("Coverage", _COVERAGE),
        ("Rounding", _ROUNDING),
        ("Limits", _LIMITS),
        (_SETTINGS, f"Those that decide a statement have the checksum {config_sha256(config)[:16]}."),
    ]
    told = [*notes]
    return (*texts, *((("Notes", "\n".join(told)),) if told else ()))


def settings_of(method: Iterable[Titled]) -> str:
    """What a method statement says of the settings: the same for the same ones."""
    return next((text for title, text in method if title == _SETTINGS), "")


def config_sha256(config: Config) -> str:
    """Of the settings that decide what a statement says. Contracts count by what their file holds."""
    said = msgspec.to_builtins({name: getattr(config, name) for name in _SECTIONS})
    for name in _NOT_DECIDING:
        said["books"].pop(name, None)
    for name in ("token", "token_file", "providers", "poll", "ca_file", "cloud_metadata"):
        said["grid"].pop(name, None)
    said["accounting"]["instruments_file"] = _file_sha256(config.accounting.instruments_file)
    return hashlib.sha256(msgspec.json.encode(said, order="deterministic")).hexdigest()


def _file_sha256(name: str) -> str:
    if not name:
        return ""
    try:
        return hashlib.sha256(Path(name).read_bytes()).hexdigest()
    except OSError:  # whoever reads the contracts themselves says so
        return "unreadable"


_BOUNDARY = (
    "Electricity of the compute nodes that shipped to these books: GPUs, CPU packages, memory and what else of a node "
    "was measured or modelled, and what the building adds to it (PUE). Networks, separate storage and offices are left "
    "out. An hour belongs to the month in which it starts, in the time zone of the books."
)
_COVERAGE = (
    "Expected are nodes that shipped hours in this month or the one before, from their first hour until they are "
    "retired. Hours without any reading are listed as missing and are in no figure."
)
_IDLE = (
    "Energy below a device's idle floor that somebody held is in his row, told apart as idle. What nobody held or used "
    "has rows of its own (__idle__, __unallocated__, __unattributed__, __system__) and is handed to nobody."
)
_ROUNDING = (
    "All sums are exact integers. Each column's total is rounded once, and its rows are rounded so that they add up to "
    "it (largest remainder); days add up to the same total. What is 0 is printed as 0 in every row, and in every day "
    "too, but that single Wh of idle, unweighed or unpriced energy may stand on other days where the printed total "
    "leaves no other room. IT energy is printed as measured + modelled + simulated, facility energy as IT + overhead. "
    "Rates are integers: nanograms per kWh, PUE in thousandths, prices in millionths."
)
_LIMITS = (
    "Modelled energy is an estimate and has a column of its own. Hours with a reading gap are lower bounds. Yearly "
    "grid factors describe an earlier year than the month, as they are published one to three years later."
)


_SCOPES = (
    "By who controls the hardware (GHG Protocol, Scope 2 Guidance and Scope 3 Standard): electricity of hardware under "
    "operational control is Scope 2, of other leased hardware Scope 3 category 8, of bought services category 1; "
    "supply of fuel and grid losses are category 3, hardware is category 2 in the year of purchase."
)


def _scopes(sites: Mapping[str, SiteBook]) -> str:
    lines = [_SCOPES]
    for name, book in sorted(sites.items()):
        overhead = book.overhead_booked
        same = "" if overhead == book.booked else f", the building's own use {_scope(overhead)}"
        lines.append(f"{name or '(no site)'}: {book.control.value}, electricity {_scope(book.booked)}{same}.")
    return "\n".join(lines)


def _scope(booked: Booked) -> str:
    return "Scope 2" if booked == SCOPE_2 else f"Scope {booked.scope} category {booked.category}"


def _location(method: str) -> str:
    which = {
        "annual": "The location-based column goes by yearly official factors; the hourly one stands beside it.",
        "hourly": "The location-based column goes by the factors of each hour; the annual one stands beside it.",
    }
    return (
        f"{which[method]} Direct emissions of generation at the point of combustion; where a factor is of another "
        "kind, period or place, its line in the factor list says so. Energy without a factor is stated as unweighed."
    )


def _market(config: Config) -> str:
    order = (
        "Certificates, contracts and suppliers' rates as stated, by hour or spread flat over their period; what they "
        "do not cover by the residual mix; where none is published by the location-based factor (allowed with this "
        "disclosure); nothing where a market has no residual mix by its rules."
    )
    return order if config.accounting.instruments_file else f"{order} No contracts are stated in these books."


def _upstream(config: Config) -> str:
    loss = config.accounting.grid_loss
    losses = (
        "Grid losses are not stated and not added."
        if loss.ratio is None
        else f"Grid losses of {loss.ratio:.4g} ({loss.form.replace('_', ' ')}; {loss.source or 'no source stated'}) "
        "are added where the factor does not include them."
    )
    return (
        "Scope 3 category 3: life-cycle less direct factor of one place and year, never below 0; of years next to each "
        f"other or of a wider place where there are no others, which their line says, and else not known. {losses}"
    )


def _pue(places: Sequence[SiteUse]) -> str:
    lines = [f"{use.site or '(no site)'}: {use.pue_permille / 1000:.3f}, {use.pue_source}" for use in places]
    return "\n".join(dict.fromkeys(lines)) or "No energy."


def _embodied(config: Config) -> str:
    embodied = config.accounting.embodied
    host = (
        "The host has no figure and is not in it."
        if embodied.host_kgco2e is None
        else f"The host counts {embodied.host_kgco2e:g} kg by the held time of its CPU packages."
    )
    return (
        f"Cradle-to-gate figures, spread over {embodied.lifetime_h} h of held time, busy or not (ISO/IEC 21031). "
        f"{host} A performance figure: it is never added to Scope 2, and the GHG Protocol books hardware whole in the "
        "year of purchase (Scope 3 category 2)."
    )


def _gases(factors: Sequence[FactorUse]) -> str:
    sets = sorted({f"{use.gases} ({use.gwp_set})" for use in factors if use.basis.startswith(("location", "market"))})
    return f"As published, per factor: {', '.join(sets) or 'none'}. None were combined here."
