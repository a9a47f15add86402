"""Labels that anybody on a node may choose, and names of files, do nothing to the terminal of whoever looks at them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.books.small_lake import TRAIN, Hours, put
from tests.cli.test_close import CONFIG, Desk
from tests.cli.test_exec_summary import NODE
from tests.finance.months import CONFIG as SETTINGS
from tests.finance.months import GPU_2, HOUR_UJ, NOW_S, SECOND, make
from tracker.books.names import day_start_s
from tracker.books.store import open_store
from tracker.cli import layout
from tracker.cli.show import show_findings
from tracker.cli.summary import summarise, text_of
from tracker.cli.workloads import section, show
from tracker.core.model import Finding, Kind, Level, Workload
from tracker.finance.compose import compose
from tracker.workloads.names import Named

RED, TITLE, CLEAR, BACKWARDS = "\x1b[31mred", "\x1b]0;pwned\x07", "a\x9b2Jb", "\u202egnp.exe"
NASTY = replace(TRAIN, key="pod/9", name=TITLE, team=RED, project='-réseau,"x"\n2nd', cost_centre=BACKWARDS)
NOWHERE = "par\x1b[2J9"


def is_harmless(printed: str) -> bool:
    """Lines of plain text."""
    return all(line.isprintable() for line in printed.split("\n"))


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    store = open_store(str(make(tmp_path / "books")))
    hours = Hours().add(day_start_s("2026-10-30"), HOUR_UJ, workload=NASTY, device=CLEAR)
    put(store, "2026-10-30", hours, node=replace(SECOND, site=NOWHERE))
    return Desk(tmp_path, capsys)


def hostile_row(desk: Desk) -> str:
    rows = compose(SETTINGS, open_store(str(desk.books)), "2026-10", as_of_s=NOW_S).rows
    return next(row.row_id for row in rows if RED in row.key)


def test_a_trace_shows_what_labels_are(desk: Desk) -> None:
    code, out, _ = desk("trace", "2026-10", "--row", hostile_row(desk))
    assert code == 0
    assert "team           \\x1b[31mred\n" in out
    assert "\\x1b]0;pwned\\x07" in out
    assert "a\\x9b2Jb" in out
    assert is_harmless(out)


def test_a_row_that_there_is_not_names_those_that_there_are(desk: Desk) -> None:
    code, _, err = desk("trace", "2026-10", "--row", "0")
    assert code == 2
    assert '\\u202egnp.exe / \\x1b[31mred / -réseau,"x"\\n2nd / ' in err
    assert is_harmless(err)


def test_an_export_and_a_review_say_which_site_it_is(desk: Desk, tmp_path: Path) -> None:
    _, out, _ = desk("export", "--month", "2026-10", "-o", str(tmp_path / "out"))
    assert "Nobody stated the PUE of par\\x1b[2J9: an average is assumed." in out
    assert is_harmless(out)
    _, out, err = desk("close", "2026-10", "--review", "--as", "alice")
    assert "par\\x1b[2J9" in out
    assert is_harmless(out)
    assert is_harmless(err)


def test_what_is_restated_is_a_row_of_one_line(desk: Desk) -> None:
    waived = [part for name in ("coverage", "unshipped", "pue") for part in ("--waive", f"{name}=tried")]
    desk("close", "2026-10", "--review", "--as", "alice", *waived)
    assert desk("close", "2026-10", "--as", "bob")[0] == 0
    store = open_store(str(desk.books))
    late = Hours().add(day_start_s("2026-10-31"), HOUR_UJ // 9, workload=NASTY, device=GPU_2)
    put(store, "2026-10-31", late, node=replace(SECOND, site=NOWHERE))
    _, out, _ = desk("restate", "2026-10", "--as", "carol", "--dry-run")
    (row,) = [line for line in out.split("\n") if "réseau" in line]
    assert row.startswith('\\u202egnp.exe / \\x1b[31mred / -réseau,"x"\\n2nd / training / par\\x1b[2J9 / gpu  ')
    assert is_harmless(out)


def test_books_with_a_strange_file_are_verified(desk: Desk) -> None:
    (desk.books / "entries" / f"x{RED}\n.parquet").write_bytes(b"")
    _, out, _ = desk("verify")
    assert "\\x1b[31mred\\n.parquet" in out
    assert is_harmless(out)


def test_an_error_of_a_configuration_shows_what_is_in_it(desk: Desk) -> None:
    desk.config.write_text(CONFIG + '[books]\n"\\u001b[2J" = 1\n', "utf-8")
    code, _, err = desk("close", "--status")
    assert code == 2
    assert "\\x1b[2J" in err
    assert is_harmless(err)


def test_a_summary_of_a_run_and_the_workloads_of_a_node(capsys: pytest.CaptureFixture[str]) -> None:
    told = text_of(summarise(RED, ("true",), 0, 1.0, None, {**NODE, "hostname": TITLE, "ok": True}))
    assert "\\x1b[31mred ended with 0" in told
    assert is_harmless(told)
    pod = Workload("pod/1", Kind.POD, CLEAR, namespace="ml", team=BACKWARDS, project=RED)
    show(section([Named(pod, None)]))
    out = capsys.readouterr().out
    assert "ml/a\\x9b2Jb  \\u202egnp.exe / \\x1b[31mred" in out
    assert is_harmless(out)


def test_findings_keep_the_lines_of_their_remedies(capsys: pytest.CaptureFixture[str]) -> None:
    show_findings("Findings", [Finding(Level.FAIL, RED, f"It is {CLEAR}.", "first\nsecond \x1b[2J")])
    assert capsys.readouterr().out.split("\n") == [
        "Findings",
        "  FAIL  \\x1b[31mred  It is a\\x9b2Jb.",
        "                     fix: first",
        "                     fix: second \\x1b[2J",
        "",
    ]


def test_tables_and_entries(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(layout.table(("NAME", "N"), [("a\nb", "1"), ("c", "2")], right={1})) == [
        "NAME  N",
        "a\\nb  1",
        "c     2",
    ]
    assert list(layout.entry("flag", RED, label_width=5, within=80)) == ["  flag   \\x1b[31mred"]
    layout.echo(RED, bold=True)
    assert capsys.readouterr().out == "\\x1b[31mred\n"
