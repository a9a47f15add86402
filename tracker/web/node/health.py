"""What works and what does not: sources with the fix for what is missing, gaps, the book, cross-checks."""

from __future__ import annotations

from tracker.core.model import Finding, Level
from tracker.core.snapshot import GapState, Snapshot, SourceState
from tracker.web.node import figures, words
from tracker.web.node.markup import code, facts, label, note, row, section, table, text

_GAPS_SHOWN = 20
_LEVEL = {Level.OK: "ok", Level.WARN: "warn", Level.FAIL: "bad"}
_LEVEL_WORD = {Level.OK: "", Level.WARN: "Warning: ", Level.FAIL: "Missing: "}


def sources(snapshot: Snapshot) -> str:
    """Every source, with the lines that mend it."""
    if not snapshot.sources:
        return section("sources", "Sources", note("No source of energy readings was found on this machine."))
    items = "".join(_source(number, state, snapshot.tick_wall_s) for number, state in enumerate(snapshot.sources))
    return section("sources", "Sources", f'<ul class="plain">{items}</ul>')


def _source(number: int, state: SourceState, now_s: float) -> str:
    badge = '<span class="badge ok">up</span>' if state.up else '<span class="badge bad">down</span>'
    if state.last_success_wall_s is None:
        read = "never read"
    else:
        read = f"read {figures.ago(now_s, state.last_success_wall_s)}, took {_took(state.read_s)}"
    errors = ", ".join(
        f"{count}\u00a0\u00d7\u00a0{text(kind)}" for kind, count in sorted(state.errors.items()) if count
    )
    detail = f"{read} · errors so far: {errors}" if errors else read
    findings = "".join(_finding(f"{number}-{place}", finding) for place, finding in enumerate(state.findings))
    return f"<li><h3>{label(state.name)} {badge}</h3><small>{detail}</small>{findings}</li>"


def _took(read_s: float) -> str:
    """A read takes microseconds to seconds."""
    return f"{read_s:.1f}\u00a0s" if read_s >= 1 else f"{read_s * 1000:.1f}\u00a0ms"


def _finding(key: str, finding: Finding) -> str:
    fix = code(finding.remedy, key) if finding.remedy else ""
    subject = f"{label(finding.subject)}: " if finding.subject else ""
    sentence = f"{_LEVEL_WORD[finding.level]}{subject}{text(finding.message)}"
    return f'<p class="finding {_LEVEL[finding.level]}">{sentence}</p>{fix}'


def gaps(snapshot: Snapshot) -> str:
    """Time without a reading. Never hidden, because it is never booked as zero."""
    if not snapshot.gaps:
        return section("gaps", "Gaps", note("No time without a reading."))
    longest = sorted(snapshot.gaps, key=lambda gap: -gap.duration_ms)
    names = {d.sensor.key: f"{words.COMPONENT[d.sensor.component]} {d.sensor.index}".strip() for d in snapshot.devices}
    rows = [_gap(gap, names) for gap in longest[:_GAPS_SHOWN]]
    rest = longest[_GAPS_SHOWN:]
    if rest:
        rows.append(row(f"{len(rest)} more", [(figures.duration(sum(g.duration_ms for g in rest)), "num")], "rest"))
    why = note("Time without a reading, since the book began. Its energy is unknown, not zero.")
    return section("gaps", "Gaps", why, table("Gaps by device", [("Device", ""), ("Length", "num")], rows))


def _gap(gap: GapState, names: dict[str, str]) -> str:
    head = f"{label(names.get(gap.device, gap.device))}<small>{words.GAP[gap.reason]}</small>"
    return row(head, [(figures.duration(gap.duration_ms), "num")])


def book(snapshot: Snapshot) -> str:
    """The ledger, and how well it adds up."""
    ledger = snapshot.ledger
    state = '<span class="badge ok">booking</span>' if ledger.ok else '<span class="badge bad">stopped</span>'
    when = "never" if ledger.commit_wall_s is None else figures.ago(snapshot.tick_wall_s, ledger.commit_wall_s)
    error_uj = snapshot.conservation_error_uj
    balance = (
        "every joule is charged" if error_uj == 0 else f'<span class="bad">{error_uj:,}\u00a0µJ do not add up</span>'
    )
    pairs = [
        ("State", state),
        ("Last commit", when),
        ("Size", str(figures.size(ledger.size_bytes))),
        ("Balance", balance),
        ("Ticks missed", f"{snapshot.ticks_missed:,}"),
    ]
    seen = snapshot.joined_processes + snapshot.unjoined_processes
    if seen:
        pairs.append(("GPU processes", f"{snapshot.joined_processes} of {seen} matched with a workload"))
    return section("book", "Book", facts(pairs))


def crosscheck(snapshot: Snapshot) -> str:
    """Energy counters against integrated power, where a device has both."""
    ratios = snapshot.crosscheck_permille
    if not ratios:
        return ""
    names = {d.sensor.key: f"{words.COMPONENT[d.sensor.component]} {d.sensor.index}".strip() for d in snapshot.devices}
    rows = (row(label(names.get(key, key)), [(figures.ratio(value), "num")]) for key, value in ratios.items())
    why = note("The energy counter divided by the energy summed from power readings: 1.000 where both agree.")
    listing = table("Counter against power", [("Device", ""), ("Ratio", "num")], rows)
    return section("crosscheck", "Cross-check", why, listing)
