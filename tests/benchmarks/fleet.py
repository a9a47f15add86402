"""How long a month of a large fleet takes, and in how much memory. The fleet never was: its books are made with SQL.

A node has eight GPUs, each held by two of 4,000 jobs in turn and idle in between, two CPU packages, memory and a board:
24 hours x 28 rows a day. 1,000 nodes over a month are 31,000 files of entries and 20.8 million rows.

    python -m tests.benchmarks.fleet FOLDER NODES [MONTH]      make the books and leave them there
    python -m tests.benchmarks --only fleet                    compose a month of 100 and of 1,000 nodes

``WATTLEDGER_BENCH_NODES=10000`` adds that many: some 5 GB of disk and half an hour to make.
"""

from __future__ import annotations

import calendar
import hashlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb

from tests.benchmarks.process import peak_rss_mib
from tests.benchmarks.rows import Row
from tracker.books.lake import file_for
from tracker.books.names import day_start_s
from tracker.books.schema import SCHEMA_VERSION, SCHEMAS
from tracker.core.hours import NodeFacts

SECTION = "fleet"
DAY_S = 86_400
SECONDS, MIB = 15, 1024  # the budget of 1,000 node-months
SITES = (("par1", "FR"), ("fra1", "DE"), ("ash1", "US"), ("sin1", "SG"))
THREADS = 2

#: One node's day: each GPU is held by two of 40 projects in turn and idles in between; the host's parts follow.
_ENTRIES = """
SELECT start_s + 3600 * h AS hour_s, $host AS hostname, $ledger AS ledger, 'c1' AS cluster, $site AS site,
       $zone AS grid_zone, component, device, model AS device_model,
       CASE kind WHEN 'idle' THEN 'idle' WHEN 'system' THEN 'system' ELSE 'slurm/' || job END AS workload, kind,
       CASE kind WHEN 'slurm' THEN 'job-' || job ELSE kind END AS name, '' AS namespace, '' AS pod, '' AS container,
       CASE kind WHEN 'slurm' THEN 'user' || job % 300 ELSE '' END AS user,
       CASE kind WHEN 'slurm' THEN job::VARCHAR ELSE '' END AS job, 'gpu' AS queue,
       CASE kind WHEN 'slurm' THEN 'CC-' || job % 20 ELSE '' END AS cost_centre, '' AS run,
       CASE kind WHEN 'slurm' THEN 'team' || job % 12 ELSE '' END AS team,
       CASE kind WHEN 'slurm' THEN 'project' || job % 40 ELSE '' END AS project,
       CASE kind WHEN 'slurm' THEN ['training', 'inference', ''][1 + job % 3] ELSE '' END AS phase,
       method, energy_uj, idle_uj, held_ms
FROM (
    SELECT h, 'gpu' AS component, 'GPU-' || $n || '-' || g AS device, 'NVIDIA H100 80GB HBM3' AS model,
           ['slurm', 'slurm', 'idle'][1 + w] AS kind, ($n * 7 + h // 6 + g + w * 1000) % 4000 AS job,
           'measured' AS method, 400_000_000_000 + hash($n, h, g, w) % 600_000_000_000 AS energy_uj,
           50_000_000_000 + hash(h, g, w) % 1_000_000_000 AS idle_uj, 1200000 AS held_ms
    FROM range(24) hours(h), range(8) gpus(g), range(3) uses(w)
    UNION ALL
    SELECT h, 'cpu', 'package-' || p, 'Xeon', ['slurm', 'system'][1 + p], ($n * 7 + h // 6) % 4000, 'measured',
           500_000_000_000 + hash($n, h, p) % 100_000_000_000, 0, 3600000
    FROM range(24) hours(h), range(2) packages(p)
    UNION ALL
    SELECT h, 'dram', 'dram-0', '', 'slurm', ($n * 7 + h // 6) % 4000, 'modelled',
           90_000_000_000 + hash($n, h) % 9_000_000_000, 0, 3600000
    FROM range(24) hours(h)
    UNION ALL
    SELECT h, 'other', 'board', '', 'system', 0, 'modelled', 150_000_000_000, 0, 3600000 FROM range(24) hours(h)
), (SELECT $start AS start_s)
"""
_COVERAGE = """
SELECT $start + 3600 * h AS hour_s, $host AS hostname, $ledger AS ledger, 'c1' AS cluster, $site AS site,
       CASE WHEN d < 8 THEN 'gpu' WHEN d < 10 THEN 'cpu' WHEN d = 10 THEN 'dram' ELSE 'other' END AS component,
       CASE WHEN d < 8 THEN 'GPU-' || $n || '-' || d WHEN d < 10 THEN 'package-' || (d - 8)
            WHEN d = 10 THEN 'dram-0' ELSE 'board' END AS device,
       'covered' AS state, 3600000 AS duration_ms
FROM range(24) hours(h), range(12) devices(d)
"""


_CHILD = """
import sys, time
from pathlib import Path
from tracker.books.store import open_store
from tracker.config import Config
from tracker.config.schema import Node
from tracker.finance.compose import compose
begin_s, begin_cpu_s = time.perf_counter(), time.process_time()
config = Config(node=Node(state_dir=Path(sys.argv[2])))
statement = compose(config, open_store(sys.argv[1]), "2026-10", as_of_s=1_795_000_000)
print(time.perf_counter() - begin_s, time.process_time() - begin_cpu_s, len(statement.rows), flush=True)
sys.stdin.read()
"""


def run(folder: Path, *, quick: bool) -> list[Row]:
    more = int(os.environ.get("WATTLEDGER_BENCH_NODES", "0"))
    sizes = (100,) if quick else (100, 1000, *([more] if more else []))
    return [row for nodes in sizes for row in _measured(folder / str(nodes), nodes, folder)]


def _measured(books: Path, nodes: int, state: Path) -> list[Row]:
    begin_s = time.monotonic()
    rows = make_fleet(books, nodes)
    made_s = time.monotonic() - begin_s
    command = [sys.executable, "-c", _CHILD, str(books), str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        wall_s, cpu_s, lines = map(float, child.stdout.readline().split())
        peak_mib = peak_rss_mib(child.pid)
    is_budgeted = nodes == 1000
    how = f"{rows / 1e6:.1f} M rows, {nodes * 31:,} files of entries, {lines:.0f} lines; made in {made_s:.0f} s"
    name = f"month of {nodes:,} nodes"
    return [
        Row(SECTION, name, wall_s, "s", SECONDS if is_budgeted else None, f"{how}; {cpu_s:.0f} s of CPU time"),
        Row(SECTION, f"{name}, peak RSS", peak_mib, "MiB", MIB if is_budgeted else None, "VmHWM, memory_mib = 700"),
    ]


def make_fleet(folder: Path, nodes: int, month: str = "2026-10") -> int:
    """Write the entries and coverage of every node and day of ``month`` (UTC). The number of entries' rows."""
    year, number = map(int, month.split("-"))
    days = [f"{month}-{day:02}" for day in range(1, calendar.monthrange(year, number)[1] + 1)]
    for kind in ("entries", "coverage"):
        for day in days:
            (folder / kind / f"month={month}" / f"day={day[8:]}").mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as connection, ThreadPoolExecutor(THREADS) as pool:
        jobs = [
            pool.submit(_make_node, connection.cursor(), folder, range(n, nodes, THREADS), days) for n in range(THREADS)
        ]
        return sum(job.result() for job in jobs)


def _make_node(cursor: duckdb.DuckDBPyConnection, folder: Path, numbers: range, days: list[str]) -> int:
    cursor.execute("SET threads = 1")
    rows = 0
    for n in numbers:
        site, zone = SITES[n % len(SITES)]
        host = f"gpu-{n:05}"
        node = NodeFacts(host, hashlib.sha256(host.encode()).hexdigest()[:32], "c1", site, zone)
        for day in days:
            start_s = day_start_s(day)
            values: dict[str, object] = {
                "start": start_s,
                "host": host,
                "ledger": node.ledger,
                "site": site,
                "zone": zone,
                "n": n,
            }
            for kind, sql in (("entries", _ENTRIES), ("coverage", _COVERAGE)):
                sha256 = hashlib.sha256(f"{kind}{host}{day}".encode()).hexdigest()
                path = folder / file_for(kind, node, start_s, start_s + DAY_S, sha256).name
                names = ", ".join(f'"{name}"::{of} AS "{name}"' for name, of in SCHEMAS[kind])
                count = _copy(cursor, kind, f"SELECT {names} FROM ({sql})", path, values)
                rows += count if kind == "entries" else 0
    return rows


def _copy(cursor: duckdb.DuckDBPyConnection, kind: str, select: str, path: Path, values: dict[str, object]) -> int:
    for key, value in values.items():
        select = select.replace(f"${key}", f"'{value}'" if isinstance(value, str) else str(value))
    about = f"KV_METADATA {{'wattledger.schema': '{kind}/{SCHEMA_VERSION}'}}"
    cursor.execute(f"COPY ({select} ORDER BY hour_s) TO '{path}' (FORMAT parquet, COMPRESSION zstd, {about})")
    found = cursor.fetchone()
    return int(found[0]) if found else 0


if __name__ == "__main__":
    print(make_fleet(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:4]))
