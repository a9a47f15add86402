"""What every service's client keeps to, whoever wrote it: each fault is the right error, nothing of a bad answer is
kept, the last good values stay, and no secret is ever said.

The cases are ``tests/grid/providers/*_case.py``; a new client is tested by bringing one.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fakes.gridserver import GridServer
from tests.grid.providers.case import Case
from tracker import services
from tracker.core.factors import ESTIMATED, MEASURED, Scheme
from tracker.core.known import FactorRecord
from tracker.grid.catalogue import Zone
from tracker.grid.fetch_range import fetch
from tracker.grid.fetching import Fetched, Outcome, refresh
from tracker.grid.http import HttpAsk
from tracker.grid.interface import (
    Answer,
    BadAnswer,
    Denied,
    LiveProvider,
    NoData,
    NotInPlan,
    ProviderError,
    Question,
    Throttled,
    Unreachable,
)
from tracker.grid.store import FactorStore
from tracker.grid.zones import find_zone

_FOLDER = Path(__file__).parent / "providers"
CASES: tuple[Case, ...] = tuple(
    importlib.import_module(f"tests.grid.providers.{path.stem}").CASE for path in sorted(_FOLDER.glob("*_case.py"))
)
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
#: Made from something else than the answers of a service.
NO_SERVICE = {"profile"}
#: Asked for intervals with a value only, or computed from what other intervals may lack.
LEAVES_OUT = {"rte", "entsoe"}
LATER_S = 60

FAULTS: dict[str, tuple[type[ProviderError], ...]] = {
    "html": (BadAnswer,),
    "truncated": (BadAnswer,),
    "empty": (BadAnswer,),
    "huge": (BadAnswer,),
    "bomb": (BadAnswer,),
    "bad gzip": (BadAnswer,),
    "odd encoding": (BadAnswer,),
    "redirect": (BadAnswer,),
    "redirect port": (BadAnswer,),
    "redirect backslash": (BadAnswer,),
    "redirect nowhere": (BadAnswer,),
    "redirect loop": (BadAnswer,),
    "echo text": (BadAnswer, NoData),
    "echo json": (BadAnswer, NoData),
    "echo document": (BadAnswer, NoData),
    "echo odd": (BadAnswer, NoData),
    "400": (BadAnswer, NoData),
    "401": (Denied, NotInPlan),
    "403": (Denied, NotInPlan),
    "404": (NoData,),
    "422": (BadAnswer,),
    "429": (Throttled,),
    "500": (Unreachable,),
    "501": (Unreachable,),
    "502": (Unreachable,),
    "503": (Unreachable,),
    "slow": (Unreachable,),
    "slow header": (Unreachable,),
    "silent": (Unreachable,),
    "reset": (Unreachable,),
    "cut off": (Unreachable,),
    "no http": (Unreachable,),
}


@dataclass
class Bench:
    """A client against the local service, and a store that has its good values already."""

    case: Case
    server: GridServer
    provider: LiveProvider
    store: FactorStore
    answers: list[Answer]
    good: tuple[FactorRecord, ...]

    @property
    def zone(self) -> Zone:
        return find_zone(self.case.zone)

    def fetch(self) -> None:
        now_s = self.case.now_s + LATER_S
        _raising(fetch(self.provider, self.zone, self.case.start_s, self.case.end_s, self.store, now_s))

    def known(self) -> tuple[FactorRecord, ...]:
        return self.store.records((self.case.zone,), 0, 1 << 40)

    def told(self, error: ProviderError | None = None) -> str:
        """Everything that can be seen of a client at work."""
        rows = "".join(f"{record!r}" for record in self.known())
        places = "".join(answer.endpoint for answer in self.answers)
        status = f"{self.store.status(self.provider.name)!r}"
        return (
            f"{error}{error!r}{error.__cause__ if error else ''}{self.provider!r}{self.provider}{rows}{places}{status}"
        )


def _raising(outcome: Outcome) -> Fetched:
    if outcome.error is not None:
        raise outcome.error
    return outcome.fetched


def bench_of(case: Case, path: Path, server: GridServer) -> tuple[LiveProvider, FactorStore, list[Answer]]:
    answers: list[Answer] = []

    def ask(question: Question) -> Answer:
        """Patient with a busy machine, but not with a service that is played to be slow."""
        slow = server.next_fault(urlsplit(question.url).path) in {"slow", "slow header", "silent"}
        asking = HttpAsk(
            "1",
            now_s=lambda: case.now_s,
            attempt_s=0.05 if slow else 10,
            sleep=lambda _pause_s: None,
            proxy_of=lambda _url: "",
        )
        answers.append(asking(question))
        asking.close()
        return answers[-1]

    return case.make(server.url, ask), FactorStore(path / "factors.db"), answers


@pytest.fixture
def bench(case: Case, tmp_path: Path) -> Iterator[Bench]:
    with GridServer(case.good) as server:
        provider, store, answers = bench_of(case, tmp_path, server)
        with store:
            _raising(fetch(provider, find_zone(case.zone), case.start_s, case.end_s, store, case.now_s))
            bench = Bench(case, server, provider, store, answers, ())
            bench.good = bench.known()
            yield bench


def test_every_service_there_is_has_a_case() -> None:
    assert services.LIVE.keys() - NO_SERVICE <= {case.name for case in CASES}


@every_case
def test_a_good_answer_is_kept_with_where_it_came_from(bench: Bench) -> None:
    case = bench.case
    assert bench.provider.name == case.name
    assert bench.provider.covers(bench.zone)
    assert bench.good
    for record in bench.good:
        row = record.row
        assert (row.zone, row.origin.provider, row.scheme) == (case.zone, case.name, Scheme.AVERAGE)
        assert case.start_s <= row.valid_from_s < row.valid_to_s
        assert row.quality_tier in {MEASURED, ESTIMATED}
        assert all((row.gases, row.edition, row.publisher, row.source_ref, row.licence, row.data_year, row.zone_system))
        assert len(row.origin.raw_sha256) == 64
        assert row.origin.fetched_at_s == case.now_s
        assert row.origin.endpoint in {answer.endpoint for answer in bench.answers}
        assert row.factor_id.startswith(f"{case.name}:{case.zone}")


@every_case
def test_reading_again_changes_nothing(bench: Bench) -> None:
    bench.fetch()
    assert bench.known() == bench.good
    assert all(len(bench.store.history(record.row.factor_id)) == 1 for record in bench.good)


@every_case
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_the_right_error_and_costs_nothing(bench: Bench, fault: str) -> None:
    bench.server.play(bench.case.data_path, fault)
    with pytest.raises(ProviderError) as raised:
        bench.fetch()
    assert isinstance(raised.value, FAULTS[fault]), repr(raised.value)
    assert bench.known() == bench.good
    told = bench.told(raised.value).lower()
    assert not any(secret.lower() in told for secret in bench.case.secrets)
    assert len(str(raised.value)) < 600


@every_case
@pytest.mark.parametrize("fault", ["html", "401", "422", "429", "503", "reset"])
def test_the_service_mends_and_so_does_the_client(bench: Bench, fault: str) -> None:
    """Also after a login was refused, and without a restart."""
    bench.server.play(bench.case.data_path, fault)
    with pytest.raises(ProviderError):
        bench.fetch()
    bench.server.play(bench.case.data_path)
    bench.fetch()
    assert bench.known() == bench.good


@every_case
@pytest.mark.parametrize("fault", ["503", "429", "reset", "cut off"])
def test_a_hiccup_is_not_noticed(bench: Bench, fault: str) -> None:
    bench.server.play(bench.case.data_path, fault, "")
    bench.fetch()
    assert bench.known() == bench.good


@every_case
def test_a_service_that_is_gone_keeps_its_values_and_its_error_says_no_secret(bench: Bench) -> None:
    bench.server.play("*", "401")
    (outcome,) = refresh({bench.zone: [bench.provider]}, bench.store, bench.case.now_s + LATER_S)
    assert outcome.error is not None
    assert bench.known() == bench.good
    assert not any(secret in bench.told(outcome.error) for secret in bench.case.secrets)


@pytest.mark.parametrize(
    ("case", "what"),
    [(case, what) for case in CASES for what in case.bad],
    ids=lambda value: getattr(value, "name", value),
)
def test_nothing_of_a_bad_answer_is_used(bench: Bench, what: str) -> None:
    bench.server.bodies[bench.case.data_path] = bench.case.bad[what]
    with pytest.raises(BadAnswer) as raised:
        bench.fetch()
    assert bench.known() == bench.good
    assert not any(secret in bench.told(raised.value) for secret in bench.case.secrets)


@every_case
def test_a_missing_value_is_a_hole_and_the_others_are_kept(case: Case, tmp_path: Path) -> None:
    """Never filled, never 0."""
    if case.holes is None:
        pytest.skip(f"{case.name} has no answer with holes")
    with GridServer({**case.good, case.data_path: case.holes}) as server:
        provider, store, _ = bench_of(case, tmp_path, server)
        with store:
            fetched = _raising(fetch(provider, find_zone(case.zone), case.start_s, case.end_s, store, case.now_s))
    with GridServer(case.good) as server:
        provider, _, _ = bench_of(case, tmp_path, server)
        whole = provider.read(find_zone(case.zone), case.start_s, case.end_s, case.now_s)
    assert 0 < fetched.rows < len(whole)


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.holes is not None and case.name not in LEAVES_OUT],
    ids=lambda case: case.name,
)
def test_a_value_that_the_service_takes_back_is_none_any_more(bench: Bench) -> None:
    """Superseded by a record without a value, so that nobody weighs with it and everybody can see that it was there."""
    case = bench.case
    assert case.holes is not None
    bench.server.bodies[case.data_path] = case.holes
    bench.fetch()
    valued = {record.row.factor_id for record in bench.known() if record.row.value_printed}
    told = bench.provider.read(bench.zone, case.start_s, case.end_s, case.now_s + LATER_S)
    gone = {row.factor_id for row in told if not row.value_printed} & {record.row.factor_id for record in bench.good}
    assert gone
    assert not gone & valued
    for factor_id in gone:
        before, after = bench.store.history(factor_id)
        assert (before.row.value_printed != "", after.row.value_printed, after.supersedes) == (True, "", before.number)


@every_case
def test_order_and_repetition_of_an_answer_do_not_matter(bench: Bench) -> None:
    if bench.case.shuffled is None:
        pytest.skip(f"{bench.case.name} has no answer out of order")
    bench.server.bodies[bench.case.data_path] = bench.case.shuffled
    bench.fetch()
    assert bench.known() == bench.good


@every_case
def test_secrets_are_in_nothing_that_is_shown(bench: Bench) -> None:
    assert not any(secret in bench.told() for secret in bench.case.secrets)
