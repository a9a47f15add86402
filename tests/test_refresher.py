"""Values come in by a process of its own: whatever that does, the daemon goes on with what it has."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.core.test_chain import HOUR, live
from tests.grid.test_chain import provider
from tracker import clock
from tracker.core.known import FactorRecord
from tracker.core.units import NS_PER_S
from tracker.grid.chain import ChainProvider
from tracker.grid.store import FactorStore, ProviderStatus
from tracker.grid.store_reader import FactorReader
from tracker.log import Log, Severity
from tracker.refresher import Refresher, phase_of
from tracker.reporter import Reporter

NOW = clock.now().wall_ns // NS_PER_S
THIS_HOUR = NOW // HOUR * HOUR


def until(condition: Callable[[], object], deadline_s: float = 30) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


class Bench:
    """A refresher over a real store; ``script`` is what its child runs instead of our command."""

    def __init__(
        self, folder: Path, script: str = "", *, deadline_s: float = 60, chain: ChainProvider | None = None
    ) -> None:
        self.path = folder / "factors.db"
        self.mark = folder / "mark"
        self.log = io.StringIO()
        self.chain = chain or provider()
        child = folder / "child.py"
        child.write_text(f"from pathlib import Path\nmark = Path({str(self.mark)!r})\n{script}\n", encoding="utf-8")
        self._services, self._command = ("a",) if script else (), (sys.executable, str(child))
        self._deadline_s = deadline_s
        self.refresher = self.made(FactorReader(self.path))

    def made(self, reader: FactorReader, zones: Sequence[str] = ("FR",)) -> Refresher:
        return Refresher(
            self.chain,
            reader,
            Reporter(Log(self.log, level=Severity.INFO, style="logfmt", environ={})),
            clock.now,
            zones=zones,
            services=self._services,
            command=self._command,
            period_s=0.05,
            deadline_s=self._deadline_s,
        )

    def write(self, value: str, start_s: int = THIS_HOUR) -> None:
        with FactorStore(self.path) as store:
            store.append([live("a", value, start_s=start_s)], NOW)

    def status(self, status: ProviderStatus) -> None:
        with FactorStore(self.path) as store:
            store.put_status(status)

    def value(self) -> int | None:
        return self.chain.factor("FR", THIS_HOUR).intensity_mg_per_kwh


def test_an_offline_node_begins_with_its_last_values(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.refresher.read()
    assert bench.value() == 21_700, "nothing is known: the yearly factor"
    bench.write("30")
    bench.refresher.read()
    assert bench.value() == 30_000
    assert bench.refresher.stop(1), "it was never started"


def test_the_newest_value_is_kept_however_old_it_is(tmp_path: Path) -> None:
    """The age is told by whoever shows it; without it nobody would know that there ever was one."""
    bench = Bench(tmp_path)
    bench.write("30", THIS_HOUR - 20 * 24 * HOUR)
    bench.write("31", THIS_HOUR - 10 * 24 * HOUR)
    bench.refresher.read()
    state = bench.chain.live_state(NOW)
    assert state is not None
    assert state.intensity_mg_per_kwh == 31_000
    assert state.age_s == NOW - (THIS_HOUR - 10 * 24 * HOUR + HOUR)
    assert bench.value() == 21_700, "it weighs its own hour and no other"


def test_what_is_known_in_advance_is_handed_over_too(tmp_path: Path) -> None:
    """A profile of the coming day: the next reading may be hours away."""
    bench = Bench(tmp_path)
    with FactorStore(bench.path) as store:
        store.append([live("a", str(n), 3, start_s=THIS_HOUR + n * HOUR) for n in range(24)], NOW)
    bench.refresher.read()
    found = [bench.chain.factor("FR", THIS_HOUR + n * HOUR) for n in range(23)]
    assert [factor.intensity_mg_per_kwh for factor in found] == [n * 1000 for n in range(23)]


class Counting(FactorReader):
    """How many records it gave at once."""

    most = 0

    def records(
        self, zones: Collection[str], start_s: int, end_s: int, as_of_s: int | None = None
    ) -> tuple[FactorRecord, ...]:
        found = super().records(zones, start_s, end_s, as_of_s)
        self.most = max(self.most, len(found))
        return found


@pytest.mark.parametrize("silent_s", [0, 2 * 24 * HOUR])
def test_a_month_of_five_minutes_is_never_in_memory_at_once(tmp_path: Path, silent_s: int) -> None:
    """The daemon's whole budget is 36 MiB; such a month takes a third of it."""
    bench, end_s = Bench(tmp_path), NOW // 300 * 300 - silent_s
    with FactorStore(bench.path) as store:
        store.append([live("a", "30", start_s=end_s - n * 300, length_s=300) for n in range(1, 28 * 288)], NOW)
    reader = Counting(bench.path)
    bench.refresher = bench.made(reader)
    bench.refresher.read(NOW - 30 * 24 * HOUR)
    assert reader.most < 400
    state = bench.chain.live_state(NOW)
    assert state is not None
    assert state.valid_to_s == end_s
    bench.refresher.read()
    assert reader.most < 400


def test_values_of_the_country_do_not_push_out_those_of_the_own_zone(tmp_path: Path) -> None:
    """There is room for so many, and the newest of all are what is needed."""
    bench = Bench(tmp_path)
    own = live("a", "30", start_s=THIS_HOUR)
    end_s = THIS_HOUR - 24 * HOUR
    around = [
        replace(live("b", "40", start_s=end_s - n * 900, length_s=900), zone="EU", factor_id=f"b{n}")
        for n in range(1200)
    ]
    with FactorStore(bench.path) as store:
        store.append([own, *around], NOW)
    bench.refresher = bench.made(FactorReader(bench.path), zones=("FR", "EU"))
    bench.refresher.read(NOW - 20 * 24 * HOUR)
    assert bench.value() == 30_000


def test_after_a_long_stop_the_hours_since_are_there(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    before = THIS_HOUR - 100 * HOUR
    for n in (0, 1):
        bench.write(str(30 + n), before + n * HOUR)
    bench.write("40")
    bench.refresher.read(before)
    told = [bench.chain.factor("FR", before + n * HOUR).intensity_mg_per_kwh for n in (0, 1)]
    assert (told, bench.value()) == ([30_000, 31_000], 40_000)


def test_energy_that_waits_for_its_hour_gets_it_when_it_comes(tmp_path: Path) -> None:
    """No yearly factor is allowed here: an hour of last week has no value until somebody has read it."""
    bench = Bench(tmp_path, chain=provider(rows=(), tiers=(1, 2)))
    hour = THIS_HOUR - 200 * HOUR
    bench.write("40")
    bench.refresher.read()
    assert bench.chain.factor("FR", hour).intensity_mg_per_kwh is None
    bench.write("33", hour)
    bench.write("34", hour + HOUR)
    bench.refresher.read()
    assert bench.chain.factor("FR", hour).intensity_mg_per_kwh == 33_000
    assert bench.value() == 40_000
    assert bench.chain.factor("FR", hour + HOUR).intensity_mg_per_kwh is None, (
        "nobody waits for that one: not in memory"
    )


def test_what_the_child_wrote_is_learnt(tmp_path: Path) -> None:
    script = "import sys\nmark.write_text('asked')"
    bench = Bench(tmp_path, script)
    bench.refresher.start()
    until(bench.mark.exists)
    bench.write("30")
    until(lambda: bench.value() == 30_000)
    assert bench.refresher.stop(5)
    assert "level=warn" not in bench.log.getvalue().lower()


def test_who_asks_nobody_still_sees_what_others_put_into_the_store(tmp_path: Path) -> None:
    """An air-gapped node: a bundle is imported beside the running daemon."""
    bench = Bench(tmp_path)
    bench.refresher.start()
    bench.write("30")
    until(lambda: bench.value() == 30_000)
    assert bench.refresher.stop(5)
    assert not bench.mark.exists()


def test_a_child_that_hangs_does_not_hold_up_the_end(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "import os, time\nmark.write_text(str(os.getpid()))\ntime.sleep(600)")
    bench.refresher.start()
    until(lambda: bench.mark.exists() and bench.mark.read_text())
    assert bench.refresher.stop(5)
    assert not Path("/proc", bench.mark.read_text()).exists(), "the child has ended too"


def test_a_child_that_takes_too_long_is_ended_and_the_store_is_read_all_the_same(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "import time\nmark.write_text('x')\ntime.sleep(600)", deadline_s=0.5)
    bench.write("30")
    bench.refresher.start()
    until(lambda: "did not end within 0.5 s" in bench.log.getvalue())
    until(lambda: bench.value() == 30_000)
    assert bench.refresher.stop(5)


def test_a_child_that_breaks_is_told_once_with_its_last_words(tmp_path: Path) -> None:
    script = "import sys\nn = int(mark.read_text()) if mark.exists() else 0\nmark.write_text(str(n + 1))\n"
    script += "if n < 3:\n    sys.stderr.write('first\\nwattledger: the last word\\n')\n    sys.exit(2)"
    bench = Bench(tmp_path, script)
    bench.refresher.start()
    until(lambda: "grid_fetched" in bench.log.getvalue())
    assert bench.refresher.stop(5)
    assert bench.log.getvalue().count("the last word") == 1
    assert "first" not in bench.log.getvalue()


@pytest.mark.parametrize(("printed", "told"), [("{}", 0), ("", 1)])
def test_exit_code_1_is_a_service_that_failed_or_a_bug(tmp_path: Path, printed: str, told: int) -> None:
    """With outcomes printed the store knows what is wrong; without any nobody does."""
    script = (
        f"import sys\nprint({printed!r}, end='')\nprint('a bug', file=sys.stderr)\nmark.write_text('x')\nsys.exit(1)"
    )
    bench = Bench(tmp_path, script)
    bench.refresher.start()
    until(bench.mark.exists)
    bench.write("30")
    until(lambda: bench.value() == 30_000)
    assert bench.refresher.stop(5)
    assert bench.log.getvalue().count("a bug") == told


def test_a_child_that_cannot_be_started(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "pass")
    bench.refresher._command = (str(tmp_path / "absent"),)
    bench.refresher.start()
    until(lambda: "cannot be started: No such file or directory" in bench.log.getvalue())
    assert bench.refresher.stop(5)


def test_a_service_that_fails_is_told_and_its_state_is_shown(tmp_path: Path) -> None:
    """Once when it begins and once when it ends, whatever the child prints."""
    bench = Bench(tmp_path, "pass")
    bench.refresher.read()
    assert [(each.name, each.up, each.last_ok_wall_s) for each in bench.refresher.news.providers] == [
        ("a", False, None)
    ]
    bench.status(ProviderStatus("a", 3, NOW + 300, NOW - 60, "a does not answer.", "unreachable"))
    for _ in range(3):
        bench.refresher.read()
    (state,) = bench.refresher.news.providers
    assert (state.up, state.last_ok_wall_s, state.error) == (False, NOW - 60.0, "a does not answer.")
    bench.status(ProviderStatus("a", 0, 0, NOW))
    bench.refresher.read()
    (state,) = bench.refresher.news.providers
    assert (state.up, state.last_ok_wall_s, state.error) == (True, float(NOW), "")
    lines = [line for line in bench.log.getvalue().splitlines() if "grid_provider" in line]
    assert len(lines) == 2, lines
    assert "a does not answer." in lines[0]


def test_a_damaged_store_is_told_and_what_was_known_stays(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.write("30")
    bench.refresher.read()
    bench.path.write_bytes(b"no store at all, but long enough to be looked at" * 100)
    bench.refresher.read()
    assert bench.value() == 30_000
    assert bench.log.getvalue().count("grid_store_unreadable") == 1


@pytest.mark.parametrize("hostname", ["", "gpu-1", "gpu-2", "ü"])
def test_each_node_of_a_fleet_has_its_own_phase(hostname: str) -> None:
    assert 0 <= phase_of(hostname) < 1
    assert len({round(phase_of(f"gpu-{n}"), 2) for n in range(1000)}) > 90, "spread over the whole time"
