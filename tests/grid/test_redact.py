"""A service that repeats what it was sent gives no key away, however it writes it."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tracker.grid.interface import BadAnswer, NoData
from tracker.grid.redact import discreet, repeats

KEY = "Ab/cD=SECRET+xyz9"


@pytest.mark.parametrize(
    "said",
    [
        KEY,
        KEY.lower(),
        KEY.swapcase(),
        quote(KEY, safe=""),
        quote(KEY, safe="").lower(),
        KEY.replace("=", "&#61;").replace("/", "&#x2F;"),
        f"GET /t.csv?api_key={quote(KEY, safe='')}&zone=FR HTTP/1.1",
    ],
)
def test_a_key_is_found_in_every_way_of_writing_it(said: str) -> None:
    assert repeats(f"unknown key: {said}, x\n".encode(), ["FR", KEY])
    with pytest.raises(BadAnswer, match="repeats what was sent") as raised, discreet("The meter", said.encode(), [KEY]):
        raise NoData(f"The meter has no column {said[:12]!r}")
    assert KEY[:6].lower() not in str(raised.value).lower()
    assert raised.value.__suppress_context__


def test_what_repeats_nothing_is_told_in_its_own_words() -> None:
    """Years and zones of the question are in every table."""
    assert not repeats(b"zone,year\nFR,2026\n", ["FR", "2026", "csv", KEY])
    with pytest.raises(NoData, match="no column"), discreet("The meter", b"zone,year", ["FR", KEY]):
        raise NoData("The meter has no column")
