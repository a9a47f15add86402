"""Nobody closes a month alone, unreviewed, or other than as it was reviewed; every condition has its remedy."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.fakes.statements import CLOSED, EMPTY, STATEMENT
from tracker.core.closing import (
    Claim,
    NotClosable,
    Review,
    Waiver,
    all_waivers,
    check_unchanged,
    checked_month,
    checked_person,
    in_the_way,
    may_close,
    parse_waivers,
    sealed,
    waived,
)
from tracker.core.conditions import CONDITIONS, Evidence, Limits, conditions
from tracker.core.errors import UsageError
from tracker.core.statement import Check, SiteUse, Statement, Status

REVIEW = Review("2026-10", 1, 1, "alice", 1793600000, 1793600000, ("team",), (), "0.1.0", "aa" * 32, "bb" * 32)
GOOD = Evidence()


def good() -> Statement:
    """A statement with nothing in the way."""
    amounts = replace(STATEMENT.total.amounts, unweighed_wh=0, simulated_wh=0)
    return replace(STATEMENT, total=replace(STATEMENT.total, amounts=amounts))


def failed(statement: Statement, evidence: Evidence = GOOD, limits: Limits | None = None) -> dict[str, Check]:
    found = conditions(statement, evidence, limits or Limits())
    return {check.name: check for check in found if not check.passed}


def test_a_good_month_passes_every_condition() -> None:
    checks = conditions(good(), GOOD, Limits())
    assert [check.name for check in checks] == list(CONDITIONS)
    assert all(check.passed for check in checks)
    assert in_the_way(checks) == ()


def test_a_month_that_is_not_over_is_refused_until_its_last_second() -> None:
    early = replace(good(), as_of_s=good().period.end_s - 1)
    assert failed(early)["over"].message == "2026-10 is not over."
    assert failed(replace(early, as_of_s=good().period.end_s)) == {}


def test_coverage_is_judged_exactly_and_never_rounded_up() -> None:
    def covered(ppm: int | None) -> Statement:
        ratios = replace(good().total.ratios, coverage_ppm=ppm)
        return replace(good(), total=replace(good().total, ratios=ratios))

    assert failed(covered(950_000)) == {}
    assert failed(covered(949_999))["coverage"].message == (
        "94.99 % of the expected device time is covered, 95.00 % are asked for."
    )
    assert "nothing was measured" in failed(covered(None))["coverage"].message
    assert failed(covered(949_999), limits=Limits(coverage_ppm=900_000)) == {}


def test_energy_without_a_factor_is_refused_with_its_amount() -> None:
    check = failed(STATEMENT)["unweighed"]
    assert check.message.startswith("1493.826 kWh of ")
    assert "wattledger grid import FILE" in check.remedy
    assert check.remedy.endswith("then wattledger ship --factors"), "what is only imported weighs nothing"
    assert 'location_factor = "hourly"' in check.remedy, "a statement by yearly factors has no use for those of hours"
    hourly = failed(replace(STATEMENT, location_method="hourly"))["unweighed"].remedy
    assert "location_factor" not in hourly


def test_generic_factors_may_weigh_five_percent_and_no_more() -> None:
    facility_wh = good().total.amounts.energy_facility_wh
    generic = replace(good().factors[0], tier=5, energy_wh=facility_wh * 5 // 100)
    assert failed(replace(good(), factors=(generic,))) == {}
    assert list(failed(replace(good(), factors=(replace(generic, energy_wh=facility_wh * 51 // 1000),)))) == ["tier"]
    market = replace(generic, basis="market", energy_wh=facility_wh)
    assert failed(replace(good(), factors=(market,))) == {}, "market factors are no location-based figure"
    hourly = replace(generic, basis="location_hourly", energy_wh=facility_wh)
    assert failed(replace(good(), factors=(hourly,))) == {}, "the statement goes by annual factors"
    found = failed(replace(good(), factors=(hourly,), location_method="hourly"))
    assert list(found) == ["tier"]
    assert found["tier"].message.endswith(f": {generic.zone}; 5.00 % are allowed.")
    assert found["tier"].remedy.endswith("then wattledger ship --factors")


def test_simulated_energy_is_refused() -> None:
    amounts = replace(good().total.amounts, simulated_wh=1)
    assert (
        "0.001 kWh are simulated"
        in failed(replace(good(), total=replace(good().total, amounts=amounts)))["simulated"].message
    )


@pytest.mark.parametrize(
    ("evidence", "name"),
    [
        (Evidence(unshipped=("gpu-1",)), "unshipped"),
        (Evidence(conflicts=("entries/a.parquet",)), "overlap"),
        (Evidence(findings=("altered entries/a.parquet",)), "verify"),
    ],
)
def test_evidence_stands_in_the_way_with_its_remedy(evidence: Evidence, name: str) -> None:
    found = failed(good(), evidence)
    assert list(found) == [name]
    assert found[name].remedy


SITE = SiteUse("par1", "FR", False, "owned", 1210, "operator", False, 745, 1)


@pytest.mark.parametrize("site", [replace(SITE, zone_assumed=True), replace(SITE, zone="WORLD")])
def test_a_site_that_nobody_placed_is_refused(site: SiteUse) -> None:
    assert failed(replace(good(), sites=(SITE,))) == {}
    found = failed(replace(good(), sites=(SITE, site)))
    assert found["zone"].message == "Nobody set the zone of these sites: par1."


def test_an_assumed_pue_warns_and_does_not_refuse() -> None:
    statement = replace(good(), sites=(SITE, replace(SITE, site="", pue_assumed=True)))
    checks = {check.name: check for check in conditions(statement, GOOD, Limits())}
    assert checks["pue"].passed
    assert checks["pue"].message == "The PUE of (no site) is assumed: nobody stated it."
    assert checks["pue"].remedy


def test_many_names_are_counted_and_not_all_listed() -> None:
    hosts = tuple(f"gpu-{number:03}" for number in range(100))
    message = failed(good(), Evidence(unshipped=hosts))["unshipped"].message
    assert message.endswith("gpu-003, gpu-004 and 95 more.")


def test_an_empty_month_does_not_pass() -> None:
    assert "coverage" in failed(
        replace(EMPTY, total=replace(EMPTY.total, ratios=replace(EMPTY.total.ratios, coverage_ppm=None)))
    )


@pytest.mark.parametrize("name", [name for name in CONDITIONS if name != "pue"])
def test_each_condition_can_be_waived_with_a_reason_that_is_kept(name: str) -> None:
    check = Check(name, passed=False, message="no", remedy="do")
    (waiver,) = parse_waivers([f"{name}=the  meter broke"], "bob", CONDITIONS)
    assert waiver == Waiver(name, "the meter broke", "bob")
    (done,) = waived([check], [waiver])
    assert done.waived == "the meter broke (bob)"
    assert in_the_way([done]) == ()
    assert in_the_way([check]) == (check,)


def test_a_waiver_of_what_is_met_leaves_no_trace() -> None:
    check = Check("zone", passed=True, message="fine")
    assert waived([check], [Waiver("zone", "why", "bob")]) == (check,)


@pytest.mark.parametrize("text", ["coverage", "coverage=", "coverage=  ", "nothing=because", "=because", ""])
def test_a_waiver_without_a_reason_or_of_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_waivers([text], "bob", CONDITIONS)


def test_the_last_waiver_of_a_condition_counts() -> None:
    first, second = Waiver("tier", "a", "alice"), Waiver("tier", "b", "bob")
    assert all_waivers([first, Waiver("over", "c", "alice")], [second]) == (Waiver("over", "c", "alice"), second)


def test_no_month_is_closed_without_a_review() -> None:
    with pytest.raises(NotClosable, match="not reviewed") as caught:
        may_close(None, "bob", month="2026-10", same_person=False)
    assert "wattledger close 2026-10 --review" in caught.value.remedy


@pytest.mark.parametrize("approver", ["alice", "Alice", "ALICE"])
def test_the_preparer_does_not_approve(approver: str) -> None:
    with pytest.raises(NotClosable, match="cannot approve"):
        may_close(REVIEW, approver, month="2026-10", same_person=False)
    assert may_close(REVIEW, approver, month="2026-10", same_person=True) is REVIEW
    assert may_close(REVIEW, "bob", month="2026-10", same_person=False) is REVIEW


def test_what_changed_since_the_review_is_reviewed_again() -> None:
    check_unchanged(REVIEW, "aa" * 32, "bb" * 32)
    with pytest.raises(NotClosable, match="The inputs of 2026-10 changed since alice reviewed it"):
        check_unchanged(REVIEW, "cc" * 32, "cc" * 32)
    with pytest.raises(NotClosable, match="another version of wattledger") as caught:
        check_unchanged(REVIEW, "cc" * 32, "bb" * 32)
    assert caught.value.remedy.endswith("wattledger close 2026-10 --review --as alice")


def test_another_configuration_is_told_as_that_and_not_as_other_inputs() -> None:
    """By other settings other files are read; nobody changed them."""
    check_unchanged(REVIEW, "aa" * 32, "bb" * 32, same_settings=False)
    with pytest.raises(
        NotClosable, match="This configuration is not the one that alice reviewed 2026-10 with"
    ) as caught:
        check_unchanged(REVIEW, "cc" * 32, "cc" * 32, same_settings=False)
    assert caught.value.remedy.startswith("Close it with that one; or review it again")


@pytest.mark.parametrize(
    "text", ["2026-13", "2026-00", "26-10", "2026-10-01", "../2026-10", "2026-10\n", "", "\uff12\uff10\uff12\uff16-10"]
)
def test_a_month_is_a_month(text: str) -> None:
    with pytest.raises(UsageError):
        checked_month(text)


def test_a_person_has_a_name() -> None:
    assert checked_person("  Ada   Lovelace ") == "Ada Lovelace"
    for text in ("", "  ", "a" * 101, "bell\x07", "\u202egnp"):
        with pytest.raises(UsageError):
            checked_person(text)


def test_a_sealed_statement_says_who_did_what_and_what_was_waived() -> None:
    claim = Claim(
        month="2026-10",
        version=2,
        approver="bob",
        preparer="alice",
        closed_at_s=1793700000,
        same_person=False,
        as_of_s=1793600000,
        group_by=STATEMENT.group_by,
        filters=(),
        options=(),
        software="0.1.0",
        statement_sha256="5f1d0c3a9b7e2468" + "0" * 48,
        inputs_sha256="bb" * 32,
        checks=(Check("tier", passed=False, message="no", waived="none exists (bob)"),),
        waivers=(Waiver("tier", "none exists", "bob"),),
        corrections=(),
        formats=("csv",),
        inputs=STATEMENT.inputs,
    )
    closed = sealed(STATEMENT, claim)
    assert (closed.status, closed.version, closed.preparer, closed.approver) == (Status.CLOSED, 2, "alice", "bob")
    assert closed.statement_id == "2026-10-v2-5f1d0c3a9b7e2468"
    assert closed.checks == claim.checks
    assert closed.method[-1] == ("Approval", "Prepared by alice, approved by bob. bob waived tier: none exists.")
    alone = sealed(STATEMENT, replace(claim, approver="alice", same_person=True, waivers=()))
    assert alone.method[-1][1].endswith("One person did both: the books allow it (books.same_person).")
    assert closed.rows == CLOSED.rows
