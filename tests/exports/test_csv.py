"""The CSV for finance: it adds up, it is text where it must be, and no spreadsheet runs what is in it."""

from __future__ import annotations

import csv
import hashlib
import subprocess
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.exports.kit import rendered, table_of, workbook_of
from tests.fakes.statements import CLOSED, EMPTY, FULL, NASTY_LABELS, STATEMENT, amounts, line, many_rows
from tracker.core.statement import Statement
from tracker.exports.columns import ADDITIVE, NUMBERS, fixed
from tracker.exports.csv_text import safe
from tracker.exports.interface import Options

DANGEROUS = "=+-@\t\r\n\0\uff1d\uff0b\uff0d\uff20"


def labelled(labels: list[str]) -> Statement:
    """A row for each label, whatever is in it."""
    rows = tuple(line(("CC", label, "p", "", "par1", "gpu"), amounts(1_000)) for label in labels)
    return replace(STATEMENT, rows=rows, corrections=())


def test_the_header_names_units_and_is_what_people_have_built_on() -> None:
    header = rendered("csv", STATEMENT).split(b"\r\n")[0].decode()
    assert header == (
        "statement_id,statement_version,statement_status,software,period_start,period_end,timezone,entity,unknown_energy,row_kind,kind,"
        "period,restates_period,reason,is_correction,row_id,cost_centre,team,project,phase,site,component,scope,"
        "scope3_category,energy_it_kwh,energy_overhead_kwh,energy_facility_kwh,measured_kwh,modelled_kwh,"
        "simulated_kwh,idle_kwh,unweighed_kwh,unpriced_kwh,device_hours,location_kgco2e,location_annual_kgco2e,"
        "location_hourly_kgco2e,market_kgco2e,upstream_kgco2e,embodied_kgco2e,cost,intensity_g_per_kwh,"
        "estimated_factor_ratio,coverage_ratio,currency,row_sha256,statement_sha256"
    )


def test_energy_that_is_in_no_sum_is_said_on_every_line() -> None:
    """Of the location-based sum and the cost row by row, of the others for the whole statement."""
    lines = table_of(rendered("csv", FULL))
    assert {each["unknown_energy"] for each in lines} == {
        "market-based emissions: 1493.826 kWh; upstream emissions: 1493.826 kWh"
    }
    total = lines[-1]
    assert (total["row_kind"], total["unweighed_kwh"], total["unpriced_kwh"]) == ("total", "1493.826", "1493.826")
    assert {each["unknown_energy"] for each in table_of(rendered("csv", STATEMENT))} == {""}


def test_a_row_says_what_the_statement_says() -> None:
    rows = table_of(rendered("csv", CLOSED))
    (row,) = [
        each for each in rows if (each["project"], each["component"], each["row_kind"]) == ("llama-ft", "cpu", "row")
    ]
    assert row["statement_id"] == "2026-10-v1-5f1d0c3a9b7e2468"
    assert (row["statement_version"], row["statement_status"]) == ("1", "closed")
    assert (row["period"], row["period_start"], row["period_end"]) == (
        "2026-10",
        "2026-09-30T22:00:00Z",
        "2026-10-31T23:00:00Z",
    )
    assert (row["energy_it_kwh"], row["energy_facility_kwh"], row["energy_overhead_kwh"]) == (
        "91234.567",
        "110393.826",
        "19159.259",
    )
    assert (row["measured_kwh"], row["modelled_kwh"], row["cost"]) == ("90000.000", "1234.567", "19870.88")
    assert (row["scope"], row["is_correction"], row["currency"]) == ("2", "false", "EUR")


@pytest.mark.parametrize("statement", [STATEMENT, CLOSED, EMPTY, FULL])
def test_p9_every_total_is_the_sum_of_its_rows(statement: Statement) -> None:
    """P9, to the last digit."""
    lines = table_of(rendered("csv", statement))
    assert lines[-1]["row_kind"] == "total"
    for column in ADDITIVE:
        summed = sum(Decimal(each[column] or 0) for each in lines if each["row_kind"] == "row")
        assert summed == Decimal(lines[-1][column] or 0), column


def test_what_is_not_known_is_empty_and_never_zero() -> None:
    (row,) = [each for each in table_of(rendered("csv", STATEMENT)) if each["project"] == "field-trial"]
    assert (row["location_kgco2e"], row["market_kgco2e"], row["cost"]) == ("", "", "")
    assert (row["unweighed_kwh"], row["unpriced_kwh"]) == ("1493.826", "1493.826")


def test_energy_that_was_handed_on_nets_to_zero_and_is_marked() -> None:
    """Who wants the month without the allocation leaves these lines out, and the total stays."""
    found = [each for each in table_of(rendered("csv", FULL)) if each["kind"] == "allocation"]
    assert [each["energy_it_kwh"] for each in found] == ["-90000.000", "45000.000", "45000.000"]
    for column in ADDITIVE:
        assert sum(Decimal(each[column] or 0) for each in found) == 0, column


def test_corrections_are_lines_that_name_their_month_and_stay_numbers() -> None:
    found = [each for each in table_of(rendered("csv", STATEMENT)) if each["row_kind"] == "correction"]
    assert [(each["restates_period"], each["reason"], each["is_correction"]) for each in found] == [
        ("2026-08", "error", "true"),
        ("2026-09", "energy_late", "true"),
        ("2026-09", "factor_final", "true"),
    ]
    assert found[0]["market_kgco2e"] == "-0.001"
    assert found[2]["location_kgco2e"] == "-1234.567"


def test_no_cell_is_a_formula() -> None:
    """A label that a user of the cluster chose must not run on the accountant's desk (CWE-1236)."""
    for each in table_of(rendered("csv", STATEMENT)):
        for column, cell in each.items():
            if column not in NUMBERS:
                assert not cell.startswith(tuple(DANGEROUS)), (column, cell)


def test_nasty_labels_come_back_as_they_were() -> None:
    teams = [each["team"] for each in table_of(rendered("csv", STATEMENT)) if each["project"] == "labels"]
    expected = [f"'{label}" if label[:1] and label[:1] in DANGEROUS else label for label in NASTY_LABELS]
    assert sorted(set(teams)) == sorted({*expected, "'-2+3"})


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=12) | st.text(alphabet=DANGEROUS + "\",;'x", max_size=6), max_size=6))
def test_any_label_is_one_cell_and_none_runs(labels: list[str]) -> None:
    lines = table_of(rendered("csv", labelled(labels)))
    assert [each["team"] for each in lines[:-1]] == [safe(label) for label in labels]
    assert all(len(each) == 47 and None not in each for each in lines)
    assert not any(each["team"].startswith(tuple(DANGEROUS)) for each in lines)


@given(st.integers(-(10**40), 10**40), st.sampled_from([2, 3, 6]))
def test_numbers_are_exact_plain_decimals(value: int, places: int) -> None:
    """No exponent, no separator, no locale: the point and exactly so many digits."""
    text = fixed(value, places)
    assert Decimal(text) == Decimal(value).scaleb(-places, None) or abs(value) >= 10**28
    assert text.replace(".", "").lstrip("-").lstrip("0") == str(abs(value)).lstrip("0")
    assert len(text.partition(".")[2]) == places
    assert text.startswith("-") == (value < 0)


def test_lines_end_as_the_standard_says_and_sniffers_agree() -> None:
    """RFC 4180, and what csv.Sniffer makes of the first lines."""
    content = rendered("csv", many_rows(20)).decode()
    assert content.count("\n") == content.count("\r\n") == 25
    dialect = csv.Sniffer().sniff(content)
    assert (dialect.delimiter, dialect.quotechar) == (",", '"')
    assert csv.Sniffer().has_header(content)


def test_a_byte_order_mark_only_for_those_who_ask() -> None:
    plain, marked = rendered("csv", STATEMENT), rendered("csv", STATEMENT, Options(csv_bom=True))
    assert marked == b"\xef\xbb\xbf" + plain


def test_a_row_keeps_its_hash_when_only_the_statement_changes() -> None:
    """Whoever compares two versions sees at once which lines moved."""
    draft, closed = table_of(rendered("csv", STATEMENT)), table_of(rendered("csv", CLOSED))
    assert [each["row_sha256"] for each in draft] == [each["row_sha256"] for each in closed]
    assert draft[-1]["statement_sha256"] != closed[-1]["statement_sha256"]
    changed = replace(STATEMENT, rows=(replace(STATEMENT.rows[0], scope="3"), *STATEMENT.rows[1:]))
    other = table_of(rendered("csv", changed))
    assert [a["row_sha256"] == b["row_sha256"] for a, b in zip(draft, other, strict=True)][:2] == [False, True]


def test_the_hash_of_a_row_is_of_its_json() -> None:
    """An auditor can check it with two commands."""
    lines = rendered("json", STATEMENT).decode().splitlines()
    first = lines[lines.index('"rows":[') + 1].removesuffix(",")
    body, _, sha = first.partition(',"row_sha256":"')
    assert (
        hashlib.sha256(body.encode()).hexdigest() == sha[:64] == table_of(rendered("csv", STATEMENT))[0]["row_sha256"]
    )


def test_a_long_month_keeps_its_rows_in_their_order() -> None:
    statement = many_rows(2_000)
    lines = table_of(rendered("csv", statement))
    assert len(lines) == 2_004
    assert lines[1_999]["project"] == "project-0001999"


@pytest.mark.needs("soffice")
def test_libreoffice_reads_texts_as_texts(tmp_path: Path) -> None:
    """It opens the file and writes what it saw: no formula was run, no number became text."""
    source = tmp_path / "month.csv"
    source.write_bytes(rendered("csv", STATEMENT))
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = ["soffice", profile, "--headless", "--convert-to", "xlsx", "--outdir", str(tmp_path), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=240)
    sheet = workbook_of((tmp_path / "month.xlsx").read_bytes()).active
    kinds = {name.value: {cell.data_type for cell in cells if cell.value} for name, *cells in sheet.iter_cols()}
    assert all("f" not in found for found in kinds.values())
    assert kinds["energy_it_kwh"] == {"n"}
    assert kinds["market_kgco2e"] == {"n"}
