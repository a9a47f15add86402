"""How findings look: a table with colour on a terminal, one aligned line each in a pipe. Remedies stand on a line of
their own, to be copied."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from tracker.core.model import Finding, Level

_MARKS = {Level.OK: ("ok", "green"), Level.WARN: ("warn", "yellow"), Level.FAIL: ("FAIL", "red")}


def show_findings(title: str, findings: Sequence[Finding]) -> None:
    """Print a section. Colour is left out by click where there is no terminal."""
    click.secho(title, bold=True)
    width = max((len(finding.subject) for finding in findings), default=0)
    for finding in findings:
        mark, colour = _MARKS[finding.level]
        click.echo(f"  {click.style(f'{mark:<4}', fg=colour)}  {finding.subject:<{width}}  {finding.message}")
        for line in finding.remedy.splitlines():
            click.echo(f"  {'':<4}  {'':<{width}}  {click.style('fix:', dim=True)} {line}")
    if sys.stdout.isatty():
        click.echo()
