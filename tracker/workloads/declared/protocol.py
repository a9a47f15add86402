"""What clients and the daemon say to each other: one JSON object a line, at most 16 KiB.

A connection begins with ``{"op": "hello", "v": 1}``. Then, in any order:

- ``declare``: this process, with its descendants, is a run from now on. The token is the client's secret: whoever knows
  it and is the same user may add to the run, switch its phase and end it, from any process and over any connection.
  Declared again with the same token (after the daemon was restarted) it is the same run.
- ``phase``, ``add``, ``end``; ``energy`` and ``node`` ask.

A message is answered only if it carries ``id``; then the answer carries it too, and ``ok``, or ``error``, one sentence.
A refused declaration is answered always, with its token. Unknown fields are ignored and unknown operations refused, so
that a newer client can speak to an older daemon. Bad JSON, a longer line or another version ends the connection.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tracker.core.model import Factor

VERSION = 1
MAX_LINE_BYTES = 16 * 1024
MAX_UNITS = 16  # names of units of a run
MAX_AMOUNT = 10**15  # in one message: beyond it, it is no count of anything


class Message(msgspec.Struct, frozen=True, tag_field="op"):
    """What a client says."""


class Hello(Message, tag="hello", frozen=True):
    """``tokens``: all runs that this process has now; None: this connection only asks."""

    v: int
    tokens: tuple[str, ...] | None = None
    id: int | None = None


class Declare(Message, tag="declare", frozen=True):
    """``pid``: another process of the same user, for those who declare for others; 0: this one."""

    run: str
    token: str
    name: str = ""
    project: str = ""
    team: str = ""
    phase: str = ""
    cost_centre: str = ""
    command: str = ""
    pid: int = 0
    id: int | None = None


class Phase(Message, tag="phase", frozen=True):
    token: str
    phase: str
    id: int | None = None


class Add(Message, tag="add", frozen=True):
    token: str
    units: dict[str, int]
    id: int | None = None


class End(Message, tag="end", frozen=True):
    token: str
    id: int | None = None


class Energy(Message, tag="energy", frozen=True):
    """``after``: a token. The answer waits until that run has ended and all it used is booked."""

    run: str
    id: int
    after: str = ""


class Node(Message, tag="node", frozen=True):
    id: int


#: All of them.
Incoming = Hello | Declare | Phase | Add | End | Energy | Node


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """``id`` None: nobody asked, but a declaration was refused or the connection ends."""

    id: int | None = None
    ok: bool = False
    error: str = ""
    token: str = ""


class Part(msgspec.Struct, frozen=True):
    """Committed totals in one component and method."""

    component: str
    method: str
    energy_uj: int
    idle_uj: int
    held_ms: int


class EnergyAnswer(msgspec.Struct, frozen=True):
    """Committed totals of a run and of the runs that were declared inside it."""

    id: int
    run: str
    parts: tuple[Part, ...]
    emissions_ug: Mapping[str, int]
    units: Mapping[str, int]
    committed_wall_s: float | None
    booked: bool  # everything the run used is in it: it has ended and was booked after that
    ledger_ok: bool
    message: str = ""  # why the ledger does not book
    ok: bool = True


class Gpu(msgspec.Struct, frozen=True):
    index: str
    uuid: str
    model: str


class NodeAnswer(msgspec.Struct, frozen=True):
    """What a client may want to print beside its energy."""

    id: int
    hostname: str
    version: str
    site: str
    pue_permille: int
    pue_source: str
    tick_s: float
    commit_s: float
    factor: Factor | None
    gpus: tuple[Gpu, ...]
    components: Mapping[str, str]  # booked component -> method, "measured" if any device of it is
    ok: bool = True


_decoder = msgspec.json.Decoder(Incoming)
encode = msgspec.json.Encoder().encode


def decode(line: bytes) -> Incoming:
    """Raises msgspec.MalformedJSON (msgspec.DecodeError) for what is no JSON, msgspec.ValidationError for what is no
    message."""
    message: Incoming = _decoder.decode(line)
    return message
