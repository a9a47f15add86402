"""What must be so before a month may be closed: each condition with what would mend it.

None of them is absolute: whoever knows better waives one by name and says why, and the statement says it for ever
(``closing.py``). A condition that is met but has a remedy is a warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracker.core.factors import GENERIC
from tracker.core.percent import cut
from tracker.core.statement import Check, Statement

PPM = 1_000_000
#: In the order in which they are shown.
CONDITIONS = (
    "over",
    "coverage",
    "unshipped",
    "overlap",
    "verify",
    "zone",
    "unweighed",
    "tier",
    "simulated",
    "pue",
)
_LISTED = 5
#: On any machine: what is only read there weighs nothing.
_INTO_BOOKS = (
    "wattledger grid import FILE, or wattledger grid fetch ZONE --from T --to T; then wattledger ship --factors"
)
_WORLD = "WORLD"  # of the catalogue: everywhere and nowhere


@dataclass(frozen=True, slots=True)
class Limits:
    """``books.coverage_threshold`` and ``books.tier5_threshold``."""

    coverage_ppm: int = 950_000
    tier5_ppm: int = 50_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the conditions look at beside the statement."""

    unshipped: tuple[str, ...] = ()  # nodes of which the month's last hours, or the energy of some, are missing
    conflicts: tuple[str, ...] = ()  # files that contradict others about the same hours
    findings: tuple[str, ...] = ()  # what an audit of the books found broken


def conditions(statement: Statement, evidence: Evidence, limits: Limits) -> tuple[Check, ...]:
    """All of ``CONDITIONS``, in their order, for a statement of everything that the month has (no filters)."""
    found = {
        check.name: check
        for check in (
            _over(statement),
            _coverage(statement, limits),
            _unless("unshipped", evidence.unshipped, *_UNSHIPPED),
            _unless("overlap", evidence.conflicts, *_OVERLAP),
            _unless("verify", evidence.findings, *_VERIFY),
            _unless("zone", _unplaced(statement), *_ZONE),
            _unweighed(statement),
            _tier(statement, limits),
            _simulated(statement),
            _pue(statement),
        )
    }
    return tuple(found[name] for name in CONDITIONS)


#: What is said when nothing was found, when something was, and what to do then.
_UNSHIPPED = (
    "Every node shipped to the end of the month.",
    "Of these nodes the last hours, or the energy of some, are missing",
    "Run on each of them: wattledger ship. A node that is gone for good: [books.retired] NAME = DATE",
)
_OVERLAP = (
    "No file contradicts another.",
    "These files contradict others about the same hours",
    "Look at both, keep the right one, and run: wattledger verify --books URL",
)
_VERIFY = (
    "The books verify.",
    "The books do not verify",
    "Run wattledger verify --books URL, which has the remedy of each.",
)
_ZONE = (
    "Somebody set the zone of every site.",
    "Nobody set the zone of these sites",
    'Set it: [site.NAME] zone = "FR"',
)


def _over(statement: Statement) -> Check:
    month = statement.period.month
    if statement.as_of_s >= statement.period.end_s:
        return Check("over", passed=True, message=f"{month} is over.")
    return Check("over", passed=False, message=f"{month} is not over.", remedy="Close it when it is.")


def _coverage(statement: Statement, limits: Limits) -> Check:
    covered = statement.total.ratios.coverage_ppm
    wanted = cut(limits.coverage_ppm)
    remedy = (
        "Ship what is missing (the sheet Coverage lists the hours), "
        "or lower books.coverage_threshold for good if that is your policy."
    )
    if covered is None:
        text = "There is no device of which time was expected: nothing was measured."
        return Check("coverage", passed=False, message=text, remedy=remedy)
    if covered < limits.coverage_ppm:
        text = f"{cut(covered)} of the expected device time is covered, {wanted} are asked for."
        return Check("coverage", passed=False, message=text, remedy=remedy)
    return Check("coverage", passed=True, message=f"{cut(covered)} of the expected device time is covered.")


def _unweighed(statement: Statement) -> Check:
    total = statement.total.amounts
    if not total.unweighed_wh:
        return Check("unweighed", passed=True, message="All energy has a location-based factor.")
    text = f"{_kwh(total.unweighed_wh)} of {_kwh(total.energy_facility_wh)} have no location-based factor."
    remedy = f"Set the zone of the site. {_into_books(statement)}"
    return Check("unweighed", passed=False, message=text, remedy=remedy)


def _tier(statement: Statement, limits: Limits) -> Check:
    basis = f"location_{statement.location_method}"
    used = [each for each in statement.factors if each.basis == basis]
    generic_wh = sum(each.energy_wh for each in used if each.tier >= GENERIC)
    total_wh = statement.total.amounts.energy_facility_wh
    ppm = generic_wh * PPM // total_wh if total_wh else 0
    text = f"{cut(ppm)} of the energy is weighed by generic factors (tier {GENERIC} and worse)"
    if ppm <= limits.tier5_ppm:
        return Check("tier", passed=True, message=f"{text}.")
    zones = _names(sorted({each.zone for each in used if each.tier >= GENERIC}))
    text = f"{text}: {zones}; {cut(limits.tier5_ppm)} are allowed."
    return Check("tier", passed=False, message=text, remedy=_into_books(statement))


def _into_books(statement: Statement) -> str:
    """How better factors reach a statement."""
    if statement.location_method == "hourly":
        return f"Put factors into the books: {_INTO_BOOKS}"
    return (
        "Put yearly factors into the books (those of hours count with accounting.location_factor = "
        f'"hourly"): {_INTO_BOOKS}'
    )


def _simulated(statement: Statement) -> Check:
    simulated_wh = statement.total.amounts.simulated_wh
    if not simulated_wh:
        return Check("simulated", passed=True, message="No energy is simulated.")
    text = f"{_kwh(simulated_wh)} are simulated: they come from a demonstration."
    remedy = "Keep demonstrations out of these books: run them with a --state-dir of their own and do not ship it."
    return Check("simulated", passed=False, message=text, remedy=remedy)


def _unplaced(statement: Statement) -> list[str]:
    """Sites that nobody placed, or in the world at large (P11)."""
    return sorted({_site(each.site) for each in statement.sites if each.zone_assumed or each.zone == _WORLD})


def _pue(statement: Statement) -> Check:
    assumed = sorted({_site(each.site) for each in statement.sites if each.pue_assumed})
    if not assumed:
        return Check("pue", passed=True, message="The PUE of every site was stated by somebody.")
    text = f"The PUE of {_names(assumed)} is assumed: nobody stated it."
    return Check("pue", passed=True, message=text, remedy='State it: [site.NAME] pue = 1.21, pue_source = "…"')


def _site(name: str) -> str:
    return name or "(no site)"


def _unless(name: str, found: Sequence[str], good: str, bad: str, remedy: str) -> Check:
    """A condition that is met where nothing was found."""
    if not found:
        return Check(name, passed=True, message=good)
    return Check(name, passed=False, message=f"{bad}: {_names(found)}.", remedy=remedy)


def _names(found: Sequence[str]) -> str:
    shown = ", ".join(found[:_LISTED])
    return shown if len(found) <= _LISTED else f"{shown} and {len(found) - _LISTED} more"


def _kwh(wh: int) -> str:
    return f"{wh // 1000}.{wh % 1000:03} kWh"
