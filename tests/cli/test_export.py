"""``wattledger export``: files that are whole, drafts that say so, and sealed months that stay the same bytes."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.books.small_lake import NODE, day, put
from tests.core.test_chain import live
from tests.e2e.test_ship import Node
from tests.finance import months
from tracker.books.interface import BookStore
from tracker.books.names import day_start_s
from tracker.books.store import open_store
from tracker.books.versions import read_output, versions
from tracker.cli.main import cli
from tracker.core.errors import WattledgerError
from tracker.finance.exporting import Document
from tracker.grid.store import STORE_FILE, FactorStore
from tracker.registry import EXPORTS

CONFIG = """
[site.par1]
zone = "FR"
pue = 1.21
pue_source = "operator, 2026-Q3"

[books]
entity = "Example SA"
"""


@pytest.fixture(scope="module")
def october(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return months.make(tmp_path_factory.mktemp("export") / "books")


def run(folder: Path, *arguments: str, config: str = CONFIG) -> Result:
    """In a node's state folder and with a configuration of its own."""
    path = folder / "config.toml"
    path.write_text(config, encoding="utf-8")
    common = ["--config", str(path), "--state-dir", str(folder / "state"), "-o", str(folder / "out")]
    return CliRunner().invoke(cli, ["export", *common, *arguments], catch_exceptions=True)


def refusal(result: Result) -> WattledgerError:
    assert isinstance(result.exception, WattledgerError), result.output
    return result.exception


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def test_a_draft_is_written_and_summed_up(october: Path, tmp_path: Path) -> None:
    result = run(tmp_path, "--month", "2026-10", "--books", str(october))
    assert result.exit_code == 0, result.output
    (path,) = (tmp_path / "out").iterdir()
    assert path.name == "wattledger-2026-10-draft.csv"
    assert "2026-10 (UTC), draft" in result.output
    assert "energy    50.400 kWh IT, 60.984 kWh facility" in result.output
    assert "measured 50.400 kWh, modelled 0.000 kWh" in result.output
    printed = rows(path)
    of_rows = [row for row in printed if row["row_kind"] == "row"]
    (total,) = (row for row in printed if row["row_kind"] == "total")
    assert round(sum(float(row["energy_it_kwh"]) for row in of_rows), 3) == float(total["energy_it_kwh"]) == 50.4


def test_energy_without_a_price_is_said_and_on_its_row(october: Path, tmp_path: Path) -> None:
    """The tariff begins on the last of three days: two thirds of the energy are in no cost."""
    priced = CONFIG + 'currency = "EUR"\n[[books.tariffs]]\nprice = 0.2\nfrom = 2026-10-31\n'
    result = run(tmp_path, "--month", "2026-10", "--books", str(october), config=priced)
    assert "40.656 kWh have no price and are in no cost." in result.output
    (*_, total) = rows(tmp_path / "out" / "wattledger-2026-10-draft.csv")
    assert (total["cost"], total["unpriced_kwh"], total["energy_facility_kwh"]) == ("4.07", "40.656", "60.984")
    assert "no price" not in run(tmp_path, "--month", "2026-10", "--books", str(october)).output, "nobody has a tariff"


def test_every_format_in_one_go(october: Path, tmp_path: Path) -> None:
    result = run(tmp_path, "--month", "2026-10", "--books", str(october), "--format", ",".join(EXPORTS), "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.output)
    assert [Path(name).exists() for name in said["files"]] == [True] * len(EXPORTS)
    assert (said["month"], said["status"], said["energy_it_wh"]) == ("2026-10", "draft", 50_400)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {Path(name).name for name in said["files"]}


def test_rows_and_filters_as_asked(october: Path, tmp_path: Path) -> None:
    asked = ["--group-by", "project,component", "--where", "project=llama", "--hourly"]
    assert run(tmp_path, "--month", "2026-10", "--books", str(october), *asked).exit_code == 0
    printed = rows(tmp_path / "out" / "wattledger-2026-10-draft.csv")
    assert [(row["project"], row["energy_it_kwh"]) for row in printed if row["row_kind"] == "row"] == [
        ("llama", "37.800")
    ]


def test_one_file_into_a_pipe(october: Path, tmp_path: Path) -> None:
    result = run(tmp_path, "--month", "2026-10", "--books", str(october), "-o", "-")
    assert result.stdout.startswith("statement_id,")
    assert "wattledger-" not in result.stderr
    assert "Only one file" in str(refusal(run(tmp_path, "--month", "2026-10", "-o", "-", "--format", "csv,json")))


def test_a_node_without_books_exports_its_own_hours(tmp_path: Path) -> None:
    """One path: its folder of books is read like a fleet's."""
    (tmp_path / "state").mkdir()
    store = open_store(str(tmp_path / "state" / "books"), create=True)
    put(store, "2026-10-30", day("2026-10-30"), node=NODE)
    result = run(tmp_path, "--month", "2026-10")
    assert result.exit_code == 0, result.output
    assert "16.800 kWh IT" in result.output


def test_a_node_ships_its_ledger_before_it_exports_it(tmp_path: Path) -> None:
    """What the ledger holds is what finance gets, to the microjoule that rounding allows."""
    node = Node(tmp_path)
    node.run(30)
    with closing(sqlite3.connect(node.ledger)) as db:
        (energy_uj,) = db.execute("SELECT sum(energy_uj) FROM entry").fetchone()
    for _ in range(2):
        result = run(tmp_path, "--month", "2026-10", "--json", config=node.config.read_text("utf-8"))
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)["energy_it_wh"] == round(energy_uj / 3_600_000_000)
    printed = rows(tmp_path / "out" / "wattledger-2026-10-draft.csv")
    assert {row["team"] for row in printed if row["row_kind"] == "row"} == {"nlp"}


def test_without_any_books_the_way_to_them_is_told(tmp_path: Path) -> None:
    error = refusal(run(tmp_path, "--month", "2026-10"))
    assert error.exit_code == 2
    assert "There are no books, and no ledger in" in str(error)


def test_a_month_without_data_is_exit_code_1_and_leaves_no_file(october: Path, tmp_path: Path) -> None:
    error = refusal(run(tmp_path, "--month", "2026-09", "--books", str(october)))
    said = f"The books at {october} have nothing of 2026-09; they have energy of 2026-10. Ask for one of these"
    assert (error.exit_code, said in str(error)) == (1, True), str(error)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--month", "2026-1"], "'2026-1' is no month"),
        (["--month", "2026-10", "--format", "pdf"], "There is no format 'pdf'"),
        (["--month", "2026-10", "--where", "team"], "has no value"),
        (["--month", "2026-10", "--where", "temas=x"], "'temas' is nothing to group or filter by"),
        (["--month", "2026-10", "--version", "3"], "has no closed version 3. Closed are: none"),
        (["--month", "2026-10", "--version", "1", "--group-by", "team"], "as it was sealed"),
        (["--month", "2027-01"], "has not begun yet"),
    ],
)
def test_what_cannot_be_is_one_sentence(october: Path, tmp_path: Path, arguments: list[str], sentence: str) -> None:
    error = refusal(run(tmp_path, "--books", str(october), *arguments))
    assert error.exit_code == 2
    assert sentence in str(error)


def test_a_folder_that_is_not_there_is_named(october: Path, tmp_path: Path) -> None:
    error = refusal(run(tmp_path, "--month", "2026-10", "--books", str(october), "-o", str(tmp_path / "a" / "b")))
    assert f"{tmp_path}/a/b cannot be written: No such file or directory" in str(error)


def test_a_month_in_progress_says_that_it_is(tmp_path: Path) -> None:
    """By the clock of the machine: this month, if a node shipped an hour of it."""
    from tracker.cli import factors

    now_s = factors.now_s()
    month, today = factors.day(now_s)[:7], factors.day(now_s)
    store = open_store(str(tmp_path / "books"), create=True)
    put(store, today, day(today))
    result = run(tmp_path, "--month", month, "--books", str(tmp_path / "books"))
    if result.exit_code == 0:  # the month began in the last second otherwise
        assert "The month is not over: this is what is known so far." in result.output


def test_what_is_not_known_is_said_in_the_summary(october: Path, tmp_path: Path) -> None:
    result = run(tmp_path, "--month", "2026-10", "--books", str(october), config='[site.par1]\nzone = "FR"\n')
    assert "Nobody stated the PUE of par1: an average is assumed." in result.output


# --- closed months ---------------------------------------------------------------------------------------------------


def test_what_only_this_machine_knows_is_told_with_the_command_that_changes_it(october: Path, tmp_path: Path) -> None:
    """A draft says what can be reviewed and closed; and finance can put what it imported into the books."""
    books = str(shutil.copytree(october, tmp_path / "books"))
    (tmp_path / "state").mkdir()
    with FactorStore(tmp_path / "state" / STORE_FILE) as own:
        own.append([replace(live("a", "9", start_s=day_start_s("2026-10-30")), zone="FR")], day_start_s("2026-11-02"))
    asked = ("--month", "2026-10", "--books", books, "--hourly")
    before = run(tmp_path, *asked)
    given = f"--config {tmp_path / 'config.toml'} --state-dir {tmp_path / 'state'}"
    command = f"wattledger ship --factors {given} --books {books}"
    assert before.stderr == (
        "wattledger: This machine knows 1 grid factor of 2026-10 that the books lack; nothing is weighed with it. "
        f"Put it there: {command}\n"
    )
    shipped = CliRunner().invoke(cli, command.split()[1:])
    assert shipped.exit_code == 0, shipped.output
    after = run(tmp_path, *asked)
    assert after.stderr == ""
    with FactorStore(tmp_path / "state" / STORE_FILE) as own:
        later = [replace(live(name, "9", start_s=day_start_s(f"2026-10-{name}")), zone="FR") for name in ("30", "31")]
        own.append(later, day_start_s("2026-11-02"))
    said = run(tmp_path, *asked).stderr
    assert "knows 2 grid factors of 2026-10 that the books lack; nothing is weighed with them. Put them there" in said
    location = [next(line for line in said.stdout.splitlines() if "location" in line) for said in (before, after)]
    assert location[0] != location[1]


@pytest.fixture(scope="module")
def closed(october: Path, tmp_path_factory: pytest.TempPathFactory) -> BookStore:
    return open_store(str(months.make_closed(october, tmp_path_factory.mktemp("sealed") / "books")))


def test_a_closed_month_gives_the_sealed_bytes(closed: BookStore, tmp_path: Path) -> None:
    books = closed.url.removeprefix("file://")
    result = run(tmp_path, "--month", "2026-10", "--books", books, "--format", "csv,json")
    assert result.exit_code == 0, result.output
    assert "closed version 1" in result.output
    (version,) = versions(closed, "2026-10")
    for name in ("csv", "json"):
        assert (tmp_path / "out" / f"wattledger-2026-10-v1.{name}").read_bytes() == read_output(closed, version, name)
    again = run(tmp_path, "--month", "2026-10", "--books", books, "--version", "1")
    assert again.exit_code == 0
    assert (tmp_path / "out" / "wattledger-2026-10-v1.csv").read_bytes() == read_output(closed, version, "csv")


def test_another_view_of_a_closed_month_is_a_draft_and_says_so(closed: BookStore, tmp_path: Path) -> None:
    books = closed.url.removeprefix("file://")
    result = run(tmp_path, "--month", "2026-10", "--books", books, "--group-by", "site")
    assert "The month is closed (v1); this is another view of it, made anew, and not sealed." in result.output
    assert (tmp_path / "out" / "wattledger-2026-10-draft.csv").exists()


# --- files -----------------------------------------------------------------------------------------------------------


def test_all_files_are_written_or_none(tmp_path: Path) -> None:
    """A disk that fills up at the second file must not leave the first one beside nothing, or half of the second."""
    from tracker.cli.export import write_all

    def full(_out: object) -> None:
        raise OSError(28, "No space left on device")

    documents = [Document("a", "a.csv", lambda out: out.write(b"x")), Document("b", "b.csv", full)]
    with pytest.raises(WattledgerError, match="No space left on device"):
        write_all(documents, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_file_is_replaced_whole(tmp_path: Path) -> None:
    from tracker.cli.export import write_all

    (tmp_path / "a.csv").write_bytes(b"before")
    seen: list[bytes] = []

    def look(out: object) -> None:
        seen.append((tmp_path / "a.csv").read_bytes())
        out.write(b"after")  # type: ignore[attr-defined]  # a binary file

    assert write_all([Document("a", "a.csv", look)], tmp_path) == [tmp_path / "a.csv"]
    assert (seen, (tmp_path / "a.csv").read_bytes(), len(list(tmp_path.iterdir()))) == ([b"before"], b"after", 1)


def test_a_filter_that_fits_nothing_is_no_statement_of_zero(october: Path, tmp_path: Path) -> None:
    result = run(tmp_path, "--month", "2026-10", "--books", str(october), "--where", "team=npl")
    assert refusal(result).sentence == "Nothing of 2026-10 is of team=npl."
    assert not (tmp_path / "out").exists()


def test_books_that_are_not_there_are_not_made_by_whoever_reads_them(tmp_path: Path) -> None:
    result = run(tmp_path, "--month", "2026-10", "--books", str(tmp_path / "boks"))
    assert refusal(result).sentence == f"There is no folder {tmp_path / 'boks'}."
    assert not (tmp_path / "boks").exists()


def test_a_meter_stands_beside_the_total(october: Path, tmp_path: Path) -> None:
    meter = tmp_path / "meter.csv"
    meter.write_text("site,start,end,kwh,level\npar1,2026-10-01,2026-11-01,50.4,it\n", "utf-8")
    result = run(tmp_path, "--month", "2026-10", "--books", str(october), "--format", "json", "--meter", str(meter))
    assert result.exit_code == 0, result.output
    assert "Meter of par1 (it): ours 50.400 kWh, theirs 50.400 kWh. Both agree." in result.output
    (line,) = json.loads((tmp_path / "out" / "wattledger-2026-10-draft.json").read_text("utf-8"))["reconciliation"]
    assert line["what"] == "Meter of par1 (it)"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--where", "team=nlp"], "What others counted has no labels to choose by."),
        (["--version", "1"], "A sealed version is as it was sealed."),
    ],
)
def test_a_comparison_that_cannot_be_made_is_refused(more: list[str], said: str, october: Path, tmp_path: Path) -> None:
    meter = tmp_path / "meter.csv"
    meter.write_text("start,end,kwh\n2026-10-01,2026-11-01,1\n", "utf-8")
    arguments = ["--month", "2026-10", "--books", str(october), "--meter", str(meter), *more]
    assert refusal(run(tmp_path, *arguments)).sentence == said
