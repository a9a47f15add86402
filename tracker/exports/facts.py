"""What a statement says of itself in words."""

from __future__ import annotations

from tracker.core.statement import Statement
from tracker.exports.head import utc


def facts(statement: Statement) -> list[tuple[str, str]]:
    """What a reader checks first."""
    period = statement.period
    named = (
        ("Entity", statement.entity),
        ("Period", f"{period.month} ({period.timezone}): {utc(period.start_s)} to {utc(period.end_s)}, exclusive"),
        ("Statement", statement.statement_id),
        ("Version", str(statement.version)),
        ("Status", statement.status.value),
        ("Prepared by", statement.preparer),
        ("Approved by", statement.approver),
        ("Knowledge of", utc(statement.as_of_s)),
        ("Location factors", statement.location_method),
        ("Currency", statement.currency),
        ("Filters", ", ".join(f"{name}={value}" for name, value in statement.filters)),
        ("Software", f"wattledger {statement.software}"),
    )
    return [(name, value) for name, value in named if value]
