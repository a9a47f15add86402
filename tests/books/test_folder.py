"""Books in a folder: whole files or none, whatever becomes of the writer, the disk or the rights."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.books.store_child import content_of
from tests.conftest import REPO
from tests.fakes.unprivileged import without_dac
from tracker.books.folder import STAGING, FolderStore
from tracker.books.interface import BooksRefused, BooksUnavailable

PYTHON = (sys.executable, "-m", "tests.books.store_child")


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "books", create=True)


def test_no_partial_file_is_left_by_a_writer_that_is_killed(store: FolderStore) -> None:
    """SIGKILL at many moments of a write; what has a final name is whole, and a new writer goes on."""
    seen = 0
    for attempt in range(12):
        with subprocess.Popen([*PYTHON, "write", store.url], cwd=REPO, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.read(1) == b"."
            time.sleep(0.002 * attempt)  # another moment each time
            child.send_signal(signal.SIGKILL)
        names = [name for name, _ in store.names()]
        assert all(store.read(name) == content_of(int(Path(name).stem)) for name in names[seen:])
        seen = max(0, len(names) - 50)
    assert seen or names, "something was written"


def test_what_a_killed_writer_left_is_no_name_and_goes_away(store: FolderStore) -> None:
    store.create("entries/x", b"")
    old, new = Path(store.url) / STAGING / "old", Path(store.url) / STAGING / "new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    assert [name for name, _ in store.names()] == ["entries/x"]
    store.create("entries/y", b"")
    assert (old.exists(), new.exists()) == (False, True), "the other one may be being written"


def on_a_disk_of_its_own(folder: Path, verb: str, options: str, *, then: str = "true") -> str:
    """Run the child on a small tmpfs in a mount namespace of its own."""
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode != 0:
        if os.environ.get("WATTLEDGER_NO_SKIP") == "1":
            pytest.fail("unshare --mount is not permitted here")
        pytest.skip("unshare --mount is not permitted here")
    mount = f'mount -t tmpfs -o {options} tmpfs "$0" && {then} && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", mount, str(folder), *PYTHON, verb, str(folder)]
    return subprocess.run(command, cwd=REPO, check=True, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.needs("root", "unshare")
def test_a_full_disk(tmp_path: Path) -> None:
    found = json.loads(on_a_disk_of_its_own(tmp_path, "fill", "size=2m"))
    assert "cannot be written in" in found["error"]
    assert "No space left on device. Free space there, and run it again: nothing was half written." in found["error"]
    assert found["files"] >= 3
    assert found["whole"]
    assert found["staging"] == []
    assert found["again"], "a little space, and it goes on"


@pytest.mark.needs("root", "unshare")
def test_a_disk_that_is_mounted_read_only(tmp_path: Path) -> None:
    said = on_a_disk_of_its_own(tmp_path, "try", "size=2m", then='mount -o remount,ro "$0"')
    assert "entries/x cannot be written in" in said
    assert "Read-only file system. Let this user write there (or mount it writable)" in said


def test_a_folder_that_may_not_be_written(store: FolderStore) -> None:
    store.create("x", b"content")
    Path(store.url).chmod(0o555)
    with (
        without_dac(),
        pytest.raises(BooksUnavailable, match=r"be removed in .*\. Let this user delete there"),
    ):
        store.remove("x")
    with without_dac(), pytest.raises(BooksUnavailable, match=r"cannot be written in .*: Permission denied\. Let this"):
        store.create("entries/x", b"content")
    Path(store.url).chmod(0o000)
    with without_dac(), pytest.raises(BooksUnavailable, match="cannot be listed: Permission denied"):
        list(store.names())
    with without_dac(), pytest.raises(BooksUnavailable, match=r"entries/x cannot be read in .*: Permission denied"):
        store.read("entries/x")
    Path(store.url).chmod(0o755)
    assert [name for name, _ in store.names()] == ["x"]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        BooksUnavailable, match=r"There is no folder .*nowhere\. Create or mount it, or mend books\.url\."
    ):
        FolderStore(tmp_path / "nowhere")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BooksUnavailable, match="cannot be made: File exists"):
        FolderStore(tmp_path / "file" / "books", create=True)
    with pytest.raises(BooksRefused, match=r"There is no folder .*file"):
        FolderStore(tmp_path / "file")
    with pytest.raises((BooksRefused, BooksUnavailable), match="file"):
        FolderStore(tmp_path / "file", create=True)


def test_a_folder_that_goes_away_is_not_read_as_empty(store: FolderStore) -> None:
    """A network drive that is unmounted."""
    store.create("entries/x", b"")
    Path(store.url).rename(Path(store.url).with_name("gone"))
    with pytest.raises(BooksUnavailable, match=r"cannot be listed in .*: No such file or directory"):
        list(store.names("entries/"))
    with pytest.raises(BooksUnavailable, match="is gone"):
        store.read("entries/x")


def test_files_are_forced_to_the_disk_before_they_get_their_name(tmp_path: Path) -> None:
    """As the kernel sees it: a machine that loses its power must not keep a name without its content."""
    strace = subprocess.run(["sh", "-c", "command -v strace"], check=False, capture_output=True).returncode
    if strace != 0:
        pytest.skip("needs strace: apt-get install strace")
    log = tmp_path / "log"
    traced = ["strace", "-f", "-y", "-e", "trace=fsync,link,linkat", "-o", str(log)]
    (tmp_path / "books").mkdir()
    subprocess.run([*traced, *PYTHON, "try", str(tmp_path / "books")], cwd=REPO, check=True, timeout=60)
    calls = [line.split("(")[0].split()[-1] for line in log.read_text("utf-8").splitlines() if "books" in line]
    link = next(number for number, call in enumerate(calls) if call.startswith("link"))
    assert "fsync" in calls[:link], "the content"
    assert "fsync" in calls[link + 1 :], "the name"


def test_files_are_for_others_to_read(store: FolderStore) -> None:
    store.create("entries/x", b"")
    mask = os.umask(0)
    os.umask(mask)
    assert (Path(store.url) / "entries/x").stat().st_mode & 0o777 == 0o666 & ~mask
