"""A driver call that does not return: nothing else waits for it, and later readings are right."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.nvml.parts import FakeGpu
from tests.sources.world_nvml import Running, World
from tracker.core.model import GapReason
from tracker.sources.interface import Batch, SourceFailed

pytestmark = pytest.mark.needs("gcc")


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in 20 s"
        time.sleep(0.001)


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Running]:
    world = World(tmp_path, None, (FakeGpu(power=[(0, 100)]), FakeGpu(power=[(0, 200)])))
    yield Running(world)
    world.close()


class HangingRead:
    """A read in a thread that is asleep in the driver."""

    def __init__(self, node: Running) -> None:
        self.batch: Batch | None = None
        self.node = node
        node.fake.hang(0, "energy")
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        until(lambda: node.fake.hung == 1)

    def _read(self) -> None:
        self.batch = self.node.source.read()

    def end(self) -> Batch:
        self.node.fake.heal()
        self.thread.join(20)
        assert self.batch is not None
        return self.batch


def test_a_call_that_came_back_late_is_a_gap_and_the_next_reading_is_right(node: Running) -> None:
    first = node.reading(0)
    hanging = HangingRead(node)
    node.world.advance(30)
    batch = hanging.end()
    assert [(one.sensor, one.reason) for one in batch.missing] == [(node.key(0), GapReason.HANG)]
    assert [one.sensor for one in batch.readings] == [node.key(1)]
    after = node.reading(0)
    assert (after.counter_uj or 0) - (first.counter_uj or 0) == 31 * 100_000_000


def test_p10_others_are_answered_while_a_call_hangs(node: Running) -> None:
    """Check, release and close are called by other threads, and a second reader is refused instead of stuck."""
    node.read()
    hanging = HangingRead(node)
    assert node.source.check()
    node.source.toggle_release()
    node.source.toggle_release()
    with pytest.raises(SourceFailed, match="still hangs"):
        node.source.read()
    with pytest.raises(SourceFailed, match="still hangs"):
        node.source.open()
    node.source.close()
    node.source.close()
    assert node.fake.holds() == 1
    hanging.end()
    assert node.fake.holds() == 0, "it lets go of the driver as soon as it can"
    node.source.open()
    assert node.reading(0).counter_uj == node.fake.counter_uj(0)


def test_a_hang_while_the_driver_starts_can_be_left_behind(tmp_path: Path) -> None:
    world = World(tmp_path, None, (FakeGpu(),))
    world.fake.hang_driver("init")
    source = world.source()
    thread = threading.Thread(target=source.open, daemon=True)
    thread.start()
    until(lambda: world.fake.hung == 1)
    source.close()
    world.close()
    thread.join(20)
    assert world.fake.holds() == 0
