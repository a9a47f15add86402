"""What we promise to share with codecarbon, compared with the one that is installed: read, never imported."""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import fields
from functools import cache
from pathlib import Path

import pytest

from tracker import codecarbon_compat
from tracker.codecarbon_compat.record import COLUMNS, TASK_COLUMNS, EmissionsData
from tracker.codecarbon_compat.settings import ARGUMENTS, OFFLINE, USED, Settings


@cache
def source(name: str) -> ast.Module:
    spec = importlib.util.find_spec("codecarbon")
    assert spec is not None
    assert spec.origin is not None
    return ast.parse((Path(spec.origin).parent / name).read_text(encoding="utf-8"))


def class_named(module: ast.Module, name: str) -> ast.ClassDef:
    return next(node for node in module.body if isinstance(node, ast.ClassDef) and node.name == name)


def columns(name: str) -> tuple[str, ...]:
    """The annotated fields of one of its dataclasses, in order."""
    body = class_named(source("output_methods/emissions_data.py"), name).body
    return tuple(n.target.id for n in body if isinstance(n, ast.AnnAssign) and isinstance(n.target, ast.Name))


def arguments(name: str) -> ast.arguments:
    body = class_named(source("emissions_tracker.py"), name).body
    return next(node.args for node in body if isinstance(node, ast.FunctionDef) and node.name == "__init__")


def test_the_38_columns_of_emissions_csv() -> None:
    """A reader by position, a dashboard by name: both must find what they found before."""
    assert columns("EmissionsData") == COLUMNS
    assert len(COLUMNS) == 38
    assert tuple(field.name for field in fields(EmissionsData)) == COLUMNS


def test_the_columns_of_the_file_of_tasks() -> None:
    assert columns("TaskEmissionsData") == TASK_COLUMNS


def test_every_argument_of_its_trackers_in_its_order() -> None:
    """``EmissionsTracker("nlp", 15)`` must mean the same."""
    assert tuple(argument.arg for argument in arguments("BaseEmissionsTracker").args[1:]) == ARGUMENTS
    assert tuple(argument.arg for argument in arguments("OfflineEmissionsTracker").kwonlyargs) == OFFLINE


def test_every_argument_without_an_effect_is_named_in_the_documentation() -> None:
    text = codecarbon_compat.EmissionsTracker.__doc__ or ""
    ignored = text.partition("Ignored:")[2]
    for name in ARGUMENTS:
        assert (name in ignored) is (name not in USED), name


def test_its_names() -> None:
    init = source("__init__.py")
    exported = next(
        ast.literal_eval(node.value)
        for node in init.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"
    )
    assert set(exported) <= set(codecarbon_compat.__all__)
    output = class_named(source("output_methods/base_output.py"), "OutputMethod")
    names = {n.targets[0].id for n in output.body if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)}
    assert names == set(codecarbon_compat.OutputMethod.__members__)


def test_its_public_methods() -> None:
    body = class_named(source("emissions_tracker.py"), "BaseEmissionsTracker").body
    methods = {node.name for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")}
    ours = set(dir(codecarbon_compat.EmissionsTracker))
    assert methods - ours == {"get_detected_hardware"}, "it lists what codecarbon would have measured with"


# -- settings ----------------------------------------------------------------------------------------------------------


def write(path: Path, **values: str) -> None:
    path.write_text("[codecarbon]\n" + "".join(f"{name} = {value}\n" for name, value in values.items()))


def test_an_argument_beats_the_environment_beats_the_folder_beats_the_home(tmp_path: Path) -> None:
    home = tmp_path / "home"
    write(home / ".codecarbon.config", project_name="home", output_file="home.csv", experiment_id="home", wue="1")
    write(Path(".codecarbon.config"), project_name="here", output_file="here.csv", experiment_id="here")
    environ = {"HOME": str(home), "CODECARBON_PROJECT_NAME": "env", "codecarbon_output_file": "env.csv"}
    settings = Settings({"project_name": "argument"}, environ)
    found = [settings.text(name) for name in ("project_name", "output_file", "experiment_id", "wue")]
    assert found == ["argument", "env.csv", "here", "1"]


@pytest.mark.parametrize("content", ["", "no section", "[codecarbon", "[other]\nproject_name = x", "\xff"])
def test_a_file_that_makes_no_sense_sets_nothing(content: str) -> None:
    Path(".codecarbon.config").write_bytes(content.encode("latin-1"))
    assert Settings({}).text("project_name", "codecarbon") == "codecarbon"


def test_a_percent_sign_in_a_value_is_a_percent_sign() -> None:
    write(Path(".codecarbon.config"), project_name="50% off")
    assert Settings({}).text("project_name") == "50% off"


@pytest.mark.parametrize(
    ("value", "flag"), [("True", True), ("true", True), ("False", False), ("0", False), (True, True), (None, False)]
)
def test_flags(value: object, flag: bool) -> None:
    assert Settings({"save_to_file": value}).flag("save_to_file", default=False) is flag
