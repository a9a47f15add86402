"""Logs: one line per event whatever is in it, no secrets, the right form for the place they go to."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from tracker.log import Log, Severity

NOON_S = 1_791_028_805.25  # 2026-10-03T12:00:05.250Z


class Stream(io.StringIO):
    """A stream that is or is not a terminal."""

    def __init__(self, *, terminal: bool = False) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def written(
    style: str = "logfmt", environ: Mapping[str, str] | None = None, *, terminal: bool = False, **fields: object
) -> str:
    stream = Stream(terminal=terminal)
    log = Log(stream, style=style, environ=environ or {}, wall_s=lambda: NOON_S)
    log.event(Severity.WARNING, "gap", "No reading.", **fields)
    return stream.getvalue()


def test_logfmt_by_default_in_a_pipe() -> None:
    assert written("auto", device="GPU-1", seconds=1.5, booked=False, note=None) == (
        'ts=2026-10-03T12:00:05.250Z level=warning event=gap msg="No reading." device=GPU-1 seconds=1.5 booked=false\n'
    )


def test_json_on_request() -> None:
    assert json.loads(written("json", device='a"b', count=3)) == {
        "ts": "2026-10-03T12:00:05.250Z",
        "level": "warning",
        "event": "gap",
        "msg": "No reading.",
        "device": 'a"b',
        "count": 3,
    }


def test_plain_words_on_a_terminal_coloured_unless_refused() -> None:
    assert "warning: No reading.  (device=GPU-1)\n" in written("auto", {"NO_COLOR": "1"}, terminal=True, device="GPU-1")
    assert "\x1b[33mwarning: \x1b[0mNo reading." in written("auto", terminal=True)
    assert "\x1b" not in written("human", terminal=False)


@pytest.mark.parametrize("style", ["logfmt", "json", "human"])
def test_a_line_stays_one_line_of_encodable_text_whatever_is_in_it(style: str) -> None:
    """A pod's name must not forge a log line, colour a terminal or kill the logging."""
    nasty = 'x\nlevel=error msg="forged"\r\x1b[31m\x9b0m\u2028\udce9"'
    stream = Stream()
    Log(stream, style=style, environ={}, wall_s=lambda: NOON_S).event(Severity.INFO, "seen", nasty, pod=nasty)
    line = stream.getvalue()
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert len(line.splitlines()) == 1
    line.encode()


def test_logfmt_quotes_what_is_not_a_plain_word() -> None:
    line = written(a="plain/word:1", b="two words", c='quo"te', d="", e="a=b", f="new\nline", g="ü")
    assert line.endswith(r'a=plain/word:1 b="two words" c="quo\"te" d="" e="a=b" f="new\nline" g="ü"' + "\n")


def test_10_kb_values_are_cut() -> None:
    line = written(driver="x" * 10_000)
    assert len(line) < 2_200
    assert "(10000 characters)" in line


@pytest.mark.parametrize("style", ["logfmt", "json", "human"])
def test_secrets_are_masked(style: str) -> None:
    line = written(
        style, token="s3cr3t", DB_PASSWORD="s3cr3t", url="https://me:s3cr3t@grid.example/v1", token_file="/run/em"
    )
    assert "s3cr3t" not in line
    assert "grid.example/v1" in line
    assert "/run/em" in line


def test_fields_named_like_the_lines_own_do_not_replace_them() -> None:
    fields = json.loads(written("json", level="high", event="x", msg="y", ts=1, name="n", severity=2, message="m"))
    assert (fields["level"], fields["event"], fields["msg"]) == ("warning", "gap", "No reading.")
    assert (fields["level_"], fields["event_"], fields["msg_"], fields["ts_"]) == ("high", "x", "y", 1)
    assert (fields["name"], fields["severity"], fields["message"]) == ("n", 2, "m")


def test_a_number_that_is_none_stays_valid_json() -> None:
    assert json.loads(written("json", ratio=float("nan"), rate=float("inf")))["ratio"] == "nan"


def test_levels_below_the_chosen_one_are_silent() -> None:
    stream = Stream()
    log = Log(stream, level=Severity.WARNING, style="logfmt", environ={}, wall_s=lambda: NOON_S)
    log.event(Severity.INFO, "a", "Quiet.")
    log.event(Severity.DEBUG, "b", "Quiet.")
    assert stream.getvalue() == ""
    log.event(Severity.ERROR, "c", "Loud.")
    assert "level=error event=c" in stream.getvalue()


def test_the_journal_gets_a_priority_and_only_the_journal(tmp_path: Path) -> None:
    """`journalctl -p warning` must find it; a file that a child was redirected to must not be sprinkled with <4>."""
    path = tmp_path / "stderr"
    with path.open("w") as stream:
        status = os.fstat(stream.fileno())
        here = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        for environ in (here, {"JOURNAL_STREAM": "8:1"}, {}):
            Log(stream, environ=environ, wall_s=lambda: NOON_S).event(Severity.WARNING, "gap", "No reading.")
    to_journal, elsewhere, plain = path.read_text().splitlines()
    assert to_journal == '<4>level=warning event=gap msg="No reading."'
    assert elsewhere == plain == 'ts=2026-10-03T12:00:05.250Z level=warning event=gap msg="No reading."'


def test_a_closed_or_full_stream_does_not_stop_the_daemon() -> None:
    closed = Stream()
    closed.close()
    Log(closed, environ={}, wall_s=lambda: NOON_S).event(Severity.ERROR, "x", "Lost.")
    with Path("/dev/full").open("w") as full:
        log = Log(full, environ={}, wall_s=lambda: NOON_S)
        log.event(Severity.ERROR, "x", "Lost.")
        log.event(Severity.ERROR, "x", "Lost again.")
