"""The shape of the code: short files, short functions, honest exemptions, no mocks, nothing of one person's machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.shape import bare_exemptions, code_lines, function_lengths, mocks, tracked_files

REPO = Path(__file__).resolve().parent.parent.parent

FILE_LINES, LONG_FILE_LINES = 250, 300
FUNCTION_LINES = 40
#: Files between the two limits, each with its reason.
LONG_FILES: dict[str, str] = {}
#: Functions above the limit, each with its reason.
LONG_FUNCTIONS: dict[str, str] = {}

#: Where somebody happened to work, and where packages are fetched from. The home of an example's user, or in a line of
#: passwd (before ":/bin/sh"), is nobody's.
MACHINE_PATH = re.compile(
    r"(?<![\w.$}*>)-])/(?:work|root|home/(?!(?:a|b|alice|bob|user)\b)[a-z][\w-]*|Users/\w+)(?![\w.-]|:/bin/)"
)
REGISTRY_HOST = re.compile("pypi[.]org|python[h]osted|npmjs[.]org|yarn[p]kg|golang[.]org/|--(extra-)?index[-]url")


def _texts() -> Iterator[tuple[str, str]]:
    for path in tracked_files(REPO):
        try:
            yield str(path.relative_to(REPO)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


TEXTS = dict(_texts())
PYTHON = {name: text for name, text in TEXTS.items() if name.endswith(".py")}
TRACKER = {name: text for name, text in PYTHON.items() if name.startswith("tracker/")}
TESTS = {name: text for name, text in PYTHON.items() if name.startswith("tests/")}


def _found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in TEXTS.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_there_is_something_to_check() -> None:
    assert len(TRACKER) > 20
    assert len(TESTS) > 20


def test_no_file_is_too_long_to_be_read_in_one_go() -> None:
    lengths = {name: len(code_lines(text)) for name, text in TRACKER.items()}
    limits = {name: LONG_FILE_LINES if name in LONG_FILES else FILE_LINES for name in lengths}
    too_long = [f"{name}: {n} lines of code" for name, n in lengths.items() if n > limits[name]]
    assert not too_long, "\n".join(too_long)
    assert {name for name in LONG_FILES if lengths.get(name, 0) <= FILE_LINES} == set(), "no longer long"


def test_no_function_is_longer_than_a_screen_half() -> None:
    lengths = {f"{name}:{function}": n for name, text in TRACKER.items() for function, n in function_lengths(text)}
    long = {place: n for place, n in lengths.items() if n > FUNCTION_LINES}
    too_long = [f"{place}: {n} lines of code" for place, n in long.items() if place not in LONG_FUNCTIONS]
    assert not too_long, "\n".join(too_long)
    assert {place for place in LONG_FUNCTIONS if place not in long} == set(), "no longer long"


def test_every_exemption_names_its_rule_and_its_reason() -> None:
    bare = [f"{name}:{line}" for name, text in PYTHON.items() for line in bare_exemptions(text)]
    assert not bare, "\n".join(bare)


def test_our_own_code_is_never_mocked() -> None:
    mocked = [f"{name}:{line}" for name, text in TESTS.items() for line in mocks(text, "tracker")]
    assert not mocked, "\n".join(mocked)


def test_nothing_points_into_one_machine() -> None:
    found = _found(MACHINE_PATH)
    assert not found, "\n".join(found)


def test_nothing_names_a_package_registry() -> None:
    """An operator's network has its own; the clients are configured, not the project."""
    found = _found(REGISTRY_HOST)
    assert not found, "\n".join(found)


# --- the readers can fail --------------------------------------------------------------------------------------------


def test_lines_of_code_are_neither_blank_nor_comment_nor_docstring() -> None:
    source = '"""Doc.\n\nMore.\n"""\n\n# comment\nx = """two\nlines"""\n\n\ndef f():\n    """Doc."""\n    return x\n'
    assert code_lines(source) == {7, 8, 11, 13}
    assert list(function_lengths(source)) == [("f", 2)]


@pytest.mark.parametrize(
    ("comment", "bare"),
    [
        ("noqa", True),
        ("noqa: E501", True),
        ("noqa: E501 -", True),
        ("noqa: E501 - a URL", False),
        ("noqa: E501, S101 - a URL", False),
        ("ruff: noqa", True),
        ("ruff: noqa: T201 - a script", False),
        ("type: ignore", True),
        ("type: ignore[misc]", True),
        ("type: ignore[misc]  # the library has no types", False),
        ("type: ignore[misc, no-any-return]  # no types", False),
        ("about noqa in general", False),
    ],
)
def test_a_bare_exemption_is_found(comment: str, bare: bool) -> None:
    assert list(bare_exemptions(f"x = 1  # {comment}\n")) == ([1] if bare else [])


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from unittest import mock", True),
        ("from unittest.mock import Mock", True),
        ("import unittest.mock", True),
        ("def test(mocker): pass", True),
        ("monkeypatch.setattr('tracker.agent.now', 1)", True),
        ("from tracker import agent\nmonkeypatch.setattr(agent, 'now', 1)", True),
        ("import tracker.agent\nmonkeypatch.setattr(tracker.agent.Agent, 'now', 1)", True),
        ("from tracker.agent import Agent as A\nmonkeypatch.setattr(A, 'now', 1)", True),
        ("import os\nmonkeypatch.setattr(os, 'getuid', 1)", False),
        ("monkeypatch.setenv('tracker', '1')", False),
        ("import unittest", False),
    ],
)
def test_a_mock_is_found(source: str, found: bool) -> None:
    assert bool(list(mocks(source, "tracker"))) is found


@pytest.mark.parametrize("path", ["work/main", "root/.cache", "home/carol/x", "home/carol", "root", "Users/bob"])
@pytest.mark.parametrize("before", ["", '"', " ", "file:/", "=", ":"])
def test_a_machine_path_is_found(before: str, path: str) -> None:
    assert MACHINE_PATH.search(f"{before}/{path}")


@pytest.mark.parametrize(
    "text",
    [
        "/workloads",
        "x/work",
        "./root",
        "$HOME/work",
        "<sysfs>/root",
        "root:x:0:0:root:/root:/bin/sh",
        "/rootfs",
        "/home/alice",
    ],
)
def test_what_only_looks_like_a_machine_path_is_not_found(text: str) -> None:
    assert not MACHINE_PATH.search(text)


@pytest.mark.parametrize("host", ["https://pypi" + ".org/simple", "--index" + "-url x", "files.python" + "hosted.org"])
def test_a_registry_host_is_found(host: str) -> None:
    assert REGISTRY_HOST.search(host)
