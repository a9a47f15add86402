"""Hours go to the books by a process of its own: whatever that does, the daemon goes on, and says so once."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tracker import clock
from tracker.log import Log, Severity
from tracker.reporter import Reporter
from tracker.shipper import Shipper


def until(condition: Callable[[], object], deadline_s: float = 30) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class Bench:
    """``script`` is what the child runs; each run adds its arguments to ``runs``."""

    def __init__(self, folder: Path, script: str, *, period_s: float = 0.05, deadline_s: float = 60) -> None:
        self._runs = folder / "runs"
        self.log = io.StringIO()
        child = folder / "child.py"
        begin = f"import sys, time\nopen({str(self._runs)!r}, 'a').write(' '.join(sys.argv[1:]) + '\\n')\n"
        child.write_text(begin + script, encoding="utf-8")
        self.shipper = Shipper(
            (sys.executable, str(child), "ship"),
            Reporter(Log(self.log, level=Severity.INFO, style="logfmt", environ={})),
            clock.now,
            period_s=period_s,
            deadline_s=deadline_s,
        )

    @property
    def runs(self) -> list[str]:
        return self._runs.read_text("utf-8").splitlines() if self._runs.exists() else []


def test_ships_now_and_then_every_period_what_is_due(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "")
    bench.shipper.start()
    until(lambda: len(bench.runs) >= 3)
    assert bench.shipper.stop(30)
    assert bench.runs[0] == "ship", "the first run looks at everything"
    assert set(bench.runs[1:]) == {"ship --due"}
    assert bench.log.getvalue() == "", "what works is not told"


def test_ships_a_last_time_at_the_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "", period_s=3600)
    bench.shipper.start()
    until(lambda: bench.runs)
    assert bench.shipper.stop(30)
    assert len(bench.runs) == 2


def test_a_failure_is_told_once_with_its_sentence_and_tried_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "sys.exit('wattledger: the bucket is gone.')")
    bench.shipper.start()
    until(lambda: len(bench.runs) >= 3)
    assert not bench.shipper.stop(30)
    lines = bench.log.getvalue().splitlines()
    assert len(lines) == 1
    assert "ship_failed" in lines[0]
    assert "the bucket is gone." in lines[0]
    assert set(bench.runs) == {"ship"}, "nothing was ever looked at"


def test_a_child_that_hangs_is_killed_and_the_next_one_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "time.sleep(600)", deadline_s=0.3)
    bench.shipper.start()
    until(lambda: len(bench.runs) >= 2)
    assert not bench.shipper.stop(5)
    assert "did not end within 0.3 s" in bench.log.getvalue()


def test_the_end_does_not_wait_for_a_store_that_hangs(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "time.sleep(600)", period_s=3600, deadline_s=600)
    bench.shipper.start()
    until(lambda: bench.runs)
    assert not bench.shipper.stop(0.2)
    assert len(bench.runs) == 1, "no other is begun"


def test_a_shipper_that_was_never_started_ends(tmp_path: Path) -> None:
    assert Bench(tmp_path, "").shipper.stop(1)


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    log = io.StringIO()
    told = Reporter(Log(log, level=Severity.INFO, style="logfmt", environ={}))
    shipper = Shipper((str(tmp_path / "none"),), told, clock.now, period_s=3600)
    shipper.start()
    until(log.getvalue)
    assert not shipper.stop(30)
    assert "cannot be started: No such file or directory" in log.getvalue()
