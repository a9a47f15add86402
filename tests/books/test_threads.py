"""On nodes with many CPUs the books take no more threads than on others: they have to fit into TasksMax= of the units,
and a client of buckets that cannot start one looks up no name and ships nothing for ever."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.fakes.cpus import many_cpus
from tests.fakes.s3 import s3_server

ASK = """
import os, sys
from pathlib import Path
from tracker.books.store import open_store
store = open_store(sys.argv[1], Path(sys.argv[2]))
print(len(os.sched_getaffinity(0)), store.create("x", b"1"), store.read("x"), list(store.names()))
print(len(os.listdir("/proc/self/task")))
"""
COMPUTE = """
import os
from tracker.books.engine import connect
with connect({threads}) as connection:
    print(connection.execute("SELECT sum(i * j) FROM range(1000) a(i), range(10000) b(j)").fetchone())
    print(len(os.listdir("/proc/self/task")))
"""
pytestmark = pytest.mark.needs("gcc")


def said(program: str, *arguments: str, env: Mapping[str, str]) -> list[str]:
    """The lines that a program prints on a machine of many CPUs."""
    whole = {**os.environ, **env}
    whole.pop("TOKIO_WORKER_THREADS", None)
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, env=whole, cwd=REPO, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.splitlines()


def allowed(unit: str) -> int:
    (limit,) = re.findall(r"^TasksMax=(\d+)$", (REPO / "deploy/systemd" / unit).read_text("utf-8"), re.MULTILINE)
    return int(limit)


def test_a_client_of_buckets_makes_no_thread_for_each_cpu(tmp_path: Path) -> None:
    with s3_server() as s3:
        url = s3.bucket("books")
        address = {"AWS_ENDPOINT_URL": s3.endpoint.replace("127.0.0.1", "localhost")}
        env = {**s3.environ, **address, **many_cpus(tmp_path)}
        asked, threads = said(ASK, url, str(tmp_path / "cache"), env=env)
    assert asked == "224 True b'1' [('x', 1)]"
    assert int(threads) + 16 + 3 < allowed("wattledger-ship.service"), "more of them download, and the engine has some"


@pytest.mark.parametrize(("threads", "most"), [("", 24), ("1", 8)])
def test_nor_does_the_query_engine(tmp_path: Path, threads: str, most: int) -> None:
    """Its memory is divided among them, and a portal makes several statements."""
    total, count = said(COMPUTE.format(threads=threads), env=many_cpus(tmp_path))
    assert total == "(24972502500000,)"
    assert int(count) <= most
    assert 4 * most < allowed("wattledger-serve.service")
