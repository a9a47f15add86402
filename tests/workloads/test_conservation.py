"""Property: whatever is born and dies, the CPU shares of a tick add up to the node's busy time, living workloads get
exactly what they used, and the time of the dead stays with the workloads of their kind."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workloads.world import Node, cpu, memory_folder
from tracker.core.model import Kind
from tracker.workloads.paths import identify

UID = "b1d0c5e4-5c5c-4a6f-9d0e-1f2a3b4c5d6"


def _place(number: int) -> str:
    digit, hexes = number % 3, f"{number % 3}" * 64
    outer = "abc"[digit] * 64  # is made together with the first pod in it: a later one could be found late
    return [
        f"/docker/{hexes}",
        f"/kubepods/burstable/pod{UID}{digit}/{hexes}",
        f"/kubepods/pod{UID}{digit}/{hexes}",
        f"/slurm/uid_{1000 + digit % 2}/job_{digit}/step_0",
        f"/docker/{outer}/kubelet/kubepods/besteffort/pod{UID}{digit}/{hexes}",
        f"/user.slice/user-100{digit % 2}.slice/user@1.service/user.slice/libpod-{hexes}.scope",
        f"/user.slice/user-100{digit % 2}.slice/session-{digit}.scope",
        f"/system.slice/svc{digit}.service",
        f"/system.slice/docker-{hexes}.scope",
    ][number // 3]


PLACES = st.integers(0, 26).map(_place)
ACTIONS = st.one_of(
    st.tuples(st.just("make"), PLACES, st.just(0)),
    st.tuples(st.just("burn"), PLACES, st.integers(1, 10**6)),
    st.tuples(st.just("burn"), PLACES, st.integers(1, 10**6)),
    st.tuples(st.just("remove"), PLACES, st.just(0)),
)
TICKS = st.lists(st.lists(ACTIONS, max_size=8), min_size=1, max_size=5)


class Truth:
    """Who really used what in a tick."""

    def __init__(self) -> None:
        self.used_us: dict[str, int] = {}
        self.removed: set[str] = set()

    def key(self, path: str) -> str:
        identity = identify(path)
        return "system" if identity.kind is Kind.UNIT else identity.key


def _play(node: Node, actions: list[tuple[str, str, int]]) -> Truth:
    truth = Truth()
    for action, path, time_us in actions:
        match action:
            case "make":
                node.make(path)
            case "burn" if path in node.cpu_us:
                node.burn(path, time_us)
                key = truth.key(path)
                truth.used_us[key] = truth.used_us.get(key, 0) + time_us
            case "remove" if path in node.cpu_us:
                truth.removed |= {part for part in node.cpu_us if f"{part}/".startswith(f"{path}/")}
                node.remove(path)
            case _:
                pass
    return truth


@settings(max_examples=60, deadline=None)
@given(ticks=TICKS, layout=st.sampled_from(["v1", "v2", "hybrid"]), old=st.lists(PLACES, max_size=6))
def test_every_tick_adds_up(ticks: list[list[tuple[str, str, int]]], layout: str, old: list[str]) -> None:
    with memory_folder() as folder:
        node = Node(Path(folder), layout)
        for path in old:
            node.make(path)
            node.burn(path, 12345)
        with node.observer() as observer:
            for actions in ticks:
                truth = _play(node, actions)
                seen = cpu(node.tick(observer))
                assert sum(seen.values()) == sum(truth.used_us.values()), "conservation"
                assert all(weight > 0 for weight in seen.values())
                _check_workloads(truth, seen)


def _check_workloads(truth: Truth, seen: dict[str, int]) -> None:
    if not truth.removed:
        assert seen == truth.used_us, "nothing vanished: everybody has what they used"
        return
    if any("/system.slice" in path for path in truth.removed):
        return  # services' usual time is an estimate there
    lost = {truth.key(path) for path in truth.removed} | {"unattributed"}
    nested = {truth.key(path.partition("/kubelet")[0]) for path in truth.removed}  # what contained a lost pod
    users = {key for path in truth.removed for key in ("user/1000", "user/1001") if path.startswith("/user.slice")}
    unsure = lost | nested | users
    assert {key: us for key, us in seen.items() if key not in unsure} == {
        key: us for key, us in truth.used_us.items() if key not in unsure
    }, "the living have what they used"
    assert seen.get("system", 0) == truth.used_us.get("system", 0), "the dead's time is not the system's"
