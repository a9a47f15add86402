"""Bundles of grid factors in the books: once each, and unaltered."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracker.books.factorfiles import factor_files, read_factors, record_factors
from tracker.books.folder import FolderStore
from tracker.books.interface import BooksDamaged


def test_a_bundle_is_kept_once(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    name = record_factors(store, b"one")
    assert name == "factors/7692c3ad3540bb80.json", "made of its content, so that two nodes agree"
    assert record_factors(store, b"one") is None
    record_factors(store, b"two")
    assert len(factor_files(store)) == 2
    assert dict(read_factors(store)) == {name: b"one", factor_files(store)[0]: b"two"}


def test_an_altered_bundle_is_told(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    name = record_factors(store, b"one")
    (tmp_path / str(name)).write_bytes(b"ONE")
    with pytest.raises(BooksDamaged, match=r"factors/7692c3ad3540bb80\.json was altered"):
        list(read_factors(store))
