"""Every source of the registry, in every state its hardware can be in, keeps the same promises.

A source is picked up by itself; it only has to bring `tests/sources/world_<name>.py`. What a user would lose otherwise
is in the name of each test.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.sources.watcher import Watcher
from tests.sources.world import SourceWorld
from tracker.core.model import Finding, GapReason, Level
from tracker.registry import DEMO, SOURCES
from tracker.sources.interface import Batch, Source, SourceAbsent, SourceDenied, SourceFailed

STATES = ("absent", "denied", "remove", "garbage")
#: The demo keeps the promises of a source, too.
ALL: tuple[type[Source], ...] = tuple(source for source, _ in (*SOURCES, DEMO))


def world_class(name: str) -> type[SourceWorld]:
    module = importlib.import_module(f"tests.sources.world_{name}")
    world: type[SourceWorld] = module.World
    return world


def has_world(name: str) -> bool:
    return Path(__file__).with_name(f"world_{name}.py").exists()


NAMES = [source.name for source in ALL if has_world(source.name)]


def cases() -> list[ParameterSet]:
    """Every source with every state; one it cannot have is shown with the reason."""
    found = []
    for name in NAMES:
        for state in STATES:
            reason = world_class(name).not_applicable.get(state)
            label = f"{name}-{state}" if reason is None else f"{name}-{state} not applicable: {reason}"
            found.append(pytest.param(name, state, reason, id=label))
    return found


@pytest.fixture
def worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worlds]:
    made = Worlds(tmp_path, monkeypatch)
    yield made
    made.close()


class Worlds:
    """Makes the world of a source and undoes it, with every source that was opened in it, after the test."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._tmp_path, self._monkeypatch = tmp_path, monkeypatch
        self._world: SourceWorld | None = None
        self._sources: list[Source] = []

    def make(self, name: str) -> SourceWorld:
        self._world = world_class(name)(self._tmp_path, self._monkeypatch)
        return self._world

    def source(self) -> Source:
        assert self._world is not None
        self._sources.append(self._world.source())
        return self._sources[-1]

    def close(self) -> None:
        for source in self._sources:
            source.close()
        if self._world is not None:
            self._world.close()


def keys_read(batches: list[Batch]) -> set[str]:
    return {reading.sensor for batch in batches for reading in batch.readings}


def assert_remedied(findings: tuple[Finding, ...]) -> None:
    """What is not well comes with the step that would mend it."""
    for finding in findings:
        assert finding.message
        assert finding.level is Level.OK or finding.remedy, f"no remedy: {finding.message}"


@pytest.mark.parametrize("source", ALL, ids=lambda source: source.name)
def test_a_source_brings_a_world_to_be_tested_in(source: type[Source]) -> None:
    assert has_world(source.name), f"tests/sources/world_{source.name}.py is missing"


@pytest.mark.parametrize("name", NAMES)
def test_a_healthy_source_reads_every_sensor(name: str, worlds: Worlds) -> None:
    world = worlds.make(name)
    watcher = Watcher(world, worlds.source())
    watcher.open()
    batches = watcher.read_many(6)
    assert watcher.inventory
    assert keys_read(batches) == watcher.inventory
    assert all(batch.sensors is None for batch in batches[1:]), "an inventory that did not change is not sent again"
    assert not [missing for batch in batches for missing in batch.missing]
    assert_remedied(watcher.source.check())


@pytest.mark.parametrize("name", NAMES)
def test_keys_are_stable_so_that_counters_continue(name: str, worlds: Worlds) -> None:
    """Over a re-open, and over a restart of the daemon (a new object)."""
    world = worlds.make(name)
    watcher = Watcher(world, worlds.source())
    watcher.open()
    watcher.read()
    keys = watcher.inventory
    watcher.source.close()
    watcher.open()
    watcher.read()
    assert watcher.inventory == keys
    watcher.source.close()
    again = Watcher(world, worlds.source())
    again.open()
    again.read()
    assert again.inventory == keys


@pytest.mark.parametrize("name", NAMES)
def test_close_can_be_called_twice_and_in_any_state(name: str, worlds: Worlds) -> None:
    world = worlds.make(name)
    source = worlds.source()
    source.close()
    source.close()
    source.open()
    world.advance(source.period_s)
    source.read()
    source.close()
    source.close()
    source.open()
    source.close()


@pytest.mark.parametrize("name", NAMES)
def test_check_works_opened_or_not_and_changes_nothing(name: str, worlds: Worlds) -> None:
    world = worlds.make(name)
    watcher = Watcher(world, worlds.source())
    before = watcher.source.check()
    assert before
    assert_remedied(before)
    watcher.open()
    watcher.read()
    assert watcher.source.check()
    assert watcher.read().sensors is None
    watcher.source.close()
    assert watcher.source.check()


@pytest.mark.parametrize(("name", "state", "reason"), cases())
def test_a_fault_is_named_and_passes_by_itself(name: str, state: str, reason: str | None, worlds: Worlds) -> None:
    """Never a zero, never a crash, always a remedy; and back when the hardware is."""
    if reason is not None:
        assert reason.strip()
        return
    world = worlds.make(name)
    watcher = Watcher(world, worlds.source())
    watcher.open()
    watcher.read_many(3)
    wanted = set(watcher.inventory or ())
    if state in {"absent", "denied"}:
        watcher.source.close()
        getattr(world, state)()
        _cannot_begin(watcher, state)
    else:
        getattr(world, state)()
        _fails_while_running(watcher)
    findings = watcher.source.check()
    assert [finding for finding in findings if finding.level is not Level.OK], "check is silent about the fault"
    assert_remedied(findings)
    watcher.source.close()
    assert_remedied(watcher.source.check())
    world.restore()
    watcher.open()
    watcher.until_all_are_back(wanted)


@pytest.mark.parametrize(("name", "state", "reason"), cases())
def test_a_running_source_comes_back_without_being_opened_anew(
    name: str, state: str, reason: str | None, worlds: Worlds
) -> None:
    """Only a source that raises is closed and opened, as the daemon does."""
    if reason is not None or state not in {"remove", "garbage"}:
        return
    world = worlds.make(name)
    watcher = Watcher(world, worlds.source())
    watcher.open()
    watcher.read_many(3)
    wanted = set(watcher.inventory or ())
    getattr(world, state)()
    _fails_while_running(watcher)
    world.restore()
    watcher.until_all_are_back(wanted)


def _cannot_begin(watcher: Watcher, state: str) -> None:
    """Absent: open says so. Denied: open says so and how to mend it, or every read is a gap."""
    if state == "absent":
        with pytest.raises(SourceAbsent):
            watcher.open()
        return
    try:
        watcher.open()
    except SourceDenied as error:
        denied = error
    else:
        reasons = {missing.reason for batch in watcher.read_many(2) for missing in batch.missing}
        assert reasons == {GapReason.PERMISSION}
        return
    assert denied.remedy


def _fails_while_running(watcher: Watcher) -> None:
    """Within three reads there is a gap or a failure."""
    try:
        batches = watcher.read_many(3)
    except SourceFailed:
        return
    assert any(batch.missing for batch in batches)
