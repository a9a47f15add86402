"""The bill of materials of a folder of installed distributions, as CycloneDX 1.5 JSON.

https://cyclonedx.org/docs/1.5/json/. It lists the Python distributions; the packages of the base image are in the
base's own. The same folder gives the same bytes: no time, and a serial number that comes from the content.
"""

from __future__ import annotations

import json
import re
import uuid
from importlib.metadata import Distribution, PackageMetadata, distributions
from pathlib import Path
from typing import Any

#: Of these the image holds a part; see assemble.py.
PARTS = {"codecarbon": "data files only"}
_MAIN = "wattledger"


def canonical(name: str) -> str:
    """PEP 503, as package URLs have it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence(metadata: PackageMetadata) -> list[dict[str, Any]]:
    """An SPDX expression (PEP 639) where there is one, else what the distribution says in its own words."""
    fields = metadata.json
    if expression := fields.get("license_expression"):
        return [{"expression": expression}]
    classified = [
        text.rpartition(" :: ")[2] for text in fields.get("classifier", []) if str(text).startswith("License :: ")
    ]
    said = str(fields.get("license", "")).strip().partition("\n")[0]
    names = classified or ([said] if said else [])
    return [{"license": {"name": name}} for name in names]


def component(found: Distribution, kind: str = "library") -> dict[str, Any]:
    name = canonical(found.metadata["Name"])
    url = f"pkg:pypi/{name}@{found.version}"
    made: dict[str, Any] = {"type": kind, "bom-ref": url, "name": name, "version": found.version, "purl": url}
    if licences := licence(found.metadata):
        made["licenses"] = licences
    if name in PARTS:
        made["properties"] = [{"name": "wattledger:part", "value": PARTS[name]}]
    return made


def document(lib: Path) -> str:
    """The bill of a folder that pip installed into. Raises StopIteration when wattledger is not in it."""
    found = sorted(distributions(path=[str(lib)]), key=lambda each: canonical(each.metadata["Name"]))
    main = next(each for each in found if canonical(each.metadata["Name"]) == _MAIN)
    components = [component(each) for each in found if each is not main]
    serial = uuid.uuid5(uuid.NAMESPACE_URL, json.dumps([main.version, components], sort_keys=True))
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{serial}",
        "version": 1,
        "metadata": {"component": component(main, "application")},
        "components": components,
    }
    return json.dumps(bill, indent=1) + "\n"
