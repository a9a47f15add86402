"""Imports what the daemon and the commands import. Run once while the image is built: what does not fit its Python
fails here, and Python keeps what it compiled."""

from __future__ import annotations

import importlib
import pkgutil

import tracker

#: For programs that train, in their own environment: they import codecarbon's code and frameworks, which are not here.
#: And what needs an extra (``wattledger[eia]``).
ELSEWHERE = ("tracker.codecarbon_compat", "tracker.integrations", "tracker.grid.eia_sheet")
#: Imported late, inside the command or part that needs them.
LATE = (
    *("bcrypt", "duckdb", "grpc", "jinja2", "obstore", "pynvml", "rich.progress", "rich.table", "urllib3"),
    *("xlsxwriter", "yaml", "zoneinfo", "sqlite3", "ssl", "ctypes"),
)


def modules() -> list[str]:
    """Every module of wattledger that this image can run."""
    names = [found.name for found in pkgutil.walk_packages(tracker.__path__, "tracker.", onerror=lambda _: None)]
    return [name for name in names if not name.startswith(ELSEWHERE) and not name.endswith("__main__")]


if __name__ == "__main__":
    for name in (*LATE, *modules()):
        importlib.import_module(name)
