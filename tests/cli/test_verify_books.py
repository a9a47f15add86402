"""``wattledger verify --books``: sound books are proven, and whatever was done to them is found and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.books.small_lake import NODE, day, put
from tests.e2e.tsdb import past_of
from tests.finance.months import CONFIG as SETTINGS
from tests.finance.months import HOUR_UJ, MONTH, SECOND, close, fill, late, make, make_closed, review, with_pue
from tracker.books.finding import BooksFinding
from tracker.books.interface import BookStore
from tracker.books.names import day_start_s
from tracker.books.store import open_store
from tracker.cli.main import main
from tracker.finance.audit import audit_closed

CONFIG = """
[node]
site = "par1"
[site.par1]
zone = "FR"
pue = 1.21
pue_source = "operator, 2026-Q3"
"""
SEALED = "statements/2026-10/v1"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("lake") / "books")


@pytest.fixture(scope="module")
def sealed(lake: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_closed(lake, tmp_path_factory.mktemp("sealed") / "books")


@pytest.fixture
def books(sealed: Path, tmp_path: Path) -> Path:
    shutil.copytree(sealed, tmp_path / "books")
    return tmp_path / "books"


@pytest.fixture
def store(books: Path) -> BookStore:
    return open_store(str(books))


Run = Callable[..., tuple[object, str, str]]


@pytest.fixture
def verify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "config.toml").write_text(CONFIG, "utf-8")

    def run(*arguments: str, books: str | None = None) -> tuple[object, str, str]:
        where = ("--books",) if books == "" else ("--books", books or str(tmp_path / "books"))
        common = ("--config", str(tmp_path / "config.toml"), "--state-dir", str(tmp_path))
        with pytest.raises(SystemExit) as end:
            main(["verify", *where, *common, *arguments])
        printed = capsys.readouterr()
        return end.value.code, printed.out, printed.err

    return run


def found(store: BookStore, month: str | None = None) -> list[BooksFinding]:
    findings = list(audit_closed(SETTINGS, store, month).findings)
    assert all(each.message and each.remedy for each in findings)
    return findings


# closed months


def test_a_closed_month_is_made_again_from_what_was_sealed(store: BookStore) -> None:
    audit = audit_closed(SETTINGS, store)
    assert (audit.findings, audit.verified) == ((), ("2026-10 v1",))


def test_it_is_made_again_though_the_books_and_the_settings_went_on(store: BookStore) -> None:
    """Late energy, another node, another PUE here: the month is made of what it was made of."""
    late(store, HOUR_UJ)
    fill(store, "2026-11", (1, 2))
    assert audit_closed(with_pue(1.5), store).findings == ()


def test_a_node_that_was_known_before_the_month_is_known_when_it_is_made_again(lake: Path, tmp_path: Path) -> None:
    """It shipped in September and came back on the second day: its missing hours stay missing."""
    shutil.copytree(lake, tmp_path / "books")
    store = open_store(str(tmp_path / "books"))
    put(store, "2026-09-28", day("2026-09-28"), node=SECOND)
    put(store, "2026-10-30", day("2026-10-30", device="GPU-2"), node=SECOND)
    waive = ("coverage=a test", "unshipped=a test")
    review(store, waive=waive)
    close(store, waive=waive)
    assert found(store) == []


@pytest.mark.parametrize("name", ["statement.csv", "statement.xlsx", "inputs.json", "statement.json"])
def test_an_altered_sealed_file_is_found(store: BookStore, books: Path, name: str) -> None:
    path = books / SEALED / name
    path.write_bytes(path.read_bytes() + b" ")
    (finding,) = found(store)
    assert finding.check == "sealed_file"
    assert f"{SEALED}/{name} was altered" in finding.message


def test_a_missing_sealed_file_is_found(store: BookStore, books: Path) -> None:
    (books / SEALED / "statement.html").unlink()
    assert [each.check for each in found(store)] == ["sealed_file"]


def test_a_manifest_that_is_no_manifest_hides_no_other_month(store: BookStore, books: Path) -> None:
    (books / SEALED / "manifest.json").write_text("{}", "utf-8")
    (books / "statements/2026-12/v1").mkdir(parents=True)
    (books / "statements/2026-12/v1/manifest.json").write_text("[]", "utf-8")
    assert [(each.check, each.subject) for each in found(store)] == [("record", "2026-10"), ("record", "2026-12")]


def test_an_altered_input_is_found_and_named(store: BookStore, books: Path) -> None:
    name = next(name for name, _ in store.names("entries/"))
    path = books / name
    path.write_bytes(path.read_bytes()[:-1])
    (finding,) = found(store)
    assert (finding.check, finding.subject) == ("sealed_input", "2026-10 v1")
    assert name in finding.message
    assert "sha256" in finding.remedy


def test_an_input_that_is_gone_is_found(store: BookStore, books: Path) -> None:
    name = next(name for name, _ in store.names("coverage/"))
    (books / name).unlink()
    assert [each.check for each in found(store)] == ["sealed_input"]


def test_a_forged_statement_is_found_though_every_hash_fits(store: BookStore, books: Path) -> None:
    """Somebody rewrote the statement, its files and all the hashes: it is not what its inputs give."""
    import hashlib

    reviewed = next(iter((books / SEALED).glob("reviewed-*.json")))
    claim, manifest = books / SEALED / "inputs.json", books / SEALED / "manifest.json"
    content = reviewed.read_bytes()
    forged = content.replace(b'"energy_it_wh":37800', b'"energy_it_wh":37801')
    assert forged != content
    old, new = hashlib.sha256(content).hexdigest(), hashlib.sha256(forged).hexdigest()
    old_claim = claim.read_bytes()
    new_claim = old_claim.replace(old.encode(), new.encode())
    reviewed.unlink()
    (books / SEALED / f"reviewed-{new[:16]}.json").write_bytes(forged)
    claim.write_bytes(new_claim)
    hashes = {old: new, hashlib.sha256(old_claim).hexdigest(): hashlib.sha256(new_claim).hexdigest()}
    text = manifest.read_text("utf-8").replace(old[:16] + ".json", new[:16] + ".json")
    for before, after in hashes.items():
        text = text.replace(before, after)
    manifest.write_text(text, "utf-8")
    checks = {each.check: each for each in found(store)}
    assert "rows" in checks["recompute"].message
    assert "rendering" in checks


def test_another_version_of_the_software_is_told_and_is_no_failure(store: BookStore, books: Path) -> None:
    """Its statement may say something else of its method: a warning, with the version to verify with."""
    import hashlib

    claim, manifest = books / SEALED / "inputs.json", books / SEALED / "manifest.json"
    old = claim.read_bytes()
    new = old.replace(b'"software": "', b'"software": "0.0.0-')
    assert new != old
    claim.write_bytes(new)
    text = manifest.read_text("utf-8")
    text = text.replace(hashlib.sha256(old).hexdigest(), hashlib.sha256(new).hexdigest())
    manifest.write_text(text, "utf-8")
    findings = found(store)
    assert all(each.level == "warn" and "0.0.0-" in each.remedy for each in findings)


def test_a_closing_that_was_broken_off_is_told(store: BookStore, books: Path) -> None:
    (books / SEALED / "manifest.json").unlink()
    (finding,) = found(store)
    assert (finding.check, finding.remedy) == ("unfinished", "Finish it: wattledger close 2026-10 --as bob")


def test_a_month_by_itself(store: BookStore, books: Path) -> None:
    (books / "statements/2026-12/v1").mkdir(parents=True)
    (books / "statements/2026-12/v1/manifest.json").write_text("[]", "utf-8")
    assert found(store, "2026-10") == []


# the command


def test_sound_books_are_proven(books: Path, verify: Run) -> None:
    code, out, err = verify("--month", MONTH)
    assert (code, err) == (0, "")
    assert f"{books}: 9 files" in out
    assert "72 node-hours" in out
    assert "closed: 2026-10 v1\n" in out
    assert "byte for byte" in out


def test_json_has_every_finding(books: Path, verify: Run) -> None:
    path = next(iter((books / "entries").rglob("*.parquet")))
    path.write_bytes(b"PAR1")
    code, out, _ = verify("--json")
    assert code == 1
    said = json.loads(out)
    assert said["ok"] is False
    assert {each["check"] for each in said["findings"]} >= {"damaged", "sealed_input"}
    assert all(each["remedy"] for each in said["findings"])
    assert said["closed"] == ["2026-10 v1"]


def test_a_failure_is_exit_1_with_its_remedy(books: Path, verify: Run) -> None:
    next(iter((books / "entries").rglob("*.parquet"))).write_bytes(b"")
    code, out, _ = verify()
    assert code == 1
    assert "FAIL" in out
    assert "fix: Move it out of the books and ship its hours again" in out


def test_the_configured_books_are_verified_without_a_url(books: Path, verify: Run) -> None:
    """[books] url is not set: the node's own."""
    assert verify("--month", MONTH, books="")[0] == 0


def test_a_meter_is_compared_and_never_fails_the_books(books: Path, verify: Run, tmp_path: Path) -> None:
    meter = tmp_path / "meter.csv"
    meter.write_text("site,start,end,kwh\npar1,2026-10-29,2026-11-01,70\n", "utf-8")
    code, out, _ = verify("--month", MONTH, "--meter", str(meter))
    assert code == 0
    assert (
        "Meter of par1 (facility)  ours 60.984 kWh, theirs 70.000 kWh. Ours is 9.016 kWh (12.9 %) below theirs." in out
    )
    assert "the meter would make it 1.389" in out


@pytest.mark.needs("prometheus", "promtool")
def test_a_real_prometheus_is_compared(books: Path, verify: Run, tmp_path: Path) -> None:
    """700 W for the three days of the node, scraped every ten minutes; the last sample is of ten minutes before."""
    start_s = day_start_s("2026-10-29")
    labels = 'hostname="gpu-1",component="gpu",device="GPU-1",method="measured"'
    lines = ["# TYPE wattledger_device_energy_joules counter"]
    name = f"wattledger_device_energy_joules_total{{{labels}}}"
    lines += [f"{name} {1_000 + 700 * at_s} {start_s + at_s}" for at_s in range(0, 3 * 86_400, 600)]
    with past_of(tmp_path / "prometheus", "\n".join([*lines, ""])) as server:
        code, out, _ = verify("--month", MONTH, "--prometheus", server.url, "--match", '{component="gpu"}')
    assert code == 0
    assert "Prometheus (127.0.0.1)  ours 50.400 kWh, theirs 50.283 kWh. Ours is 0.117 kWh (0.2 %) above theirs." in out
    assert "Series of gpu-1 begin inside the month: what was before is not in theirs." in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--month", "2026-1"), "is no month"),
        (("--meter", "nowhere.csv"), "A comparison is of one month"),
        (("--prometheus", "http://127.0.0.1:9"), "A comparison is of one month"),
        (("--month", "2026-10", "--match", "{a='b'}"), "about a Prometheus"),
        (("--month", "2026-10", "--meter", "/nowhere.csv"), "cannot be read"),
        (("--month", "2026-10", "--prometheus", "ftp://x"), "no address"),
    ],
)
def test_bad_usage_is_one_sentence(books: Path, verify: Run, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = verify(*arguments)
    assert code == 2
    assert said in err


def test_a_prometheus_that_is_not_there_may_be_left_out(books: Path, verify: Run) -> None:
    code, _, err = verify("--month", MONTH, "--prometheus", "http://127.0.0.1:9")
    assert code == 1
    assert "http://127.0.0.1:9 gave no whole answer: the connection was refused" in err
    assert err.endswith("Start it, or mend the address. Try again, or leave --prometheus out.\n")


def test_options_of_books_without_books_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["verify", "--month", "2026-10", "--state-dir", str(tmp_path)])
    assert end.value.code == 2
    assert "--books" in capsys.readouterr().err


def test_empty_books_say_that_they_are(tmp_path: Path, verify: Run) -> None:
    (tmp_path / "empty").mkdir()
    code, out, _ = verify(books=str(tmp_path / "empty"))
    assert code == 0
    assert "There are no hours to verify." in out


def test_two_nodes_of_one_name_fail_the_books(store: BookStore, verify: Run) -> None:
    put(store, "2026-10-30", day("2026-10-30", device="GPU-2"), node=replace(NODE, ledger="ffffffff" * 4))
    code, out, _ = verify("--month", MONTH)
    assert code == 1
    assert "Several ledgers of this name" in out
