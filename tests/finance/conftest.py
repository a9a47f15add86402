"""October of one node, open and closed, made once for each worker and copied for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.finance import months
from tracker.books.interface import BookStore


@pytest.fixture(scope="session")
def october(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return months.make(tmp_path_factory.mktemp("october") / "books")


@pytest.fixture
def store(october: Path, tmp_path: Path) -> BookStore:
    return months.copied(october, tmp_path / "books")


@pytest.fixture(scope="session")
def closed_october(october: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return months.make_closed(october, tmp_path_factory.mktemp("closed") / "books")


@pytest.fixture
def closed(closed_october: Path, tmp_path: Path) -> BookStore:
    """October, reviewed by alice and closed by bob."""
    return months.copied(closed_october, tmp_path / "closed")
