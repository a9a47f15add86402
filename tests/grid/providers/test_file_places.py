"""Where an operator's numbers are: settings, files and addresses, right or refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.grid.providers.file_case import CASE, PATH, QUERY_KEY, TOKEN
from tests.grid.providers.filing import END_S, FRANCE, NOW_S, START_S, nobody, provider
from tests.grid.providers.replay import FETCHED_S, Replay
from tracker.core.errors import UsageError
from tracker.grid.file import FileProvider, Options
from tracker.grid.interface import (
    BadAnswer,
    Denied,
    NoData,
    ProviderError,
    UnknownZone,
    Unreachable,
)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "needs either a path or a url"),
        ({"path": "a", "url": "https://host/a"}, "needs either a path or a url"),
        ({"path": "a", "zone": "FR"}, "who publishes"),
        ({"path": "a", "publisher": "ACME"}, "does not say the zone"),
        ({"path": "a", "preset": "oge"}, "does not say the zone"),
        ({"path": "a", "preset": "neso-history", "interval": "1h", "unit": "kg/MWh"}, "says unit itself"),
        ({"path": "a", "preset": "neso-history", "factor_type": "lifecycle"}, "says factor_type itself"),
        ({"path": "a", "preset": "em-portal", "tier": 1, "gases": "CO2"}, "says gases, tier itself"),
        ({"url": "https://user:secret@host/a"}, "no plain http or https address"),
        ({"url": "ftp://host/a"}, "no plain http or https address"),
        ({"url": "https://host/a#b"}, "no plain http or https address"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_at_start(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        FileProvider(Options(**settings), nobody)
    assert said in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.remedy


def test_an_unknown_zone_is_refused_at_start() -> None:
    with pytest.raises(UnknownZone):
        provider("a", zone="Atlantis")


def test_a_file_that_is_none_says_so(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, kind, said in (
        ("none.csv", Unreachable, "No such file"),
        (".", BadAnswer, "no regular file"),
        ("pipe", BadAnswer, "no regular file"),
    ):
        with pytest.raises(kind, match=said):
            provider(tmp_path / name).read(FRANCE, START_S, END_S, NOW_S)
    with pytest.raises(BadAnswer, match="no regular file"):
        provider("/dev/zero").read(FRANCE, START_S, END_S, NOW_S)


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    """Sparse: it would fill the memory only if somebody read it."""
    for name, size, said in (("huge.csv", (64 << 20) + 1, "at most 64 are read"), ("huge.json", 17 << 20, "16 MiB")):
        with (tmp_path / name).open("wb") as file:
            file.write(b"[" if name.endswith("json") else b"datetime,g_per_kwh\n")
            file.truncate(size)
        with pytest.raises(BadAnswer, match=said):
            provider(tmp_path / name).read(FRANCE, START_S, END_S, NOW_S)


def test_an_address_is_asked_with_its_secrets_apart() -> None:
    """The key in the query and the token are sent, and are in nothing that is kept or shown."""
    ask = Replay(CASE.good)
    office = CASE.make("https://books.example", ask)
    rows = office.read(FRANCE, CASE.start_s, CASE.end_s, CASE.now_s)
    assert [row.value_printed for row in rows] == ["21.5", "0", "22.10"]
    (question,) = ask.asked
    assert (question.url, question.secret_query) == (f"https://books.example{PATH}", {"key": QUERY_KEY})
    assert question.headers == {"Authorization": f"Bearer {TOKEN}"}
    assert rows[0].origin.endpoint == f"https://books.example{PATH}"
    assert rows[0].origin.fetched_at_s == FETCHED_S
    for secret in (TOKEN, QUERY_KEY):
        assert secret not in repr(rows) + repr(office)


def test_a_token_comes_from_its_file_when_it_is_used(tmp_path: Path) -> None:
    ask = Replay(CASE.good)
    options = Options(
        url=f"https://h{PATH}", token_file=str(tmp_path / "token"), zone="FR", publisher="ACME", timestamps="start"
    )
    office = FileProvider(options, ask)
    with pytest.raises(Denied, match="cannot be read"):
        office.read(FRANCE, CASE.start_s, CASE.end_s, CASE.now_s)
    (tmp_path / "token").write_text("abc\n")
    office.read(FRANCE, CASE.start_s, CASE.end_s, CASE.now_s)
    assert ask.asked[-1].headers == {"Authorization": "Bearer abc"}
    FileProvider(Options(url=f"https://h{PATH}", zone="FR", publisher="ACME"), ask).read(FRANCE, 0, 1, 1)
    assert ask.asked[-1].headers == {}


@pytest.mark.parametrize(
    ("status", "kind"), [(401, Denied), (403, Denied), (404, NoData), (410, NoData), (400, BadAnswer)]
)
def test_what_an_address_says_is_judged(status: int, kind: type[ProviderError]) -> None:
    with pytest.raises(kind, match=str(status)):
        CASE.make("https://h", Replay(CASE.good, status=status)).read(FRANCE, CASE.start_s, CASE.end_s, CASE.now_s)
