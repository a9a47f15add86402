"""``wattledger trace`` as an auditor runs it."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

import pytest

from tests.finance.months import make, make_closed
from tracker.books.store import open_store
from tracker.cli.main import main
from tracker.finance.compose import compose

CONFIG = """
[node]
site = "par1"
[site.par1]
zone = "FR"
pue = 1.21
pue_source = "operator, 2026-Q3"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("traced")
    make_closed(make(folder / "lake"), folder / "books")
    (folder / "config.toml").write_text(CONFIG, "utf-8")
    return folder


def common(folder: Path, books: str = "books") -> tuple[str, ...]:
    return ("--config", str(folder / "config.toml"), "--state-dir", str(folder), "--books", str(folder / books))


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["trace", *arguments])
    printed = capsys.readouterr()
    return end.value.code, printed.out, printed.err


ROW = "55af9576055d3b2c"


def test_a_closed_row_is_told_from_the_printed_grams_to_the_device(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "2026-10", "--row", ROW, *common(folder))
    assert (code, err) == (0, "")
    assert out.startswith(f"2026-10 (v1, closed), row {ROW}\n")
    assert "  location_annual_g = 2287 g   sum of energy_uj x pue_permille x ng_per_kwh\n" in out
    assert "    136080000000000 x 1210 x 50000000000 = 8232840000000000000000000000\n" in out
    assert "  par1: zone FR, owned, PUE 1210 permille (operator, 2026-Q3) for 72 h\n" in out
    assert "eea2023:FR: 50 g/kWh, 72 h from 2026-10-29T00:00Z\n" in out
    assert "GPU-11111111-2222-3333-4444-555555555555" in out
    assert "\x1b[" not in out
    assert "    +1: of 2 rows the row with the largest remainder gets 1 more; this is number 1\n" in out
    assert "    +0: it has none of it\n" in out


def test_as_json_every_digit_is_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "2026-10", "--row", ROW[:5], "--json", "--all", *common(folder))
    assert code == 0
    found = json.loads(out)
    assert found["line"]["row_id"] == ROW
    annual = next(each for each in found["rounding"] if each["column"]["amount"] == "location_annual_g")
    assert annual["exact"] == "8232840000000000000000000000"
    assert (annual["whole"], annual["step"], annual["printed"]) == (2286, 1, 2287)
    assert len(found["entries"]) == 72


def test_a_draft_of_a_closed_month_can_be_asked_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "2026-10", "--row", ROW, "--draft", "--as-of", "2026-11-11", *common(folder))
    assert code == 0
    assert out.startswith("2026-10 (draft), row")


def test_a_draft_by_the_hour_is_traced_with_its_own_column(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for flag, method in (("--hourly", "hourly"), ("--annual", "annual")):
        code, out, _ = run(capsys, "2026-10", "--row", ROW, "--draft", flag, *common(folder))
        assert code == 0
        said = out.index("this is what location_kgco2e says")
        titles = {"annual": "Location-based, yearly", "hourly": "Location-based, factors of the hour"}
        before = {name: said - out.index(title) for name, title in titles.items() if out.index(title) < said}
        assert min(before, key=before.__getitem__) == method


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("2026-13", "--row", "1"), "is no month"),
        (("2026-10", "--row", "zz"), "There is no row zz"),
        (("2026-10", "--row", ROW, "--version", "1", "--draft"), "A version is no draft"),
        (("2026-10", "--row", ROW, "--version", "3"), "no closed version 3"),
        (("2026-10", "--row", ROW, "--draft", "--group-by", "colour"), "is nothing to group"),
        (("2026-10", "--row", ROW, "--hourly"), "Leave --hourly and --annual out, or ask for --draft"),
        (("2026-10",), "Missing option '--row'"),
    ],
)
def test_bad_usage_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    code, out, err = run(capsys, *arguments, *common(folder))
    assert (code, out) == (2, "")
    assert said in err


def test_books_that_are_not_there_are_one_sentence(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "2026-10", "--row", ROW, *common(folder, "nowhere"))
    assert code == 1, "it may be mounted later"
    assert "There is no folder" in err


def test_on_a_narrow_terminal_lines_of_the_table_are_cut_and_numbers_are_not(folder: Path) -> None:
    store = open_store(str(folder / "books"))
    assert store.url
    leader, follower = pty.openpty()
    command = [str(Path(sys.executable).parent / "wattledger"), "trace", "2026-10", "--row", ROW, *common(folder)]
    process = subprocess.Popen(command, stdout=follower, stderr=follower, close_fds=True)
    os.close(follower)
    seen = b""
    while select.select([leader], [], [], 60)[0]:
        try:
            piece = os.read(leader, 65536)
        except OSError:  # EIO: the other side has closed
            break
        seen += piece
    assert process.wait(30) == 0
    os.close(leader)
    assert b"136080000000000" in seen
    assert b"\x1b[1m" in seen


def test_the_same_row_has_the_same_id_in_every_draft(folder: Path) -> None:
    """The id that an export prints is the one that trace takes."""
    from tests.finance.months import CONFIG as SETTINGS
    from tests.finance.months import MONTH, NOW_S

    rows = compose(SETTINGS, open_store(str(folder / "lake")), MONTH, as_of_s=NOW_S).rows
    assert ROW in [line.row_id for line in rows]
