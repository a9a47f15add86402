"""How findings look: a table on a terminal, one aligned line each in a pipe. Remedies stand on lines of their own, to
be copied whole."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tracker.cli import layout
from tracker.core.model import Finding, Level
from tracker.core.plain import plain

_MARKS = {Level.OK: ("ok", "green"), Level.WARN: ("warn", "yellow"), Level.FAIL: ("FAIL", "red")}


def show_findings(title: str, findings: Sequence[Finding]) -> None:
    """Print a section of findings."""
    if sys.stdout.isatty():
        _show_table(title, findings)
    else:
        _show_lines(title, findings)


def _show_lines(title: str, findings: Sequence[Finding]) -> None:
    layout.echo(title)
    width = max((len(plain(finding.subject)) for finding in findings), default=0)
    for finding in findings:
        layout.echo(f"  {_MARKS[finding.level][0]:<4}  {plain(finding.subject):<{width}}  {finding.message}")
        for line in finding.remedy.split("\n") if finding.remedy else ():
            layout.echo(f"  {'':<4}  {'':<{width}}  fix: {line}")


def _show_table(title: str, findings: Sequence[Finding]) -> None:
    from rich import box  # noqa: PLC0415 - only where there is a terminal to draw on
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    table = Table(box=box.SIMPLE_HEAD, show_header=False, title=title, title_justify="left", title_style="bold")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, max_width=28)
    table.add_column(overflow="fold")
    for finding in findings:
        mark, colour = _MARKS[finding.level]
        told = Text(plain(finding.message))
        for line in finding.remedy.split("\n") if finding.remedy else ():
            told.append(f"\nfix: {plain(line)}", style="cyan")
        table.add_row(Text(mark, style=colour), Text(plain(finding.subject)), told)
    Console(highlight=False).print(table)
