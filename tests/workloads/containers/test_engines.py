"""Names of containers from the engine's socket: never asked unless it is named, seldom, and without trust."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.fakes.engine import Engine, container
from tracker.core.model import Kind, Level, Moment, Workload
from tracker.workloads.containers import EnginesResolver, Options, parse_containers
from tracker.workloads.engine_socket import EngineFailed, get
from tracker.workloads.interface import Identity
from tracker.workloads.names import Names, Users
from tracker.workloads.paths import identify

NS = 1_000_000_000
A, B, C = (letter * 64 for letter in "abc")


class Stage:
    """A resolver and a clock that moves when told."""

    def __init__(self, *sockets: Path) -> None:
        self.moment = Moment(1_000 * NS, 1_000 * NS, 1_790_000_400 * NS)
        self.resolver = EnginesResolver(Options(sockets=tuple(map(str, sockets))), lambda: self.moment)

    def turn(self, seconds: float = 2) -> None:
        step = round(seconds * NS)
        m = self.moment
        self.moment = Moment(m.mono_ns + step, m.boot_ns + step, m.wall_ns + step)
        self.resolver.turn(self.moment)

    def resolve(self, identifier: str) -> Workload | None:
        identity = identify(f"/docker/{identifier}")
        return self.resolver.resolve(identity, Workload(identity.key, identity.kind, identifier[:12]))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(tmp_path / "docker.sock", [container(A), container(B, "/db", "postgres:16", team="data")]) as made:
        yield made


@pytest.fixture
def stage(engine: Engine) -> Stage:
    return Stage(engine.path)


def test_names_images_and_labels(stage: Stage) -> None:
    stage.turn()
    found = stage.resolve(B)
    assert found == Workload(f"container/{B}", Kind.CONTAINER, "db", container="db")
    assert stage.resolver.attributes(f"container/{B}") == {"image": "postgres:16", "label:team": "data"}
    assert [finding.message.split(" by ")[0] for finding in stage.resolver.check()] == ["2 containers are named"]


def test_nothing_is_asked_unless_a_socket_is_named() -> None:
    """The socket is as good as root: nobody gets it by accident."""
    stage = Stage()
    assert Options().sockets == ()
    stage.turn()
    assert stage.resolve(A) is None
    assert stage.resolver.check() == ()
    stage.resolver.start()
    assert not stage.resolver._learner.alive


def test_only_the_list_is_ever_asked_for(stage: Stage, engine: Engine) -> None:
    for _ in range(30):
        stage.resolve(C)
        stage.turn(40)
    assert set(engine.requests) == {"GET /containers/json HTTP/1.1"}


def test_it_is_asked_when_a_container_is_new_and_not_more_often_than_every_30_s(stage: Stage, engine: Engine) -> None:
    stage.turn()
    engine.containers.append(container(C, "/new"))
    for _ in range(10):
        stage.resolve(C)
        stage.turn(2)
    assert len(engine.requests) == 1
    stage.resolve(C)
    stage.turn(10)
    assert len(engine.requests) == 2
    named = stage.resolve(C)
    assert named is not None
    assert named.name == "new"
    for _ in range(50):
        stage.resolve(C)
        stage.turn(10)
    assert len(engine.requests) == 2


def test_a_container_of_another_engine_is_not_asked_for_for_ever(stage: Stage, engine: Engine) -> None:
    """The containerd of a kubelet, say, beside Docker."""
    for _ in range(300):
        stage.resolve(C)
        stage.turn(31)
    assert len(engine.requests) < 30


def test_a_container_that_is_renamed(stage: Stage, engine: Engine) -> None:
    stage.turn()
    engine.containers[0]["Names"] = ["/web2"]
    stage.turn(601)
    named = stage.resolve(A)
    assert named is not None
    assert named.name == "web2"


def test_a_container_that_is_gone_keeps_its_name_for_15_minutes(stage: Stage, engine: Engine) -> None:
    stage.turn()
    del engine.containers[0]
    stage.turn(601)
    assert stage.resolve(A) is not None
    stage.turn(601)
    assert stage.resolve(A) is None
    assert stage.resolve(B) is not None


def test_an_engine_that_is_down_takes_no_names_away(stage: Stage, engine: Engine) -> None:
    stage.turn()
    engine.fault = "500 Internal Server Error"
    for _ in range(4):
        stage.turn(601)
    assert stage.resolve(A) is not None
    finding = stage.resolver.check()[0]
    assert finding.level is Level.WARN
    assert "500" in finding.message
    assert finding.remedy.startswith("Look with: curl --unix-socket ")
    engine.fault = ""
    stage.turn(601)
    assert stage.resolver.check()[0].level is Level.OK


def test_two_engines(engine: Engine, tmp_path: Path) -> None:
    """One of them is not there; the other names all the same."""
    with Engine(tmp_path / "podman.sock", [container(C, "job")]) as podman:
        stage = Stage(tmp_path / "nobody.sock", engine.path, podman.path)
        stage.turn()
        named = [workload.name for name in (A, B, C) if (workload := stage.resolve(name))]
        levels = [finding.level for finding in stage.resolver.check()]
    assert named == ["web", "db", "job"]
    assert levels == [Level.WARN, Level.OK, Level.OK]


def test_through_the_names_of_the_tick(stage: Stage) -> None:
    stage.turn()
    names = Names([stage.resolver], (), Users(Path("/nonexistent")))
    names.begin_tick()
    found = [names.workload(identify(f"/machine.slice/libpod-{name}.scope/container")).name for name in (A, C)]
    assert found == ["web", "c" * 12]


@pytest.mark.parametrize("path", ["/slurm/uid_5/job_6", "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope", "/"])
def test_other_workloads_are_none_of_ours(stage: Stage, path: str) -> None:
    identity: Identity = identify(path)
    stage.turn()
    assert stage.resolver.resolve(identity, Workload(identity.key, identity.kind)) is None


def test_the_thread_learns_by_itself_and_ends(stage: Stage) -> None:
    stage.resolver.start()
    end_s = time.monotonic() + 10
    while stage.resolve(A) is None:
        assert time.monotonic() < end_s
        time.sleep(0.01)
    stage.resolver.close()
    assert not stage.resolver._learner.alive
    stage.resolver.close()


def test_every_s_has_a_floor() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"every_s": 5}, Options)


# --- bad answers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    ["null", "{}", "[1]", "not json", '[{"Id": 5}]', "[" * 10_000, "close", "short", "404 Not Found", "301 Moved"],
)
def test_garbage_names_nothing_and_is_reported(stage: Stage, engine: Engine, fault: str) -> None:
    engine.fault = fault
    stage.turn()
    assert stage.resolve(A) is None
    assert stage.resolver.check()[0].level is Level.WARN


def test_a_chunked_answer(stage: Stage, engine: Engine) -> None:
    """As Docker sends long lists."""
    engine.fault = "chunked"
    stage.turn()
    assert stage.resolve(A) is not None


@pytest.mark.parametrize("fault", ["hang", "drip", "drip header"])
def test_a_deadline_for_the_whole_answer(engine: Engine, fault: str) -> None:
    """Bytes that trickle in do not lengthen it."""
    engine.fault = fault
    with pytest.raises(EngineFailed, match=r"no answer within 0\.3 s"):
        get(str(engine.path), "/containers/json", 0.3, 1000_000)


def test_an_answer_that_never_ends(engine: Engine) -> None:
    engine.fault = "endless"
    with pytest.raises(EngineFailed, match="longer than 1000000 bytes"):
        get(str(engine.path), "/containers/json", 20, 1_000_000)


@pytest.mark.parametrize("path", ["nobody.sock", "file", "x" * 200])
def test_no_socket(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").touch()
    stage = Stage(tmp_path / path)
    stage.turn()
    assert stage.resolver.check()[0].level is Level.WARN


def test_text_that_strangers_chose_is_cut_and_cleaned() -> None:
    evil = {"a\nb": 'x"\n' + "y" * 10_000, "=cmd()": "\u202e", "team": "nlp"}
    found = parse_containers(json.dumps([container(A, "/a\nb" + "x" * 10_000, "im\tage", **evil)]).encode())[A]
    assert (len(found.name), found.name[:4], found.image) == (128, "a\ufffdbx", "im\ufffdage")
    assert len(found.labels["a\ufffdb"]) == 128
    assert (found.labels["=cmd()"], found.labels["team"]) == ("\ufffd", "nlp")


def test_odd_elements_do_not_hide_the_others() -> None:
    odd = [
        {"Id": B},
        {"Id": C, "Names": [], "Labels": {"n": 5, "t": "x"}, "Image": None},
        {"Names": ["/no id"]},
        {"Id": "d" * 64, "Names": ["/other/alias", "/own"]},
    ]
    found = parse_containers(json.dumps([container(A), *odd]).encode())
    assert {identifier: named.name for identifier, named in found.items()} == {A: "web", B: "", C: "", "d" * 64: "own"}
    assert found[C].labels == {"t": "x"}


def test_a_container_without_name_keeps_its_id(engine: Engine, stage: Stage) -> None:
    engine.containers = [{"Id": A, "Names": None, "Image": "x"}]
    stage.turn()
    named = stage.resolve(A)
    assert named is not None
    assert named.name == "a" * 12


def test_ten_thousand_containers_are_bounded(stage: Stage, engine: Engine) -> None:
    engine.containers = [{"Id": f"{number:064x}", "Names": ["/x"]} for number in range(5_000)]
    stage.turn()
    assert len(stage.resolver._view) == 4096
    engine.containers = [container(A, **{f"l{number}": "x" for number in range(1000)})]
    stage.turn(601)
    assert len(stage.resolver.attributes(f"container/{A}")) == 65
    assert len(stage.resolver._view) == 4096
