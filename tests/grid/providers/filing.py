"""For the tests of the file provider: a table is written, and read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tracker.core.factors import FactorRow
from tracker.grid.catalogue import by_name
from tracker.grid.file import FileProvider, Options
from tracker.grid.interface import (
    Answer,
    BadAnswer,
    ProviderError,
    Question,
)

START_S, END_S, NOW_S = 1_767_225_600, 1_767_312_000, 1_767_400_000  # 2026-01-01, 2026-01-02
FRANCE = by_name()["FR"]
HOURS = "datetime,g_per_kwh\n2026-01-01T00:00:00Z,23.40\n2026-01-01T02:00:00+01:00,\n2026-01-01T02:00:00Z,0\n"


def nobody(question: Question) -> Answer:
    raise AssertionError(question)


def provider(path: Path | str, **settings: Any) -> FileProvider:
    usual = {} if "preset" in settings else {"zone": "FR", "publisher": "ACME"}
    return FileProvider(Options(path=str(path), **{**usual, **settings}), nobody)


def read(
    folder: Path, text: str | bytes, start_s: int = START_S, end_s: int = END_S, asked: str = "FR", **settings: Any
) -> tuple[FactorRow, ...]:
    path = folder / "own.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return provider(path, **settings).read(by_name()[asked], start_s, end_s, NOW_S)


def refusal(folder: Path, text: str | bytes, kind: type[ProviderError] = BadAnswer, **settings: Any) -> str:
    with pytest.raises(kind) as caught:
        read(folder, text, **settings)
    return str(caught.value)


def values(rows: tuple[FactorRow, ...]) -> list[tuple[int, str]]:
    return [((row.valid_from_s - START_S) // 60, row.value_printed) for row in rows]
