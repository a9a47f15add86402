"""A month of a real lake is reviewed, closed, and restated; what was sealed stays, and nothing is posted twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.books.small_lake import day, put
from tests.finance.months import (
    CONFIG,
    GPU_2,
    HOUR_UJ,
    MONTH,
    NEXT,
    NOW_S,
    SECOND,
    close,
    copied,
    fill,
    late,
    restate,
    review,
    with_books,
    with_pue,
)
from tracker.books.interface import BookStore
from tracker.books.names import day_start_s
from tracker.books.sealed_inputs import SealedInputs
from tracker.books.versions import claim_of, corrections_in, postings, read_output, statement_of, versions
from tracker.config.schema import Grid
from tracker.core.amounts import COLUMNS
from tracker.core.closing import NotClosable
from tracker.core.errors import UsageError
from tracker.core.model import Method
from tracker.core.restating import Outcome, Reason, total_of, with_postings
from tracker.core.statement import Status
from tracker.finance import closing, sealing
from tracker.finance.compose import NoData, compose
from tracker.registry import EXPORTS


def content(store: BookStore, below: str = "") -> dict[str, bytes | None]:
    return {name: store.read(name) for name, _ in store.names(below)}


def test_a_closed_month_has_every_format_and_both_names(closed: BookStore) -> None:
    (version,) = versions(closed, MONTH)
    assert version.formats == tuple(EXPORTS)
    statement = statement_of(closed, version)
    assert (statement.status, statement.version) == (Status.CLOSED, 1)
    assert (statement.preparer, statement.approver) == ("alice", "bob")
    assert all(check.passed for check in statement.checks)
    assert statement.total.amounts.energy_it_wh == 3 * 24 * 700
    for name in EXPORTS:
        assert read_output(closed, version, name)
    assert b"alice" in (read_output(closed, version, "json") or b"")


def test_every_input_is_sealed_with_the_hash_of_its_bytes(closed: BookStore) -> None:
    (version,) = versions(closed, MONTH)
    inputs = claim_of(closed, version).inputs
    lake = [each for each in inputs if each.name.startswith(("entries/", "coverage/"))]
    assert len(lake) == 6
    assert all(len(each.sha256) == 64 for each in inputs)


def test_who_prepared_does_not_approve_unless_the_books_allow_it_and_say_so(store: BookStore) -> None:
    review(store)
    with pytest.raises(NotClosable, match="alice prepared 2026-10 and cannot approve it too"):
        close(store, "alice")
    allowed = with_books(same_person=True)
    review(store, config=allowed)
    close(store, "alice", allowed)
    (version,) = versions(store, MONTH)
    assert claim_of(store, version).same_person
    assert "One person did both" in statement_of(store, version).method[-1][1]


def test_a_month_that_was_not_reviewed_is_not_closed(store: BookStore) -> None:
    with pytest.raises(NotClosable, match="was not reviewed yet"):
        close(store)


def test_what_arrives_between_review_and_closing_is_reviewed_again(store: BookStore) -> None:
    review(store)
    late(store, HOUR_UJ)
    with pytest.raises(NotClosable, match="The inputs of 2026-10 changed since alice reviewed it"):
        close(store)
    assert versions(store, MONTH)[0].closing is None
    review(store, waive=("unshipped=it is off", "coverage=as well"))
    assert close(store).preparer == "alice"


def test_another_configuration_between_review_and_closing_is_reviewed_again(store: BookStore) -> None:
    review(store)
    with pytest.raises(NotClosable, match="another configuration or version"):
        close(store, config=with_pue(1.3))


def test_a_month_that_is_not_over_or_not_covered_is_refused_by_name(store: BookStore) -> None:
    with pytest.raises(NoData):
        review(store, month=NEXT)
    fill(store, NEXT, (1, 9))
    with pytest.raises(NotClosable, match="2026-11 does not meet: over, coverage, unshipped"):
        review(store, month=NEXT, now_s=NOW_S)
    assert versions(store, NEXT) == ()


def test_simulated_energy_is_refused_and_a_waiver_is_sealed_with_its_reason(store: BookStore) -> None:
    for number in range(29, 32):
        hours = day(f"2026-10-{number}", device=GPU_2)
        hours.entries = [replace(each, method=Method.SIMULATED) for each in hours.entries]
        put(store, f"2026-10-{number}", hours, node=SECOND)
    with pytest.raises(NotClosable, match="2026-10 does not meet: simulated"):
        review(store)
    review(store, waive=("simulated=a rehearsal",))
    close(store)
    (version,) = versions(store, MONTH)
    checks = {check.name: check for check in statement_of(store, version).checks}
    assert (checks["simulated"].passed, checks["simulated"].waived) == (False, "a rehearsal (alice)")
    assert "alice waived simulated: a rehearsal." in statement_of(store, version).method[-1][1]
    assert b"a rehearsal" in (read_output(store, version, "json") or b"")


def test_a_retired_node_is_not_waited_for(store: BookStore) -> None:
    fill(store, days=(29, 29), node=SECOND, device=GPU_2)
    with pytest.raises(NotClosable, match="unshipped"):
        review(store)
    config = with_books(retired={"gpu-2": date(2026, 10, 30)})
    review(store, config=config)
    close(store, config=config)


def test_an_altered_file_is_found_before_it_is_sealed(store: BookStore, tmp_path: Path) -> None:
    name = next(name for name, _ in store.names("emissions/"))
    path = tmp_path / "books" / name
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(NotClosable, match="2026-10 does not meet: verify"):
        review(store)


def test_a_closing_that_was_broken_off_is_finished_as_it_was_begun(october: Path, tmp_path: Path) -> None:
    """Whatever came into the lake or the configuration meanwhile."""
    clean, broken = copied(october, tmp_path / "clean"), copied(october, tmp_path / "broken")
    review(clean)
    close(clean)
    review(broken)
    prospect = closing.to_close(CONFIG, broken, MONTH, "bob", (), now_s=NOW_S)
    closing.close(CONFIG, broken, prospect, "bob", now_s=NOW_S)
    late(broken, HOUR_UJ)
    with pytest.raises(NotClosable, match="bob is closing 2026-10 v1"):
        close(broken, "dave")
    with pytest.raises(NotClosable, match="bob is closing 2026-10 v1"):
        review(broken, "dave")
    close(broken, "bob", with_books(csv_bom=True))
    assert content(broken, "statements/") == content(clean, "statements/")


def test_closing_a_closed_month_is_refused_to_others(closed: BookStore) -> None:
    with pytest.raises(NotClosable, match=r"2026-10 is closed already by bob \(v1\)") as caught:
        review(closed)
    assert caught.value.remedy == "To restate it: wattledger restate 2026-10"
    assert closing.closed_by(versions(closed, MONTH), "bob") is not None
    assert closing.closed_by(versions(closed, MONTH), "dave") is None


def test_a_closed_statement_is_derived_again_from_its_sealed_inputs(closed: BookStore) -> None:
    late(closed, HOUR_UJ)
    (version,) = versions(closed, MONTH)
    claim = claim_of(closed, version)
    again = compose(
        sealing.with_options(CONFIG, claim),
        SealedInputs(closed, claim),
        MONTH,
        as_of_s=claim.as_of_s,
        group_by=claim.group_by,
        filters=claim.filters,
        version=claim.version,
        status=Status.CLOSED,
        hash_inputs=True,
    )
    reported = statement_of(closed, version)
    assert (again.rows, again.total, again.inputs) == (reported.rows, reported.total, reported.inputs)


def test_options_of_a_claim_have_no_address_and_no_secret() -> None:
    grid = Grid(token="s3cr3t", token_file="/run/secret")
    secret = msgspec.structs.replace(with_books(url="s3://private/books"), grid=grid)
    text = repr(sealing.options_of(secret))
    assert "s3cr3t" not in text
    assert "/run/secret" not in text
    assert "private" not in text


def test_contracts_are_sealed_with_their_text(closed: BookStore, tmp_path: Path) -> None:
    path = tmp_path / "contracts.csv"
    path.write_text("key,…\n", "utf-8")
    accounting = msgspec.structs.replace(CONFIG.accounting, instruments_file=str(path))
    config = msgspec.structs.replace(CONFIG, accounting=accounting)
    claim = replace(claim_of(closed, versions(closed, MONTH)[0]), options=sealing.options_of(config))
    path.write_text("changed", "utf-8")
    (tmp_path / "again").mkdir()
    then = sealing.with_options(CONFIG, claim, tmp_path / "again")
    assert Path(then.accounting.instruments_file).read_text("utf-8") == "key,…\n"
    path.unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        sealing.options_of(config)


def test_little_late_energy_is_posted_in_the_open_month_once(closed: BookStore) -> None:
    before = content(closed, f"statements/{MONTH}/")
    assert restate(closed)[0].decision.outcome is Outcome.NOTHING
    late(closed, HOUR_UJ)
    found, name = restate(closed)
    assert (found.decision.outcome, found.decision.reason) == (Outcome.POST, Reason.ENERGY_LATE)
    assert name == "statements/2026-11/corrections/2026-10-v1-001.json"
    corrections = postings(closed)[name].corrections
    assert total_of(corrections).energy_it_wh == 700
    changed = [each for each in corrections if each.line.amounts.energy_it_wh]
    assert [(each.restates_period, each.line.key[1:4]) for each in changed] == [(MONTH, ("nlp", "llama", "training"))]
    assert restate(closed)[0].decision.outcome is Outcome.NOTHING
    late(closed, HOUR_UJ, "2026-10-31")
    assert restate(closed)[1] == "statements/2026-11/corrections/2026-10-v1-002.json"
    assert content(closed, f"statements/{MONTH}/") == before, "the closed month stays as it is"


def test_a_final_pue_is_posted_and_may_lower_the_figures(closed: BookStore) -> None:
    found, _ = restate(closed, with_pue(1.2))
    assert (found.decision.outcome, found.decision.reason) == (Outcome.POST, Reason.FACTOR_FINAL)
    total = total_of(found.decision.corrections)
    assert total.energy_it_wh == 0
    assert total.energy_facility_wh < 0
    assert (total.location_g or 0) < 0


def test_much_late_energy_opens_a_second_version_that_takes_the_place_of_the_first(closed: BookStore) -> None:
    late(closed, HOUR_UJ)
    restate(closed)
    first = content(closed, f"statements/{MONTH}/v1/")
    fill(closed, node=replace(SECOND, hostname="gpu-3", ledger="2b" * 16), device="GPU-3")
    found, name = restate(closed)
    assert (found.decision.outcome, name) == (Outcome.NEW_VERSION, "statements/2026-10/v2/restated.json")
    with pytest.raises(NotClosable, match="2026-10 has an open v2 already"):
        restate(closed)
    waive = ("unshipped=gpu-2 is gone", "coverage=it was off")
    later = NOW_S + 7200
    review(closed, now_s=later, waive=waive)
    close(closed, now_s=later)
    one, two = versions(closed, MONTH)
    assert (one.status, one.superseded_by, two.status, two.superseded_by) == (Status.CLOSED, 2, Status.CLOSED, None)
    assert content(closed, f"statements/{MONTH}/v1/") == first
    assert restate(closed, now_s=later + 60)[0].decision.outcome is Outcome.NOTHING
    everything = [each for posting in postings(closed).values() for each in posting.corrections]
    assert not any(getattr(total_of(everything), column) for column in COLUMNS), "what v2 has was taken back"
    assert [posting.reverses for posting in postings(closed).values()] == [False, True]


def test_a_change_of_method_opens_a_second_version_however_small(closed: BookStore) -> None:
    found, _ = restate(closed, reason=Reason.METHOD_CHANGE)
    assert found.decision.outcome is Outcome.NEW_VERSION


def test_a_month_that_is_not_closed_has_nothing_to_restate(store: BookStore) -> None:
    with pytest.raises(NotClosable, match="2026-10 is not closed"):
        restate(store)


def test_the_next_month_closes_with_the_corrections_and_no_other_month_does(closed: BookStore) -> None:
    late(closed, HOUR_UJ)
    _, name = restate(closed)
    fill(closed, NEXT, (1, 30))
    december = day_start_s("2026-12-05")
    waive = ("unshipped=gpu-2 is gone", "coverage=it was off")
    review(closed, month=NEXT, now_s=december, waive=waive)
    manifest = close(closed, month=NEXT, now_s=december)
    assert manifest.corrections == (name,)
    statement = statement_of(closed, versions(closed, NEXT)[0])
    assert {each.restates_period for each in statement.corrections} == {MONTH}
    assert total_of(statement.corrections).energy_it_wh == 700
    assert statement.total.amounts.energy_it_wh == 30 * 24 * 700, "corrections are in none of the month's rows"
    assert corrections_in(closed, "2026-12") == {}
    late(closed, HOUR_UJ, "2026-10-31")
    assert restate(closed, now_s=december + 60)[1] == "statements/2026-12/corrections/2026-10-v1-002.json"


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.integers(29, 31), st.sampled_from([HOUR_UJ, 7, 7 * HOUR_UJ]), st.integers(1200, 1215)),
        max_size=3,
        unique_by=lambda each: each[0],
    )
)
def test_as_reported_and_corrections_are_what_is_known(
    october: Path, tmp_path_factory: pytest.TempPathFactory, arrivals: list[tuple[int, int, int]]
) -> None:
    """P8 on a real lake: energy that comes late and a PUE that is revised, with versions where they are material."""
    store = copied(october, tmp_path_factory.mktemp("p8") / "books")
    review(store)
    close(store)
    waive = ("unshipped=x", "coverage=x")
    for step, (number, energy_uj, permille) in enumerate(arrivals, start=1):
        late(store, energy_uj, f"2026-10-{number:02}")
        config, now_s = with_pue(permille / 1000), NOW_S + step * 86_400
        found, _ = restate(store, config, now_s=now_s)
        if found.decision.outcome is Outcome.NEW_VERSION:
            review(store, config=config, now_s=now_s, waive=waive)
            close(store, config=config, now_s=now_s)
        last = versions(store, MONTH)[-1]
        posted = [each for each in postings(store).values() if each.version == last.number]
        sums = with_postings(statement_of(store, last).rows, posted)
        best = compose(config, store, MONTH, as_of_s=now_s, group_by=found.best.group_by, filters=())
        assert sums == {line.key: line.amounts for line in best.rows}
