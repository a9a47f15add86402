"""The command ``wattledger``. Each command is a file of this folder and is imported only when it is called."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any

import click

from tracker import __version__
from tracker.core.errors import WattledgerError

#: command -> (module, its click command, one line of help)
COMMANDS = {
    "run": ("tracker.cli.run", "run", "Run the daemon: measure, charge, book and serve."),
    "check": ("tracker.cli.check", "check", "Say what can be measured here and what would fix the rest."),
    "verify": ("tracker.cli.verify", "verify", "Prove that the ledger adds up."),
    "exec": ("tracker.cli.exec", "exec_command", "Run a command as a declared run and say what it used."),
    "job": ("tracker.cli.job", "job", "Say what a Slurm job has used."),
    "estimate": ("tracker.cli.estimate", "estimate", "Estimate energy and emissions from device-hours or kWh."),
    "grid": ("tracker.cli.grid", "grid", "Say what a kWh weighs and from where; read, carry and forecast factors."),
    "ship": ("tracker.cli.ship", "ship", "Put the node's closed hours into the fleet's books."),
    "export": ("tracker.cli.export", "export_command", "Write a month's statement into files for finance."),
    "trace": ("tracker.cli.trace", "trace", "Follow a row of a statement back to what it is made of."),
    "serve": ("tracker.cli.serve", "serve", "Serve the months and their statements: the finance portal."),
    "close": ("tracker.cli.close", "close", "Review a month, close it for ever, and say what is closed."),
    "restate": ("tracker.cli.restate", "restate", "Correct a closed month: in the open month, or by a new version."),
    "config": ("tracker.cli.config", "config", "Show or check the configuration."),
}


class _Lazy(click.Group):
    """A group whose commands are imported when they are needed: starting the daemon loads nothing else."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        # For "Did you mean …": click looks at the names alone.
        self.commands = dict.fromkeys(COMMANDS, click.Command(None))

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - API
        if cmd_name not in COMMANDS:
            return None
        module, name, _ = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=_Lazy)
@click.version_option(__version__)
def cli() -> None:
    """Track the energy and carbon footprint of AI compute, joule by joule."""


def main(arguments: list[str] | None = None) -> Any:
    """Run a command. An error is one sentence on stderr and exit code 1 (failed) or 2 (bad usage), never a
    traceback. Whoever reads the output may stop reading: that is no failure."""
    _open_streams()
    output = sys.stdout
    try:
        code = cli.main(args=arguments, prog_name="wattledger", standalone_mode=False)
        sys.stdout.flush()
    except WattledgerError as error:
        _tell(f"wattledger: {error}")
        code = error.exit_code
    except click.Abort:
        click.echo("Aborted!", err=True)
        code = 1
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except SystemExit as end:
        # click ends with 1 where nobody reads any more, and leaves a stand-in for the output.
        code = end.code if sys.stdout is output else 0
    except BrokenPipeError:
        code = 0
        _forget_output()
    except OSError as error:
        _raise_for_debugging()
        _tell(f"wattledger: {_in_words(error)}")
        code = 1
        _forget_output()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told in a sentence
        _raise_for_debugging()
        _tell(f"wattledger: unexpected {type(error).__name__}: {error}.")
        _tell("This is a bug. Set WATTLEDGER_DEBUG=1, run it again, and report what it prints.")
        code = 1
    sys.exit(code if isinstance(code, int | str) else 0)


def _tell(sentence: str) -> None:
    """On stderr. There may be anybody's words in it."""
    from tracker.cli.layout import echo  # noqa: PLC0415 - a daemon that starts has nothing to say

    for line in sentence.split("\n"):
        echo(line, err=True)


def _open_streams() -> None:
    """Where whoever started this closed a standard stream, the next file that is opened would take its place."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            os.open(os.devnull, os.O_RDWR)  # the lowest free one, which is this
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def _forget_output() -> None:
    """So that nothing complains when Python flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _raise_for_debugging() -> None:
    if os.environ.get("WATTLEDGER_DEBUG"):
        raise  # noqa: PLE0704 - the one that is being handled


def _in_words(error: OSError) -> str:
    """A fault of the system that nobody foresaw, with what it is about."""
    if error.errno == errno.ENOSPC and error.filename is None:
        return "The output could not be written: no space left."
    place = f"{error.filename}: " if isinstance(error.filename, str) else ""
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"{place}{error.strerror}. Run this as the user who runs wattledger, or as root."
    return f"{place}{error.strerror or error}. Look whether that path is the right one, and try again."
