"""What a run is charged: its own processes, from its beginning to its end, under the labels that were declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.workloads.declared.procs import Proc
from tracker.core.model import SYSTEM, UNATTRIBUTED, Kind, Workload
from tracker.workloads.declared.carving import RunTick
from tracker.workloads.declared.declaration import Peer, Refused
from tracker.workloads.declared.protocol import MAX_AMOUNT, Declare
from tracker.workloads.declared.runs import DEPARTED_NS, MAX_RUNS, Runs
from tracker.workloads.interface import Identity

S = 1_000_000_000
BOOT_NS = 1_000 * S
POD = Workload(
    "pod/1", Kind.POD, "train-0", namespace="nlp", pod="train-0", container="main", team="nlp", phase="inference"
)
USER = Workload("user/1000", Kind.USER, "ada", user="ada")
POD_CGROUP = f"/kubepods.slice/kubepods-pod{'0123abcd_' + '0123_' * 3 + '0123456789ab'}.slice/x"
USER_CGROUP = "/user.slice/user-1000.slice/session-1.scope"


def named(identity: Identity) -> Workload:
    """As the observer's names would say it."""
    return {Kind.POD: POD, Kind.USER: USER, Kind.UNATTRIBUTED: UNATTRIBUTED}.get(identity.kind, SYSTEM)


class Host:
    """Runs on a scripted /proc, whose clock moves when told."""

    def __init__(self, folder: Path, max_runs: int = MAX_RUNS) -> None:
        self.proc = Proc(folder)
        self.runs = Runs(folder, user_name=lambda uid: {"1000": "ada"}.get(uid, uid), max_runs=max_runs)
        self.now_ns = BOOT_NS
        self.tokens = 0
        self.runs.tick(self.now_ns, named)

    def process(self, pid: int, **stat: object) -> None:
        self.proc.put(pid, **{"start": 5, **stat})  # type: ignore[arg-type] # the words of Proc.put

    def declare(self, pid: int, run: str = "a", *, uid: int = 1000, **labels: str) -> str:
        self.tokens += 1
        token = f"{self.tokens:032x}"
        self.runs.declare(Peer(pid, uid, 5), Declare(run, token, **labels), self.now_ns)  # type: ignore[arg-type] # str
        return token

    def add(self, token: str, units: dict[str, int], pid: int = 10) -> None:
        self.runs.add(Peer(pid, 1000, 5), token, units)

    def end(self, token: str, uid: int = 1000) -> None:
        self.runs.end(uid, token, self.now_ns)

    def wait(self, seconds: float) -> None:
        self.now_ns += round(seconds * S)

    def tick(self, seconds: float = 5, finish: Callable[[Workload], Workload] = lambda w: w) -> RunTick:
        self.wait(seconds)
        return self.runs.tick(self.now_ns, named, finish)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def cpu(tick: RunTick) -> dict[tuple[str, str], int]:
    """CPU time in ms by run and phase."""
    return {(take.workload.run, take.workload.phase): take.weight // 1000 for take in tick.cpu if take.weight}


def test_a_run_is_charged_from_its_beginning_to_its_end(host: Host) -> None:
    """Half a tick, with work before, in and after it: only what is in it counts."""
    host.process(10, own=100)
    host.wait(1)
    token = host.declare(10)
    host.process(10, own=300)
    host.wait(2)
    host.end(token)
    host.process(10, own=900)
    tick = host.tick(2)
    assert cpu(tick) == {("a", ""): 2_000}
    assert cpu(host.tick()) == {}


def test_memory_goes_by_the_time_it_was_held(host: Host) -> None:
    """1000 pages for 2 s of a 5 s tick are 400 pages of it."""
    host.process(10, pages=1000)
    host.wait(1)
    token = host.declare(10)
    host.wait(2)
    host.end(token)
    (take,) = host.tick(2).dram
    assert take.weight == 400 * 4096


def test_two_ticks_in_one_instant_lose_nothing(host: Host) -> None:
    host.process(10)
    token = host.declare(10)
    host.process(10, own=50)
    host.end(token)
    host.now_ns = BOOT_NS
    assert cpu(host.runs.tick(BOOT_NS, named)) == {}
    host.runs.committed()
    assert not host.runs.settled(token)
    assert cpu(host.tick()) == {("a", ""): 500}


def test_phases_take_what_was_used_in_them(host: Host) -> None:
    host.process(10)
    token = host.declare(10, phase="training")
    host.process(10, own=100)
    host.wait(1)
    host.runs.phase(1000, token, "evaluation", host.now_ns)
    host.process(10, own=130)
    assert cpu(host.tick(4)) == {("a", "training"): 1_000, ("a", "evaluation"): 300}
    host.process(10, own=180)
    assert cpu(host.tick()) == {("a", "evaluation"): 500}


def test_phases_that_change_all_the_time_are_not_measured_one_by_one(host: Host) -> None:
    """A switch per step must not cost the node a look at every process per step; the sum still holds."""
    host.process(10)
    token = host.declare(10, phase="p0")
    for number in range(100):
        host.process(10, own=number)
        host.wait(0.001)
        host.runs.phase(1000, token, f"p{number % 2}", host.now_ns)
    host.process(10, own=100)
    found = cpu(host.tick())
    assert sum(found.values()) == 1_000
    assert len(found) <= 2


def test_the_last_run_that_a_process_declared_counts_and_the_one_before_continues(host: Host) -> None:
    host.process(10)
    outer = host.declare(10, "outer")
    host.process(10, own=10)
    inner = host.declare(10, "inner")
    host.process(10, own=30)
    host.end(inner)
    host.process(10, own=60)
    assert cpu(host.tick()) == {("outer", ""): 400, ("inner", ""): 200}
    host.end(outer)
    host.process(10, own=90)
    assert cpu(host.tick()) == {}


def test_runs_that_end_out_of_order(host: Host) -> None:
    host.process(10)
    outer = host.declare(10, "outer")
    host.declare(10, "inner")
    host.end(outer)
    host.process(10, own=10)
    assert cpu(host.tick()) == {("inner", ""): 100}


def test_ranks_of_one_run_are_one_workload(host: Host) -> None:
    """Eight processes that declare the same id: one key, one label set."""
    for pid in range(10, 18):
        host.process(pid)
        host.declare(pid, "run-42", project="nlp")
        host.process(pid, own=5)
    takes = host.tick().cpu
    assert {take.workload for take in takes} == {Workload("run/run-42", Kind.RUN, "run-42", run="run-42", project="nlp",
                                                          user="ada")}  # fmt: skip
    assert sum(take.weight for take in takes) == 8 * 50_000


def test_identity_comes_from_the_pod_and_names_from_the_declaration(host: Host) -> None:
    """What was declared wins; what was not is the pod's."""
    host.process(10, cgroup=POD_CGROUP)
    host.declare(10, "run-42", name="llama", project="atlas", cost_centre="CC-7")
    host.process(10, own=1)
    (take,) = host.tick().cpu
    assert take.home is POD
    assert take.workload == Workload(
        "run/run-42",
        Kind.RUN,
        "llama",
        namespace="nlp",
        pod="train-0",
        container="main",
        run="run-42",
        team="nlp",
        project="atlas",
        cost_centre="CC-7",
        phase="inference",
    )


def test_a_run_in_a_session_has_its_user_and_a_service_its_uid(host: Host) -> None:
    host.process(10, cgroup=USER_CGROUP)
    host.process(11, cgroup="/system.slice/cron.service")
    host.declare(10, "a")
    host.declare(11, "b", uid=77)
    host.process(10, own=1, cgroup=USER_CGROUP)
    host.process(11, own=1, cgroup="/system.slice/cron.service")
    assert {(t.workload.run, t.workload.user, t.home.key) for t in host.tick().cpu} == {
        ("a", "ada", "user/1000"),
        ("b", "77", "system"),
    }


def test_rules_have_the_last_word_and_an_unchanged_run_stays_the_same_object(host: Host) -> None:
    """Charges are summed by workload: a new object per tick would cost a hash of fourteen labels each time."""
    host.process(10)
    host.declare(10, "a", team="nlp", command="python train.py")
    found = set()
    for own in (1, 2, 3):
        host.process(10, own=own)
        (take,) = host.tick(finish=lambda w: replace(w, cost_centre="CC-9")).cpu
        found.add(id(take.workload))
        assert (take.workload.team, take.workload.cost_centre) == ("nlp", "CC-9")
    assert len(found) == 1
    assert host.runs.attributes("run/a") == {"command": "python train.py"}
    assert host.runs.attributes("run/b") == {}
    host.end("0" * 31 + "1")
    host.tick()
    host.runs.committed()
    assert host.runs.attributes("run/a") == {}


def test_labels_are_cleaned(host: Host) -> None:
    host.process(10)
    host.declare(10, "a\nb", name="=cmd()\x1b[31m", project="x" * 10_000)
    host.process(10, own=1)
    (take,) = host.tick().cpu
    assert take.workload.key.startswith("run/a\N{REPLACEMENT CHARACTER}b~")
    assert take.workload.name == "=cmd()\N{REPLACEMENT CHARACTER}[31m"
    assert len(take.workload.project) == 128


# -- whose a GPU process is --------------------------------------------------------------------------------------------


def owners(tick: RunTick) -> dict[int, tuple[str, str]]:
    return {pid: (workload.run, workload.phase) for pid, workload in tick.owners.items()}


def test_processes_of_a_run_are_its_own_on_the_gpu(host: Host) -> None:
    host.process(10)
    host.declare(10)
    host.process(11, parent=10, start=101_000)
    assert owners(host.tick()) == {10: ("a", ""), 11: ("a", "")}
    assert owners(host.tick()) == {10: ("a", ""), 11: ("a", "")}


def test_a_gpu_process_belongs_to_whoever_had_it_for_the_longest_part_of_a_tick(host: Host) -> None:
    host.process(10)
    host.wait(4)
    token = host.declare(10, phase="training")
    assert owners(host.tick(1)) == {}, "four of five seconds it was nobody's"
    host.wait(1)
    host.runs.phase(1000, token, "evaluation", host.now_ns)
    assert owners(host.tick(4)) == {10: ("a", "evaluation")}
    host.wait(4)
    host.end(token)
    assert owners(host.tick(1)) == {10: ("a", "evaluation")}
    assert owners(host.tick()) == {}


def test_a_short_process_that_lived_in_a_run_only_is_the_runs(host: Host) -> None:
    """A two-second command under ``wattledger exec``: born in this tick, gone before its end."""
    host.process(10)
    host.declare(10)
    host.tick()
    host.wait(3)
    host.process(11, parent=10, start=(host.now_ns - S) // 10_000_000, own=90)
    tick = host.tick(2)
    assert owners(tick)[11] == ("a", "")
    host.proc.drop(11)
    assert owners(host.tick())[11] == ("a", ""), "the driver still names it"
    assert owners(host.tick(DEPARTED_NS / S - 1))[11] == ("a", "")
    assert 11 not in owners(host.tick(2))


def test_a_client_that_dies_ends_its_run(host: Host) -> None:
    host.process(10)
    token = host.declare(10)
    host.process(11, parent=10, start=101_000)
    host.tick()
    host.proc.drop(10)
    host.tick()
    assert not host.runs.settled(token)
    host.process(11, parent=1, start=101_000, own=50)
    tick = host.tick()
    assert cpu(tick) == {}
    host.runs.committed()
    assert host.runs.settled(token)


# -- units -------------------------------------------------------------------------------------------------------------


def test_units_are_handed_over_once_with_the_workload_that_earned_them(host: Host) -> None:
    host.process(10, cgroup=POD_CGROUP)
    token = host.declare(10, phase="training")
    host.add(token, {"tokens": 4096, "steps": 1})
    host.add(token, {"tokens": 4096})
    host.runs.phase(1000, token, "evaluation", host.now_ns)
    host.add(token, {"tokens": 7})
    assert host.runs.drain_units() == (), "nobody knows yet which pod this is"
    host.tick()
    drained = {(work.phase, work.pod, unit): amount for work, unit, amount in host.runs.drain_units()}
    assert drained == {
        ("training", "train-0", "tokens"): 8192,
        ("training", "train-0", "steps"): 1,
        ("evaluation", "train-0", "tokens"): 7,
    }
    assert host.runs.drain_units() == ()


def reported(host: Host) -> dict[str, int]:
    """What was booked of each unit since the last look."""
    host.tick()
    found: dict[str, int] = {}
    for _, unit, amount in host.runs.drain_units():
        found[unit] = found.get(unit, 0) + amount
    return found


def test_a_step_of_eight_processes_is_one_step(host: Host) -> None:
    """Each rank of a training reports the step that all of them took, and the tokens that it read itself."""
    ranks = range(10, 18)
    for pid in ranks:
        host.process(pid)
    tokens = {pid: host.declare(pid, "run-42") for pid in ranks}
    for _ in range(10):
        for pid, token in tokens.items():
            host.add(token, {"steps": 1, "tokens": 100, "epochs": 2}, pid)
    assert reported(host) == {"steps": 10, "tokens": 8000, "epochs": 20}


def test_workers_that_share_a_run_take_its_steps_together(host: Host) -> None:
    """``wattledger exec torchrun``: one declaration, and every rank adds to it."""
    for pid in (10, 11, 12):
        host.process(pid)
    token = host.declare(10)
    for pid in (11, 12, 11, 12, 11):
        host.add(token, {"steps": 1}, pid)
    assert reported(host) == {"steps": 3}


def test_steps_of_one_process_after_another_add_up(host: Host) -> None:
    """A script that goes on where another one ended; a run that is taken up again by the same process."""
    host.process(10)
    for _ in range(2):
        token = host.declare(10)
        host.add(token, {"steps": 5})
        host.end(token)
    host.process(11)
    outer = host.declare(11)
    host.process(12)
    host.add(outer, {"steps": 7}, 12)
    host.proc.drop(12)
    host.process(13)
    host.add(outer, {"steps": 7}, 13)
    assert reported(host) == {"steps": 24}


def test_one_that_began_with_the_others_and_lags_counts_when_it_is_ahead(host: Host) -> None:
    for pid in (10, 11):
        host.process(pid)
    first, second = (host.declare(pid, "elastic") for pid in (10, 11))
    host.add(first, {"steps": 100})
    host.add(second, {"steps": 40}, 11)
    host.add(first, {"steps": 1})
    assert reported(host) == {"steps": 101}


def test_a_worker_that_joins_goes_on_from_where_the_others_are(host: Host) -> None:
    """Elastic training, a spot instance that is taken over: 150 steps are 150, whoever took them."""
    host.process(10)
    first = host.declare(10, "elastic")
    for _ in range(50):
        host.add(first, {"steps": 1})
    host.process(11)
    second = host.declare(11, "elastic")
    for _ in range(50):
        host.add(first, {"steps": 1})
        host.add(second, {"steps": 1}, 11)
    host.end(first)
    for _ in range(50):
        host.add(second, {"steps": 1}, 11)
    assert reported(host) == {"steps": 150}


def test_ranks_that_are_replaced_one_by_one_lose_no_step(host: Host) -> None:
    for pid in range(10, 14):
        host.process(pid)
    ranks = {pid: host.declare(pid, "elastic") for pid in range(10, 14)}
    for number in range(400):
        if number and number % 50 == 0:
            gone = min(ranks)
            host.end(ranks.pop(gone))
            host.proc.drop(gone)
            host.process(gone + 4)
            ranks[gone + 4] = host.declare(gone + 4, "elastic")
        for pid, token in ranks.items():
            host.add(token, {"steps": 1}, pid)
    assert reported(host) == {"steps": 400}


def test_a_run_is_settled_when_what_it_used_and_reported_is_booked(host: Host) -> None:
    host.process(10)
    token = host.declare(10)
    host.add(token, {"tokens": 1})
    host.end(token)
    host.runs.committed()
    assert not host.runs.settled(token), "no tick has taken it up"
    host.tick()
    host.runs.committed()
    assert not host.runs.settled(token), "its tokens are not booked"
    assert [amount for _, _, amount in host.runs.drain_units()] == [1]
    host.runs.committed()
    assert host.runs.settled(token)


@pytest.mark.parametrize(
    "units",
    [
        {"Tokens": 1},
        {"": 1},
        {"to kens": 1},
        {"tokens": -1},
        {"tokens": MAX_AMOUNT + 1},
        {f"u{n}": 1 for n in range(17)},
    ],
)
def test_nonsense_units_are_refused_whole(host: Host, units: dict[str, int]) -> None:
    host.process(10)
    token = host.declare(10)
    with pytest.raises(Refused, match="unit"):
        host.add(token, {"fine": 1, **units})
    host.tick()
    assert host.runs.drain_units() == ()


# -- who may do what ---------------------------------------------------------------------------------------------------


def test_another_user_can_neither_end_nor_feed_nor_take_over_a_run(host: Host) -> None:
    host.process(10)
    host.process(20)
    token = host.declare(10, "mine")
    for attempt in (
        lambda: host.end(token, uid=1001),
        lambda: host.runs.add(Peer(10, 1001, 5), token, {"tokens": 1}),
        lambda: host.runs.phase(1001, token, "x", host.now_ns),
        lambda: host.declare(20, "mine", uid=1001),
        lambda: host.runs.declare(Peer(20, 1001, 5), Declare("mine", token), host.now_ns),
    ):
        with pytest.raises(Refused):
            attempt()
    host.end(token)
    with pytest.raises(Refused, match="another user's"):
        host.declare(20, "mine", uid=1001)
    host.declare(20, "mine", uid=0)
    assert "another user's" in host.runs.check()[1].message


@pytest.mark.parametrize(("run", "token"), [("", "0" * 32), (" ", "0" * 32), ("a", "short"), ("a", "G" * 32)])
def test_a_declaration_needs_an_id_and_a_token(host: Host, run: str, token: str) -> None:
    host.process(10)
    with pytest.raises(Refused):
        host.runs.declare(Peer(10, 1000, 5), Declare(run, token), host.now_ns)


@pytest.mark.parametrize("reused", [False, True])
def test_a_process_that_is_gone_before_it_is_heard_still_reports_and_is_charged_nothing(
    host: Host, reused: bool
) -> None:
    """A script of some ms: its words are read after its exit, when its number may be another process's."""
    if reused:
        host.process(10, start=6)
    token = host.declare(10)
    host.add(token, {"tokens": 3})
    host.end(token)
    if reused:
        host.process(10, start=6, own=50)
    tick = host.tick()
    assert (cpu(tick), tick.owners) == ({}, {})
    assert [amount for _, _, amount in host.runs.drain_units()] == [3]
    host.runs.committed()
    assert host.runs.settled(token)


def test_more_processes_than_are_followed_are_refused(host: Host) -> None:
    host.process(10)
    host.runs._family._members = {pid: host.runs._family._members.get(pid) for pid in range(9000)}  # type: ignore[misc] # full
    with pytest.raises(Refused, match="too many processes"):
        host.declare(10)


def test_runs_are_bounded_and_one_user_does_not_take_all(tmp_path: Path) -> None:
    host = Host(tmp_path, max_runs=10)
    for number in range(20):
        host.process(100 + number)
    for number in range(5):
        host.declare(100 + number, f"a{number}")
    with pytest.raises(Refused, match="too many runs"):
        host.declare(105, "a5")
    for number in range(5, 10):
        host.declare(100 + number, f"b{number}", uid=0)
    with pytest.raises(Refused, match="too many runs"):
        host.declare(110, "b10", uid=0)


# -- over a restart of the daemon --------------------------------------------------------------------------------------


def test_a_run_that_says_nothing_survives_a_restart(host: Host, tmp_path: Path) -> None:
    """A training job that says ``with declare("run-42")`` and nothing else for a week is still run-42 when the
    daemon was upgraded in between."""
    host.process(10, own=100)
    host.process(11, own=100)
    host.declare(10, "run-42", phase="training")
    host.declare(11, "gone")
    stored = host.runs.stored()
    host.proc.drop(11)
    again = Runs(tmp_path)
    again.restore(stored, host.now_ns)
    again.tick(host.now_ns, named)
    host.process(10, own=150)
    assert cpu(again.tick(host.now_ns + 5 * S, named)) == {("run-42", "training"): 500}
    assert [each.run for each in again.stored()] == ["run-42"]


def test_a_client_that_comes_back_is_the_same_run_and_ends_what_it_no_longer_has(host: Host, tmp_path: Path) -> None:
    host.process(10)
    kept, left = host.declare(10, "kept"), host.declare(10, "left")
    again = Runs(tmp_path)
    again.restore(host.runs.stored(), host.now_ns)
    again.alone(Peer(10, 1000, 5), [kept])
    again.declare(Peer(10, 1000, 5), Declare("kept", kept, phase="evaluation"), host.now_ns)
    again.tick(host.now_ns, named)
    host.process(10, own=10)
    assert cpu(again.tick(host.now_ns + S, named)) == {("kept", "evaluation"): 100}
    with pytest.raises(Refused):
        again.end(1000, left, host.now_ns)


def test_a_connection_that_broke_ends_a_run_and_the_next_one_takes_it_up(host: Host) -> None:
    host.process(10)
    token = host.declare(10)
    host.end(token)
    host.process(10, own=10)
    host.runs.declare(Peer(10, 1000, 5), Declare("a", token), host.now_ns)
    host.process(10, own=30)
    assert cpu(host.tick()) == {("a", ""): 200}
    host.runs.committed()
    assert not host.runs.settled(token)


def test_phases_and_counts_of_one_run_are_bounded(host: Host) -> None:
    """A loop that names a phase for each epoch makes seventeen label sets, not seventeen thousand."""
    host.process(10)
    token = host.declare(10)
    for epoch in range(100):
        host.runs.phase(1000, token, f"epoch-{epoch}", host.now_ns)
    declaration = host.runs._declarations[token]
    assert len(declaration.phases) <= 17
    assert declaration.phase == "other"
    for _ in range(9):
        host.add(token, {"tokens": 10**15})
    with pytest.raises(Refused):
        host.add(token, {"tokens": 10**15})


def test_a_live_run_keeps_its_id_however_many_others_come_and_go(host: Host) -> None:
    """Flushing the memory of ids must not let one user book on another's run."""
    host.process(10)
    host.declare(10, "run-42", uid=1000)
    host.runs._ids._uids.clear()
    host.process(11)
    with pytest.raises(Refused):
        host.declare(11, "run-42", uid=2000)
