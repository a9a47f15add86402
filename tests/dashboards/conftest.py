"""The world and the servers, made once. Making the world takes ten seconds: of several workers one makes it, and the
others read what it has written."""

from __future__ import annotations

import fcntl
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.dashboards.fill import Server, prometheus_with, record, recording_rules, victoria_with
from tests.dashboards.world import END_S, START_S, World, make_world

#: What a site loads: the shipped rules, and budgets of its own.
LOADED = ("recording.yml", "budgets.example.yml")


def shared(factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this run see."""
    base = factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


def once(place: Path, make: Callable[[], bytes]) -> bytes:
    """The content of a file that the first who asks makes; the others wait for it."""
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            content = make()
            part = place.with_suffix(".part")
            part.write_bytes(content)
            part.rename(place)
        return place.read_bytes()


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("ledgers")
    content = once(shared(tmp_path_factory) / "world.pickle", lambda: pickle.dumps(make_world(folder)))
    made: World = pickle.loads(content)
    return made


@pytest.fixture(scope="session")
def prometheus(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It has scraped the world and recorded what the rules say."""
    with prometheus_with(tmp_path_factory.mktemp("prometheus") / "home", world.samples) as server:
        record(server, recording_rules(*LOADED), START_S, END_S)
        yield server


@pytest.fixture(scope="session")
def victoria(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with victoria_with(tmp_path_factory.mktemp("victoria") / "home", world.samples) as server:
        record(server, recording_rules(*LOADED), START_S, END_S)
        yield server
