"""One image for all tests of a run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.podman import Engine, built


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with built(tmp_path_factory) as made:
        yield made
