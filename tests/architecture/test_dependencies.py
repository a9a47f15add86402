"""The dependency rule holds in every file, and each part of it is known to be able to fail."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.architecture.imports import read_modules
from tests.architecture.rules import (
    DYNAMIC_IMPORTERS,
    HEAVY_AT_TOP,
    RULES,
    STARTS,
    Modules,
    Rule,
    all_imports,
    every_room_has_a_line,
    heavy_libraries_wait_in_functions,
    no_import_hides,
    nobody_imports_in_a_circle,
    rooms_know_only_what_they_may,
    the_agent_knows_no_driver_no_sql_and_no_http,
    the_core_is_pure,
    the_daemon_starts_light,
    the_registry_only_lists,
)

REPO = Path(__file__).resolve().parent.parent.parent


@cache
def tracker() -> Modules:
    return read_modules(REPO)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_dependency_rule(rule: Rule) -> None:
    broken = list(rule(tracker()))
    assert not broken, "\n".join(broken)


def test_there_is_something_to_check() -> None:
    modules = tracker()
    assert {"tracker.core.meter", "tracker.agent", "tracker.sources.interface"} <= modules.keys()
    assert len(all_imports(modules)) > 100
    at_top = {(each.importer, each.target) for each in all_imports(modules)}
    assert {*HEAVY_AT_TOP.items()} <= at_top
    assert {*STARTS, *DYNAMIC_IMPORTERS} <= modules.keys()


# --- each rule can fail: planted violations --------------------------------------------------------------------------

#: rule -> (file, its content, a part of the complaint). The other files of the planted package are empty.
PLANTED: list[tuple[Rule, str, str, str]] = [
    (rooms_know_only_what_they_may, "core/meter.py", "from tracker.sysfs import Roots", "core may import nothing"),
    (rooms_know_only_what_they_may, "core/meter.py", "import tracker.agent", "core may import nothing"),
    (rooms_know_only_what_they_may, "sources/rapl.py", "from tracker.ledger import store", "sources may import core"),
    (rooms_know_only_what_they_may, "sources/rapl.py", "from tracker import config", "imports tracker.config"),
    (rooms_know_only_what_they_may, "web/server.py", "from tracker.ledger.interface import X", "web may import core"),
    (rooms_know_only_what_they_may, "web/server.py", "def f():\n    import tracker.agent", "web.server:2"),
    (rooms_know_only_what_they_may, "agent.py", "from tracker.sources.rapl import X", "agent may import"),
    (rooms_know_only_what_they_may, "sysfs.py", "import tracker.core.meter", "sysfs may import nothing"),
    (rooms_know_only_what_they_may, "registry.py", "from tracker import config", "registry may import"),
    (rooms_know_only_what_they_may, "app.py", "import tracker.cli.main", "nothing imports cli from below"),
    (rooms_know_only_what_they_may, "wiring.py", "import tracker.app", "nothing imports app from below"),
    (rooms_know_only_what_they_may, "sources/rapl.py", "from tracker.clock import now", "time is a parameter"),
    (every_room_has_a_line, "helpers.py", "", "tracker/helpers has no line"),
    (every_room_has_a_line, "utils/text.py", "", "tracker/utils has no line"),
    (no_import_hides, "core/meter.py", "from .units import X", "relative"),
    (no_import_hides, "core/meter.py", "def f():\n    from . import units", "relative"),
    (no_import_hides, "core/meter.py", "from typing import TYPE_CHECKING", "TYPE_CHECKING"),
    (no_import_hides, "core/meter.py", "import typing\nif typing.TYPE_CHECKING:\n    pass", "TYPE_CHECKING"),
    (no_import_hides, "agent.py", "import importlib\nx = importlib.import_module('tracker.sources.rapl')", "string"),
    (no_import_hides, "agent.py", "x = __import__('sqlite3')", "string"),
    (nobody_imports_in_a_circle, "core/meter.py", "import tracker.core.split", "core.meter -> tracker.core.split"),
    (nobody_imports_in_a_circle, "core/meter.py", "def f():\n    from tracker.core import split", "a circle"),
    (the_core_is_pure, "core/meter.py", "import time", "imports time"),
    (the_core_is_pure, "core/meter.py", "from time import monotonic", "imports time"),
    (the_core_is_pure, "core/meter.py", "def f():\n    import os.path", "core.meter:2 imports os.path"),
    (the_core_is_pure, "core/meter.py", "import msgspec", "imports msgspec"),
    (the_core_is_pure, "core/meter.py", "import logging", "imports logging"),
    (the_core_is_pure, "core/meter.py", "from datetime import datetime\nx = datetime.now()", "calls now()"),
    (the_core_is_pure, "core/meter.py", "import datetime\nx = datetime.date.today()", "calls today()"),
    (the_core_is_pure, "core/meter.py", "x = open('/proc/stat')", "calls open()"),
    (the_agent_knows_no_driver_no_sql_and_no_http, "agent.py", "import sqlite3", "imports sqlite3"),
    (the_agent_knows_no_driver_no_sql_and_no_http, "agent.py", "import pynvml", "imports pynvml"),
    (the_agent_knows_no_driver_no_sql_and_no_http, "bookkeeper.py", "from time import time", "imports time"),
    (the_agent_knows_no_driver_no_sql_and_no_http, "agent.py", "import http.server", "imports http.server"),
    (the_registry_only_lists, "registry.py", "def sources():\n    return []", "does something"),
    (the_registry_only_lists, "registry.py", "try:\n    import x\nexcept ImportError:\n    x = None", "does something"),
    (heavy_libraries_wait_in_functions, "sources/nvml.py", "import codecarbon.core.cpu", "imports codecarbon"),
    (heavy_libraries_wait_in_functions, "cli/run.py", "from rich.table import Table", "imports rich"),
    (
        heavy_libraries_wait_in_functions,
        "web/server.py",
        "try:\n    import yaml\nexcept ImportError:\n    pass",
        "yaml",
    ),
    (heavy_libraries_wait_in_functions, "web/webconfig.py", "import bcrypt", "imports bcrypt"),
    (heavy_libraries_wait_in_functions, "cli/run.py", "class C:\n    import pandas", "imports pandas"),
    (the_daemon_starts_light, "web/server.py", "import tracker.web.webconfig", "because of tracker.web.webconfig"),
    (the_daemon_starts_light, "cli/main.py", "import tracker.web.auth", "importing tracker.cli.main loads bcrypt"),
]

#: A small house that breaks no rule.
HEALTHY = {
    "__init__.py": "",
    "core/__init__.py": "",
    "core/units.py": "from __future__ import annotations\nimport math\nfrom dataclasses import dataclass",
    "core/split.py": "from tracker.core import units\nfrom tracker.core.meter import X",
    "core/meter.py": "from tracker.core.units import X\nfrom datetime import datetime",
    "sysfs.py": "import os",
    "clock.py": "import time\nfrom tracker.core import units",
    "sources/__init__.py": "",
    "sources/interface.py": "from tracker.core.units import X\nfrom tracker.sysfs import Roots",
    "sources/nvml.py": "from tracker.sources.interface import X\ndef f():\n    import pynvml",
    "sources/rapl.py": "from tracker.sources.interface import X",
    "ledger/interface.py": "",
    "ledger/store.py": "import sqlite3\nfrom tracker.ledger import interface",
    "web/auth.py": "import bcrypt",
    "web/webconfig.py": "import yaml",
    "web/server.py": "def f():\n    from tracker.web import auth, webconfig",
    "bookkeeper.py": "from tracker.ledger.interface import X",
    "agent.py": "from tracker import bookkeeper\nfrom tracker.sources.interface import X\nimport json",
    "registry.py": '"""Lists."""\nfrom tracker.sources import nvml\nSOURCES: tuple = (nvml,)\nX = 1',
    "config.py": "def f():\n    from tracker import registry",
    "wiring.py": "from tracker import clock, config",
    "app.py": "from tracker import agent, clock, wiring\nfrom tracker.web.server import X",
    "cli/__init__.py": "",
    "cli/run.py": "from tracker.app import X\ndef f():\n    import rich",
    "cli/main.py": "import importlib\ndef f():\n    return importlib.import_module('tracker.cli.run')",
}


def _plant(root: Path, **changes: str) -> Modules:
    for name, content in {**HEALTHY, **changes}.items():
        path = root / "tracker" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return read_modules(root)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_healthy_house_breaks_no_rule(rule: Rule, tmp_path: Path) -> None:
    assert list(rule(_plant(tmp_path))) == []


@pytest.mark.parametrize(("rule", "name", "content", "complaint"), PLANTED)
def test_a_planted_violation_is_found(rule: Rule, name: str, content: str, complaint: str, tmp_path: Path) -> None:
    found = list(rule(_plant(tmp_path, **{name: content})))
    assert found
    assert any(complaint in line for line in found), found


def test_every_rule_has_a_planted_violation() -> None:
    assert {rule for rule, *_ in PLANTED} == {*RULES}
