"""A daemon's place is left clean for one of another user, and never belongs to two."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.fakes.unprivileged import become_nobody
from tracker.workloads.declared.place import Place


@pytest.fixture
def folder() -> Iterator[Path]:
    """As tmpfiles makes /run/wattledger: others may add what is theirs, and touch nothing of root's."""
    with TemporaryDirectory(dir="/tmp", prefix="wl-") as made:
        Path(made).chmod(0o1777)
        yield Path(made)


@pytest.mark.needs("root")
def test_after_a_daemon_of_root_the_units_user_listens(folder: Path) -> None:
    """Or a single ``make run`` as root ends the declaring of runs until the next boot."""
    Place(folder / "declare.sock").close()
    assert list(folder.iterdir()) == []
    child = os.fork()
    if child == 0:
        code = 1
        with suppress(OSError):
            become_nobody()
            Place(folder / "declare.sock").close()
            code = 0
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_place_never_has_two_owners(folder: Path) -> None:
    """Also while others give it up, and their lock with it."""
    holding, had = threading.Lock(), []

    def contend(_: int) -> None:
        for _ in range(100):
            with suppress(OSError):
                place = Place(folder / "declare.sock")
                assert holding.acquire(blocking=False), "somebody else has it"
                had.append(place.path.is_socket())
                holding.release()
                place.close()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(contend, range(4))) == [None] * 4
    assert len(had) > 4
    assert all(had)
    assert list(folder.iterdir()) == []
