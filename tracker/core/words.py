"""Words that go with numbers."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """Such as "1 node" and "2 nodes"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
