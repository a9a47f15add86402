"""Slurm's host lists: ``gpu[01-03,7],login1`` (https://slurm.schedmd.com/slurm.conf.html, NodeName)."""

from __future__ import annotations

import re

MAX_HOSTS = 16384
_MAX_DIGITS = 9
_PART = re.compile(r"([^,\[\]]*)\[([0-9,\-]{1,4096})\]([^,\[\]]*)(?:,|$)|([^,\[\]]+)(?:,|$)")


def expand(text: str) -> list[str]:
    """The names in their order; one bracket per name; leading zeros kept. What cannot be read, or is more than 16384
    names, is nobody: an empty list."""
    found: list[str] = []
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            return []
        position = match.end()
        if match[4]:
            found.append(match[4])
        else:
            numbers = _numbers(match[2], MAX_HOSTS - len(found))
            if numbers is None:
                return []
            found += [f"{match[1]}{number}{match[3]}" for number in numbers]
    return found if len(found) <= MAX_HOSTS else []


def _numbers(text: str, limit: int) -> list[str] | None:
    found: list[str] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        last = last or first
        if (
            not (first.isdecimal() and last.isdecimal())
            or len(last) > _MAX_DIGITS
            or int(last) - int(first) >= limit - len(found)
        ):
            return None
        found += [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
    return found
