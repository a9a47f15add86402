"""EIA-930: the end of an hour is not taken for its start, lb/kWh not for lb/MWh, and a blank or 0 not for a value."""

from __future__ import annotations

import io
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.grid.providers.eia_case import CASE, HOUR_S, PATH, START_S
from tests.grid.providers.replay import Replay
from tests.grid.providers.workbooks import line, workbook
from tracker.core.errors import UsageError
from tracker.core.factors import FactorRow
from tracker.grid.eia import AUTHORITIES, Eia, Options
from tracker.grid.eia_sheet import MAX_HELD, read_sheet
from tracker.grid.interface import Answer, BadAnswer, NoData, Question, Unreachable
from tracker.grid.zones import find_zone

CALIFORNIA = find_zone("US-CAL-CISO")


def nobody(question: Question) -> Answer:
    raise AssertionError(question)


def read(provider: Eia, zone: str = "US-CAL-CISO") -> tuple[FactorRow, ...]:
    return provider.read(find_zone(zone), CASE.start_s, CASE.end_s, CASE.now_s)


def test_an_hour_is_named_by_its_end_and_printed_in_pounds_per_kwh() -> None:
    first, *_, last, blank = read(Eia(Options(), Replay(CASE.good)))
    assert (first.valid_from_s, first.valid_to_s) == (START_S, START_S + HOUR_S)
    assert first.factor_id == "eia:US-CAL-CISO:direct:2026-10-03T18:00:00Z"
    assert (first.value_printed, first.unit_printed) == ("0.31", "lb/kWh")
    assert first.value_g_per_kwh == Decimal("140.6136347")  # 0.31 x 453.59237, all digits
    assert (first.gases, first.factor_type, first.basis, first.quality_tier) == ("CO2", "direct", "consumption", 1)
    assert first.source_ref == "CISO.xlsx, Published Hourly Data, UTC time 2026-10-03T19:00:00Z"
    assert first.origin.endpoint == f"https://www.eia.gov{PATH}"
    assert (last.value_printed, last.valid_from_s) == ("0.55", START_S + 2 * HOUR_S)
    assert (blank.value_printed, blank.valid_from_s) == ("", START_S + 3 * HOUR_S)


def test_a_value_of_zero_is_a_hole() -> None:
    """Each of these grids burns something, or imports from one that does."""
    body = workbook([line(START_S + HOUR_S, 0), line(START_S + 2 * HOUR_S, 0.4)])
    rows = read(Eia(Options(), Replay({PATH: body})))
    assert [row.value_printed for row in rows] == ["", "0.4"]


def test_a_workbook_is_fetched_once_for_all_ranges_of_a_poll_and_again_for_the_next() -> None:
    """It has 20 MB, and reading it takes seconds."""
    ask = Replay(CASE.good)
    provider = Eia(Options(), ask)
    for _ in range(3):
        read(provider)
    assert len(ask.asked) == 1
    provider.read(CALIFORNIA, CASE.start_s, CASE.end_s, CASE.now_s + 60)
    assert len(ask.asked) == 2


def test_cloud_regions_are_asked_by_the_authority_of_their_grid() -> None:
    pjm = {PATH.replace("CISO", "PJM"): workbook([line(START_S + HOUR_S, 0.8, ba="PJM")])}
    (row,) = read(Eia(Options(), Replay(pjm)), "aws:us-east-1")
    assert (row.zone, row.zone_printed) == ("aws:us-east-1", "PJM")


def test_only_grids_that_are_one_authority_are_covered() -> None:
    provider = Eia(Options(), nobody)
    assert all(provider.covers(find_zone(zone)) for zone in AUTHORITIES)
    for zone in ("US", "CAMX", "US-CA", "FR", "WORLD"):
        assert not provider.covers(find_zone(zone))
        with pytest.raises(NoData):
            read(provider, zone)


def test_workbooks_of_a_folder_are_read_without_asking_anybody(tmp_path: Path) -> None:
    (tmp_path / "CISO.xlsx").write_bytes(CASE.good[PATH])
    rows = read(Eia(Options(folder=str(tmp_path)), nobody))
    assert [row.value_printed for row in rows] == ["0.31", "0.42", "0.55", ""]
    assert rows[0].origin.endpoint == str(tmp_path / "CISO.xlsx")
    assert len(rows[0].origin.raw_sha256) == 64


def test_a_folder_without_the_workbook_says_which_one(tmp_path: Path) -> None:
    with pytest.raises(NoData, match=r"CISO\.xlsx is not there"):
        read(Eia(Options(folder=str(tmp_path)), nobody))
    (tmp_path / "CISO.xlsx").symlink_to("CISO.xlsx")  # leads nowhere
    with pytest.raises((NoData, Unreachable)):
        read(Eia(Options(folder=str(tmp_path)), nobody))


def test_without_openpyxl_the_start_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UsageError) as caught:
        Eia(Options(), nobody)
    assert caught.value.remedy == "pip install 'wattledger[eia]'"


def test_making_one_loads_no_workbook_reader() -> None:
    """The daemon makes one to know what it covers."""
    before = sys.modules.pop("tracker.grid.eia_sheet", None)
    try:
        Eia(Options(), nobody)
        assert "tracker.grid.eia_sheet" not in sys.modules
    finally:
        if before is not None:
            sys.modules["tracker.grid.eia_sheet"] = before


def test_a_time_that_excel_keeps_a_little_off_is_the_full_hour() -> None:
    """A third of a day has no end in binary."""
    off = datetime.fromtimestamp(START_S, UTC).replace(tzinfo=None) - timedelta(milliseconds=3)
    assert read_sheet(workbook([["CISO", off, None, 1, 0.3, 0.4]])) == [("CISO", START_S, Decimal("0.4"))]


def test_blank_lines_are_none() -> None:
    assert read_sheet(workbook([[None] * 6, line(START_S, 0.4), [None, None, None, 3, 0.9, None]])) == [
        ("CISO", START_S, Decimal("0.4"))
    ]


def test_a_workbook_that_unpacks_to_more_than_memory_is_refused() -> None:
    """By what it says of itself, before any of it is unpacked."""
    stream = io.BytesIO(CASE.good[PATH])
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/sharedStrings2.xml", b" " * (MAX_HELD + 1))
    with pytest.raises(BadAnswer, match="too large"):
        read_sheet(stream.getvalue())
