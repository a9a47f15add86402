"""What this machine knows of the grid and the books do not: it weighs nothing, and whoever reads a draft is told."""

from __future__ import annotations

from contextlib import suppress

from tracker.books.interface import BookStore
from tracker.cli import layout
from tracker.config import Config
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
            said = f"This machine knows {what} that the books lack; nothing is weighed with that."
            layout.echo(f"wattledger: {said} Put it there: {_command(config, store)}", err=True)


def _command(config: Config, store: BookStore) -> str:
    state_dir = config.node.state_dir
    own = "" if state_dir == Config().node.state_dir else f" --state-dir {state_dir}"
    return f"wattledger ship --factors{own} --books {without_userinfo(store.url)}"
