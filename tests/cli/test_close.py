"""Closing and restating as somebody runs them: what is shown, what is refused, and with which exit code."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.finance.months import HOUR_UJ, late, make
from tracker.books.store import open_store
from tracker.books.versions import postings
from tracker.cli.main import main

CONFIG = """
[node]
site = "par1"
[site.par1]
zone = "FR"
pue = 1.21
pue_source = "operator, 2026-Q3"
"""


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("lake") / "books")


class Desk:
    """``desk("close", "2026-10", …)`` runs the command: exit code and what it printed."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys, self.books, self.config = capsys, folder / "books", folder / "config.toml"
        self.config.write_text(CONFIG, "utf-8")
        self.common = ("--config", str(self.config), "--state-dir", str(folder), "--books", str(self.books))

    def __call__(self, *arguments: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as end:
            main([*arguments, *self.common])
        printed = self.capsys.readouterr()
        return end.value.code, printed.out, printed.err


@pytest.fixture
def desk(lake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Desk:
    shutil.copytree(lake, tmp_path / "books")
    return Desk(tmp_path, capsys)


def test_a_month_is_reviewed_closed_and_listed(desk: Desk) -> None:
    assert desk("close", "--status")[:2] == (0, "No month was reviewed or closed yet: every export is a draft.\n")
    code, out, err = desk("close", "2026-10", "--review", "--as", "alice")
    assert (code, err) == (0, "")
    assert "  energy    50.400 kWh IT, 60.984 kWh facility\n" in out
    assert "  2 rows, " in out
    assert "  to be sealed as csv, xlsx, json, parquet, html, focus, codecarbon\n" in out
    assert "  ok    coverage   100.00 % of the expected device time is covered.\n" in out
    assert out.endswith("Somebody else closes it: wattledger close 2026-10 --as APPROVER\n")
    assert "reviewed  " in desk("close", "--status", "2026-10")[1]
    code, out, err = desk("close", "2026-10", "--as", "bob")
    assert (code, err) == (0, "")
    assert "\nClosed: 2026-10 v1, prepared by alice, approved by bob.\n" in out
    assert "statement.xlsx\n" in out
    (version,) = json.loads(desk("close", "--status", "--json")[1])
    assert (version["month"], version["status"], version["manifest"]["approver"]) == ("2026-10", "closed", "bob")
    status = desk("close", "--status")[1]
    assert status.startswith("2026-10  v1  closed    ")
    assert status.endswith("prepared by alice, approved by bob\n")
    code, out, _ = desk("close", "2026-10", "--as", "bob")
    assert code == 0
    assert out.startswith("2026-10 v1 is closed already, by bob; nothing was changed.\n")
    code, _, err = desk("close", "2026-10", "--as", "carol")
    assert (code, err) == (
        1,
        "wattledger: 2026-10 is closed already by bob (v1). To restate it: wattledger restate 2026-10\n",
    )


def test_what_is_not_met_is_shown_with_its_remedy_and_can_be_waived(desk: Desk) -> None:
    late(open_store(str(desk.books)), HOUR_UJ)
    code, out, err = desk("close", "2026-10", "--review", "--as", "alice")
    assert code == 1
    assert "  FAIL  unshipped  Of these nodes the last hours, or the energy of some, are missing: gpu-2.\n" in out
    assert "fix: Run on each of them: wattledger ship." in out
    assert '--waive unshipped="reason"' in out
    assert err.startswith("wattledger: 2026-10 does not meet: coverage, unshipped. Mend it, or say why")
    waive = ("--waive", "unshipped=it was sold", "--waive", "coverage=see unshipped")
    code, out, _ = desk("close", "2026-10", "--review", "--as", "alice", *waive)
    assert code == 0
    told = "  warn  unshipped  Of these nodes the last hours, or the energy of some, are missing: gpu-2. Waived: "
    assert f"{told}it was sold (alice).\n" in out
    assert desk("close", "2026-10", "--as", "bob")[0] == 0


def test_the_preparer_is_told_that_somebody_else_closes(desk: Desk) -> None:
    desk("close", "2026-10", "--review", "--as", "alice")
    code, _, err = desk("close", "2026-10", "--as", "Alice")
    assert code == 1
    assert err.startswith("wattledger: Alice prepared 2026-10 and cannot approve it too.")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((), "Which month?"),
        (("2026-13",), "'2026-13' is no month."),
        (("--status", "October"), "'October' is no month."),
        (("2026-10", "--as-of", "2026-11-01", "--as", "bob"), "--as-of belongs to --review."),
        (("2026-10", "--as", "bob", "--waive", "luck=no"), "There is no condition 'luck'."),
        (("2026-10", "--as", "bob", "--waive", "tier"), "Why is tier waived?"),
        (("2026-10", "--as", " "), "Nobody is named."),
        (("2026-10", "--as", ""), "Nobody is named."),
        (("2026-10", "--as", "bob", "--json"), "--json belongs to --status."),
    ],
)
def test_bad_usage_is_one_sentence_and_writes_nothing(desk: Desk, arguments: tuple[str, ...], sentence: str) -> None:
    code, out, err = desk("close", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"wattledger: {sentence}")
    assert not (desk.books / "statements").exists()


def test_without_a_name_it_is_the_user(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "erin")
    assert "\nReviewed by erin: 2026-10 v1, statement " in desk("close", "2026-10", "--review")[1]


def test_a_month_without_data_is_one_sentence(desk: Desk) -> None:
    code, _, err = desk("close", "2026-08", "--review", "--as", "alice")
    assert code == 1
    assert "have nothing of 2026-08" in err


def test_a_review_goes_by_what_was_known_then(desk: Desk) -> None:
    out = desk("close", "2026-10", "--review", "--as", "alice", "--as-of", "2026-11-05T10:00Z")[1]
    assert out.startswith("2026-10 v1 (UTC), as of 2026-11-05 10:00 UTC\n")


def test_late_energy_is_shown_then_posted_then_done(desk: Desk) -> None:
    code, _, err = desk("restate", "2026-10", "--as", "carol")
    assert (code, err.startswith("wattledger: 2026-10 is not closed")) == (1, True)
    desk("close", "2026-10", "--review", "--as", "alice")
    desk("close", "2026-10", "--as", "bob")
    assert desk("restate", "2026-10", "--as", "carol")[1].startswith("2026-10 v1: nothing new is known")
    late(open_store(str(desk.books)), HOUR_UJ)
    code, out, _ = desk("restate", "2026-10", "--as", "carol", "--dry-run")
    assert code == 0
    assert "CC-1 / nlp / llama / training / par1 / gpu" in out
    assert "  facility energy: 0.847 kWh moved (1.39 %)\n" in out
    assert out.endswith("To post: 2 corrections of 2026-10 in 2026-11.\n")
    assert not (desk.books / "statements" / "2026-11").exists()
    code, out, _ = desk("restate", "2026-10", "--as", "carol", "--note", "it was off", "--json")
    document = json.loads(out)
    assert (code, document["written"]) == (0, "statements/2026-11/corrections/2026-10-v1-001.json")
    assert document["decision"]["outcome"] == "post"
    assert postings(open_store(str(desk.books)))[document["written"]].note == "it was off"
    assert desk("restate", "2026-10", "--as", "carol")[1].startswith("2026-10 v1: nothing new is known")


def test_a_change_of_method_needs_approval(desk: Desk) -> None:
    desk("close", "2026-10", "--review", "--as", "alice")
    desk("close", "2026-10", "--as", "bob")
    code, out, _ = desk("restate", "2026-10", "--as", "carol", "--reason", "method_change")
    assert code == 0
    assert "The method changed. 2026-10 has a v2. statements/2026-10/v2/restated.json\n" in out
    assert "\n  setting   " not in out
    status = desk("close", "--status")[1].splitlines()
    assert status[1].startswith("2026-10  v2  draft     opened by carol at ")
    assert "\n  setting   as the month was closed with\n" in desk("close", "2026-10", "--review", "--as", "alice")[1]
    assert desk("close", "2026-10", "--as", "bob")[0] == 0
    assert "superseded by v2" in desk("close", "--status")[1]


def test_a_change_of_method_names_what_is_stated_otherwise_and_only_that_moves(desk: Desk) -> None:
    desk("close", "2026-10", "--review", "--as", "alice")
    desk("close", "2026-10", "--as", "bob")
    desk.config.write_text('[accounting]\nlocation_factor = "hourly"\n', "utf-8")
    code, _, err = desk("restate", "2026-10", "--as", "carol")
    assert (code, 'closed with accounting.location_factor = "annual", and here it is "hourly"' in err) == (2, True)
    out = desk("restate", "2026-10", "--as", "carol", "--reason", "method_change")[1]
    named = 'setting   accounting.location_factor: "hourly", was "annual"\n'
    assert out.count("  setting ") == out.count(named) == 1
    out = desk("close", "2026-10", "--review", "--as", "alice")[1]
    assert out.count("  setting ") == out.count(named) == 1
    assert "  energy    50.400 kWh IT, 60.984 kWh facility\n" in out, "the PUE is the one that it was closed with"


def test_a_meter_is_compared_with_another_version_as_its_month_was_closed(desk: Desk, tmp_path: Path) -> None:
    """The preparer's machine knows neither the site nor its PUE."""
    desk("close", "2026-10", "--review", "--as", "alice")
    desk("close", "2026-10", "--as", "bob")
    desk("restate", "2026-10", "--as", "carol", "--reason", "method_change")
    desk.config.write_text("", "utf-8")
    meter = tmp_path / "meter.csv"
    meter.write_text("site,start,end,kwh\npar1,2026-10-01,2026-11-01,61.5\n", "utf-8")
    code, out, err = desk("close", "2026-10", "--review", "--as", "alice", "--meter", str(meter))
    assert (code, err) == (0, "")
    assert "Meter of par1 (facility): ours 60.984 kWh, theirs 61.500 kWh." in out


def test_a_month_without_an_open_version_is_closed_whatever_the_settings_of_here_are(desk: Desk) -> None:
    desk("close", "2026-10", "--review", "--as", "alice")
    desk("close", "2026-10", "--as", "bob")
    desk.config.write_text('[accounting]\nlocation_factor = "hourly"\n', "utf-8")
    code, _, err = desk("close", "2026-10", "--review", "--as", "dora")
    assert (code, err.startswith("wattledger: 2026-10 is closed already by bob (v1).")) == (1, True)


def test_a_correction_in_no_column_that_is_shown_names_those_that_moved(desk: Desk) -> None:
    """Else it is a row of noughts that nobody understands."""
    with desk.config.open("a", encoding="utf-8") as file:
        file.write('[books]\ncurrency = "EUR"\n[[books.tariffs]]\nprice = 0.2\n')
    desk("close", "2026-10", "--review", "--as", "alice")
    desk("close", "2026-10", "--as", "bob")
    desk.config.write_text(desk.config.read_text("utf-8").replace("price = 0.2", "price = 0.21"), "utf-8")
    out = desk("restate", "2026-10", "--as", "carol")[1]
    header, *rows = out.split("\n\n", maxsplit=1)[0].splitlines()
    assert header.endswith("  moved besides")
    assert [row.split("  ")[-1] for row in rows] == ["cost", "cost"]


def test_a_version_that_was_opened_by_mistake_is_withdrawn(desk: Desk) -> None:
    desk("close", "2026-10", "--review", "--as", "alice")
    desk("close", "2026-10", "--as", "bob")
    code, _, err = desk("restate", "2026-10", "--withdraw", "--as", "carol")
    assert (code, "no version that could be withdrawn" in err) == (1, True)
    out = desk("restate", "2026-10", "--as", "carol", "--reason", "method_change")[1]
    assert out.endswith("Or take it back before: wattledger restate 2026-10 --withdraw\n")
    code, _, err = desk("restate", "2026-10", "--withdraw", "--dry-run", "--as", "carol")
    assert (code, "Leave the other options out" in err) == (2, True)
    code, out, _ = desk("restate", "2026-10", "--withdraw", "--as", "carol", "--note", "by mistake")
    assert (code, out) == (
        0,
        "Withdrawn by carol: nothing of 2026-10 is open. statements/2026-10/v2/withdrawn.json\n",
    )
    status = desk("close", "--status")[1].splitlines()
    assert status[1].startswith("2026-10  v2  withdrawn ")
    assert status[1].endswith(", by carol: by mistake")
    assert desk("restate", "2026-10", "--as", "carol")[1].startswith("2026-10 v1: nothing new is known")
    assert desk("restate", "2026-10", "--as", "")[0] == 2


def test_what_a_meter_said_at_the_review_is_sealed_and_verified(desk: Desk, tmp_path: Path) -> None:
    meter = tmp_path / "meter.csv"
    meter.write_text("site,start,end,kwh\npar1,2026-10-01,2026-11-01,61.5\n", "utf-8")
    end, out, err = desk("close", "2026-10", "--review", "--as", "alice", "--meter", str(meter))
    assert (end, err) == (0, "")
    assert (
        "Meter of par1 (facility): ours 60.984 kWh, theirs 61.500 kWh. Ours is 0.516 kWh (0.8 %) below theirs." in out
    )
    end, _, err = desk("close", "2026-10", "--as", "bob", "--meter", str(meter))
    assert "A month is compared when it is reviewed" in err
    meter.unlink()
    assert desk("close", "2026-10", "--as", "bob")[0] == 0
    store = open_store(str(desk.books))
    (line,) = json.loads(store.read("statements/2026-10/v1/statement.json") or b"")["reconciliation"]
    assert line["theirs_kwh"] == 61.5
    end, out, _ = desk("verify")
    assert (end, "Each was made again from its inputs" in out) == (0, True)
