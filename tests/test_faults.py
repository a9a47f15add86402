"""No repetition of a persisting fault: first, every hour with a count, recovery."""

from __future__ import annotations

from tracker.faults import Faults
from tracker.log import Severity

TICK_S = 5


class Notebook:
    """Collects events as (severity, name, fields)."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, object]]] = []

    def event(self, severity: Severity, name: str, message: str, /, **fields: object) -> None:
        self.lines.append((severity.name, name, fields))


def fail(faults: Faults, now_s: float, key: str = "source/nvml") -> None:
    faults.failed(key, now_s, "source_failed", "The driver does not answer.", source=key)


def recover(faults: Faults, now_s: float, key: str = "source/nvml") -> None:
    faults.recovered(key, now_s, "source_back", "The driver answers again.", source=key)


def test_a_fault_of_two_and_a_half_hours_is_four_lines() -> None:
    """A driver that fails every 5 s for a night must not fill the disk with what is known already."""
    notebook = Notebook()
    faults = Faults(notebook.event)
    for now_s in range(0, 9_000, TICK_S):
        fail(faults, now_s)
    recover(faults, 9_000)
    source = {"source": "source/nvml"}
    assert notebook.lines == [
        ("WARNING", "source_failed", source),
        ("WARNING", "source_failed", source | {"failures": 721, "lasting_s": 3600}),
        ("WARNING", "source_failed", source | {"failures": 720, "lasting_s": 7200}),
        ("INFO", "source_back", source | {"lasted_s": 9000}),
    ]


def test_what_never_failed_recovers_in_silence() -> None:
    notebook = Notebook()
    faults = Faults(notebook.event)
    for now_s in range(0, 100, TICK_S):
        recover(faults, now_s)
    assert notebook.lines == []


def test_each_key_is_its_own_fault() -> None:
    notebook = Notebook()
    faults = Faults(notebook.event)
    fail(faults, 0, "gpu/0")
    fail(faults, 0, "gpu/1")
    recover(faults, 5, "gpu/0")
    assert [name for _, name, _ in notebook.lines] == ["source_failed", "source_failed", "source_back"]


def test_a_fault_that_comes_back_later_is_news() -> None:
    notebook = Notebook()
    faults = Faults(notebook.event)
    fail(faults, 0)
    recover(faults, 5)
    fail(faults, 700)
    recover(faults, 720)
    assert [name for _, name, _ in notebook.lines] == ["source_failed", "source_back"] * 2
    assert notebook.lines[-1][2]["lasted_s"] == 20


def test_a_fault_that_comes_and_goes_is_one_pair_in_ten_minutes() -> None:
    notebook = Notebook()
    faults = Faults(notebook.event)
    for now_s in range(0, 3_600, 2 * TICK_S):
        fail(faults, now_s)
        recover(faults, now_s + TICK_S)
    assert len(notebook.lines) == 12


def test_a_fault_that_returned_quietly_and_stays_is_told_within_ten_minutes() -> None:
    """The log's last word must not stay "recovered" while the fault lasts."""
    notebook = Notebook()
    faults = Faults(notebook.event)
    fail(faults, 0)
    recover(faults, 5)
    for now_s in range(60, 700, TICK_S):
        fail(faults, now_s)
    assert notebook.lines[2:] == [
        ("WARNING", "source_failed", {"source": "source/nvml", "failures": 109, "lasting_s": 540})
    ]
    recover(faults, 700)
    assert notebook.lines[-1][:2] == ("INFO", "source_back")


def test_thousands_of_faults_use_bounded_memory_and_lines() -> None:
    """A cluster that names its pods at random must not grow the daemon."""
    notebook = Notebook()
    faults = Faults(notebook.event, limit=10)
    for number in range(5_000):
        fail(faults, number / 10, f"pod/{number}")
    assert len(notebook.lines) == 11
    assert notebook.lines[-1][1] == "more_faults"
    assert len(faults._known) <= 11


def test_room_is_made_by_what_ended_or_is_not_spoken_of_any_more() -> None:
    notebook = Notebook()
    faults = Faults(notebook.event, limit=2)
    fail(faults, 0, "gone")
    fail(faults, 0, "mended")
    recover(faults, 1, "mended")
    fail(faults, 5_000, "new/1")
    fail(faults, 5_000, "new/2")
    assert [fields["source"] for _, name, fields in notebook.lines if name == "source_failed"] == [
        "gone",
        "mended",
        "new/1",
        "new/2",
    ]
