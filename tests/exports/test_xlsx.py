"""The workbook: read back by another library, every total is its rows, and nothing in it runs."""

from __future__ import annotations

import io
import re
import subprocess
import tracemalloc
import zipfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.exports.kit import rendered, workbook_of
from tests.fakes.statements import CLOSED, EMPTY, FULL, NASTY_LABELS, STATEMENT, many_rows
from tracker.core.errors import UsageError
from tracker.core.statement import Statement
from tracker.exports import workbook
from tracker.exports.columns import ADDITIVE
from tracker.exports.sheets import CHECK_LABEL, CHECK_OK
from tracker.exports.table import digest

SHEETS = [
    "README",
    "Summary",
    "Rows",
    "Daily",
    "Corrections",
    "Factors",
    "Coverage",
    "Sites",
    "Reconciliation",
    "Method",
    "Manifest",
]
DATA = ("Rows", "Daily", "Corrections", "Factors", "Coverage", "Sites", "Reconciliation", "Manifest")
BOOK = workbook_of(rendered("xlsx", STATEMENT))


def values(sheet: Any) -> list[list[Any]]:
    return [list(line) for line in sheet.iter_rows(values_only=True)]


def exact(value: float | None) -> Decimal:
    """A printed number: the double that the file holds has three decimals when it is printed."""
    return Decimal(0) if value is None else Decimal(repr(value))


def test_the_sheets_are_there_in_their_order() -> None:
    assert BOOK.sheetnames == SHEETS


@pytest.mark.parametrize("statement", [STATEMENT, CLOSED, EMPTY, FULL, many_rows(500)])
@pytest.mark.parametrize("name", ["Rows", "Daily", "Corrections"])
def test_p9_every_total_is_the_sum_of_its_rows(name: str, statement: Statement) -> None:
    """P9, as a stranger's library reads it; and the check cell below says so by itself."""
    lines = values(workbook_of(rendered("xlsx", statement))[name])
    header, body = lines[0], lines[1:]
    totals = [line for line in body if str(line[0]).startswith("Total")]
    if not totals:
        assert not body, "lines without a total"
        return
    rows = body[: body.index(totals[0])]
    for column, title in enumerate(header):
        if title in ADDITIVE:
            assert sum(exact(row[column]) for row in rows) == exact(totals[0][column]), title


def test_totals_are_values_with_a_check_that_is_a_formula_and_a_stored_answer() -> None:
    """Who reads the file without calculating sees the answer; who calculates gets it again."""
    sheet = BOOK["Rows"]
    (row,) = [line for line in sheet.iter_rows() if line[0].value == CHECK_LABEL]
    formulas = [cell for cell in row if cell.data_type == "f"]
    assert len(formulas) == len(ADDITIVE)
    assert re.fullmatch(
        r'=IF\(ABS\(SUM\(R2:R31\)-R33\)<0.0005,"OK","DOES NOT FOOT"\)',
        next(cell.value for cell in formulas if cell.column_letter == "R"),
    )
    xml = zipfile.ZipFile(io.BytesIO(rendered("xlsx", STATEMENT))).read("xl/worksheets/sheet3.xml").decode()
    assert xml.count(f"<v>{CHECK_OK}</v>") == len(ADDITIVE)


def test_a_statement_that_does_not_foot_says_so() -> None:
    """The check is no decoration."""
    total = replace(STATEMENT.total, amounts=replace(STATEMENT.total.amounts, idle_wh=1))
    content = rendered("xlsx", replace(STATEMENT, total=total))
    xml = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet3.xml").decode()
    assert xml.count("<v>DOES NOT FOOT</v>") == 1


def test_no_label_is_a_formula_or_a_link() -> None:
    formulas = [cell for sheet in BOOK for line in sheet.iter_rows() for cell in line if cell.data_type == "f"]
    assert all(cell.value.startswith("=IF(ABS(SUM(") for cell in formulas)
    assert not any(cell.hyperlink for sheet in BOOK for line in sheet.iter_rows() for cell in line)


def test_labels_are_texts_as_they_were() -> None:
    header, *lines = values(BOOK["Rows"])
    teams = {line[header.index("team")] for line in lines if line[header.index("project")] == "labels"}
    written = {label.replace("\r\n", "\n").replace("\r", "\n") for label in NASTY_LABELS if label}
    read = {str(team).replace("_x000D_", "\r").replace("\r\n", "\n").replace("\r", "\n") for team in teams if team}
    assert {label for label in written if "\0" not in label} <= read
    assert "00123" in read


def test_a_number_that_is_not_known_is_an_empty_cell() -> None:
    header, *lines = values(BOOK["Rows"])
    (row,) = [line for line in lines if line[header.index("project")] == "field-trial"]
    assert row[header.index("location_kgco2e")] is None
    assert row[header.index("unweighed_kwh")] == 1493.826


@pytest.mark.parametrize("name", DATA)
def test_data_sheets_are_made_for_work(name: str) -> None:
    """Header frozen and filtered, nothing merged, widths that fit."""
    sheet = BOOK[name]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref.startswith("A1:")
    assert not sheet.merged_cells.ranges
    widths = [dimension.width for dimension in sheet.column_dimensions.values()]
    assert all(10 <= width <= 63 for width in widths)


def test_numbers_have_formats_and_are_numbers() -> None:
    sheet = BOOK["Rows"]
    names = [cell.value for cell in sheet[1]]
    cell = sheet.cell(2, names.index("energy_it_kwh") + 1)
    assert (cell.data_type, cell.number_format) == ("n", "#,##0.000")
    assert sheet.cell(2, names.index("cost") + 1).number_format == "#,##0.00"


def test_the_summary_states_tonnes_that_add_up() -> None:
    lines = values(BOOK["Summary"])
    start = next(place for place, line in enumerate(lines) if line[0] == "by scope of electricity")
    scopes = lines[start + 1 : start + 4]
    assert [line[0] for line in scopes] == ["Scope 2", "Scope 3, category 1", "Total"]
    assert [line[2] for line in scopes] == [302.16, 36.984, 339.144]
    for column in (1, 2, 3, 4, 5):
        assert exact(scopes[0][column]) + exact(scopes[1][column]) == exact(scopes[2][column])
    assert lines[start][2:4] == ["location_tco2e", "market_tco2e"]


def test_the_summary_says_what_is_in_no_sum() -> None:
    notes = [line[0] for line in values(workbook_of(rendered("xlsx", FULL))["Summary"])[1:3]]
    assert notes == [
        (
            "closed, version 1; 99.12 % of device time covered; 98.22 % measured; "
            "1493.826 kWh had no factor and are not in the emissions; 1493.826 kWh had no price and are not in the cost"
        ),
        "Energy that is not in market-based emissions: 1493.826 kWh; upstream emissions: 1493.826 kWh",
    ]


def test_the_method_says_nothing_twice() -> None:
    """A factor that weighs on two bases is one line."""
    factors = (replace(STATEMENT.factors[0], basis="location_hourly"), *STATEMENT.factors)
    sheet = workbook_of(rendered("xlsx", replace(STATEMENT, factors=factors)))["Method"]
    labels = [line[0] for line in values(sheet) if line[0]]
    assert len(labels) == len(set(labels)) == 1 + len(STATEMENT.method) + 1 + len(STATEMENT.factors)


def test_the_summary_has_four_charts_with_titles() -> None:
    archive = zipfile.ZipFile(io.BytesIO(rendered("xlsx", STATEMENT)))
    charts = [archive.read(name).decode() for name in archive.namelist() if name.startswith("xl/charts/chart")]
    titles = {re.findall(r"<a:t>([^<]*)</a:t>", chart)[0] for chart in charts}
    assert titles == {
        "Energy by team, kWh",
        "Idle share of IT energy",
        "Location-based and market-based, kg CO2e by month",
        "Energy over twelve months, kWh",
    }


def test_factors_method_and_manifest_carry_what_an_auditor_looks_up() -> None:
    header, first, *_ = values(BOOK["Factors"])
    assert first[header.index("licence")] == "dl-de/by-2-0"
    assert first[header.index("value")] == "344"
    method = {line[0]: line[1] for line in values(BOOK["Method"])}
    assert method["Limits"].startswith("=Memory of par1")
    assert method["Software"] == "wattledger 0.1.0"
    assert "Licence Ouverte 2.0" in method["Factor rte:FR:2025"]
    manifest = values(BOOK["Manifest"])
    assert manifest[1][1] == digest(STATEMENT)
    assert manifest[2] == [
        "entries/month=2026-10/day=01/gpu-017-0a1b2c3d-day-00112233445566aa.parquet",
        "ab" * 32,
        48211,
    ]


def test_missing_hours_are_listed() -> None:
    header, *lines = values(BOOK["Coverage"])
    assert [line[header.index("missing")] for line in lines] == [
        None,
        "2026-10-03T04:00Z +3 h; 2026-10-19T22:00Z +9 h",
        "2026-10-01T00:00Z +300 h",
    ]
    assert lines[2][header.index("covered_ratio")] is None


def test_nothing_in_the_archive_tells_when_and_where_it_was_made() -> None:
    """Also: created at the end of the period."""
    archive = zipfile.ZipFile(io.BytesIO(rendered("xlsx", CLOSED)))
    assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr for entry in archive.infolist()} == {0o600 << 16}
    assert BOOK.properties.created.isoformat() == "2026-10-31T23:00:00"


def test_more_rows_than_a_sheet_holds_are_refused_with_the_way_out() -> None:
    too_many = replace(STATEMENT, rows=STATEMENT.rows[:1] * (workbook.MOST_ROWS + 1))
    with pytest.raises(UsageError, match="csv or parquet"):
        rendered("xlsx", too_many)


@pytest.mark.needs("soffice")
def test_libreoffice_calculates_every_check_to_ok(tmp_path: Path) -> None:
    """The formulas are right: it is given the workbook without the answers that are stored beside them."""
    stored = f"<v>{CHECK_OK}</v>".encode()
    with zipfile.ZipFile(tmp_path / "month.xlsx", "w") as bare:
        source = zipfile.ZipFile(io.BytesIO(rendered("xlsx", STATEMENT)))
        for name in source.namelist():
            bare.writestr(name, source.read(name).replace(stored, b""))
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    command = ["soffice", profile, "--headless", "--convert-to", "ods", "--outdir", str(tmp_path)]
    subprocess.run([*command, str(tmp_path / "month.xlsx")], check=True, capture_output=True, timeout=240)
    content = zipfile.ZipFile(tmp_path / "month.ods").read("content.xml").decode()
    checks = re.findall(r'table:formula="of:=IF\(ABS\(SUM.*?</table:table-cell>', content)
    assert len(checks) == 3 * len(ADDITIVE)
    assert all("<text:p>OK</text:p>" in check for check in checks)


def test_a_long_month_is_not_held_in_memory(tmp_path: Path) -> None:
    """A million rows must not need gigabytes: twenty times the rows cost no more than what their text is long."""
    peaks = []
    for number in (300, 6_000):
        statement = many_rows(number)
        with (tmp_path / "month.xlsx").open("wb") as out:
            tracemalloc.start()
            workbook.write(statement, out)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] - peaks[0] < 2_000_000
