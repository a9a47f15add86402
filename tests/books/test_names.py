"""A file's name says which hours of which ledger are in it, whatever its host is called."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.books.names import (
    KINDS,
    LakeFile,
    day_start_s,
    parse_name,
    prefixes,
    quoted,
    select,
    shipped_until_s,
    without_entries,
)
from tracker.core.hours import HOUR_S

FILE = LakeFile("entries", "2026-10-03", "gpu-017", "ab12cd34", 7, 11, whole=False, sha16="00112233aabbccdd")
DAY = replace(FILE, from_h=0, to_h=24, whole=True)

FILES = st.builds(
    LakeFile,
    st.sampled_from(KINDS),
    st.dates().map(lambda day: f"{day:%Y-%m-%d}").filter(lambda text: len(text) == 10),
    st.text(st.characters(codec="utf-8"), min_size=1),
    st.text("0123456789abcdef", min_size=8, max_size=8),
    st.just(0),
    st.integers(1, 24),
    whole=st.just(False),
    sha16=st.text("0123456789abcdef", min_size=16, max_size=16),
)


def test_the_names_are_those_of_the_documentation() -> None:
    assert FILE.name == "entries/month=2026-10/day=03/gpu-017-ab12cd34-h07_11-00112233aabbccdd.parquet"
    assert DAY.name == "entries/month=2026-10/day=03/gpu-017-ab12cd34-day-00112233aabbccdd.parquet"
    assert (FILE.start_s, FILE.end_s) == (1_791_010_800, 1_791_025_200)


@given(FILES)
def test_what_a_name_says_is_read_back(file: LakeFile) -> None:
    """Also a hostname with dashes, slashes, dots, spaces or Chinese characters."""
    assert parse_name(file.name) == file
    assert file.name.count("/") == 3


@pytest.mark.parametrize("host", ["..", ".hidden", "a/b", "../../etc"])
def test_no_hostname_leaves_its_folder_or_hides_in_it(host: str) -> None:
    *folders, last = replace(FILE, hostname=host).name.split("/")
    assert folders == ["entries", "month=2026-10", "day=03"]
    assert not last.startswith(".")
    assert not quoted(host).startswith(".")


@pytest.mark.parametrize(
    "name",
    [
        "conflicts/entries/month=2026-10/day=03/gpu-017-ab12cd34-day-00112233aabbccdd.parquet",
        "statements/month=2026-10/day=03/gpu-017-ab12cd34-day-00112233aabbccdd.parquet",
        "entries/month=2026-10/day=03/gpu-017-ab12cd34-day-00112233aabbccdd.parquet#1",
        "entries/month=2026-10/day=03/gpu-017-ab12cd34-h11_07-00112233aabbccdd.parquet",
        "entries/month=2026-10/day=03/gpu-017-ab12cd34-h20_25-00112233aabbccdd.parquet",
        "entries/month=2026-10/day=03/somebody's notes.txt",
        "entries/month=2026-10/day=99/gpu-017-ab12cd34-day-00112233aabbccdd.parquet",
        "entries/month=2026-02/day=29/gpu-017-ab12cd34-day-00112233aabbccdd.parquet",
        "entries/month=2026-13/day=01/gpu-017-ab12cd34-day-00112233aabbccdd.parquet",
        "entries/month=2026-10/day=00/gpu-017-ab12cd34-day-00112233aabbccdd.parquet",
        "entries/month=0000-10/day=03/gpu-017-ab12cd34-day-00112233aabbccdd.parquet",
        "entries/month=\uff12\uff10\uff12\uff16-10/day=03/gpu-017-ab12cd34-day-00112233aabbccdd.parquet",
        "",
    ],
)
def test_other_names_are_no_files_of_the_lake(name: str) -> None:
    assert parse_name(name) is None


def test_a_day_file_takes_the_place_of_its_pieces() -> None:
    rest = replace(FILE, from_h=11, to_h=24)
    assert select([FILE, rest, DAY]).files == (DAY,)
    assert select([rest, FILE]).files == (FILE, rest)
    assert select([FILE, rest, DAY]).conflicts == ()


def test_two_files_about_the_same_hours_are_not_added_up() -> None:
    other = replace(FILE, sha16="f" * 16)
    found = select([other, FILE])
    assert found.files == (FILE,)
    assert found.conflicts == ((FILE, other),)


def test_two_ledgers_of_one_hostname_are_both_read() -> None:
    other = replace(FILE, ledger="99999999")
    assert select([FILE, other]).files == (other, FILE)
    assert select([FILE, other]).conflicts == ()


def test_a_month_in_a_time_zone_reads_two_months_of_utc() -> None:
    start_s, end_s = day_start_s("2026-10-01") - 7200, day_start_s("2026-11-01") - 3600
    assert prefixes("entries", start_s, end_s) == ("entries/month=2026-09/", "entries/month=2026-10/")
    assert prefixes("entries", day_start_s("2026-12-01"), day_start_s("2027-01-01")) == ("entries/month=2026-12/",)


def test_hours_of_coverage_that_no_entries_belong_to_are_found_by_name() -> None:
    """Whole days, the rest of a day, other nodes and other ledgers of the same name."""
    coverage, at_s = replace(DAY, kind="coverage"), day_start_s("2026-10-03")
    assert without_entries([coverage], [DAY]) == {}
    assert without_entries([coverage], []) == {("gpu-017", "ab12cd34"): [at_s + hour * HOUR_S for hour in range(24)]}
    first = replace(DAY, from_h=0, to_h=22, whole=False)
    assert without_entries([coverage], [first]) == {("gpu-017", "ab12cd34"): [at_s + 22 * HOUR_S, at_s + 23 * HOUR_S]}
    for other in (replace(DAY, hostname="gpu-018"), replace(DAY, ledger="f" * 8), replace(DAY, date="2026-10-04")):
        assert [*without_entries([coverage], [other])] == [("gpu-017", "ab12cd34")]
    assert without_entries([], [DAY]) == {}


def test_a_node_has_shipped_until_its_last_hour_with_both_kinds() -> None:
    coverage, at_s = replace(DAY, kind="coverage"), day_start_s("2026-10-03")
    assert shipped_until_s([coverage], [DAY]) == {"gpu-017": at_s + 24 * HOUR_S}
    assert shipped_until_s([coverage], [FILE]) == {"gpu-017": at_s + 11 * HOUR_S}
    assert shipped_until_s([coverage], []) == {}
    before = replace(DAY, date="2026-10-02")
    assert shipped_until_s([replace(before, kind="coverage"), coverage], [before]) == {"gpu-017": at_s}
