"""The errors a user may see: one clear sentence and what to do next. They never carry a traceback to a terminal."""

from __future__ import annotations


class WattledgerError(Exception):
    """A failed job. ``remedy`` is the exact line or step that would mend it (may be empty)."""

    exit_code = 1

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}".strip()


class UsageError(WattledgerError):
    """Bad usage or configuration (exit code 2)."""

    exit_code = 2
