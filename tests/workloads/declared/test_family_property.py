"""However a family forks, burns and dies: no CPU time is counted twice, and where everybody waits for their children,
none is lost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.workloads.declared.procs import Proc
from tests.workloads.world import memory_folder
from tracker.workloads.declared.family import Family

ROOT = 100


@dataclass
class Process:
    pid: int
    parent: int
    own: int = 0
    reaped: int = 0


class Forest:
    """Processes as the kernel accounts them; pid 1 adopts and waits for orphans. Times in clock ticks."""

    def __init__(self, folder: Path) -> None:
        self.proc = Proc(folder)
        self.alive = {ROOT: Process(ROOT, 1)}
        self.next_pid = ROOT + 1
        self.burnt = self.counted = 0
        self.family = Family(folder, namespaced=False)
        self._write(ROOT)
        assert self.family.add(ROOT, 0) is not None

    def burn(self, process: Process, ticks: int) -> None:
        process.own += ticks
        self.burnt += ticks
        self._write(process.pid)

    def fork(self, process: Process) -> None:
        pid, self.next_pid = self.next_pid, self.next_pid + 1
        self.alive[pid] = Process(pid, process.pid)
        self._write(pid)

    def exit(self, process: Process) -> None:
        if process.pid == ROOT:
            return
        del self.alive[process.pid]
        self.proc.drop(process.pid)
        parent = self.alive.get(process.parent)
        if parent is not None:
            parent.reaped += process.own + process.reaped
            self._write(parent.pid)
        for child in [child for child in self.alive.values() if child.parent == process.pid]:
            child.parent = 1
            self._write(child.pid)

    def look(self) -> None:
        self.family.scan(1, force=True)
        self.counted += sum(delta.cpu_us // 10_000 for delta in self.family.measure(1))

    def _write(self, pid: int) -> None:
        process = self.alive[pid]
        self.proc.put(pid, process.parent, start=pid, own=process.own, reaped=process.reaped)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["burn", "burn", "fork", "fork", "exit", "look"]), st.integers(0, 30), st.integers(1, 50)
    ),
    max_size=60,
)


@given(steps=STEPS, orderly=st.booleans())
@settings(max_examples=150, deadline=None)
def test_no_cpu_time_is_counted_twice_and_none_of_an_orderly_family_is_lost(
    steps: list[tuple[str, int, int]], orderly: bool
) -> None:
    """``orderly``: nobody exits before its children."""
    with memory_folder() as folder:
        forest = Forest(Path(folder))
        for step, which, ticks in steps:
            process = list(forest.alive.values())[which % len(forest.alive)]
            match step:
                case "burn":
                    forest.burn(process, ticks)
                case "fork":
                    forest.fork(process)
                case "exit":
                    if not orderly or all(child.parent != process.pid for child in forest.alive.values()):
                        forest.exit(process)
                case _:
                    forest.look()
                    assert forest.counted <= forest.burnt
        forest.look()
        forest.look()
        assert forest.counted <= forest.burnt
        if orderly:
            assert forest.counted == forest.burnt
