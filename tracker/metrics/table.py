"""The table of metrics for the README, generated from the families so that it cannot drift."""

from __future__ import annotations

from tracker.metrics.families import FAMILIES

BEGIN = "<!-- metrics:begin -->"
END = "<!-- metrics:end -->"


def metrics_table() -> str:
    """A Markdown table of every metric, without the markers around it. Ends in a newline."""
    lines = ["| metric | type | labels | meaning |", "|---|---|---|---|"]
    for family in FAMILIES:
        labels = ", ".join(f"`{name}`" for name in family.labels)
        lines.append(f"| `{family.sample_name}` | {family.kind} | {labels} | {family.help} |")
    return "\n".join(lines) + "\n"


def section_of(readme: str) -> str | None:
    """What stands between the markers of a README; None when it has no such section."""
    _, begin, rest = readme.partition(BEGIN + "\n")
    section, end, _ = rest.partition(END)
    return section if begin and end else None
