"""What ``wattledger check`` says of the runs."""

from __future__ import annotations

from tracker.core.model import Finding, Level


def findings(active: int, processes: int, overflow: int, refused: str) -> tuple[Finding, ...]:
    """``overflow``: processes that were not followed. ``refused``: why the last refused declaration was."""
    found = [Finding(Level.OK, "runs", f"{active} declared runs with {processes} processes.")]
    if refused:
        found.append(Finding(Level.WARN, "runs", f"The last refused declaration: {refused}"))
    if overflow:
        message = f"{overflow} processes of runs were not followed: there are too many."
        found.append(Finding(Level.WARN, "runs", message, "Declare runs in fewer processes."))
    return tuple(found)
