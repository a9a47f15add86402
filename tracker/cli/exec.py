"""``wattledger exec``: any command as a declared run, with its energy and emissions at the end."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import click

from tracker.cli.child import run_command
from tracker.cli.summary import Summary, summarise, text_of
from tracker.core.rules import PHASES
from tracker.declare import Energy, Run, declare
from tracker.declare.run import ENV_PHASE, ENV_RUN, ENV_TOKEN, keep_up
from tracker.declare.wire import ENV_SOCKET, Json, ask, socket_path

#: A commit comes every 10 s by default; what is not booked by then is said.
WAIT_S = 12.0
ASK_S = 1.0


@click.command("exec", context_settings={"allow_interspersed_args": False})
@click.option("--name", default="", metavar="TEXT", help="What the run is called; the command's name by default.")
@click.option("--project", default="", metavar="TEXT", help="Whose energy it is: a label of the run.")
@click.option("--team", default="", metavar="TEXT", help="As above.")
@click.option("--phase", type=click.Choice(PHASES), default=None, help="What it does.")
@click.option("--cost-centre", default="", metavar="TEXT", help="Who pays for it.")
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON.")
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Where to, instead of stderr.")
@click.option("--socket", metavar="FILE", help="Of the daemon; by default where daemons listen.")
@click.option("--wait", "wait_s", metavar="SECONDS", default=WAIT_S, help="For the last booking, at most [12].")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def exec_command(
    command: tuple[str, ...],
    name: str,
    project: str,
    team: str,
    phase: str | None,
    cost_centre: str,
    as_json: bool,
    output: Path | None,
    socket: str | None,
    wait_s: float,
) -> None:
    """Run COMMAND as a declared run, and say at its end what it used and where the numbers come from.

    Its exit code is this command's (128 + n when signal n ended it), signals are passed on, and everything that it
    starts belongs to it. The summary goes to stderr.
    """
    if socket:
        os.environ[ENV_SOCKET] = socket
    program = os.path.basename(command[0])  # noqa: PTH119 - a program called "." has a name too
    run = declare(
        f"{program}-{os.urandom(4).hex()}",
        name=name or program,
        project=project,
        team=team,
        phase=phase or "",
        cost_centre=cost_centre,
        command=" ".join(command),
    )
    node = ask({"op": "node"}, ASK_S)
    began_s = time.monotonic()
    with run:
        inside = {ENV_RUN: run.id, ENV_TOKEN: run.token, ENV_PHASE: phase or "", ENV_SOCKET: socket_path()}
        code = run_command(command, {**os.environ, **inside}, keep_up)
        wall_s = time.monotonic() - began_s
    energy, now = _booked(run, wait_s)
    gone = now is None and node is not None
    _print(summarise(run.id, command, code, wall_s, energy, now or node, gone=gone), as_json=as_json, output=output)
    sys.exit(code)


def _booked(run: Run, wait_s: float) -> tuple[Energy | None, Json | None]:
    """The energy once it is booked, or what is booked when it takes too long or somebody presses Ctrl-C; and the daemon
    as it is now, if it answers."""
    try:
        energy = run.end(wait_s=wait_s)
    except KeyboardInterrupt:
        energy = run.energy()
    return energy, ask({"op": "node"}, ASK_S)


def _print(summary: Summary, *, as_json: bool, output: Path | None) -> None:
    text = json.dumps(summary.as_json(), indent=2) if as_json else text_of(summary)
    if output is None:
        click.echo(text, err=True)
        return
    try:
        output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:  # the command has run: its exit code must not be lost over this
        click.echo(f"wattledger: {output} cannot be written: {error.strerror}.\n{text}", err=True)
