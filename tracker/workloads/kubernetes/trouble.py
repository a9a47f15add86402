"""Why a source of names does not answer."""

from __future__ import annotations

from typing import Literal

from tracker.core.errors import WattledgerError

#: absent: not there, or not configured. denied: there, and refused. failed: broken, slow or down. garbage: an answer
#: that makes no sense.
TroubleKind = Literal["absent", "denied", "failed", "garbage"]
PRIVILEGE = "Run as uid 0, or with CAP_DAC_OVERRIDE: the kubelet's socket belongs to root."
#: Sentences may quote the peer.
MAX_CHARACTERS = 300


class Trouble(WattledgerError):
    """One failed attempt. ``wait_s``: do not come back earlier, the peer said so."""

    def __init__(self, kind: TroubleKind, sentence: str, remedy: str = "", wait_s: float = 0.0) -> None:
        printable = "".join(character if character.isprintable() else "\ufffd" for character in sentence)
        super().__init__(printable[:MAX_CHARACTERS], remedy)
        self.kind = kind
        self.wait_s = wait_s
