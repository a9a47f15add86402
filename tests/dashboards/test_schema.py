"""Dashboards against Grafana's own types: the dashboard, and each panel's options and field options.

Current Grafana's types are strict (no property that it does not know); that Grafana 11 takes the file is its schema
version, the classic model, and panel types that it has.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator  # type: ignore[import-untyped] # types-jsonschema is not asked for

from tests.dashboards import drawing, panels
from tests.dashboards.conftest import once, shared

Schema = dict[str, Any]

#: Grafana 11.0 writes schema version 39, 11.6 writes 41; older ones migrate forward, newer files are taken as they are.
NEWEST_OF_GRAFANA_11 = 41
#: Panel type -> the types that its ``options`` and ``fieldConfig.defaults.custom`` have ("": it has none).
TYPES = {
    "timeseries": ("Options", "FieldConfig"),
    "stat": ("Options", ""),
    "bargauge": ("Options", ""),
    "table": ("Options", "FieldConfig"),
}
RAW = "node_modules/@grafana/schema/dist/types/raw"
DASHBOARDS = panels.dashboards()


def generate(home: Path, source: str, kind: str) -> Schema:
    """The JSON schema of a TypeScript type; no property beyond those it names."""
    command = ["node_modules/.bin/ts-json-schema-generator", "--path", f"{RAW}/{source}", "--type", kind]
    done = subprocess.run(
        [*command, "--no-type-check"], cwd=home, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    schema: Schema = json.loads(done.stdout)
    return schema


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Schema]:
    """By "dashboard" or "<panel type> <kind>"."""

    def make() -> bytes:
        home = drawing.node_modules()
        made = {"dashboard": generate(home, "dashboard/x/types.gen.d.ts", "Dashboard")}
        for panel, kinds in TYPES.items():
            for kind in filter(None, kinds):
                # the table's field options are those of all tables
                path = f"composable/{panel}/panelcfg/x/types.gen.d.ts"
                made[f"{panel} {kind}"] = generate(home, path, kind)
        return json.dumps(made).encode()

    found: dict[str, Schema] = json.loads(once(shared(tmp_path_factory) / "schemas.json", make))
    return found


def errors(schema: Schema, value: object) -> list[str]:
    return [f"{error.json_path}: {error.message[:200]}" for error in Draft7Validator(schema).iter_errors(value)]


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_current_grafana_knows_every_property(uid: str, schemas: dict[str, Schema]) -> None:
    dashboard = DASHBOARDS[uid]
    found = errors(schemas["dashboard"], dashboard)
    for panel in panels.flat(dashboard):
        options, custom = TYPES[panel["type"]]
        parts = [(options, panel.get("options", {})), (custom, panel["fieldConfig"]["defaults"].get("custom"))]
        for kind, value in parts:
            if kind and value is not None:
                found += [f"{panel['title']}: {text}" for text in errors(schemas[f"{panel['type']} {kind}"], value)]
            else:
                assert value is None
    assert found == []


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_grafana_11_takes_it(uid: str) -> None:
    """The classic model: no v2 resource, no library panel, no layout or element that 11 does not have."""
    dashboard = DASHBOARDS[uid]
    assert dashboard["schemaVersion"] <= NEWEST_OF_GRAFANA_11
    assert not {"apiVersion", "kind", "spec", "metadata", "elements", "layout", "__inputs", "__requires"} & set(
        dashboard
    )
    assert not [panel["title"] for panel in panels.flat(dashboard) if "libraryPanel" in panel]
    assert "id" not in dashboard or dashboard["id"] is None, "an import must not overwrite another dashboard"


def test_a_misspelt_property_is_found(schemas: dict[str, Schema]) -> None:
    dashboard = json.loads(json.dumps(DASHBOARDS["wattledger-overview"]))
    next(panels.flat(dashboard))["fieldConfg"] = {}
    dashboard["schemaVersion"] = "41"
    assert len(errors(schemas["dashboard"], dashboard)) >= 2
