"""``wattledger ship`` as somebody runs it: from a ledger to a folder and a bucket, twice, killed, and for ever."""

from __future__ import annotations

import json
import os
import pty
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.books.shipments import column, everything, read_lake, spans, sums
from tests.core.test_chain import live
from tests.e2e.daemon import COMMAND, Daemon, until
from tests.fakes.s3 import s3_server
from tests.ledger.books import plant
from tracker.books.factorfiles import read_factors
from tracker.books.folder import FolderStore
from tracker.books.sites import read_sites
from tracker.books.store import open_store
from tracker.grid.bundle import parse_bundle
from tracker.grid.store import STORE_FILE, FactorStore
from tracker.ledger.store import SqliteLedger

FIRST = 1_790_985_600  # 2026-10-03T00:00:00Z
HOUR = 3600


class Node:
    """A state folder with a ledger of whole hours: four devices, six workloads."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state_dir, self.books = folder, folder / "state", folder / "books"
        self.ledger = self.state_dir / "ledger.db"
        store = SqliteLedger(self.ledger)
        store.open()
        store.close()
        self.config = folder / "config.toml"
        self.config.write_text(
            '[node]\nhostname = "gpu-017"\ncluster = "paris-1"\nsite = "par1"\n'
            '[site.par1]\nzone = "FR"\npue = 1.21\npue_source = "operator"\ntimezone = "Europe/Paris"\n'
        )
        devices = ", ".join(
            f"({n}, 'GPU-{n}', 'nvml', 'gpu', '[]', 1, 'measured', 'nvml', 700000, NULL, 0, '', 'H100', '', 700000)"
            for n in range(1, 5)
        )
        workloads = ", ".join(
            f"({n}, 'pod/{n}', 'pod', 'train-{n}', 'nlp', '', '', '', '', '', '', '', 'nlp', 'llm', '')"
            for n in range(1, 7)
        )
        plant(self.ledger, f"INSERT INTO device VALUES {devices}; INSERT INTO workload VALUES {workloads};")

    def run(self, hours: int, *, since_s: int | None = None) -> None:
        """Time passes, all of it booked."""
        with closing(sqlite3.connect(self.ledger)) as db, db:
            until_ms = db.execute("SELECT booked_until_ms FROM head").fetchone()[0]
            start_s = since_s or (until_ms // 1000 if until_ms else FIRST)
            dice = random.Random(start_s)
            rows = [
                (slot_s, device, workload, "measured", dice.randrange(10**10), 0, 50_000)
                for slot_s in range(start_s, start_s + hours * HOUR, 300)
                for device in range(1, 5)
                for workload in range(1, 7)
            ]
            db.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            db.execute("UPDATE head SET booked_until_ms = ?", ((start_s + hours * HOUR) * 1000,))

    @property
    def total_uj(self) -> int:
        with closing(sqlite3.connect(self.ledger)) as db:
            return int(db.execute("SELECT sum(energy_uj) FROM entry").fetchone()[0])

    def command(self, *arguments: str, books: str | None = None) -> list[str]:
        given = ("--config", str(self.config), "--state-dir", str(self.state_dir), "--books", books or str(self.books))
        return [COMMAND, "ship", *given, *arguments]

    def ship(self, *arguments: str, books: str | None = None) -> subprocess.CompletedProcess[str]:
        command = self.command(*arguments, books=books)
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    @property
    def store(self) -> FolderStore:
        return FolderStore(self.books)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def done(result: subprocess.CompletedProcess[str]) -> Any:
    assert (result.returncode, result.stderr) == (0, "")
    return json.loads(result.stdout)


def test_a_ledger_gets_into_the_books_to_the_microjoule(node: Node) -> None:
    node.run(53)
    result = done(node.ship("--json"))
    assert (result["books"], result["ok"], result["until"]) == (str(node.books), True, "2026-10-05T05:00:00Z")
    assert len(result["created"]) == 10
    assert spans(node.store)["entries"] == ["03 day", "04 day", "05 h00_05"]
    assert sums(node.store) == {
        "energy_uj": node.total_uj,
        "held_ms": 53 * 4 * 3_600_000,
        "duration_ms": 53 * 4 * 3_600_000,
    }
    rows = read_lake(node.store, "entries")
    for name, value in {"hostname": "gpu-017", "cluster": "paris-1", "site": "par1", "grid_zone": "FR"}.items():
        assert set(column("entries", name, rows)) == {value}
    site = read_sites(node.store).facts["par1"]
    assert (site.zone, site.timezone) == ("FR", "Europe/Paris")
    assert (site.pue[-1].permille, site.pue[-1].source) == (1210, "operator")


def test_again_changes_nothing_and_is_silent(node: Node) -> None:
    node.run(30)
    assert done(node.ship("--json"))["created"] != []
    before = everything(node.books)
    result = node.ship()
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert done(node.ship("--check", "--json"))["created"] == []
    assert everything(node.books) == before


def test_a_lost_state_and_other_surroundings_give_the_same_files(node: Node, tmp_path: Path) -> None:
    node.run(30)
    node.ship()
    before = everything(node.books / "entries")
    for path in node.state_dir.iterdir():
        if path.name != "ledger.db":
            path.unlink()
    env = {**os.environ, "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "7", "LC_ALL": "C"}
    command = node.command("--json", books=str(tmp_path / "other"))
    subprocess.run(command, env=env, check=True, capture_output=True, timeout=120)
    assert everything(tmp_path / "other" / "entries") == before
    assert done(node.ship("--json"))["created"] == []


def test_other_content_is_refused_with_a_sentence_and_both_are_kept(node: Node) -> None:
    node.run(24)
    node.ship()
    before = everything(node.books)
    plant(node.ledger, f"UPDATE entry SET energy_uj = energy_uj + 1 WHERE slot_start_s = {FIRST} AND device_id = 1;")
    result = node.ship()
    assert result.returncode == 1
    assert "says something else about its hours than the ledger does now. Both are kept" in result.stderr
    assert "Traceback" not in result.stderr
    kept = everything(node.books).keys() - before.keys()
    assert [name.split("/")[0] for name in kept] == ["conflicts"]


@pytest.mark.parametrize("moment", range(10))
def test_killed_at_any_moment_and_completed_by_the_next_run(node: Node, moment: int) -> None:
    """SIGKILL of the real command. Nothing partial has a final name, no energy is there without its coverage."""
    node.run(24 * 6 + 5)
    with subprocess.Popen(node.command(), stdout=subprocess.DEVNULL) as child:
        if moment:
            files = node.books / "coverage" / "month=2026-10"
            until(lambda: len(list(files.rglob("*.parquet"))) >= moment - 1 or child.poll() is not None, "it began")
        time.sleep(0.003 * (moment % 4))  # between two files, or within one
        child.send_signal(signal.SIGKILL)
    if node.books.exists():
        hours = column("entries", "hour_s", read_lake(node.store, "entries"))
        assert set(hours) <= set(column("coverage", "hour_s", read_lake(node.store, "coverage")))
    assert done(node.ship("--json"))["ok"]
    assert sums(node.store)["energy_uj"] == node.total_uj
    assert done(node.ship("--check", "--json"))["created"] == []


def test_a_bucket_and_what_is_wrong_with_one(node: Node, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    node.run(26)
    with s3_server() as server:
        for name, value in server.environ.items():
            monkeypatch.setenv(name, value)
        url = server.bucket("books") + "/prod"
        assert len(done(node.ship("--json", books=url))["created"]) == 7
        assert done(node.ship("--json", books=url))["created"] == []
        assert sums(open_store(url, tmp_path / "cache"))["energy_uj"] == node.total_uj
        wrong = node.ship(books="s3://nowhere")
        assert wrong.returncode == 1
        assert wrong.stderr.endswith("there is no such bucket. Create it, or mend books.url.\n")
    gone = node.ship(books=url)
    assert gone.returncode == 1
    assert "the service cannot be reached. Check the network" in gone.stderr
    assert gone.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--books", "nowhere/below/books"), 1, "There is no folder"),
        (("--books", "ftp://x"), 2, "is no address of books"),
        (("--every", "often"), 2, "--every often is no length of time"),
        (("--every", "1s"), 2, "--every 1s is too often"),
        (("--check", "--due"), 2, "Give one of them"),
        (("--factors", "--check"), 2, "--factors ships factors and no hours"),
        (("--factors",), 1, "This machine knows no grid factors"),
        (("--state-dir", "/nowhere"), 1, "There is no ledger at /nowhere/ledger.db"),
    ],
)
def test_bad_usage_is_one_sentence(node: Node, arguments: Sequence[str], code: int, said: str) -> None:
    result = node.ship(*arguments)
    assert (result.returncode, result.stdout) == (code, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_without_an_address_the_books_lie_beside_the_ledger(node: Node) -> None:
    node.run(2)
    command = [COMMAND, "ship", "--config", str(node.config), "--state-dir", str(node.state_dir)]
    subprocess.run(command, check=True, timeout=120)
    assert spans(FolderStore(node.state_dir / "books"))["entries"] == ["03 h00_02"]
    node.config.write_text(node.config.read_text() + f'[books]\nurl = "{node.books.as_uri()}"\n')
    subprocess.run(command, check=True, timeout=120)
    assert spans(node.store)["entries"] == ["03 h00_02"]


def test_an_empty_ledger_ships_nothing(node: Node) -> None:
    assert done(node.ship("--json"))["until"] is None
    assert spans(node.store) == {"entries": [], "coverage": [], "emissions": []}


@pytest.fixture
def forever(node: Node) -> Iterator[subprocess.Popen[str]]:
    node.run(3)
    command = node.command("--every", "1h")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        yield child
        child.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_every_hour_until_a_signal_and_once_more_at_the_end(
    node: Node, forever: subprocess.Popen[str], number: signal.Signals
) -> None:
    until(lambda: list(node.books.rglob("entries/**/*.parquet")), "the first hours are shipped")
    second = node.ship()
    assert second.returncode in (0, 1), "beside it, or told that another one is running"
    node.run(2)
    forever.send_signal(number)
    assert forever.wait(60) == 0
    assert spans(node.store)["entries"] == ["03 h00_03", "03 h03_05"]


def test_a_store_that_cannot_be_reached_is_tried_again(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the next turn, and a last time at the end, whose outcome is the exit code."""
    node.run(1)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    command = node.command("--every", "1h", books="s3://books")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        first = child.stderr.readline()
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        rest = child.stderr.read()
    assert "the service cannot be reached" in first
    assert "the service cannot be reached" in rest
    assert rest.count("\n") == 1
    assert child.returncode == 1


def test_a_ledger_of_the_future_is_told(node: Node) -> None:
    node.run(1, since_s=4_102_444_800)
    result = node.ship()
    assert result.returncode == 0
    assert "days into the future: a clock was wrong" in result.stderr


def test_two_at_once_are_not_both_let_in(node: Node) -> None:
    import fcntl

    node.run(1)
    with (node.state_dir / ".ship.lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        result = node.ship()
    assert result.returncode == 1
    assert result.stderr == "wattledger: Another wattledger ship of this ledger is running. Wait for its end.\n"


def on_a_terminal(command: Sequence[str]) -> bytes:
    above, below = pty.openpty()
    with subprocess.Popen(command, stdout=below, stderr=below, stdin=below) as child:
        os.close(below)
        printed = b""
        with open(above, "rb", buffering=0, closefd=True) as screen:  # noqa: PTH123 - a descriptor
            try:
                while part := screen.read(4096):
                    printed += part
            except OSError:  # the other end is closed
                pass
        assert child.wait(60) == 0
    return printed


def test_a_terminal_is_told_what_was_done(node: Node) -> None:
    node.run(24)
    assert b"4 new files, closed hours up to 2026-10-04T00:00:00Z" in on_a_terminal(node.command())
    with FactorStore(node.state_dir / STORE_FILE) as factors:
        factors.append([live("a", "30", start_s=FIRST), live("b", "40", start_s=FIRST + HOUR)], FIRST)
    assert b": 2 grid factors in 1 new file\r\n" in on_a_terminal(node.command("--factors"))
    assert b": nothing new, the books have what this machine" in on_a_terminal(node.command("--factors"))


def test_the_ledger_of_a_running_daemon_ships(tmp_path: Path) -> None:
    """Beside its writer, who has not closed an hour yet, and with what the node says of itself."""
    with Daemon(tmp_path / "state", "--demo") as daemon:
        state_dir = daemon.state_dir / "demo"
        until((state_dir / "ledger.db").exists, "the ledger is there")
        command = [COMMAND, "ship", "--state-dir", str(state_dir), "--books", str(tmp_path / "books"), "--json"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert (result.returncode, result.stderr) == (0, "")
    facts = read_sites(FolderStore(tmp_path / "books")).facts[""]
    assert (facts.control, facts.zone, facts.pue[0].assumed) == ("owned", "", True)


def test_what_the_node_knows_of_the_grid_ships_once(node: Node) -> None:
    node.run(1)
    with FactorStore(node.state_dir / STORE_FILE) as factors:
        factors.append([live("a", "30", start_s=FIRST), live("a", "40", start_s=FIRST + HOUR)], FIRST)
    node.ship()
    node.ship()
    (first,) = read_factors(node.store)
    rows = [record.row for record in parse_bundle(first[1], first[0])]
    assert [(row.valid_from_s, str(row.value_g_per_kwh)) for row in rows] == [(FIRST, "30"), (FIRST + HOUR, "40")]
    with FactorStore(node.state_dir / STORE_FILE) as factors:
        factors.append([live("a", "50", start_s=FIRST + 2 * HOUR)], FIRST)
    node.ship("--due")
    assert len(dict(read_factors(node.store))) == 1, "the daemon ships them once a day"
    node.ship()
    found = [record.row for name, bundle in read_factors(node.store) for record in parse_bundle(bundle, name)]
    assert sorted(str(row.value_g_per_kwh) for row in found) == ["30", "40", "50"], "only what is new"


def test_factors_alone_need_no_ledger_and_leave_hours_alone(node: Node) -> None:
    """Of finance, which has several sites and no node."""
    node.run(1)
    done(node.ship("--json"))
    node.ledger.unlink()
    before = spans(node.store)
    node.config.write_text('[site.par1]\nzone = "FR"\n[site.fra1]\nzone = "DE"\n')
    with FactorStore(node.state_dir / STORE_FILE) as factors:
        factors.append([live("a", "30", start_s=FIRST)], FIRST)
    said = done(node.ship("--factors", "--json"))
    assert (len(said["created"]), said["factors"], said["until"]) == (1, 1, None)
    ((name, bundle),) = read_factors(node.store)
    assert said["created"] == [name]
    assert [str(record.row.value_g_per_kwh) for record in parse_bundle(bundle, name)] == ["30"]
    said = done(node.ship("--factors", "--json"))
    assert (said["created"], said["factors"]) == ([], 0), "again changes nothing"
    assert spans(node.store) == before


def test_factors_alone_make_no_books_at_an_address_that_is_mistyped(node: Node) -> None:
    """Off a terminal nothing is printed, and finance would believe that they are in."""
    with FactorStore(node.state_dir / STORE_FILE) as factors:
        factors.append([live("a", "30", start_s=FIRST)], FIRST)
    result = node.ship("--factors", books=str(node.folder / "bocks"))
    assert (result.returncode, result.stdout) == (1, "")
    assert "There is no folder" in result.stderr
    assert not (node.folder / "bocks").exists()
