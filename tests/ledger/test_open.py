"""Starting on whatever lies in the state directory: locks, permissions, damage, foreign files, other versions."""

from __future__ import annotations

import os
import pwd
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.ledger.books import GPU, SLOT, TRAIN, booking, contents, entry, expected, full_slots
from tests.ledger.child import start
from tracker.ledger.files import Nature, nature_of
from tracker.ledger.interface import LedgerRefused, LedgerUnavailable
from tracker.ledger.schema import VERSION
from tracker.ledger.store import SqliteLedger

OTHER = os.geteuid() or 65534
OTHER_NAME = pwd.getpwuid(OTHER).pw_name
AT_S = 1_790_000_000.0  # 2026-09-21T14:13:20Z


@contextmanager
def opened(path: Path) -> Iterator[SqliteLedger]:
    ledger = SqliteLedger(path, lambda: AT_S)
    ledger.open()
    yield ledger
    ledger.close()


def filled(path: Path, slots: int = 3) -> None:
    with opened(path) as ledger:
        for one in full_slots(slots):
            ledger.book(one)


def names(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir())


# -- folder, lock and permissions --------------------------------------------------------------------------------------


def test_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    """Names of users and jobs are nobody else's business."""
    path = tmp_path / "a" / "b" / "ledger.db"
    with opened(path):
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert path.exists()


def test_second_daemon_is_refused_and_names_the_first(path: Path) -> None:
    """Two writers would book every joule twice. When the first is killed, its lock is gone at once."""
    with start("hold", str(path)) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(LedgerRefused, match=f"process {first.pid}") as caught:
            SqliteLedger(path).open()
        assert "--state-dir" in caught.value.remedy
        first.kill()
        first.wait(timeout=10)
    with opened(path) as ledger:
        ledger.book(booking(entry()))


def test_second_opening_in_one_process_is_refused(ledger: SqliteLedger) -> None:
    with pytest.raises(LedgerRefused, match=f"process {os.getpid()}"):
        SqliteLedger(ledger.path).open()
    ledger.book(booking(entry()))


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that other users can reach."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def as_other(path: Path) -> str:
    """What a user without rights is told: `nobody` when these tests run as root, else their own user."""
    with start("try", str(path), str(OTHER)) as process:
        return process.communicate(timeout=30)[0].decode()


def test_folder_without_write_permission(public: Path) -> None:
    """The line that mends it is in the message."""
    (public / "state").mkdir(mode=0o555)
    said = as_other(public / "state" / "ledger.db")
    assert said.startswith("LedgerRefused The ledger cannot be kept in")
    assert f"sudo install -d -m 0700 -o {OTHER_NAME} {public / 'state'} ;" in said
    assert "--state-dir" in said


def test_folder_that_cannot_be_made(public: Path) -> None:
    public.chmod(0o555)
    assert "sudo install -d" in as_other(public / "state" / "ledger.db")
    public.chmod(0o755)


def test_ledger_of_another_user(public: Path) -> None:
    """A ledger that root once wrote is found out at start, not when the first booking fails."""
    path = public / "ledger.db"
    filled(path)
    public.chmod(0o777)
    (public / "ledger.db.lock").chmod(0o666)
    path.chmod(0o444)
    said = as_other(path)
    assert said.startswith("LedgerRefused")
    assert f"sudo chown {OTHER_NAME} {path}*" in said


def test_state_directory_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(LedgerRefused, match="Choose another folder"):
        SqliteLedger(tmp_path / "state" / "ledger.db").open()


def test_ledger_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").mkdir()
    with pytest.raises(LedgerRefused, match=r"ledger\.db"):
        SqliteLedger(tmp_path / "ledger.db").open()


# -- other versions ----------------------------------------------------------------------------------------------------


def test_newer_schema_is_refused_untouched(path: Path) -> None:
    """After a downgrade nothing is lost: the newer ledger is neither read wrongly nor set aside."""
    filled(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(LedgerRefused, match=rf"schema 99; this wattledger knows schemas up to {VERSION}") as caught:
        SqliteLedger(path).open()
    assert "Upgrade wattledger" in caught.value.remedy
    assert path.read_bytes() == before
    assert names(path) == ["ledger.db", "ledger.db.lock"]


# -- damage ------------------------------------------------------------------------------------------------------------


def assert_set_aside(path: Path, original: bytes) -> None:
    """The bad file is kept under a name that is told, and a new ledger works."""
    with opened(path) as ledger:
        assert ledger.set_aside == f"{path}.corrupt-20260921T141320Z"
        assert Path(ledger.set_aside).read_bytes() == original
        ledger.book(booking(entry()))
        assert contents(path) == expected([booking(entry())])
    with opened(path) as ledger:
        assert ledger.set_aside is None


def test_garbage(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database at all" * 1000)
    assert_set_aside(path, b"not a database at all" * 1000)


def test_garbage_header(path: Path) -> None:
    filled(path)
    original = b"\xff" * 100 + path.read_bytes()[100:]
    path.write_bytes(original)
    assert_set_aside(path, original)


@pytest.mark.parametrize("kept", [50, 100, 4096, 10_000, 20_480])
def test_truncated(path: Path, kept: int) -> None:
    filled(path)
    original = path.read_bytes()[:kept]
    path.write_bytes(original)
    assert_set_aside(path, original)


def test_foreign_database(path: Path) -> None:
    """Somebody else's SQLite file is moved, not changed and not mixed with ours."""
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA application_id = 42")
        db.execute("CREATE TABLE entry (a, b)")
    assert_set_aside(path, path.read_bytes())


def test_foreign_database_without_a_mark(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE bookmarks (url)")
    assert_set_aside(path, path.read_bytes())


def test_companions_go_with_it(path: Path) -> None:
    """A stale log must not be applied to the new ledger, and belongs to the old one."""
    filled(path)
    path.write_bytes(b"x" * 5000)
    Path(f"{path}-wal").write_bytes(b"the log")
    with opened(path) as ledger:
        assert Path(f"{ledger.set_aside}-wal").read_bytes() == b"the log"


def test_two_bad_files_in_one_second(path: Path) -> None:
    """The second never overwrites the first."""
    for text in (b"first", b"second"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text)
        with opened(path):
            pass
    kept = [file.read_bytes() for file in sorted(path.parent.glob("ledger.db.corrupt-*"))]
    assert kept == [b"first", b"second"]


def test_log_without_its_database(path: Path) -> None:
    """Somebody deleted ledger.db only: SQLite would delete the log, which may hold everything."""
    path.parent.mkdir()
    Path(f"{path}-wal").write_bytes(b"the log")
    with opened(path) as ledger:
        assert Path(f"{ledger.set_aside}-wal").read_bytes() == b"the log"


def test_empty_file_is_no_ledger_yet(path: Path) -> None:
    """A start that was cut short left an empty file: nothing to keep."""
    path.parent.mkdir()
    path.touch()
    with opened(path) as ledger:
        assert ledger.set_aside is None


def crashed(path: Path, slots: int) -> None:
    """A ledger whose daemon was killed, without a log."""
    filled(path.with_name("other") / "ledger.db", slots)
    with opened(path.with_name("other") / "ledger.db") as ledger:
        ledger.book(booking(entry(slot=SLOT + slots * 300), until_ms=(SLOT + slots * 300 + 10) * 1000))
        ledger._checkpoint("TRUNCATE")
        path.parent.mkdir(exist_ok=True)
        shutil.copy(ledger.path, path)


def spoil(path: Path, table: str) -> None:
    """Overwrite the root page of a table, as a failing disk would."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as db:
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(os.urandom(4096))


def test_spoiled_page_after_a_crash(path: Path) -> None:
    """After an unclean end the file is looked at before it is trusted."""
    crashed(path, 3)
    spoil(path, "gap")
    with opened(path) as ledger:
        assert ledger.set_aside is not None


def test_killed_but_sound(path: Path) -> None:
    crashed(path, 3)
    with opened(path) as ledger:
        assert ledger.set_aside is None
        assert contents(path)["device"]["GPU-0", "measured"] == 3 * 90_000_000_000 + 1_000_000


def test_clean_end_is_trusted(path: Path) -> None:
    """No scan at each start: a page that nothing reads is not looked at (``verify`` does)."""
    filled(path)
    spoil(path, "gap")
    with opened(path) as ledger:
        assert ledger.set_aside is None


def test_damage_found_while_booking(path: Path) -> None:
    """Booking stops with a reason, and the next start sets the file aside although the last end was clean."""
    filled(path)
    spoil(path, "entry")
    with opened(path) as ledger:
        slot = SLOT + 900
        with pytest.raises(LedgerUnavailable, match="damaged") as caught:
            ledger.book(booking(entry(slot=slot), until_ms=(slot + 1) * 1000))
        assert "Restart wattledger" in caught.value.remedy
    original = path.read_bytes()
    assert_set_aside(path, original)
    assert not Path(f"{path}.suspect").exists()


def test_suspicion_that_proves_false(path: Path) -> None:
    """A passing fault (memory, cable) marked the ledger; the full check clears it."""
    filled(path)
    Path(f"{path}.suspect").touch()
    with opened(path) as ledger:
        assert ledger.set_aside is None
    assert not Path(f"{path}.suspect").exists()


def test_header_is_judged_by_its_bytes() -> None:
    """100 bytes decide; the application id is a big-endian number at offset 68."""
    header = b"SQLite format 3\x00" + b"\0" * 52 + b"WATT" + b"\0" * 28
    assert nature_of(header) is Nature.LEDGER
    assert nature_of(header[:68] + b"TTAW" + header[72:]) is Nature.OTHER
    assert nature_of(header[:99]) is Nature.OTHER
    assert nature_of(b"") is Nature.ABSENT


def test_labels_and_devices_survive_a_second_life(path: Path) -> None:
    """The whole way: two lives, one book."""
    one, two = booking(entry(TRAIN, 3)), booking(entry(TRAIN, 4), until_ms=(SLOT + 11) * 1000)
    with opened(path) as ledger:
        ledger.book(one)
    with opened(path) as ledger:
        ledger.book(two)
    assert contents_after(path) == expected([one, two])
    assert GPU.key == "GPU-0"


def contents_after(path: Path) -> dict[str, object]:
    found: dict[str, object] = contents(path)
    return found
