"""Nothing that somebody called his team, his job or his file is obeyed by the terminal of whoever looks at it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.core.plain import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("nlp", "nlp"),
        ("équipe 北京 🚀 \N{NO-BREAK SPACE}a", "équipe 北京 🚀 \N{NO-BREAK SPACE}a"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),  # the same in one byte
        ("two\nlines\r", "two\\nlines\\r"),
        ("two\u2028lines", "two\\u2028lines"),
        ("gpj.\u202eexe", "gpj.\\u202eexe"),
        ("\udce9", "\\udce9"),  # a byte of a file's name that is no UTF-8
    ],
)
def test_what_a_terminal_obeys_is_shown(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text())
def test_whatever_the_text_is_it_is_one_line_without_a_control(text: str) -> None:
    shown = plain(text)
    assert not any(ord(letter) < 32 or 127 <= ord(letter) < 160 for letter in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode()
