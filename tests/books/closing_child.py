"""A closer in a process of its own.

python -m tests.books.closing_child URL WHO [KILL_AFTER]

It reviews and closes the fixture's October like the command does. KILL_AFTER: kill itself with SIGKILL right after so
many files were created (0: before the first).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from tests.fakes.statements import STATEMENT
from tracker.books.closing import Renderer, claim, draft_of, keep_pieces, keep_review, seal
from tracker.books.interface import BookStore
from tracker.books.store import open_store
from tracker.books.versions import versions
from tracker.core.closing import Claim, NotClosable, Review, may_close
from tracker.core.statement import Statement

MONTH = "2026-10"


def text(kind: str) -> Renderer:
    def render(statement: Statement, out: BinaryIO) -> None:
        lines = [kind, statement.statement_id, statement.approver, *(repr(row) for row in statement.rows)]
        out.write("\n".join(lines).encode("utf-8", "surrogatepass"))

    return Renderer(kind, kind, f"text/{kind}", render)


RENDERERS = [text("csv"), text("json"), text("html")]


class Deadly(BookStore):
    """A store that ends the process after so many creations."""

    def __init__(self, store: BookStore, after: int) -> None:
        self.url, self._store, self._left = store.url, store, after
        self._die()

    def _die(self) -> None:
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def names(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        return self._store.names(prefix)

    def read(self, name: str) -> bytes | None:
        return self._store.read(name)

    def create(self, name: str, content: bytes) -> bool:
        made = self._store.create(name, content)
        self._left -= made
        if made:
            self._die()
        return made

    def remove(self, name: str) -> None:
        self._store.remove(name)

    def local(self, names: Sequence[str]) -> list[Path]:
        return self._store.local(names)


def review(store: BookStore, statement: Statement = STATEMENT, who: str = "alice") -> Review:
    draft = draft_of(statement)
    return keep_review(
        store,
        draft,
        Review(
            month=MONTH,
            version=1,
            number=1,
            preparer=who,
            reviewed_at_s=1793700000,
            as_of_s=statement.as_of_s,
            group_by=statement.group_by,
            filters=(),
            software=statement.software,
            statement_sha256=draft.sha256,
            inputs_sha256=draft.inputs_sha256,
        ),
    )


def claim_for(store: BookStore, who: str, statement: Statement = STATEMENT) -> Claim:
    (version,) = versions(store, MONTH)
    reviewed = may_close(version.review, who, month=MONTH, same_person=False)
    return Claim(
        month=MONTH,
        version=1,
        approver=who,
        preparer=reviewed.preparer,
        closed_at_s=1793800000,
        same_person=False,
        as_of_s=reviewed.as_of_s,
        group_by=reviewed.group_by,
        filters=(),
        options=(("books.timezone", "Europe/Paris"),),
        software="0.1.0",
        statement_sha256=reviewed.statement_sha256,
        inputs_sha256=reviewed.inputs_sha256,
        checks=(),
        waivers=(),
        corrections=(),
        formats=("csv", "json", "html"),
        inputs=statement.inputs,
        kept=keep_pieces(store, MONTH, 1, statement.inputs),
    )


def main(url: str, who: str, kill_after: int = -1) -> None:
    store: BookStore = open_store(url)
    store = store if kill_after < 0 else Deadly(store, kill_after)
    try:
        if not versions(store, MONTH) or versions(store, MONTH)[0].review is None:
            review(store)
        seal(store, claim(store, claim_for(store, who)), RENDERERS)
    except NotClosable as error:
        print(error)
        sys.exit(1)
    print("closed")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
