"""A full disk stops booking cleanly: nothing of a refused booking stays, the message says so, and booking catches
up."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.ledger.child import start


def outcome(process: subprocess.Popen[bytes]) -> Any:
    with process:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0
    return json.loads(output)


def assert_stopped_and_caught_up(found: dict[str, Any], words: str) -> None:
    assert len(found["refusals"]) == 3
    assert all(words in refusal for refusal in found["refusals"])
    assert 5 <= found["done_when_full"] < 40
    assert found["whole"]
    assert found["caught_up"]
    assert found["findings"] == []


def on_small_disk(folder: Path, *arguments: str) -> Any:
    """Run a child on a tmpfs of its own, in a mount namespace of its own."""
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode != 0:
        if os.environ.get("WATTLEDGER_NO_SKIP") == "1":
            pytest.fail("unshare --mount is not permitted here")
        pytest.skip("unshare --mount is not permitted here")
    mount = 'mount -t tmpfs -o size=32m tmpfs "$0" && exec "$@"'
    verb, *rest = arguments
    before = ("unshare", "--mount", "sh", "-c", mount, str(folder))
    return outcome(start(verb, str(folder / "ledger.db"), *rest, before=before))


@pytest.mark.needs("root", "unshare")
def test_full_file_system(tmp_path: Path) -> None:
    """A real ENOSPC."""
    found = on_small_disk(tmp_path, "fill", "disk")
    assert_stopped_and_caught_up(found, "the disk is full. Free space on the file system of")


@pytest.mark.needs("root", "unshare")
def test_start_on_a_full_file_system(tmp_path: Path) -> None:
    """A daemon that starts on a full disk is told to wait; its ledger is not taken for damaged."""
    while_full, when_freed = on_small_disk(tmp_path, "late")
    assert while_full.startswith("LedgerUnavailable")
    assert when_freed == "opened with 1000000 uJ, set aside: None"


def test_file_size_limit(tmp_path: Path) -> None:
    """The same without privileges: a limit on the size of files (RLIMIT_FSIZE)."""
    found = outcome(start("fill", str(tmp_path / "ledger.db"), "limit"))
    assert_stopped_and_caught_up(found, "Check free space and the kernel log")
