"""What comes late is posted or opens a version; what was closed stays, and nothing is posted twice (P8)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.books.small_lake import Hours, put
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
from tracker.books.interface import BooksDamaged, BookStore
from tracker.books.names import day_start_s
from tracker.books.store import open_store
from tracker.books.versions import corrections_in, postings, statement_of, versions, working
from tracker.config import Config
from tracker.config.books import Books, BooksTariff
from tracker.config.schema import Accounting, Embodied, Site
from tracker.core.amounts import COLUMNS
from tracker.core.closing import NotClosable
from tracker.core.errors import UsageError
from tracker.core.model import Level
from tracker.core.restating import Outcome, Reason, key_of, total_of, with_postings
from tracker.core.statement import Statement, Status
from tracker.finance import closing
from tracker.finance.audit import audit_closed
from tracker.finance.compose import compose
from tracker.finance.restating import carry_out, shadow, withdraw
from tracker.finance.trace import trace


def content(store: BookStore, below: str = "") -> dict[str, bytes | None]:
    return {name: store.read(name) for name, _ in store.names(below)}


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
def test_p8_as_reported_and_corrections_are_what_is_known(
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
        assert sums == {key_of(line): line.amounts for line in best.rows}


def test_who_looked_before_somebody_else_posted_posts_nothing_twice(closed: BookStore) -> None:
    """Also where the open month was closed meanwhile, so that both would post into different months."""
    late(closed, HOUR_UJ)
    looked = shadow(CONFIG, closed, MONTH, as_of_s=NOW_S + 60)
    fill(closed, NEXT, (1, 30))
    december = day_start_s("2026-12-05")
    waive = ("unshipped=gpu-2 is gone", "coverage=it was off")
    review(closed, month=NEXT, now_s=december, waive=waive)
    close(closed, month=NEXT, now_s=december)
    restate(closed, now_s=december + 60)
    with pytest.raises(NotClosable, match="2026-10 was restated, or 2026-11 was closed, meanwhile"):
        carry_out(closed, looked, "dave", now_s=december + 120)
    assert len(postings(closed)) == 1


def test_a_correction_is_in_the_month_it_was_posted_in_and_in_no_later_one_beside_it(closed: BookStore) -> None:
    late(closed, HOUR_UJ)
    _, name = restate(closed)
    assert list(corrections_in(closed, NEXT)) == [name]
    assert corrections_in(closed, "2026-12") == {}, "November is open and has it"


def test_a_team_with_rows_in_two_scopes_is_restated_row_by_row(tmp_path: Path) -> None:
    """Own hardware and a cloud's, in a statement that does not tell sites apart."""
    store = open_store(str(tmp_path / "books"), create=True)
    sites = {**CONFIG.site, "aws": Site(zone="FR", pue=1.1, pue_source="provider", control="cloud")}
    config = with_books(msgspec.structs.replace(CONFIG, site=sites), group_by=("team",))
    rented = replace(SECOND, site="aws")
    fill(store)
    fill(store, node=rented, device=GPU_2)
    review(store, config=config)
    close(store, config=config)
    found, _ = restate(store, config)
    assert [(each.key, each.scope) for each in found.reported.rows if each.key == ("nlp",)] == [
        (("nlp",), "2"),
        (("nlp",), "3"),
    ]
    assert found.decision.outcome is Outcome.NOTHING
    put(store, "2026-10-28", Hours().add(day_start_s("2026-10-28"), HOUR_UJ, device=GPU_2), node=rented)
    found, _ = restate(store, config, now_s=NOW_S + 7200)
    assert found.decision.outcome is Outcome.POST
    (changed,) = (each.line for each in found.decision.corrections if each.line.amounts.energy_it_wh)
    assert (changed.key, changed.scope, changed.category) == (("nlp",), "3", "1")
    assert changed.amounts.energy_it_wh == 700
    assert restate(store, config, now_s=NOW_S + 7300)[0].decision.outcome is Outcome.NOTHING


def test_a_correction_that_was_altered_is_told_and_not_sealed(closed: BookStore) -> None:
    late(closed, HOUR_UJ)
    _, name = restate(closed)
    fill(closed, NEXT, days=(1, 30))
    assert audit_closed(CONFIG, closed).findings == ()
    (path,) = closed.local([name])
    path.write_bytes(path.read_bytes().replace(b'"energy_it_wh": 700', b'"energy_it_wh": 900'))
    for month in (None, NEXT):
        (found,) = audit_closed(CONFIG, closed, month).findings
        assert (found.level, found.check, found.subject) == (Level.FAIL, "correction", name)
    assert audit_closed(CONFIG, closed, MONTH).findings == ()
    with pytest.raises(BooksDamaged, match="is not what was posted"):
        review(closed, month=NEXT, now_s=day_start_s("2026-12-05"), waive=("coverage=x", "unshipped=x"))


def test_a_correction_that_was_altered_after_its_month_was_closed_is_told(closed: BookStore) -> None:
    late(closed, HOUR_UJ)
    _, name = restate(closed)
    fill(closed, NEXT, days=(1, 30))
    now_s, waive = day_start_s("2026-12-05"), ("coverage=x", "unshipped=x")
    review(closed, month=NEXT, now_s=now_s, waive=waive)
    close(closed, month=NEXT, now_s=now_s, waive=waive)
    assert audit_closed(CONFIG, closed).findings == ()
    (path,) = closed.local([name])
    path.write_bytes(path.read_bytes().replace(b'"energy_it_wh": 700', b'"energy_it_wh": 900'))
    found = audit_closed(CONFIG, closed).findings
    assert [(each.check, each.subject) for each in found] == [("correction", name), ("recompute", f"{NEXT} v1")]
    assert all("not what was posted" in each.message for each in found)


FINANCE = msgspec.structs.replace(
    with_books(timezone="Europe/Paris", currency="EUR", tariffs=(BooksTariff(price=0.2, source="contract"),)),
    accounting=Accounting(location_factor="hourly", embodied=Embodied(host_kgco2e=2500.0, source="maker")),
)


@pytest.fixture
def sealed_by_finance(october: Path, tmp_path: Path) -> BookStore:
    """With settings that are in no node's configuration."""
    store = copied(october, tmp_path / "books")
    review(store, config=FINANCE)
    close(store, config=FINANCE)
    return store


def test_a_machine_without_finances_settings_finds_no_change_in_them(sealed_by_finance: BookStore) -> None:
    """Else one command of an intern would open a version of a month in UTC, and nobody could post anything."""
    assert restate(sealed_by_finance, Config())[0].decision.outcome is Outcome.NOTHING
    late(sealed_by_finance, HOUR_UJ)
    by_intern = shadow(Config(), sealed_by_finance, MONTH, as_of_s=NOW_S + 3600)
    by_finance = shadow(FINANCE, sealed_by_finance, MONTH, as_of_s=NOW_S + 3600)
    assert by_intern.decision.outcome is Outcome.POST
    assert by_intern.decision == by_finance.decision
    assert by_intern.best.rows == by_finance.best.rows


def test_what_is_stated_here_counts_and_what_is_not_stays_as_it_was(sealed_by_finance: BookStore) -> None:
    found, _ = restate(sealed_by_finance, Config(site={"par1": Site(pue=1.2, pue_source="operator, final")}))
    assert found.best.period.timezone == "Europe/Paris"
    assert [(use.zone, use.pue_permille) for use in found.best.sites] == [("FR", 1200)]
    assert found.decision.outcome is Outcome.POST


def test_contracts_that_are_not_here_are_those_that_were_sealed(october: Path, tmp_path: Path) -> None:
    path = tmp_path / "contracts.toml"
    path.write_text(
        '[[instrument]]\nkey = "tariff"\nkind = "supplier"\nmarket = "FR"\ng_per_kwh = 7\n'
        'valid_from = 2026-10-01\nvalid_to = 2026-11-01\nsource = "Supplier, 2026"\n',
        "utf-8",
    )
    config = msgspec.structs.replace(CONFIG, accounting=Accounting(instruments_file=str(path)))
    store = copied(october, tmp_path / "books")
    review(store, config=config)
    close(store, config=config)
    path.unlink()
    assert restate(store, Config())[0].decision.outcome is Outcome.NOTHING


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (with_books(timezone="Asia/Tokyo"), 'books.timezone = "Europe/Paris", and here it is "Asia/Tokyo"'),
        (with_books(currency="USD"), 'books.currency = "EUR", and here it is "USD"'),
    ],
)
def test_other_terms_than_the_month_was_closed_with_are_refused(
    sealed_by_finance: BookStore, config: Config, said: str
) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        restate(sealed_by_finance, config)
    assert "--reason method_change" in refused.value.remedy
    assert working(versions(sealed_by_finance, MONTH)) is None
    found, name = restate(sealed_by_finance, config, reason=Reason.METHOD_CHANGE)
    assert (found.decision.outcome, name) == (Outcome.NEW_VERSION, f"statements/{MONTH}/v2/restated.json")


def test_a_version_that_nobody_reviewed_is_taken_back_and_the_next_one_has_another_number(closed: BookStore) -> None:
    restate(closed, reason=Reason.METHOD_CHANGE)
    before = content(closed)
    assert withdraw(closed, MONTH, "dora", now_s=NOW_S, note="by mistake") == f"statements/{MONTH}/v2/withdrawn.json"
    assert {name: content(closed)[name] for name in before} == before, "what was opened stays on record"
    with pytest.raises(NotClosable, match="no version that could be withdrawn"):
        withdraw(closed, MONTH, "dora", now_s=NOW_S)
    with pytest.raises(NotClosable, match=r"is closed already by bob \(v1\)"):
        review(closed)
    late(closed, HOUR_UJ)
    assert restate(closed)[0].decision.outcome is Outcome.POST, "nothing is open: corrections are posted again"
    assert restate(closed, reason=Reason.METHOD_CHANGE)[1] == f"statements/{MONTH}/v3/restated.json"
    review(closed, waive=("coverage=late", "unshipped=late"))
    with pytest.raises(NotClosable, match="v3 was reviewed already"):
        withdraw(closed, MONTH, "dora", now_s=NOW_S)
    assert close(closed).version == 3
    assert [(each.number, bool(each.withdrawn), each.superseded_by) for each in versions(closed, MONTH)] == [
        (1, False, 3),
        (2, True, 3),
        (3, False, None),
    ]


def test_a_first_version_is_nothing_to_withdraw(store: BookStore) -> None:
    with pytest.raises(NotClosable, match="no version that could be withdrawn"):
        withdraw(store, MONTH, "dora", now_s=NOW_S)


WAIVE = ("coverage=late", "unshipped=late")


@pytest.fixture
def opened(sealed_by_finance: BookStore) -> BookStore:
    """Much energy came late, and finance has opened a second version."""
    fill(sealed_by_finance, node=replace(SECOND, hostname="gpu-3", ledger="2b" * 16), device="GPU-3")
    assert restate(sealed_by_finance, FINANCE)[0].decision.outcome is Outcome.NEW_VERSION
    return sealed_by_finance


def sealed(store: BookStore) -> Statement:
    return statement_of(store, versions(store, MONTH)[-1])


def test_a_machine_without_finances_settings_reviews_and_closes_a_version_as_finance_would(
    opened: BookStore, tmp_path: Path
) -> None:
    """Also where finance prepared it, or approves it."""
    by_finance = copied(tmp_path / "books", tmp_path / "beside")
    review(opened, config=Config(), waive=WAIVE)
    close(opened, config=Config())
    review(by_finance, config=FINANCE, waive=WAIVE)
    close(by_finance, config=Config())
    found = sealed(opened)
    assert (found.period.timezone, found.currency, found.entity) == ("Europe/Paris", "EUR", "Example SA")
    assert found.total.amounts.cost_hundredths
    assert (found.rows, found.days, found.method[:-1]) == (
        sealed(by_finance).rows,
        sealed(by_finance).days,
        sealed(by_finance).method[:-1],
    )
    assert restate(opened, FINANCE, now_s=NOW_S + 7200)[0].decision.outcome is Outcome.NOTHING
    assert audit_closed(Config(), opened).findings == ()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (with_books(timezone="Asia/Tokyo"), 'books.timezone = "Europe/Paris", and here it is "Asia/Tokyo"'),
        (Config(books=Books(currency="USD")), 'books.currency = "EUR", and here it is "USD"'),
        (
            Config(origins={"accounting.location_factor": "wattledger.toml:2"}),
            'accounting.location_factor = "hourly", and here it is "annual"',
        ),
    ],
)
def test_a_version_for_late_energy_is_neither_reviewed_nor_closed_on_other_terms(
    opened: BookStore, config: Config, said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        review(opened, config=config, waive=WAIVE)
    review(opened, config=FINANCE, waive=WAIVE)
    with pytest.raises(UsageError, match=said):
        close(opened, config=config)


def test_what_a_review_of_another_version_states_otherwise_is_named(opened: BookStore) -> None:
    config = Config(site={"par1": Site(pue=1.3, pue_source="operator, final")})
    found = closing.to_review(config, opened, MONTH, (), now_s=NOW_S, as_of_s=NOW_S)
    assert found.settings == (
        "site.par1.pue: 1.3, was 1.21",
        'site.par1.pue_source: "operator, final", was "operator, 2026-Q3"',
    )
    assert closing.to_review(Config(), opened, MONTH, (), now_s=NOW_S, as_of_s=NOW_S).settings == ()


def test_a_change_of_method_changes_what_is_stated_and_nothing_else(sealed_by_finance: BookStore) -> None:
    """A default that is written down is stated too."""
    annual = Config(origins={"accounting.location_factor": "wattledger.toml:2"})
    found, _ = restate(sealed_by_finance, annual, reason=Reason.METHOD_CHANGE)
    assert found.settings == ('accounting.location_factor: "annual", was "hourly"',)
    assert found.best.location_method == "annual"
    assert (found.best.period, found.best.currency) == (found.reported.period, "EUR")
    assert found.best.total.amounts.cost_hundredths == found.reported.total.amounts.cost_hundredths
    assert found.best.total.amounts.embodied_g == found.reported.total.amounts.embodied_g
    opened_as = versions(sealed_by_finance, MONTH)[-1].restated
    assert opened_as is not None
    assert opened_as.settings == found.settings
    review(sealed_by_finance, config=annual)
    close(sealed_by_finance, config=annual)
    assert sealed(sealed_by_finance).period.timezone == "Europe/Paris"
    assert sealed(sealed_by_finance).location_method == "annual"


def test_of_a_table_in_a_table_what_is_not_stated_stays_too(sealed_by_finance: BookStore) -> None:
    config = Config(accounting=Accounting(embodied=Embodied(lifetime_h=50_000)))
    found, _ = restate(sealed_by_finance, config, reason=Reason.METHOD_CHANGE)
    assert found.settings == ("accounting.embodied.lifetime_h: 50000, was 43800",)


def test_contracts_that_were_sealed_and_lie_here_under_another_name_are_no_difference(
    october: Path, tmp_path: Path
) -> None:
    text = (
        '[[instrument]]\nkey = "tariff"\nkind = "supplier"\nmarket = "FR"\ng_per_kwh = 7\n'
        'valid_from = 2026-10-01\nvalid_to = 2026-11-01\nsource = "Supplier, 2026"\n'
    )
    (tmp_path / "one.toml").write_text(text, "utf-8")
    (tmp_path / "other.toml").write_text(text, "utf-8")
    store = copied(october, tmp_path / "books")
    one, other = (
        msgspec.structs.replace(CONFIG, accounting=Accounting(instruments_file=str(tmp_path / name)))
        for name in ("one.toml", "other.toml")
    )
    review(store, config=one)
    close(store, config=one)
    assert restate(store, other, reason=Reason.METHOD_CHANGE)[0].settings == ()
    (tmp_path / "one.toml").unlink()
    review(store, config=Config())
    close(store, config=Config())
    assert audit_closed(Config(), store).findings == (), "verify reads the contracts that were sealed"
    row = sealed(store).rows[0]
    assert trace(Config(), store, MONTH, row.row_id, as_of_s=NOW_S).line.amounts == row.amounts
