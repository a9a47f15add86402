"""A bundle carries factors to a machine without a network, whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.grid.hours import HOUR_S, NOON_S, hour
from tracker.core.factors import FactorRow
from tracker.core.known import FactorRecord
from tracker.grid.bundle import MAX_BYTES, BundleRefused, encode_bundle, parse_bundle, read_bundle, write_bundle
from tracker.grid.shipped import read_factors
from tracker.grid.store import Appended, FactorStore

ALWAYS = (["FR"], 0, 2**40)


def records(*values: str) -> list[FactorRecord]:
    return [FactorRecord(hour(number, value), NOON_S + number, number + 1) for number, value in enumerate(values)]


def sealed(content: Any, **other: Any) -> bytes:
    """A bundle whose checksum fits, written by another program."""
    plain = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    checksum = hashlib.sha256(plain.encode()).hexdigest()
    return json.dumps(
        {"format": "wattledger-factors", "version": 1, "sha256": checksum, "content": content} | other
    ).encode()


def edited(edit: Callable[[dict[str, Any]], object]) -> bytes:
    """A bundle of one factor, changed by somebody who wrote a new checksum."""
    content = json.loads(encode_bundle(records("56")))["content"]
    edit(content["factors"][0])
    return sealed(content)


def test_everything_comes_back(tmp_path: Path) -> None:
    """Every field of the provenance, with the time at which the exporter had learnt it."""
    path = tmp_path / "bundle.json"
    written = records("56.10", "1E+2", "")
    write_bundle(reversed(written), path)
    assert read_bundle(path) == tuple(written)
    assert [file.name for file in tmp_path.iterdir()] == ["bundle.json"]


def test_the_shipped_tables_would_come_back_too() -> None:
    rows = {row.factor_id: row for row in read_factors()}
    told = parse_bundle(encode_bundle(FactorRecord(row, 1, 1) for row in rows.values()), "x")
    assert {record.row.factor_id: record.row for record in told} == rows


def test_the_same_records_give_the_same_bytes_without_a_float() -> None:
    some = records("56.10", "57", "58")
    assert encode_bundle(some) == encode_bundle(reversed(some))

    def refuse(text: str) -> float:
        raise AssertionError(text)

    document = json.loads(encode_bundle(some), parse_float=refuse)
    assert document["content"]["factors"][0]["row"]["value_printed"] == "56.10"
    assert document["content"]["factors"][0]["recorded_at_s"] == NOON_S


def test_the_checksum_can_be_checked_by_others() -> None:
    """With any JSON library, and with jq as the file's description says."""
    some = [FactorRecord(hour(0, note='éCO2mix "x" \\ 中 \U0001f600', source_ref="a/b"), 1, 1)]
    data = encode_bundle(some)
    document = json.loads(data)
    assert json.loads(sealed(document["content"])) == document
    assert parse_bundle(sealed(document["content"]), "x") == tuple(some)
    if shutil.which("jq"):
        content = subprocess.run(["jq", "-cSj", ".content"], input=data, capture_output=True, check=True).stdout
        assert hashlib.sha256(content).hexdigest() == document["sha256"]


def test_a_factor_is_in_it_once_with_its_best_known_value() -> None:
    old, new = FactorRecord(hour(0, "60"), 10, 1), FactorRecord(hour(0, "61"), 20, 2, 1)
    (record,) = parse_bundle(encode_bundle([new, old]), "x")
    assert (record.row.value_printed, record.recorded_at_s, record.supersedes) == ("61", 20, None)


def test_importing_twice_changes_nothing(tmp_path: Path) -> None:
    """Nor does a bundle that is older than what is known. What is imported is learnt now, not in the past."""
    older, newer = encode_bundle(records("60", "61")), encode_bundle(records("60", "62", "63"))
    with FactorStore(tmp_path / "factors.db") as store:

        def take(data: bytes, now_s: int) -> Appended:
            return store.append((each.row for each in parse_bundle(data, "x")), now_s, from_elsewhere=True)

        assert take(older, NOON_S + 100) == Appended(new=2)
        assert take(older, NOON_S + 200) == Appended(same=2)
        assert take(newer, NOON_S + 300) == Appended(new=1, changed=1, same=1)
        again = take(older, NOON_S + 400)
        assert (again.new, again.changed, again.same, len(again.older)) == (0, 0, 1, 1)
        assert take(older, NOON_S + 500) == again
        assert [each.row.value_printed for each in store.records(*ALWAYS)] == ["60", "62", "63"]
        assert [each.recorded_at_s for each in store.records(*ALWAYS)] == [NOON_S + at for at in (100, 300, 300)]
        assert store.records(*ALWAYS, as_of_s=NOON_S + 99) == ()


def test_text_that_plays_with_the_terminal_is_printed_as_what_it_is() -> None:
    """Whoever gets a bundle may not trust whoever wrote it: its text is shown to people."""
    evil = {"note": "a\x1b]0;pwned\x07\x1b[2K\rvalue 1\u202e\u009b\x00", "publisher": "P\x1b[31mX"}
    (record,) = parse_bundle(edited(lambda item: item["row"].update(evil)), "x")
    assert record.row.note == "a\ufffd]0;pwned\ufffd\ufffd[2K value 1\ufffd\ufffd\ufffd"
    assert record.row.publisher == "P\ufffd[31mX"
    for name in ("factor_id", "zone", "factor_type"):
        bad = {name: "a\x1b[2J", "quality_tier": 7}
        with pytest.raises(BundleRefused) as refusal:
            parse_bundle(edited(partial(_update, bad)), "x")
        assert str(refusal.value).isprintable()


def _update(row: dict[str, Any], item: dict[str, Any]) -> None:
    item["row"].update(row)


#: What a node reads, one reading after the other: (hour, value). Then it exports, and so on.
Readings = st.lists(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["50", "60", ""])), min_size=1, max_size=4),
    min_size=1,
    max_size=5,
)


def exports_of(folder: Path, readings: list[list[tuple[int, str]]]) -> list[bytes]:
    """The bundles that a node writes, one after each group of readings."""
    bundles, now_s = [], NOON_S
    with FactorStore(folder / "exporter.db") as store:
        for group in readings:
            for number, value in group:
                now_s += 1
                store.append([read_at(hour(number, value), now_s)], now_s)
            bundles.append(encode_bundle(store.records(*ALWAYS)))
    return bundles


def read_at(row: FactorRow, at_s: int) -> FactorRow:
    return replace(row, origin=replace(row.origin, fetched_at_s=at_s))


def after_imports(folder: Path, bundles: list[bytes]) -> dict[str, FactorRow]:
    """What another node knows when it has imported them, in this order."""
    with FactorStore(folder / "importer.db") as store:
        for data in bundles:
            store.append((each.row for each in parse_bundle(data, "x")), NOON_S, from_elsewhere=True)
        return {each.row.factor_id: each.row for each in store.records(*ALWAYS)}


@settings(max_examples=60, deadline=None)
@given(readings=Readings)
def test_importing_exports_in_order_ends_where_the_exporter_is(
    tmp_path_factory: pytest.TempPathFactory, readings: list[list[tuple[int, str]]]
) -> None:
    """Also where a value went back to what it was before, or was taken back."""
    folder = tmp_path_factory.mktemp("bundles")
    bundles = exports_of(folder, readings)
    assert after_imports(folder, bundles) == {each.row.factor_id: each.row for each in parse_bundle(bundles[-1], "x")}


@settings(max_examples=60, deadline=None)
@given(readings=Readings, data=st.data())
def test_of_bundles_in_any_order_what_was_read_last_wins(
    tmp_path_factory: pytest.TempPathFactory, readings: list[list[tuple[int, str]]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("bundles")
    bundles = data.draw(st.lists(st.sampled_from(exports_of(folder, readings)), min_size=1, max_size=8))
    rows = [each.row for bundle in bundles for each in parse_bundle(bundle, "x")]
    last = {row.factor_id: row for row in sorted(rows, key=lambda row: row.origin.fetched_at_s or 0)}
    assert after_imports(folder, bundles) == last


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is no whole JSON file"),
        (b"<html>", "is no whole JSON file"),
        (b"\xff\xfe", "is no whole JSON file"),
        (b"[" * 100_000, "is no whole JSON file"),
        (b'{"format": NaN}', "is no whole JSON file"),
        (b"[]", "is no bundle of grid factors"),
        (b'{"format": "focus"}', "is no bundle of grid factors"),
        (sealed({"factors": []}, version=2), "is a bundle of version 2; this wattledger knows 1. Upgrade it."),
        (sealed({"factors": []}, version="1"), "is a bundle of version 1"),
        (sealed({"factors": []}, sha256="0" * 64), "was damaged or edited: its content does not fit its checksum"),
        (sealed({"factors": []}, sha256=None), "does not fit its checksum"),
        (sealed({"factors": {}}), "lists no factors"),
        (sealed({"factors": [], "more": 1}), "lists no factors"),
        (sealed(None), "lists no factors"),
        (sealed({"factors": [1]}), "Factor 1 of the file is not understood"),
        (sealed({"factors": [{"row": None, "recorded_at_s": 1}]}), "Factor 1 of the file is not understood"),
        (
            edited(lambda item: item["row"].update(zone="ATLANTIS")),
            "is of the zone 'ATLANTIS', which is in no catalogue",
        ),
        (edited(lambda item: item["row"].update(zone="fr")), "is of the zone 'fr'"),
        (
            edited(lambda item: item["row"].update(value_printed="2000.01")),
            "has the value 2000.01 g/kWh, which no grid",
        ),
        (edited(lambda item: item["row"].update(value_printed="-1")), "which no grid has"),
        (edited(lambda item: item["row"].update(value_printed="NaN")), "which no grid has"),
        (edited(lambda item: item["row"].update(value_printed="5,6")), "which cannot be read"),
        (edited(lambda item: item["row"].update(value_printed=56)), "is not understood"),
        (edited(lambda item: item["row"].update(value_printed=56.5)), "is not understood"),
        (edited(lambda item: item["row"].update(unit_printed="g/MJ")), "which cannot be read"),
        (edited(lambda item: item["row"].update(factor_type="marginal")), "is not understood"),
        (edited(lambda item: item["row"].update(quality_tier=7)), "has the tier 7"),
        (edited(lambda item: item["row"].update(valid_to_s=NOON_S)), "ends before it begins"),
        (edited(lambda item: item["row"].update(valid_to_s=10**30)), "no usable year"),
        (edited(lambda item: item["row"].update(valid_to_s=NOON_S + 30 * 86_400)), "a year's value is of tier 4 or 5"),
        (edited(lambda item: item["row"].update(includes_td="yes")), "is not understood"),
        (edited(lambda item: item["row"].pop("licence")), "lacks fields of its provenance"),
        (edited(lambda item: item["row"]["origin"].pop("fetched_at_s")), "lacks fields of its provenance"),
        (edited(lambda item: item["row"].update(value_g="1")), "or has others"),
        (edited(lambda item: item.update(recorded_at_s=None)), "is not understood"),
        (sealed({"factors": json.loads(encode_bundle(records("1")))["content"]["factors"] * 2}), "twice"),
        (b" " * (MAX_BYTES + 1), "is larger than 64 MiB"),
    ],
    ids=range(37),
)
def test_what_is_not_in_order_is_refused_as_a_whole(data: bytes, said: str) -> None:
    """In one sentence, with what to do."""
    with pytest.raises(BundleRefused) as refusal:
        parse_bundle(data, "the file")
    assert said in str(refusal.value)
    assert refusal.value.remedy
    assert len(str(refusal.value)) < 400


WHOLE = encode_bundle(records("56", "57"))


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, len(WHOLE) - 2), bits=st.integers(1, 255))
def test_no_damage_gets_through(at: int, bits: int) -> None:
    """A byte that flipped, or an end that is missing."""
    with pytest.raises(BundleRefused):
        parse_bundle(WHOLE[:at], "x")
    damaged = bytearray(WHOLE)
    damaged[at] ^= bits
    try:
        told = parse_bundle(bytes(damaged), "x")
    except BundleRefused:
        return
    assert told == parse_bundle(WHOLE, "x")  # only the space between was hit


def test_a_huge_file_is_not_loaded(tmp_path: Path) -> None:
    """A sparse file of a terabyte; reading it would take all memory."""
    path = tmp_path / "bundle.json"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(BundleRefused, match="is larger than 64 MiB"):
        read_bundle(path)


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="cannot be read: No such file or directory"):
        read_bundle(tmp_path / "none.json")
    with pytest.raises(BundleRefused, match="cannot be read: Is a directory"):
        read_bundle(tmp_path)
    with pytest.raises(BundleRefused, match="cannot be written: No such file or directory"):
        write_bundle(records("1"), tmp_path / "no" / "bundle.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BundleRefused, match="cannot be written: Is a directory"):
        write_bundle(records("1"), tmp_path / "folder")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]


def test_a_bundle_replaces_the_one_before_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "bundle.json"
    write_bundle(records("1", "2"), path)
    write_bundle(records("3"), path)
    assert [each.row.value_printed for each in read_bundle(path)] == ["3"]


def test_what_would_be_refused_later_is_not_written() -> None:
    many = (FactorRecord(hour(number, note="x" * 2**20), 1, number) for number in range(65))
    with pytest.raises(BundleRefused, match=r"more than 64 MiB\. Export fewer zones"):
        encode_bundle(many)


def test_a_month_of_hours_lies_in_the_order_of_its_hours() -> None:
    told = parse_bundle(encode_bundle(records(*["56"] * 744)), "x")
    assert [each.row.valid_from_s for each in told] == [NOON_S + number * HOUR_S for number in range(744)]
