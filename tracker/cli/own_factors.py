"""What this machine knows of the grid and the books do not: it weighs nothing, and whoever reads a draft is told."""

from __future__ import annotations

import shlex
from contextlib import suppress

from tracker.books.interface import BookStore
from tracker.cli import layout
from tracker.config import Config
from tracker.config.load import SYSTEM_PATH
from tracker.core.statement import Statement
from tracker.core.words import counted
from tracker.finance.terms import only_here
from tracker.grid.store import StoreError
from tracker.secrecy import without_userinfo


def tell_only_here(config: Config, store: BookStore, statement: Statement) -> None:
    """One line on stderr, where there is something to tell. A store of factors that cannot be read keeps nobody from a
    statement that does not use it."""
    with suppress(StoreError):
        zones = {use.zone for use in statement.sites}
        missing = only_here(config, store, zones, statement.period, statement.as_of_s)
        if missing:
            what = f"{counted(missing, 'grid factor')} of {statement.period.month}"
            them = "it" if missing == 1 else "them"
            said = f"This machine knows {what} that the books lack; nothing is weighed with {them}."
            layout.echo(f"wattledger: {said} Put {them} there: {_command(config, store)}", err=True)


def _command(config: Config, store: BookStore) -> str:
    """For the same store of factors and the same books: their credentials may be in the configuration."""
    words = ["wattledger", "ship", "--factors"]
    if config.path not in {None, SYSTEM_PATH}:
        words += ["--config", str(config.path)]
    if config.origins.get("node.state_dir", "").startswith("flag "):
        words += ["--state-dir", str(config.node.state_dir)]
    return shlex.join([*words, "--books", without_userinfo(store.url)])
