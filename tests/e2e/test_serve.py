"""``wattledger serve`` as finance meets it: a process over books, its drafts, its guards, and its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from tests.e2e.daemon import COMMAND, URL, until
from tests.finance import portal_books
from tests.finance.portal_books import FACILITY_WH

pytestmark = pytest.mark.timeout(120)
CONFIG = """
[site.par1]
zone = "FR"
pue = 1.21
pue_source = "operator"
[books]
entity = "Example SA"
"""
TOKEN = "0123456789abcdef0123456789abcdef"


class Served:
    """``wattledger serve`` on a free port. Use as a context manager; it is ended by its own pid."""

    def __init__(self, folder: Path, books: Path, *arguments: str) -> None:
        config = folder / "config.toml"
        config.write_text(f'{CONFIG}url = "{books}"\n', encoding="utf-8")
        self.tmp = folder / "tmp"
        self.tmp.mkdir(exist_ok=True)
        roots = ("--config", str(config), "--state-dir", str(folder / "state"))
        self.command = [COMMAND, "serve", *roots, *arguments]
        if "--listen" not in arguments:
            self.command += ["--listen", "127.0.0.1:0"]
        self.log: list[str] = []
        self.url = ""

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, "PYTHONUNBUFFERED": "1", "TMPDIR": str(self.tmp)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        until(lambda: self.url or self.process.poll() is not None, "the address was printed")
        assert self.url, "\n".join(self.log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(60)
        self._reader.join(5)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            for line in lines:
                self.log.append(line.rstrip("\n"))
                found = URL.search(line)
                if found and not self.url:
                    self.url = found.group()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Mapping[str, str], bytes]:
        request = urllib.request.Request(self.url + path, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    def children(self) -> list[int]:
        """Processes that it started."""
        found: list[int] = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(OSError):  # a thread that ended just now
                found += [int(pid) for pid in (task / "children").read_text(encoding="ascii").split()]
        return found


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """Three days of October."""
    return Path(portal_books.make(tmp_path / "books").url)


def test_from_books_to_a_page_and_files(tmp_path: Path, books: Path) -> None:
    """The draft's figures come in the background; the file is complete, and unchanged it is not sent again."""
    with Served(tmp_path, books) as served:
        assert served.get("/-/healthy")[0] == 200
        assert served.get("/-/ready")[0] == 200
        until(lambda: any(f"books={books}" in line for line in served.log), "the log has the address of the books")

        def listed() -> dict[str, Any]:
            answer: dict[str, Any] = json.loads(served.get("/api/v1/statements")[2], parse_float=Decimal)
            return answer

        until(lambda: not listed()["pending"], "the draft was put together")
        (month,) = listed()["months"]
        assert month["figures"]["energy_facility_kwh"] == Decimal(FACILITY_WH).scaleb(-3)
        page = served.get("/")[2].decode()
        assert "Example SA" in page
        assert f"{FACILITY_WH // 1000}.{FACILITY_WH % 1000:03}" in page
        status, headers, csv = served.get("/api/v1/statements/2026-10?format=csv")
        assert (status, headers["X-Wattledger-Status"]) == (200, "draft")
        assert csv.splitlines()[-1].startswith(b"2026-10-draft-")
        tag = {"If-None-Match": headers["ETag"]}
        assert served.get("/api/v1/statements/2026-10?format=csv", tag)[0] == 304
        status, _, body = served.get("/api/v1/statements/2026-02?format=csv")
        assert (status, json.loads(body)["error"][:9]) == (404, "The books")
        # The query engine ran elsewhere: whatever it takes, this process does not grow by it.
        assert "duckdb" not in Path(f"/proc/{served.process.pid}/maps").read_text(encoding="utf-8")
        served.process.send_signal(signal.SIGTERM)
        assert served.process.wait(60) == 0
    assert list(served.tmp.iterdir()) == []


def test_sealed_bytes_are_served_as_they_are(tmp_path: Path, books: Path) -> None:
    """Also a part of them, and without a temporary file."""
    portal_books.close(portal_books.open_books(books))
    sealed = (books / "statements" / "2026-10" / "v1" / "statement.xlsx").read_bytes()
    with Served(tmp_path, books) as served:
        status, headers, body = served.get("/api/v1/statements/2026-10?format=xlsx")
        assert (status, body, headers["X-Wattledger-Version"]) == (200, sealed, "1")
        rest = {"Range": "bytes=1000-", "If-Range": headers["ETag"]}
        status, headers, body = served.get("/api/v1/statements/2026-10?format=xlsx&version=1", rest)
        assert (status, body) == (206, sealed[1000:])
        assert headers["Content-Range"] == f"bytes 1000-{len(sealed) - 1}/{len(sealed)}"


def test_books_that_go_away_are_said_and_come_back(tmp_path: Path, books: Path) -> None:
    with Served(tmp_path, books) as served:
        assert served.get("/api/v1/statements/2026-10?format=csv")[0] == 200
        aside = books.rename(tmp_path / "aside")
        status, headers, body = served.get("/api/v1/statements/2026-10?format=csv")
        assert (status, headers["Retry-After"]) == (503, "30")
        assert "is gone" in json.loads(body)["error"] or "listed" in json.loads(body)["error"]
        aside.rename(books)
        assert served.get("/api/v1/statements/2026-10?format=csv")[0] == 200
        assert not any("Traceback" in line for line in served.log)


def test_who_may_read(tmp_path: Path, books: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{TOKEN} # finance\n", encoding="utf-8")
    with Served(tmp_path, books, "--token-file", str(tokens)) as served:
        assert served.get("/api/v1/statements")[0] == 401
        assert served.get("/api/v1/statements", {"Authorization": f"Bearer {TOKEN}"})[0] == 200
        assert TOKEN not in "\n".join(served.log)
    with Served(tmp_path, books, "--listen", ":0") as served:
        until(lambda: any("may read the statements" in line for line in served.log), "it was warned of")


def test_a_killed_portal_leaves_no_process_behind(tmp_path: Path, books: Path) -> None:
    """Its child hears that its standard input ended."""
    with Served(tmp_path, books) as served:
        served.get("/")
        until(served.children, "a draft is put together")
        children = served.children()
        served.process.send_signal(signal.SIGKILL)
        served.process.wait(60)
        until(lambda: not any(_runs(child) for child in children), "the child ended", 30)


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--books", "/nowhere/at/all"), "There is no folder /nowhere/at/all"),
        (("--listen", "nonsense"), "is no address to listen on"),
        (("--token-file", "/nowhere/tokens"), "/nowhere/tokens cannot be read"),
        (("--web-config", "/nowhere/web.yml"), "/nowhere/web.yml cannot be read"),
    ],
)
def test_what_is_wrong_at_the_start_is_a_sentence(
    tmp_path: Path, books: Path, arguments: tuple[str, str], said: str
) -> None:
    result = subprocess.run(
        [COMMAND, "serve", "--state-dir", str(tmp_path), "--books", str(books), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == (1 if said.startswith("There is no folder") else 2), "it may be mounted later"
    assert said in result.stderr
    assert "Traceback" not in result.stderr
