"""The child that composes: its word is taken, its end never hurts the portal, and there is one at a time."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from tests.web.serving import wait_for
from tracker.core.errors import WattledgerError
from tracker.finance.portal_child import Job
from tracker.finance.portal_composer import Composer
from tracker.web.portal.interface import Busy, Missing, Unavailable

READ = "import sys, pathlib, json, time; job = json.loads(sys.stdin.readline()); "


def composer(program: str, deadline_s: float = 30, wait_s: float = 10) -> Composer:
    return Composer((sys.executable, "-c", READ + program), deadline_s, wait_s)


def job(folder: Path) -> Job:
    return Job(config=None, flags={}, books="b", month="2026-10", as_of_s=1, folder=str(folder))


def test_a_child_that_ends_well(tmp_path: Path) -> None:
    program = "pathlib.Path(job['folder'], 'json').write_text(job['month']); print('{}')"
    composer(program)(job(tmp_path))
    assert (tmp_path / "json").read_text(encoding="utf-8") == "2026-10"


@pytest.mark.parametrize(
    ("program", "kind", "said"),
    [
        ("""print('{"kind":"nothing","sentence":"Nothing.","remedy":"Ship."}')""", Missing, r"Nothing\. Ship\."),
        ("""print('{"kind":"unavailable","sentence":"No network."}')""", Unavailable, r"No network\."),
        ("""print('{"kind":"failed","sentence":"Too much claimed."}')""", WattledgerError, r"Too much claimed\."),
        ("raise MemoryError('of 700 MiB')", WattledgerError, r"2026-10 was not put together: MemoryError: of 700 MiB"),
        ("import os; os._exit(9)", WattledgerError, r"its process ended with code 9"),
        ("import os; os.kill(os.getpid(), 9)", WattledgerError, r"its process ended with code -9"),
        ("print('rubbish')", WattledgerError, r"ended with code 0"),
    ],
)
def test_what_a_child_says_or_does_not(tmp_path: Path, program: str, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        composer(program)(job(tmp_path))


def test_a_child_that_never_reads_its_job(tmp_path: Path) -> None:
    with pytest.raises(WattledgerError, match="ended with code 3"):
        Composer((sys.executable, "-c", "import sys; sys.exit(3)"))(job(tmp_path))


def test_a_child_that_cannot_be_started(tmp_path: Path) -> None:
    with pytest.raises(WattledgerError, match="cannot be started: No such file"):
        Composer((str(tmp_path / "absent"),))(job(tmp_path))


def test_a_child_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(WattledgerError, match=r"not put together within 0\.5 s"):
        composer("time.sleep(60)", deadline_s=0.5)(job(tmp_path))


def test_one_at_a_time(tmp_path: Path) -> None:
    """The second waits for its turn, and not for ever; the portal's end ends the first."""
    busy = composer("pathlib.Path(job['folder'], 'began').touch(); time.sleep(60)", wait_s=0.05)
    errors: list[Exception] = []

    def first() -> None:
        try:
            busy(job(tmp_path))
        except WattledgerError as error:
            errors.append(error)

    thread = threading.Thread(target=first)
    thread.start()
    wait_for((tmp_path / "began").exists, "the child began")
    with pytest.raises(Busy, match="Another draft"):
        busy(job(tmp_path))
    busy.close()
    thread.join(10)
    assert not thread.is_alive()
    assert "ended with code -9" in str(errors[0])
    with pytest.raises(Unavailable, match="being stopped"):
        busy(job(tmp_path))
