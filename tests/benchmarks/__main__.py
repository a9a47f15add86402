"""``make bench``: measures what the design promises and prints one table. Nothing fails; the verdict is a column.

    python -m tests.benchmarks                  everything, some five minutes
    python -m tests.benchmarks --quick          shorter runs, a minute and a half
    python -m tests.benchmarks --only scrape    one section (repeatable)
    python -m tests.benchmarks --json           rows as JSON on stdout

The result of a whole run is also written to ``tests/benchmarks/results/latest.md``.
"""

from __future__ import annotations

import argparse
import compileall
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import tracker
from tests.benchmarks import fleet, kills, machine, overhead, parts, scrape, start
from tests.benchmarks.rows import Row, markdown_table, text_table

RESULTS = Path(__file__).parent / "results"

#: Given a folder of its own, and whether to be quick.
Section = Callable[[Path, bool], list[Row]]
#: By name; the one that needs quiet most comes first.
SECTIONS: Mapping[str, Section] = {
    "parts": lambda folder, quick: parts.run(folder, quick=quick),
    "scrape": lambda _folder, quick: scrape.run(quick=quick),
    "node": lambda folder, quick: overhead.run(folder, quick=quick),
    "start": lambda folder, quick: start.run(folder, quick=quick),
    "fleet": lambda folder, quick: fleet.run(folder, quick=quick),
    "kills": lambda folder, quick: kills.run(folder, quick=quick),
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--quick", action="store_true", help="shorter runs: less certain numbers")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="one section (repeatable)")
    parser.add_argument("--json", action="store_true", help="rows as JSON instead of the table")
    options = parser.parse_args(arguments)
    # An installed package is compiled. Compiling at the first start would show in that start's time and memory.
    compileall.compile_dir(Path(next(iter(tracker.__path__))), quiet=2)
    about = machine.describe()
    rows = measure(options.only or list(SECTIONS), SECTIONS, quick=options.quick)
    if options.json:
        print(json.dumps({"machine": about, "rows": [row.as_dict() for row in rows]}, indent=2))
    else:
        print("\n".join(f"{name}: {value}" for name, value in about.items()))
        print(f"\n{text_table(rows)}", end="")
    if not options.only and not options.quick:
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / "latest.md").write_text(report(about, rows), encoding="utf-8")


def measure(names: Sequence[str], sections: Mapping[str, Section], *, quick: bool) -> list[Row]:
    """Run sections one after the other. One that cannot run here is a row that says why."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="wattledger-bench-") as folder:
        for name in names:
            begin_s = time.monotonic()
            gc.collect()
            gc.freeze()  # a collection in the middle of a measurement must not walk what the benchmark itself keeps
            place = Path(folder) / name
            place.mkdir()
            try:
                rows += sections[name](place, quick)
            except Exception as error:  # noqa: BLE001 - the other sections are still worth having
                rows.append(Row(name, f"all of {name}", None, "", how=f"{type(error).__name__}: {error}"[:200]))
            gc.unfreeze()
            print(f"{name}: {time.monotonic() - begin_s:.0f} s", file=sys.stderr)
    return rows


def report(about: dict[str, str], rows: Sequence[Row]) -> str:
    """The table as a page, with the machine it was taken on."""
    lines = [f"- {name}: {value}" for name, value in about.items()]
    return "# Benchmarks\n\nBy `make bench` on:\n\n" + "\n".join(lines) + f"\n\n{markdown_table(rows)}"


if __name__ == "__main__":
    main()
