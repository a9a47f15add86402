"""Reads codecarbon's data files and prints what the daemon needs as one JSON object.

Run as ``python -m tracker.codecarbon_child "<cpu model>"`` by ``codecarbon_facts.py``. codecarbon itself is never
imported, not even here: importing it initialises NVML and runs nvidia-smi, and its data classes load pandas (76 MB).
Its package folder is found without importing it, and the files are read with the standard library: no network, no other
process, no GPU.

Files (codecarbon 3.x): ``data/hardware/cpu_power.csv`` (Name, TDP in W), ``data/private_infra/global_energy_mix.json``
(per ISO 3166 alpha-3 country: carbon_intensity in gCO2e/kWh and its year) and
``data/private_infra/carbon_intensity_per_source.json`` (world_average) and ``data/cloud/impact.csv`` (Google's figures
by region; undated), kept apart from countries: they count something else.

Left out: Canadian provinces and Nordic bidding zones, which are no printed factors but mixes (with sources that have no
factor counted as zero), and states of the US and Chinese provinces, whose official factors ship with the grid tables:
a figure of record does not change with the codecarbon that is installed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import re
import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

#: The intensities by country are Our World in Data's, which takes them from Ember: whole life cycle, production mix.
COUNTRY_SOURCE = "Our World in Data (Ember), yearly electricity data, in codecarbon {version} global_energy_mix.json"
#: The International Energy Agency's figure: CO2 from burning fuel per kWh generated. codecarbon uses it beside the
#: others; here it keeps its own type. Should the source change, it is taken for a life-cycle value like the rest.
WORLD_SOURCE = "{url}, in codecarbon {version} carbon_intensity_per_source.json"

CLOUD_SOURCE = "{url}, in codecarbon {version} impact.csv"
#: The only page of which it is known that its figures are g CO2e/kWh; impact.csv itself states no unit.
GOOGLE = "https://cloud.google.com/sustainability/region-carbon"

_VERSION = re.compile(r"""__version__\s*=\s*["']([^"']+)["']""")
_YEAR = re.compile(r"(?:19|20)\d\d")
_BETWEEN_WORDS = re.compile(r"[\W_]+")
_PRINTED = re.compile(r"\d{1,6}(?:\.\d{1,9})?")
_CLOUD_REGION = re.compile(r"[a-z0-9-]{3,40}")
_CLOCK_RATE = re.compile(r"\s@\s*\d+\.\d+GHz")
#: A file that is missing, is no JSON or CSV, or has another shape than described above.
_UNREADABLE = (OSError, ValueError, LookupError, AttributeError, TypeError)


def package_folder() -> Path | None:
    """Where codecarbon is installed, found without importing it; None: it is not."""
    try:
        spec = importlib.util.find_spec("codecarbon")
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def package_version(folder: Path) -> str:
    """What ``codecarbon/_version.py`` says. Raises OSError, ValueError."""
    found = _VERSION.search((folder / "_version.py").read_text("utf-8"))
    if not found:
        raise ValueError("codecarbon/_version.py names no version")
    return found[1]


def thousandths(printed: Any) -> int:
    """A printed decimal x 1000 as an integer (g -> mg, W -> mW). Raises ValueError for anything else."""
    try:
        value = Decimal(str(printed))
    except InvalidOperation as error:
        raise ValueError(f"{printed!r} is not a number") from error
    if not value.is_finite():
        raise ValueError(f"{printed!r} is not a number")
    return round(value * 1000)


def match_cpu(model: str, names: Iterable[str]) -> str | None:
    """The one name of codecarbon's CPU table that means this CPU, or None when none or several could.

    The rule is codecarbon's own: the same name, or else the only one whose words contain, or are contained in, the
    words of the model without "(R)", "CPU" and the clock rate. It never guesses between two.
    """
    known = list(names)
    short = _CLOCK_RATE.sub("", model.replace("(R)", "").partition(" CPU @ ")[0].replace(" CPU", ""))
    for wanted in (model.lower(), short.lower()):
        if wanted in (name.lower() for name in known):
            return next(name for name in known if name.lower() == wanted)
    words = _words(short)
    near = [name for name in known if words and (_words(name) <= words or words <= _words(name))]
    return near[0] if len(near) == 1 else None


def _words(text: str) -> frozenset[str]:
    return frozenset(_BETWEEN_WORDS.sub(" ", text.lower()).split())


def cpu_answer(model: str, rows: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """``tdp_mw`` of one package, or null with the reason."""
    tdps = {row["Name"]: row["TDP"] for row in rows if row.get("Name")}
    name = match_cpu(model, tdps) if model.strip() else None
    if name is None:
        return {"tdp_mw": None, "reason": f"codecarbon's CPU table has no single match for {model!r}"}
    try:
        tdp_mw = thousandths(tdps[name])
    except ValueError:
        tdp_mw = 0
    if tdp_mw <= 0:
        return {"tdp_mw": None, "reason": f"codecarbon's CPU table has no usable TDP for {name}: {tdps[name]!r}"}
    return {"tdp_mw": tdp_mw, "reason": ""}


def country_values(mixes: Mapping[str, Mapping[str, Any]]) -> dict[str, list[int]]:
    """``{ISO3: [mg/kWh, year]}``; a country without a printed intensity, or with one that is no number, is left out."""
    values: dict[str, list[int]] = {}
    for code, mix in mixes.items():
        with contextlib.suppress(ValueError, LookupError):
            values[code] = [thousandths(mix["carbon_intensity"]), int(mix.get("year") or 0)]
    return values


def world_value(per_source: Mapping[str, Any]) -> dict[str, list[int]]:
    """``{"WORLD": [mg/kWh, year]}``; the year is the one in the address of the source, 0 when it has none."""
    year = _YEAR.search(str(per_source.get("world_average_source", "")))
    return {"WORLD": [thousandths(per_source["world_average"]), int(year[0]) if year else 0]}


def cloud_tables(rows: Iterable[Mapping[str, str]], version: str) -> list[dict[str, Any]]:
    """``{"gcp:us-east4": "322"}`` in g/kWh. Google calls them operational emissions and names no method by fuel: their
    type is not stated. Rows of other sources, whose unit is not known, are left out."""
    values = {
        f"{row['provider']}:{row['region']}": row["impact"]
        for row in rows
        if row["source"].startswith(GOOGLE)
        and row["provider"] == "gcp"
        and _CLOUD_REGION.fullmatch(row["region"])
        and _PRINTED.fullmatch(row["impact"])
    }
    source = CLOUD_SOURCE.format(url=GOOGLE, version=version)
    return [{"source": source, "factor_type": "unspecified", "unit": "g/kWh", "year": 0, "values": values}]


def regions(folder: Path, version: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Tables of places below the country, and what is wrong with those that are missing."""
    try:
        return cloud_tables(read_csv(folder / "data" / "cloud" / "impact.csv"), version), []
    except _UNREADABLE as error:
        return [], [f"codecarbon's cloud regions cannot be read: {error!r}"]


def answer(folder: Path, model: str) -> dict[str, Any]:
    """Everything, part by part: a file that is missing or has changed costs its own part only."""
    version = package_version(folder)
    infra = folder / "data" / "private_infra"
    problems: list[str] = []
    try:
        cpu = cpu_answer(model, read_csv(folder / "data" / "hardware" / "cpu_power.csv"))
    except _UNREADABLE as error:
        cpu = {"tdp_mw": None, "reason": f"codecarbon's CPU table cannot be read: {error!r}"}
    tables = []
    try:
        mixes = _read_json(infra / "global_energy_mix.json")
        source = COUNTRY_SOURCE.format(version=version)
        tables.append({"source": source, "factor_type": "lifecycle", "values": country_values(mixes)})
    except _UNREADABLE as error:
        problems.append(f"codecarbon's country factors cannot be read: {error!r}")
    try:
        per_source = _read_json(infra / "carbon_intensity_per_source.json")
        source = WORLD_SOURCE.format(url=per_source.get("world_average_source", ""), version=version)
        factor_type = "direct" if "iea.org" in source else "lifecycle"
        tables.append({"source": source, "factor_type": factor_type, "values": world_value(per_source)})
    except _UNREADABLE as error:
        problems.append(f"codecarbon's world average cannot be read: {error!r}")
    below, missing = regions(folder, version)
    problem = "; ".join((*problems, *missing))
    return {"version": version, "cpu": cpu, "tables": tables, "regions": below, "problem": problem}


def read_csv(path: Path) -> list[dict[str, str]]:
    import csv  # noqa: PLC0415 - the daemon imports this file for the folder and the version only

    with path.open(encoding="utf-8-sig", newline="") as lines:
        try:
            return list(csv.DictReader(lines))
        except csv.Error as error:
            raise ValueError(f"{path.name} is no CSV: {error}") from error


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"), parse_float=str)


def main() -> int:
    """Print the answer for the CPU model in the first argument; exit code 1 with one sentence when there is none."""
    folder = package_folder()
    if folder is None:
        sys.stderr.write("codecarbon is not installed\n")
        return 1
    try:
        found = answer(folder, sys.argv[1] if len(sys.argv) > 1 else "")
    except (OSError, ValueError) as error:
        sys.stderr.write(f"codecarbon's data cannot be read: {error}\n")
        return 1
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
