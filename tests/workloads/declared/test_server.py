"""The socket: real connections, honest and not. Whatever a client does costs nobody but itself."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.daemon import until
from tests.fakes import snapshots
from tests.workloads.declared.puppet import Puppet
from tests.workloads.declared.serving import Served, built, declaration, serving
from tracker.core.model import Component, Kind, Level, Method, Workload
from tracker.core.snapshot import LedgerHealth, Tally, WorkloadState
from tracker.workloads.declared.connection import LINES_PER_S
from tracker.workloads.declared.desk import Pace
from tracker.workloads.declared.place import SYSTEM_SOCKET, Place, answers, places, take
from tracker.workloads.declared.protocol import MAX_LINE_BYTES

TOKEN = "0" * 32


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path) as served:
        yield served


def test_a_run_begins_and_ends_with_what_its_client_says(served: Served) -> None:
    client = served.client()
    assert client.ask(declaration("run-42", phase="training")) == {"id": 7, "ok": True}
    assert served.live() == {"run-42"}
    assert client.ask({"op": "phase", "token": TOKEN, "phase": "evaluation"})["ok"]
    assert client.ask({"op": "add", "token": TOKEN, "units": {"tokens": 4096}})["ok"]
    served.tick()
    assert [(w.phase, unit, n) for w, unit, n in served.runs.drain_units()] == [("evaluation", "tokens", 4096)]
    assert client.ask({"op": "end", "token": TOKEN})["ok"]
    assert served.live() == set()


def test_nothing_is_answered_that_was_not_asked(served: Served) -> None:
    """A client that never reads is the normal case: its socket must not fill up."""
    client = served.client()
    client.say(declaration(), {"op": "add", "token": TOKEN, "units": {"steps": 1}}, {"op": "end", "token": "f" * 32})
    assert client.ask({"op": "end", "token": TOKEN}) == {"id": 7, "ok": True}


def test_a_closed_connection_ends_its_runs(served: Served) -> None:
    client = served.client()
    client.ask(declaration("a", "a" * 32))
    client.ask(declaration("b", "b" * 32))
    client.close()
    until(lambda: served.live() == set(), "the runs have ended")


def test_an_end_by_another_connection_of_the_same_user_counts(served: Served) -> None:
    """A child of the run knows the token."""
    first, second = served.client(), served.client()
    first.ask(declaration())
    assert second.ask({"op": "end", "token": TOKEN})["ok"]
    first.close()
    assert second.ask(declaration("b", "b" * 32))["ok"]
    assert served.live() == {"b"}


def test_a_run_declared_again_over_a_new_connection_survives_the_end_of_the_old_one(served: Served) -> None:
    first, second = served.client(), served.client()
    first.ask(declaration())
    assert second.ask(declaration(phase="evaluation"))["ok"]
    first.close()
    assert second.ask({"op": "phase", "token": TOKEN, "phase": "x"})["ok"]
    second.close()
    until(lambda: served.live() == set(), "the run has ended")


def test_a_refused_declaration_is_told_even_unasked(served: Served) -> None:
    """The client does not wait for an answer, but its user should read why nothing is charged."""
    client = served.client()
    client.say(declaration("", TOKEN))
    assert client.hear() == {"error": "A run needs an id.", "token": TOKEN}
    assert client.ask(declaration("b"))["ok"]


def test_anybody_may_connect_and_the_folder_is_open(served: Served) -> None:
    mode = served.path.stat().st_mode
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o666


# -- questions ---------------------------------------------------------------------------------------------------------

RUN = Workload("run/run-42", Kind.RUN, "run-42", run="run-42", phase="training")


def with_run(*states: WorkloadState) -> object:
    return replace(snapshots.eight_gpus(), workloads=states)


def state(workload: Workload, gpu_uj: int, *, units: dict[str, int] | None = None) -> WorkloadState:
    tallies = (
        Tally(Component.GPU, Method.MEASURED, gpu_uj, gpu_uj // 10, 60_000),
        Tally(Component.CPU, Method.MODELLED, 7, 0, 0),
    )
    return WorkloadState(workload, True, tallies, {"location": 5}, 0, units or {})


def test_the_energy_of_a_run_over_its_phases(served: Served) -> None:
    evaluation = replace(RUN, phase="evaluation")
    served.commit(
        replace(
            snapshots.eight_gpus(),
            workloads=(state(RUN, 1000, units={"tokens": 3}), state(evaluation, 500), state(replace(RUN, key="x"), 9)),
        )
    )
    answer = served.client().ask({"op": "energy", "run": "run-42"})
    assert answer == {
        "id": 7,
        "ok": True,
        "run": "run-42",
        "parts": [
            {"component": "gpu", "method": "measured", "energy_uj": 1500, "idle_uj": 150, "held_ms": 120_000},
            {"component": "cpu", "method": "modelled", "energy_uj": 14, "idle_uj": 0, "held_ms": 0},
        ],
        "emissions_ug": {"location": 10},
        "units": {"tokens": 3},
        "committed_wall_s": snapshots.eight_gpus().ledger.commit_wall_s,
        "booked": False,
        "ledger_ok": True,
        "message": "",
    }


def test_the_energy_of_a_run_holds_that_of_the_runs_in_it_once(served: Served) -> None:
    """Of a resumed inner run only what came since it was declared here."""
    inner = Workload("run/inner", Kind.RUN, "inner", run="inner")
    served.commit(replace(snapshots.eight_gpus(), workloads=(state(RUN, 1000), state(inner, 400))))
    client = served.client()
    client.ask(declaration("run-42", "a" * 32))
    client.ask(declaration("inner", "b" * 32))
    client.ask(declaration("innermost", "c" * 32))
    innermost = Workload("run/innermost", Kind.RUN, "innermost", run="innermost")
    served.commit(replace(snapshots.eight_gpus(), workloads=(state(RUN, 1100), state(inner, 450), state(innermost, 3))))
    for run, energy_uj in (("run-42", 1100 + 50 + 3), ("inner", 450 + 3), ("innermost", 3), ("nobody", None)):
        parts = client.ask({"op": "energy", "run": run})["parts"]
        assert next((part["energy_uj"] for part in parts if part["component"] == "gpu"), None) == energy_uj, run


def test_a_question_can_wait_until_everything_is_booked(served: Served) -> None:
    client = served.client()
    client.ask(declaration("run-42"))
    served.commit()
    client.say({"op": "energy", "run": "run-42", "after": TOKEN, "id": 9})
    assert served.client().ask({"op": "end", "token": TOKEN})["ok"]
    served.commit(replace(snapshots.eight_gpus(), workloads=(state(RUN, 1000),)))
    answer = client.hear()
    assert (answer["id"], answer["booked"], answer["parts"][0]["energy_uj"]) == (9, True, 1000)


def test_who_waits_when_the_daemon_stops_is_told_what_there_is(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        client = served.client()
        client.ask(declaration("run-42"))
        served.commit(replace(snapshots.eight_gpus(), workloads=(state(RUN, 1000),)))
        client.say({"op": "energy", "run": "run-42", "after": TOKEN, "id": 9})
        assert client.ask({"op": "node"})["ok"]
        served.server.close()
        answer = client.hear()
        assert (answer["id"], answer["booked"]) == (9, False)
        assert client.hear() is None


def test_a_ledger_that_does_not_book_says_so(served: Served) -> None:
    full = LedgerHealth(ok=False, commit_wall_s=1.0, size_bytes=1, message="The disk is full.")
    served.commit(replace(snapshots.eight_gpus(), ledger=full))
    answer = served.client().ask({"op": "energy", "run": "x"})
    assert (answer["ledger_ok"], answer["message"]) == (False, "The disk is full.")


def test_what_there_is_to_know_about_the_node(served: Served) -> None:
    served.commit()
    node = served.client().ask({"op": "node"})
    assert (node["hostname"], node["site"], node["pue_permille"], node["tick_s"]) == ("gpu-017", "par1", 1210, 5.0)
    assert node["components"] == {"gpu": "measured", "cpu": "measured", "dram": "measured"}
    assert node["factor"]["zone"] == "FR"
    assert [gpu["index"] for gpu in node["gpus"]] == list("01234567")


def test_before_the_first_commit_there_is_no_answer_rather_than_zero(served: Served) -> None:
    answer = served.client().ask({"op": "energy", "run": "a"})
    assert "ok" not in answer
    assert "has booked nothing yet" in answer["error"]


# -- clients that misbehave --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (b"garbage\n", "This is no JSON."),
        (b"\xff\x00\n", "This is no JSON."),
        (b"x" * (MAX_LINE_BYTES + 1), f"A line is longer than {MAX_LINE_BYTES} bytes."),
        (b'{"op": "node", "id": 1}\n', "A connection begins with hello."),
        (b'{"op": "hello", "v": 2}\n', "This daemon speaks version 1."),
    ],
)
def test_what_cannot_be_understood_ends_that_connection_and_no_other(served: Served, said: bytes, error: str) -> None:
    honest = served.client()
    honest.ask(declaration())
    bad = served.client(greet=False)
    bad.raw(said)
    assert bad.hear()["error"] == error
    assert bad.hear() is None
    assert honest.ask({"op": "phase", "token": TOKEN, "phase": "x"})["ok"]


@pytest.mark.parametrize(
    "message",
    [
        {"op": "dance"},
        {"op": "declare"},
        {"op": "declare", "run": 5, "token": TOKEN},
        {"op": "add", "token": TOKEN, "units": {"tokens": 1.5}},
        {"op": "add", "token": TOKEN, "units": {"tokens": 10**400}},
        {"op": "add", "token": TOKEN, "units": {"tokens": None}},
        {"op": "add", "token": TOKEN, "units": [1]},
        {"op": "declare", "run": "a", "token": TOKEN, "pid": "me"},
        [1],
        "hello",
    ],
)
def test_a_message_that_makes_no_sense_is_refused_and_the_next_one_counts(served: Served, message: object) -> None:
    """A newer client may say things that an older daemon does not know."""
    client = served.client()
    client.say({**message, "id": 7} if isinstance(message, dict) else message)
    assert "error" in client.hear()
    assert client.ask(declaration())["ok"]


def test_json_deeper_than_any_message_ends_that_connection_and_no_other(served: Served) -> None:
    bad = served.client()
    bad.raw(b'{"op": "node", "id": 1, "x": ' + b"[" * 8000 + b"]" * 8000 + b"}\n")
    assert bad.hear() is None
    assert served.client().ask(declaration())["ok"]


def test_unknown_fields_are_ignored(served: Served) -> None:
    assert served.client().ask(declaration(colour="green"))["ok"]


def test_a_line_may_come_in_pieces_and_many_lines_at_once(served: Served) -> None:
    client = served.client(greet=False)
    text = b"".join(json.dumps(m).encode() + b"\n" for m in ({"op": "hello", "v": 1}, declaration(id=1)))
    for byte in text[:-2]:
        client.raw(bytes([byte]))
    client.raw(text[-2:] + b'{"op": "phase", "token": "' + TOKEN.encode() + b'", "phase": "x", "id": 2}\n')
    assert [client.hear()["id"], client.hear()["id"]] == [1, 2]


def test_a_client_that_asks_and_never_reads_is_left(served: Served) -> None:
    """Answers would pile up in the daemon's memory."""
    served.commit()
    client = served.client()
    ended = threading.Event()

    def flood() -> None:
        try:
            while True:
                client.say(*({"op": "node", "id": number} for number in range(50)))
        except OSError:
            ended.set()

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    assert ended.wait(20), "the server still listens to it"
    assert served.client().ask({"op": "node"})["ok"]


def test_a_client_that_talks_too_much_waits_and_loses_nothing(served: Served) -> None:
    client, other = served.client(), served.client()
    client.ask(declaration())
    for _ in range(LINES_PER_S + 50):
        client.say({"op": "add", "token": TOKEN, "units": {"steps": 1}})
    assert other.ask({"op": "energy", "run": "a"})["id"] == 7, "others are heard meanwhile"
    assert client.ask({"op": "phase", "token": TOKEN, "phase": "x"})["ok"]
    served.tick()
    assert sum(amount for _, _, amount in served.runs.drain_units()) == LINES_PER_S + 50


def test_one_user_does_not_take_every_place_and_root_still_gets_in(tmp_path: Path) -> None:
    """Beyond the limit a client is told so at once."""
    with serving(tmp_path, max_connections=4) as served:
        room = 4 if os.geteuid() == 0 else 2
        clients = [served.client() for _ in range(room)]
        for number, client in enumerate(clients):
            assert client.ask(declaration(f"r{number}", f"{number:032x}"))["ok"]
        refused = served.client(greet=False)
        assert refused.hear()["error"] == "Too many clients are connected."
        assert refused.hear() is None
        clients[0].close()
        until(lambda: len(served.live()) == room - 1, "there is room again")
        assert served.client().ask(declaration("new", "e" * 32))["ok"]


def test_a_thousand_runs(tmp_path: Path) -> None:
    """A thousand clients, each with its run and its units: nothing is lost, mixed up or left behind."""
    with serving(tmp_path) as served:
        clients = [served.client() for _ in range(1000)]
        for number, client in enumerate(clients):
            token = f"{number:032x}"
            client.say(
                declaration(f"run-{number}", token), {"op": "add", "token": token, "units": {"tokens": number + 1}}
            )
        assert clients[-1].ask({"op": "energy", "run": "x"})["id"] == 7
        until(lambda: len(served.live()) == 1000, "all are declared")
        served.tick()
        drained = {work.run: amount for work, _, amount in served.runs.drain_units()}
        assert drained == {f"run-{number}": number + 1 for number in range(1000)}
        for client in clients:
            client.close()
        until(lambda: served.live() == set(), "all have ended")
        served.commit()
        assert all(served.runs.settled(f"{number:032x}") for number in range(1000))


# -- places and restarts -----------------------------------------------------------------------------------------------


def test_a_socket_of_a_killed_daemon_is_taken_over_and_one_of_a_living_daemon_never(tmp_path: Path) -> None:
    path = tmp_path / "declare.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    with serving(tmp_path) as first:
        second = Served(tmp_path / "second", path=path)
        assert second.server.path is None
        assert "cannot be declared" in second.server.check()[0].message
        second.server.close()
        assert first.client().ask(declaration())["ok"]
    assert not path.exists()


@pytest.mark.parametrize("path", ["no/folder\0/x", "x" * 200])
def test_a_place_that_cannot_be_had_is_a_finding_not_a_crash(tmp_path: Path, path: str) -> None:
    served = Served(tmp_path, path=tmp_path / path)
    assert served.server.check()[0].remedy
    served.close()
    served.close()


def test_a_file_that_is_no_socket_is_never_removed(tmp_path: Path) -> None:
    """A slip of the pen in the configuration must not cost anybody a file."""
    path = tmp_path / "precious"
    path.write_text("data")
    served = Served(tmp_path / "state", path=path)
    assert served.server.path is None
    assert "no socket" in served.server.check()[0].message
    served.close()
    assert path.read_text() == "data"


def test_a_folder_that_is_made_can_be_entered_by_everybody(tmp_path: Path) -> None:
    """Under a service's umask of 077, too."""
    before = os.umask(0o077)
    try:
        place = Place(tmp_path / "run" / "declare.sock")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o755
    assert stat.S_IMODE(place.path.stat().st_mode) == 0o666
    place.close()


def test_where_a_daemon_listens(tmp_path: Path) -> None:
    assert places(tmp_path, root=True) == (SYSTEM_SOCKET, tmp_path / "declare.sock")
    assert places(tmp_path, root=True, wanted=tmp_path / "x") == (tmp_path / "x",)
    assert places(tmp_path, root=False)[-1] == tmp_path / "declare.sock"
    first, second = take([tmp_path / "a", tmp_path / "b"])[0], None
    assert first is not None
    second, why = take([tmp_path / "a", tmp_path / "b"])
    assert second is not None
    assert second.path == tmp_path / "b"
    assert str(tmp_path / "a") in why
    first.close()
    second.close()


def test_a_daemon_that_listens_elsewhere_says_how_to_find_it(tmp_path: Path) -> None:
    """The second one of a node: nobody would look where it is."""
    taken, free = tmp_path / "declare.sock", tmp_path / "b.sock"
    with serving(tmp_path):
        _, second = built(tmp_path / "second", Pace(5.0, 10.0))
        second.start([taken, free])
        found = second.check()[0]
        second.close()
    assert found.level is Level.WARN
    assert found.message.startswith(f"Runs are declared at {free}, for the first place cannot be had: {taken}: ")
    assert found.remedy == f"Programs find this daemon with WATTLEDGER_SOCKET={free} in their environment."


def test_check_says_where_a_daemon_answers_and_not_where_a_socket_lies(tmp_path: Path) -> None:
    """Whoever was killed leaves a socket that takes nothing."""
    path = tmp_path / "declare.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    assert not answers(path)
    assert not answers(tmp_path / "none")
    with serving(tmp_path):
        assert answers(path)


def test_runs_survive_a_restart_and_their_clients_need_not_notice(tmp_path: Path) -> None:
    with Puppet() as puppet:
        with serving(tmp_path) as served:
            quiet = served.client()
            quiet.ask(declaration("quiet", "a" * 32, pid=puppet.pid, phase="training", project="nlp"))
            quiet.ask(declaration("mine", "b" * 32))
            served.server.close()
            assert quiet.hear() is None
        with serving(tmp_path) as again:
            assert again.live() == {"quiet", "mine"}
            back = again.client(greet=False)
            back.say({"op": "hello", "v": 1, "tokens": ["c" * 32]})
            assert back.ask(declaration("new", "c" * 32))["ok"]
            assert again.live() == {"quiet", "new"}, "this process has no run b any more; the other one said nothing"
            again.tick()
            kept = next(each for each in again.runs.stored() if each.run == "quiet")
            assert (kept.phase, kept.template.project) == ("training", "nlp")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"boot_id": "another", "runs": [], "inner": {}}'])
def test_a_damaged_memory_is_no_memory(tmp_path: Path, content: str) -> None:
    (tmp_path / "declared.json").write_text(content)
    with serving(tmp_path) as served:
        assert served.live() == set()
        assert served.client().ask(declaration())["ok"]


def test_runs_of_another_boot_are_not_taken_up(tmp_path: Path) -> None:
    with serving(tmp_path) as served:
        served.client().ask(declaration())
        served.server.close()
    memory = tmp_path / "declared.json"
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600
    memory.write_text(memory.read_text().replace("boot-1", "boot-0"))
    with serving(tmp_path) as again:
        assert again.live() == set()


def test_nothing_but_the_kernel_says_who_a_client_is(served: Served) -> None:
    """A pid in a message is another process that is looked up, never this one's name."""
    answer = served.client().ask(declaration(pid=4_000_000))
    assert answer["error"] == "The daemon sees no process 4000000."
    assert served.client().ask(declaration(pid=os.getpid()))["ok"]
