"""Bad configuration: one sentence with the place, what is wrong, and what would be right. Each line is what a user
reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.kit import refusal
from tracker.config import load
from tracker.core.errors import UsageError

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "config" / "mistakes.txt"


def mistakes() -> dict[str, tuple[str, str]]:
    """The blocks of the fixture: name -> (text of the file, message)."""
    blocks = FIXTURE.read_text(encoding="utf-8").split("\n=== ")[1:]
    parted = (block.partition("\n") for block in blocks)
    return {name: (body.partition("--> ")[0], body.partition("--> ")[2].strip()) for name, _, body in parted}


MISTAKES = mistakes()


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_in_the_file(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("NODE__HOSTNMAE", "x", "There is no setting node.hostnmae. Did you mean node.hostname?"),
        ("NOD__HOSTNAME", "x", "There is no setting nod. Did you mean node?"),
        ("WORKLOADS__MAX_SERIES", "many", 'workloads.max_series is "many", but must be a whole number.'),
        ("WORKLOADS__MAX_SERIES", "", 'workloads.max_series is "", but must be a whole number.'),
        ("WORKLOADS__MAX_SERIES", "1\na = 2", 'workloads.max_series is "1\\na = 2", but must be a whole number.'),
        ("SAMPLING__TICK", "5", 'sampling.tick is "5", but must be a duration such as "5s", "10m" or "1h".'),
        ("SOURCES__NVML__PROCESSES", "no", 'sources.nvml.processes is "no", but must be true or false.'),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    tmp_path: Path, variable: str, value: str, message: str
) -> None:
    full = f"WATTLEDGER_{variable}"
    assert refusal(tmp_path, "", {full: value}) == f"environment {full}: {message}"


def test_a_variable_with_one_underscore_too_few_would_set_nothing(tmp_path: Path) -> None:
    assert refusal(tmp_path, "", {"WATTLEDGER_NODE_HOSTNAME": "x"}) == (
        "The environment variable WATTLEDGER_NODE_HOSTNAME sets nothing. Write WATTLEDGER_NODE__HOSTNAME."
    )


def test_a_mistake_in_a_flag(tmp_path: Path) -> None:
    message = refusal(tmp_path, "", None, {"web.listen": "nowhere"})
    assert message.startswith('flag --listen: "nowhere" is no address to listen on.')
    assert refusal(tmp_path, "", None, {"node.stat_dir": "/x"}) == (
        "flag node.stat_dir: There is no setting node.stat_dir. Did you mean node.state_dir?"
    )


def test_a_secret_is_never_repeated(tmp_path: Path) -> None:
    for text in ('[grid]\ntoken = "s3cr3t"\n', '[sources.nvml]\ntoken = "s3cr3t"\n'):
        assert "s3cr3t" not in refusal(tmp_path, text)
    environ = {"WATTLEDGER_SOURCES__NVML__TOKEN__X": "s3cr3t"}
    assert "s3cr3t" not in refusal(tmp_path, "", environ)


def test_a_missing_file_that_was_named(tmp_path: Path) -> None:
    path = tmp_path / "absent.toml"
    with pytest.raises(UsageError) as caught:
        load(path, environ={}, source_options={}, live_options={})
    assert str(caught.value) == (
        f"The configuration file {path} does not exist. Check --config; without it the defaults apply."
    )


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, environ={}, source_options={}, live_options={})
    assert str(caught.value) == (
        f"The configuration file {tmp_path} cannot be read: Is a directory. Mend that, or name another: --config."
    )


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b'[node]\nhostname = "caf\xe9"\n')
    with pytest.raises(UsageError) as caught:
        load(path, environ={}, source_options={}, live_options={})
    assert str(caught.value) == f"{path}:2: The file is not UTF-8 text. Save it as UTF-8."
