"""Structured logging: one event, one line, on standard error.

``logfmt`` for machines and people alike, ``json`` where a collector wants it, plain words on a terminal. Only the
command line and ``app.py`` make a ``Log``; other parts are handed its ``event`` as a function.

Whatever a value holds (a pod's name, a driver's message), a line stays one line of printable text, and what is named
like a secret is masked. Logging never raises: a full disk or a closed pipe must not stop the measuring.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import IntEnum
from threading import Lock
from typing import TextIO

from tracker.secrecy import MASK, is_secret, without_userinfo

LIMIT = 2000  # characters of one value

_BARE = re.compile(r"[\w./:@%+\-\[\]*]+", re.ASCII)
_RESERVED = frozenset({"ts", "level", "event", "msg"})


class Severity(IntEnum):
    """How much an event matters. The values are syslog's, which journald reads from a ``<4>`` in front of a line."""

    ERROR = 3
    WARNING = 4
    INFO = 6
    DEBUG = 7


#: ``event(severity, name, message, **fields)``: what parts are handed that have something to say.
Event = Callable[..., None]


class Log:
    """Writes events to a stream; any number of threads may call it."""

    def __init__(
        self,
        stream: TextIO,
        *,
        level: Severity = Severity.INFO,
        style: str = "auto",
        environ: Mapping[str, str],
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        """``style``: logfmt, json, human, or auto (human on a terminal, else logfmt)."""
        terminal = _is_terminal(stream)
        self._stream = stream
        self._descriptor = _descriptor(stream)
        self._level = level
        self._style = ("human" if terminal else "logfmt") if style == "auto" else style
        self._colour = terminal and not environ.get("NO_COLOR")
        self._journal = is_journal(stream, environ)
        self._wall_s = wall_s
        self._lock = Lock()

    def event(self, severity: Severity, name: str, message: str, /, **fields: object) -> None:
        """One line. ``name`` is the event's stable identity (``source_failed``), ``message`` a sentence for people."""
        if severity > self._level:
            return
        values = {_free(key): shown(key, value) for key, value in fields.items() if value is not None}
        match self._style:
            case "json":
                line = self._json(severity, name, message, values)
            case "human":
                line = self._human(severity, message, values)
            case _:
                line = self._logfmt(severity, name, message, values)
        prefix = f"<{severity.value}>" if self._journal else ""
        with self._lock, suppress(OSError, ValueError):  # ValueError: the stream was closed
            self._write(f"{prefix}{line}\n")

    def _write(self, line: str) -> None:
        """Past the stream's buffer where it is a file: what cannot be written is dropped and not kept in memory."""
        if self._descriptor is None:
            self._stream.write(line)
        else:
            os.write(self._descriptor, line.encode("utf-8", "backslashreplace"))

    def _logfmt(self, severity: Severity, name: str, message: str, values: Mapping[str, object]) -> str:
        head = {} if self._journal else {"ts": self._stamp()}  # the journal has its own time
        pairs = {**head, "level": severity.name.lower(), "event": name, "msg": shown("msg", message), **values}
        return " ".join(f"{key}={_token(value)}" for key, value in pairs.items())

    def _json(self, severity: Severity, name: str, message: str, values: Mapping[str, object]) -> str:
        head = {"ts": self._stamp(), "level": severity.name.lower(), "event": name, "msg": shown("msg", message)}
        return json.dumps({**head, **values})

    def _human(self, severity: Severity, message: str, values: Mapping[str, object]) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(self._wall_s()))
        word = {Severity.INFO: "", Severity.DEBUG: "debug: "}.get(severity, f"{severity.name.lower()}: ")
        if self._colour and severity <= Severity.WARNING:
            word = f"\x1b[{31 if severity is Severity.ERROR else 33}m{word}\x1b[0m"
        details = " ".join(f"{key}={_token(value)}" for key, value in values.items())
        return f"{clock} {word}{_printable(str(shown('msg', message)))}" + (f"  ({details})" if details else "")

    def _stamp(self) -> str:
        """UTC in milliseconds, as in RFC 3339."""
        milliseconds = int(self._wall_s() * 1000)
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(milliseconds // 1000))
        return f"{seconds}.{milliseconds % 1000:03d}Z"


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether this very stream goes to journald: JOURNAL_STREAM holds the device and inode of the socket, and is
    inherited by children whose output was redirected elsewhere (systemd.exec(5))."""
    descriptor = _descriptor(stream)
    if descriptor is None:
        return False
    status = os.fstat(descriptor)
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def shown(key: str, value: object) -> str | int | float:
    """A value as it may be written: secrets masked, long text cut, numbers as they are."""
    if is_secret(key):
        return MASK
    if isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):  # JSON has no NaN
        return value
    text = without_userinfo(str(value))
    return text if len(text) <= LIMIT else f"{text[:LIMIT]}… ({len(text)} characters)"


def _free(key: str) -> str:
    return f"{key}_" if key in _RESERVED else key


def _token(value: object) -> str:
    """A logfmt value: bare if it is a plain word, else in quotes with escapes."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    return text if _BARE.fullmatch(text) else _printable(json.dumps(text, ensure_ascii=False))


def _printable(text: str) -> str:
    """Escapes what would break a line, colour a terminal or fail to encode."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _descriptor(stream: TextIO) -> int | None:
    """The open file behind a stream; None for a stream in memory or a closed one."""
    with suppress(OSError, ValueError):
        return stream.fileno()
    return None


def _is_terminal(stream: TextIO) -> bool:
    with suppress(OSError, ValueError):
        return stream.isatty()
    return False
