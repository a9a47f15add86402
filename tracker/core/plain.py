"""Text of others on a terminal: a label, a file's name or an answer may hold what a terminal obeys.

Control characters move the cursor, clear the screen, set its title and the clipboard (ECMA-48, and what terminals added
to it), and characters of the bidirectional algorithm (UAX #9) make a text read as another one. They are shown as their
escapes, as a program would write them.
"""

from __future__ import annotations

import unicodedata

#: Marks, embeddings, overrides and isolates.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: Control characters, halves of surrogate pairs, and what ends a line or a paragraph.
_OBEYED = frozenset({"Cc", "Cs", "Zl", "Zp"})


def plain(text: str) -> str:
    """One line that does nothing but show: a line end in it is shown as well."""
    if text.isprintable():  # nearly every text
        return text
    return "".join(map(_shown, text))


def _shown(letter: str) -> str:
    if letter in _BIDI or unicodedata.category(letter) in _OBEYED:
        return letter.encode("unicode_escape").decode("ascii")
    return letter
