"""What the clients of services share: an address and a key from the configuration, and forecasts in order.

A key is read when it is used, so that one that was replaced works without a restart, and is in nothing that is shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec

from tracker.core.forecast import Expected
from tracker.grid.answers import iso
from tracker.grid.interface import BadAnswer, Denied

#: An address without user, query and fragment: nothing secret can be in one.
ADDRESS = r"^https?://[^/@?#\s]+(/[^@?#\s]*)?$"
MASK = "********"
_KEY_BYTES = 8192


def key(service: str, value: str, file: str, setting: str) -> str:
    """A token or password: ``value``, else what ``file`` holds. ``setting``: its name in the configuration.

    Raises Denied where there is none, or one that no header can carry.
    """
    found = value or (_read(service, file, f"{setting}_file") if file else "")
    if not found:
        raise Denied(
            f"{service} needs a key, and there is none.",
            f'Set {setting}_file = "/run/secrets/…" to a file that holds it.',
        )
    if not found.isprintable():
        raise Denied(f"{service}: {setting} holds characters that no key has.", "A key is one line of plain text.")
    return found


def _read(service: str, file: str, setting: str) -> str:
    try:
        with Path(file).open("rb") as stream:
            return stream.read(_KEY_BYTES).decode().strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Denied(
            f"{service}: {file} cannot be read ({why}).", f"Check {setting} and the rights of the file."
        ) from error


def shown(options: msgspec.Struct, *secrets: str) -> str:
    """A representation in which the fields ``secrets`` are masked."""
    fields = msgspec.structs.asdict(options)
    masked = {name: MASK if name in secrets and value else value for name, value in fields.items()}
    return f"{type(options).__name__}({', '.join(f'{name}={value!r}' for name, value in masked.items())})"


def in_time(service: str, points: Iterable[Expected]) -> tuple[Expected, ...]:
    """By start, each interval once. Raises BadAnswer where intervals overlap or contradict each other."""
    ordered: list[Expected] = []
    for point in sorted(points, key=lambda point: point.start_s):
        if not ordered or point.start_s >= ordered[-1].end_s:
            ordered.append(point)
        elif point != ordered[-1]:
            raise BadAnswer(f"{service} contradicts itself about the interval from {iso(point.start_s)}.")
    return tuple(ordered)
