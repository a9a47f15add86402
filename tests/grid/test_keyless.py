"""What clients share: words of a stranger that are safe to print, and names that hold for good."""

from __future__ import annotations

import pytest

from tracker.core.factors import FactorType
from tracker.grid.interface import Answer, BadAnswer, Denied, NoData
from tracker.grid.keyless import factor_id, judged, minute, outward, place, said
from tracker.grid.zones import find_zone


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "Invalid auth-token"}', "Invalid auth-token"),
        (b'{"error": {"code": "400", "message": "no such date"}}', "no such date"),
        (b'{"error_code": "X", "message": "malformed"}', "malformed"),
        (b'{"detail": "not found."}', "not found"),
        (b"plain\nwords", "plain words"),
        (b"\x1b[31mred\x00\xff", "[31mred \ufffd"),
        (b"<html>sign in</html>", ""),
        (b"  <!DOCTYPE html>", ""),
        (b"", ""),
        (b"{" * 3, "{{{"),
    ],
)
def test_the_words_of_an_error_are_one_printable_line(body: bytes, words: str) -> None:
    assert said(body) == words


@pytest.mark.parametrize("body", [b"x" * 100_000, b'{"message": "' + b"x" * 100_000 + b'"}', b"[" * 100_000])
def test_long_words_are_cut(body: bytes) -> None:
    assert len(said(body)) <= 160


@pytest.mark.parametrize(
    ("status", "kind"),
    [(302, BadAnswer), (400, BadAnswer), (401, Denied), (403, Denied), (404, NoData), (410, NoData), (422, BadAnswer)],
)
def test_a_status_that_is_no_success_is_an_error_of_its_kind(status: int, kind: type[Exception]) -> None:
    answer = Answer(status, b"why", "", 0, "https://grid.test/a?long=query")
    with pytest.raises(kind, match=rf'{status}: "why"') as caught:
        judged("A service", answer)
    assert "long=query" not in str(caught.value)


def test_a_success_is_handed_on() -> None:
    answer = Answer(200, b"{}", "", 0, "https://grid.test/a")
    assert judged("A service", answer) is answer


@pytest.mark.parametrize(
    ("length_s", "name"),
    [
        (3600, "p:FR:direct:2026-10-03T14:00:00Z"),
        (1800, "p:FR:direct:2026-10-03T14:00:00Z:PT30M"),
        (900, "p:FR:direct:2026-10-03T14:00:00Z:PT15M"),
    ],
)
def test_the_name_of_an_interval_says_its_length_unless_it_is_an_hour(length_s: int, name: str) -> None:
    start_s = 1_791_036_000
    assert factor_id("p", "FR", FactorType.DIRECT, start_s, start_s + length_s) == name


def test_ranges_are_rounded_outward_to_whole_steps() -> None:
    assert outward(3601, 7199, 3600) == (3600, 7200)
    assert outward(3600, 7200, 3600) == (3600, 7200)
    assert minute(1_791_036_059) == "2026-10-03T14:00Z"


@pytest.mark.parametrize(
    ("zone", "country"), [("FR", "FR"), ("gcp:europe-west9", "FR"), ("SE-SE3", "SE-SE3"), ("CAMX", "")]
)
def test_a_finer_zone_is_on_the_grid_of_the_country_only_where_that_is_one_zone(zone: str, country: str) -> None:
    assert place(find_zone(zone)) == country
