"""The dependency rule as tables and, below them, as functions that read every import: who may know whom.

A room is a file or folder directly under ``tracker/``. A new one is refused until it has a line in ``MAY_IMPORT``.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator

from tests.architecture.imports import Import, dynamic_imports, find_circle, imports_of, loaded_with

#: Folders that speak with one thing of the outer world each. They know the core and themselves, never one another.
WINGS = ("sources", "workloads", "grid", "ledger", "books", "exports", "metrics", "web")
#: What a wing promises; whoever uses a wing without building it knows only this.
INTERFACES = tuple(f"{wing}.interface" for wing in WINGS)
EVERYTHING = ("*",)

#: room -> the rooms and modules of ``tracker`` it may import, itself apart. From the ground up.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "core": (),
    "sysfs": (),  # reading pseudo-files; knows no sensor
    "migrations": (),  # numbered schema steps of SQLite files; knows no table
    "readonly": (),  # reading a SQLite file beside its writer; knows no table
    "secrecy": (),  # which names hold a secret
    "clock": ("core",),  # the real clocks, for those who hand time to the others
    **dict.fromkeys(WINGS, ("core", "sysfs", "migrations", "readonly")),
    "declare": (),  # runs in other people's programs: standard library only
    "integrations": ("declare",),  # in other people's programs too: nothing of ours but the client
    # in other people's programs, for those who come from codecarbon
    "codecarbon_compat": ("declare", "core", "workloads.visible"),
    "log": ("secrecy",),
    "faults": ("log",),
    "notify": (),  # what systemd is told
    "codecarbon_child": (),  # runs as a process of its own
    "codecarbon_facts": ("codecarbon_child", "core"),
    "background": ("core", *INTERFACES),  # a thread around any source
    "bookkeeper": ("core", *INTERFACES),  # the agent's half that books, under the agent's rules
    "memory": ("core", *INTERFACES),  # the agent's little state, under the agent's rules
    "agent": ("core", "bookkeeper", "memory", *INTERFACES),
    "reporter": ("core", "log", "faults"),  # what ticks say in the log
    "services": ("core", "grid"),  # the registry of services
    "refresher": ("core", "reporter", "grid"),  # a thread around the process that asks services
    "shipper": ("core", "reporter"),  # a thread around the process that ships
    "registry": ("core", *WINGS),
    # web.address: how an address is written; grid.zones: which zones there are
    "config": ("core", "registry", "services", "secrecy", "web.address", "grid.zones"),
    # the half of wiring that is about grids
    "grid_wiring": ("core", "services", "config", "codecarbon_facts", "refresher", "reporter", "grid"),
    "wiring": (
        "core",
        "sysfs",
        "clock",
        "registry",
        "config",
        "agent",
        "codecarbon_facts",
        "grid_wiring",
        "refresher",
        "reporter",
        "shipper",
        *WINGS,
    ),
    # the room above all wings where statements are made: the lake, the grid, the contracts and the settings
    "finance": ("core", "config", "registry", "wiring", "codecarbon_facts", *WINGS),
    "app": EVERYTHING,
    "cli": EVERYTHING,
}
#: Nobody imports these from outside: they are the top.
TOP = {"app": ("cli",), "cli": ()}
#: Only these hand out the real time. Everybody else is told what time it is.
CLOCK_READERS = ("app", "cli", "wiring")

# fmt: off
# (words in lines, not one a line)
#: Standard library that reads a clock, logs, waits, asks the system or rolls dice. The core decides and nothing else.
IMPURE = frozenset({
    "asyncio", "concurrent", "contextvars", "ctypes", "fcntl", "getpass", "glob", "http", "io", "locale", "logging",
    "mmap", "multiprocessing", "os", "pathlib", "platform", "queue", "random", "resource", "sched", "secrets",
    "select", "selectors", "shutil", "signal", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "sys",
    "syslog", "tempfile", "threading", "time", "urllib", "uuid", "warnings", "zoneinfo",
})
IMPURE_CALLS = frozenset({"open", "print", "input", "exec", "eval", "breakpoint"})
CLOCK_CALLS = frozenset({"now", "utcnow", "today", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter"})
#: The agent's thread knows no SQL, no HTTP and no driver. It uses the standard library and nothing else of others.
NOT_IN_AGENT = frozenset({
    "ctypes", "http", "logging", "socket", "socketserver", "sqlite3", "ssl", "subprocess", "threading", "time",
    "urllib",
})

#: Libraries that cost much memory or time to load: only inside the function that needs them.
HEAVY = frozenset({
    "bcrypt", "boto3", "codecarbon", "duckdb", "grpc", "jinja2", "kubernetes", "numpy", "obstore", "pandas",
    "openpyxl", "pyarrow", "pynvml", "requests", "rich", "urllib3", "xlsxwriter", "yaml",
})
# fmt: on
#: A file that is all about one of them may load it at its top; then the file itself is only imported inside functions.
HEAVY_AT_TOP = {
    "tracker.grid.eia_sheet": "openpyxl",  # imported where a workbook is read
    "tracker.grid.transport": "urllib3",  # imported where a service is asked, which the daemon never does
    "tracker.web.auth": "bcrypt",  # imported where users are named
    "tracker.web.webconfig": "yaml",  # imported where a web.config.yml is given
}
#: What the daemon starts with: importing these must load nothing heavy, whoever asks for it on the way.
STARTS = ("tracker.cli.main", "tracker.cli.run", "tracker.app", "tracker.agent", "tracker.registry")
#: The one place where modules are imported by a name in a table.
DYNAMIC_IMPORTERS = ("tracker.cli.main",)

Modules = dict[str, ast.Module]


def all_imports(modules: Modules) -> list[Import]:
    return [each for name in modules for each in imports_of(name, modules)]


def _room(module: str) -> str:
    """The room of ``tracker.sources.rapl`` is ``sources``; of anything that is not ours, ""."""
    parts = module.split(".")
    return parts[1] if parts[0] == "tracker" and len(parts) > 1 else ""


def rooms_know_only_what_they_may(modules: Modules) -> Iterator[str]:
    for each in all_imports(modules):
        room, other = _room(each.importer), _room(each.target)
        if other in ("", room):
            continue
        allowed = MAY_IMPORT.get(room, ())
        if not {"*", other, each.target.removeprefix("tracker.")} & {*allowed}:
            yield f"{each}: {room} may import {', '.join(allowed) or 'nothing of ours'}"
        if other in TOP and room not in TOP[other]:
            yield f"{each}: nothing imports {other} from below"
        if other == "clock" and room not in CLOCK_READERS:
            yield f"{each}: time is a parameter; only {', '.join(CLOCK_READERS)} read the clock"


def every_room_has_a_line(modules: Modules) -> Iterator[str]:
    for room in sorted({_room(module) for module in modules} - {""}):
        if room not in MAY_IMPORT:
            yield f"tracker/{room} has no line in MAY_IMPORT: say what it may import and why"


def no_import_hides(modules: Modules) -> Iterator[str]:
    """Not in a relative path, not under TYPE_CHECKING, not in a string."""
    for name, tree in modules.items():
        for node in ast.walk(tree):
            match node:
                case ast.ImportFrom(level=level) if level:
                    yield f"{name}:{node.lineno} imports by a relative path"
                case ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING") | ast.alias("TYPE_CHECKING"):
                    yield f"{name}:{node.lineno} uses TYPE_CHECKING"
                case _:
                    pass
        if name not in DYNAMIC_IMPORTERS:
            yield from (f"{name}:{line} imports by a name in a string" for line in dynamic_imports(tree))


def nobody_imports_in_a_circle(modules: Modules) -> Iterator[str]:
    circle = find_circle(each for each in all_imports(modules) if each.target in modules)
    if circle:
        yield "a circle: " + " -> ".join(circle)


def the_core_is_pure(modules: Modules) -> Iterator[str]:
    for each in all_imports(modules):
        if _room(each.importer) != "core":
            continue
        top = each.target.split(".")[0]
        if top in IMPURE or top not in {*sys.stdlib_module_names, "tracker"}:
            yield f"{each}: the core imports only itself and what is pure in the standard library"
    for name, tree in modules.items():
        if _room(name) == "core":
            yield from (f"{name}:{line} calls {what}()" for line, what in _calls(tree, IMPURE_CALLS, CLOCK_CALLS))


def _calls(tree: ast.Module, names: frozenset[str], methods: frozenset[str]) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(name)) if name in names:
                yield node.lineno, name
            case ast.Call(func=ast.Attribute(attr=name)) if name in methods:
                yield node.lineno, name
            case _:
                pass


def the_agent_knows_no_driver_no_sql_and_no_http(modules: Modules) -> Iterator[str]:
    for each in all_imports(modules):
        if _room(each.importer) not in {"agent", "bookkeeper"}:
            continue
        top = each.target.split(".")[0]
        if top in NOT_IN_AGENT or top not in {*sys.stdlib_module_names, "tracker"}:
            yield f"{each}: the agent hears of the world through interfaces only"


def the_registry_only_lists(modules: Modules) -> Iterator[str]:
    for name in ("tracker.registry", "tracker.services"):
        for node in modules[name].body if name in modules else ():
            match node:
                case ast.Import() | ast.ImportFrom() | ast.Assign() | ast.AnnAssign() | ast.Expr(ast.Constant()):
                    pass
                case _:
                    yield f"{name}:{node.lineno} does something: it lists implementations and does nothing else"


def heavy_libraries_wait_in_functions(modules: Modules) -> Iterator[str]:
    imports = all_imports(modules)
    for each in imports:
        library = each.target.split(".")[0]
        if library in HEAVY and not each.deferred and HEAVY_AT_TOP.get(each.importer) != library:
            yield f"{each}: import it inside the function that needs it"


def the_daemon_starts_light(modules: Modules) -> Iterator[str]:
    imports = all_imports(modules)
    for start in STARTS:
        loaded = loaded_with(start, imports)
        for target, importer in loaded.items():
            if target.split(".")[0] in HEAVY:
                yield f"importing {start} loads {target}, because of {importer}"


Rule = Callable[[Modules], Iterator[str]]
RULES: tuple[Rule, ...] = (
    rooms_know_only_what_they_may,
    every_room_has_a_line,
    no_import_hides,
    nobody_imports_in_a_circle,
    the_core_is_pure,
    the_agent_knows_no_driver_no_sql_and_no_http,
    the_registry_only_lists,
    heavy_libraries_wait_in_functions,
    the_daemon_starts_light,
)
