"""An open client forbids a GPU reset, so the driver can be released on request, and is taken up again by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.nvml.parts import DRIVER_NOT_LOADED, FakeGpu, FakeProcess
from tests.sources.world_nvml import Running, running
from tracker.core.model import GapReason, Level
from tracker.sources.interface import SourceFailed
from tracker.sources.nvml import SourceNeedsRestart

pytestmark = pytest.mark.needs("gcc")


def two(tmp_path: Path) -> Running:
    return running(tmp_path, FakeGpu(power=[(0, 100)], processes=[FakeProcess(11)]), FakeGpu(power=[(0, 200)]))


def assert_released(node: Running) -> None:
    batch = node.read()
    assert batch.readings == ()
    assert [(one.sensor, one.reason) for one in batch.missing] == [
        (node.key(0), GapReason.RELEASED),
        (node.key(1), GapReason.RELEASED),
    ]
    assert batch.uses is None
    assert all(one.detail for one in batch.missing)


def test_p10_release_lets_go_of_the_driver_and_every_reading_is_a_gap_with_that_reason(tmp_path: Path) -> None:
    node = two(tmp_path)
    node.read()
    node.source.toggle_release()
    for _ in range(100):
        assert_released(node)
    assert node.fake.holds() == 0, "a GPU can be reset now"
    calls = node.fake.calls()
    assert_released(node)
    assert node.fake.calls() == calls, "the driver is not touched"


def test_the_second_request_takes_it_up_again_and_nothing_is_lost(tmp_path: Path) -> None:
    node = two(tmp_path)
    before = node.reading(1)
    node.source.toggle_release()
    node.run(5)
    node.source.toggle_release()
    batch = node.read()
    assert len(batch.readings) == 2
    assert batch.sensors is None, "the same sensors go on"
    assert batch.uses is not None
    after = node.reading(1)
    assert (after.counter_uj or 0) - (before.counter_uj or 0) == 7 * 200_000_000
    assert node.fake.holds() == 1


def test_a_reset_in_between_shows_as_a_counter_that_began_anew(tmp_path: Path) -> None:
    node = two(tmp_path)
    node.run(3)
    node.source.release()
    node.read()
    node.fake.reset_gpu(0)
    node.source.resume()
    assert node.reading(0).counter_uj == 100_000_000


@pytest.mark.parametrize("release_s", [300.0, 20.0])
def test_a_release_that_was_forgotten_ends_by_itself(tmp_path: Path, release_s: float) -> None:
    node = running(tmp_path, FakeGpu(), release_s=release_s)
    node.read()
    node.source.toggle_release()
    batches = node.run(int(release_s) + 1)
    assert [len(batch.readings) for batch in batches] == [0] * int(release_s) + [1]
    assert not node.source.released


def test_a_release_holds_over_a_failure_and_a_new_open(tmp_path: Path) -> None:
    """The operator wants the driver free, also while the source fails and is opened again and again."""
    node = two(tmp_path)
    node.read()
    node.fake.reload_driver()
    with pytest.raises(SourceFailed):
        node.read()
    node.source.close()
    node.source.toggle_release()
    node.source.open()
    assert node.fake.holds() == 0
    assert_released(node)
    assert node.fake.holds() == 0
    node.source.toggle_release()
    assert len(node.read().readings) == 2


def test_a_new_open_after_a_release_begins_once(tmp_path: Path) -> None:
    node = two(tmp_path)
    node.source.release()
    node.read()
    node.source.close()
    node.source.resume()
    node.source.open()
    node.read()
    assert node.fake.calls("nvmlInitWithFlags") == 2


def test_a_driver_that_is_gone_when_it_is_taken_up_again_is_a_failure_that_passes(tmp_path: Path) -> None:
    node = two(tmp_path)
    node.read()
    node.source.release()
    node.read()
    node.fake.fault_driver(DRIVER_NOT_LOADED)
    node.source.resume()
    with pytest.raises(SourceFailed):
        node.read()
    node.source.close()
    node.fake.heal()
    node.source.open()
    assert len(node.read().readings) == 2


def test_an_upgrade_during_a_release_asks_for_a_restart(tmp_path: Path) -> None:
    node = two(tmp_path)
    node.read()
    node.source.release()
    node.read()
    node.fake.reload_driver("595.10.02")
    node.source.resume()
    with pytest.raises(SourceNeedsRestart):
        node.read()


def test_check_says_how_to_end_a_release(tmp_path: Path) -> None:
    node = two(tmp_path)
    node.source.toggle_release()
    (finding,) = node.source.check()
    assert (finding.level, finding.remedy) == (Level.WARN, "Send SIGUSR1 again to take it up.")


def test_close_ends_a_session_that_is_released(tmp_path: Path) -> None:
    node = two(tmp_path)
    node.source.release()
    node.read()
    node.source.close()
    node.source.close()
    assert node.fake.holds() == 0
