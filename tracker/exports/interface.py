"""What renders a statement for finance. Read this before any other file of this folder.

An exporter turns one ``core.statement.Statement`` into one file. It decides nothing and rounds nothing: every number in
the file is an integer of the statement, or a quotient of two that is printed and never summed. The same statement gives
the same bytes on every machine, whatever the time, the locale, the time zone and the hash seed are.

Implementations are listed in ``registry.EXPORTS``. The registry is read by the daemon, which exports nothing: what a
format needs is imported inside ``render``, so that a file here costs the daemon a few kilobytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

from tracker.core.statement import Statement


@dataclass(frozen=True, slots=True)
class Options:
    """``csv_bom``: begin CSV files with a byte order mark, without which Excel takes UTF-8 for the code page of its
    machine when a file is opened by a double click."""

    csv_bom: bool = False


DEFAULT_OPTIONS = Options()


class Exporter(ABC):
    """Use: ``EXPORTS["csv"](options).render(statement, out)``."""

    name: ClassVar[str]  # what ``--format`` takes
    extension: ClassVar[str]  # without a leading dot; different for each format, so that all fit into one folder
    media_type: ClassVar[str]

    def __init__(self, options: Options = DEFAULT_OPTIONS) -> None:
        self.options = options

    @abstractmethod
    def render(self, statement: Statement, out: BinaryIO) -> None:
        """Write the file into ``out``, which need not be seekable and is left open. Errors of ``out`` pass through."""
