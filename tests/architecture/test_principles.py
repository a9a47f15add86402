"""Each principle of the house is a test with its name, so that whoever breaks one reads which."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.architecture.test_shape import PYTHON, TEXTS

PRINCIPLES = range(1, 12)
NAMED = re.compile(r"^\s*(?:async )?def test_p(\d+)_\w+\(", re.MULTILINE)

TESTS = Counter(
    int(number) for name, text in PYTHON.items() if name.startswith("tests/") for number in NAMED.findall(text)
)


@pytest.mark.parametrize("number", PRINCIPLES)
def test_every_principle_has_a_test_of_its_name(number: int) -> None:
    assert TESTS[number] > 0, f"no test is called test_p{number}_…"


def test_there_are_no_others() -> None:
    assert {*TESTS} == {*PRINCIPLES}


@pytest.mark.parametrize("number", PRINCIPLES)
def test_contributors_can_read_what_each_one_says(number: int) -> None:
    assert f"| P{number} |" in TEXTS["CONTRIBUTING.md"]
