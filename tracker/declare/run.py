"""Runs, as a program declares them. Standard library only; nothing in here raises."""

from __future__ import annotations

import atexit
import functools
import logging
import operator
import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from tracker.declare.energy import Energy, Measurement, energy_of, measurement_between
from tracker.declare.link import Link, State
from tracker.declare.wire import Json, ask

P = ParamSpec("P")
R = TypeVar("R")

ENV_RUN = "WATTLEDGER_RUN"
ENV_TOKEN = "WATTLEDGER_RUN_TOKEN"  # noqa: S105 - a name
ENV_PHASE = "WATTLEDGER_RUN_PHASE"
ASK_S = 0.25
_COROUTINE = 0x80  # CO_COROUTINE of a function's flags
_LONGEST = 256  # characters of a label: a declaration is one line of at most 16 KiB

logger = logging.getLogger("wattledger")
_link = Link()
_active: list[Run] = []
_attached: dict[str, Run] = {}  # by token


def quiet(method: Callable[P, R]) -> Callable[P, R | None]:
    """A defect in here must not end somebody's training."""

    @functools.wraps(method)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R | None:
        try:
            return method(*args, **kwargs)
        except Exception:
            logger.debug("wattledger.declare failed", exc_info=True)
            return None

    return guarded


class _Phase:
    """The block of ``with run.phase("evaluation")``."""

    def __init__(self, run: Run, name: str) -> None:
        self._run, self._name = run, name

    def __enter__(self) -> None:
        self._before = self._run.current_phase
        self._run.set_phase(self._name)

    def __exit__(self, *_: object) -> None:
        self._run.set_phase(self._before)


class Run:
    """One run. Made by ``declare``, begun by ``with``, by ``start`` or by calling the function it decorates.

    May be sent to another process (``multiprocessing``): there it adds to the same run. A process that is forked or
    spawned belongs to the run anyway.
    """

    def __init__(self, state: State, *, named: bool) -> None:
        self._state, self._named = state, named
        self._pid = os.getpid()
        self._begun = not state.ours
        self._windows: dict[str, tuple[float, Json | None]] = {}

    @property
    def id(self) -> str:
        return self._state.run

    @property
    def token(self) -> str:
        """Whoever knows it and is the same user may add to the run and end it."""
        return self._state.token

    @property
    def current_phase(self) -> str:
        return self._state.phase

    @quiet
    def start(self) -> None:
        """Begin: this process and what it starts is charged to the run from now on."""
        if not self._begun:
            if self._pid != os.getpid():  # made before a fork: each child that begins it declares itself
                self._state.token = _fresh_token()
            self._begun, self._pid = True, os.getpid()
            _link.begin(self._state)
            _active.append(self)

    @quiet
    def end(self, wait_s: float = 0.0) -> Energy | None:
        """End. With ``wait_s``: wait at most so long until all of it is booked, and return its energy; if it takes
        longer, what is booked by then (``booked`` False). May be called again."""
        if self in _active:
            _active.remove(self)
            if self._pid == os.getpid():
                _link.end(self._state)  # not by a forked child that runs on to the end of the block
        if wait_s <= 0 or not self._begun:
            return None
        answer = ask({"op": "energy", "run": self.id, "after": self.token}, wait_s)
        return energy_of(answer) or self.energy()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """As a decorator: every call is a run."""
        name = getattr(function, "__name__", "run")
        if getattr(getattr(function, "__code__", None), "co_flags", 0) & _COROUTINE:

            @functools.wraps(function)
            async def awaited(*args: P.args, **kwargs: P.kwargs) -> Any:
                with self._again(name):
                    return await function(*args, **kwargs)  # type: ignore[misc] # the flag says it can be awaited

            return awaited  # type: ignore[return-value] # a coroutine function for a coroutine function

        @functools.wraps(function)
        def called(*args: P.args, **kwargs: P.kwargs) -> R:
            with self._again(name):
                return function(*args, **kwargs)

        return called

    def _again(self, name: str) -> Run:
        state = self._state
        run = state.run if self._named else _fresh_id(name)
        labels = state.labels if self._named else {**state.labels, "name": state.labels.get("name") or name}
        return Run(State(run, _fresh_token(), labels, state.phase), named=self._named)

    @quiet
    def add(self, **units: int) -> None:
        """Count what was done: ``run.add(tokens=4096, steps=1)``. Whole numbers that are not negative. Steps and epochs
        are taken together: when every process of a run says one, the run on this node has taken one. Anything else adds
        up."""
        _link.add(self._state, {unit: max(0, _whole(amount)) for unit, amount in units.items()})

    def phase(self, name: str) -> _Phase:
        """For ``with run.phase("evaluation")``: the run is in this phase within the block."""
        return _Phase(self, name)

    @quiet
    def set_phase(self, name: str) -> None:
        """From now on the run is in this phase: training, inference, evaluation, or what you call it."""
        _link.switch(self._state, str(name)[:_LONGEST])

    @quiet
    def energy(self, timeout_s: float = ASK_S) -> Energy | None:
        """What is booked of the run so far, over all its phases and all processes on this node. None: there is no
        daemon, or nothing was charged yet. Waits for the daemon's answer, at most ``timeout_s``."""
        _link.add(self._state, {})
        return energy_of(ask({"op": "energy", "run": self.id}, timeout_s))

    @quiet
    def begin_window(self, key: str = "") -> None:
        """From here to ``end_window`` with the same key. Windows may overlap."""
        self._windows[key] = (time.monotonic(), ask({"op": "energy", "run": self.id}, ASK_S))

    @quiet
    def end_window(self, key: str = "") -> Measurement | None:
        """The energy since ``begin_window``: see ``Measurement`` for how exact that is. None: there is no such window,
        or no daemon."""
        if key not in self._windows:
            return None
        began_s, begin = self._windows.pop(key)
        time_s = time.monotonic() - began_s
        node, end = ask({"op": "node"}, ASK_S), ask({"op": "energy", "run": self.id}, ASK_S)
        if not end or not end.get("ok"):
            return None
        began_as_of = begin.get("committed_wall_s") if begin else None
        ended = energy_of(end) or Energy(as_of=end["committed_wall_s"])
        return measurement_between(energy_of(begin), ended, time_s, (node or {}).get("commit_s"), began_as_of)

    def __reduce__(self) -> tuple[Callable[..., Run], tuple[str, str, str]]:
        return attached, (self.id, self.token, self.current_phase)

    def __repr__(self) -> str:
        return f"<wattledger run {self.id}>"


def declare(
    run: str | None = None,
    *,
    name: str = "",
    project: str = "",
    team: str = "",
    phase: str = "",
    cost_centre: str = "",
    command: str | None = None,
) -> Run:
    """A run: for ``with``, as a decorator, or to ``start`` and ``end``. ``run`` None: an id of its own. Processes that
    declare the same id (the ranks of a job) are one run on each node. What is left out is taken from the pod or job
    around it. ``command``: what rules match; this program's by default."""
    words = " ".join(sys.argv) if command is None else command
    labels = {"name": name, "project": project, "team": team, "cost_centre": cost_centre, "command": words}
    given = {key: str(value)[:_LONGEST] for key, value in labels.items() if value}
    named = run is not None and str(run).strip() != ""
    state = State(str(run)[:_LONGEST] if named else _fresh_id(_program()), _fresh_token(), given, str(phase)[:_LONGEST])
    return Run(state, named=named)


def attached(run: str, token: str, phase: str = "") -> Run:
    """A run that another process declared, to add to it. ``phase``: the one it is in."""
    for known in _active:
        if known.token == token:
            return known
    if token not in _attached:
        state = State(run, token, {}, phase, ours=False, told=True, told_phase=phase)
        _link.begin(state)
        _attached[token] = Run(state, named=True)
    return _attached[token]


def current() -> Run | None:
    """The innermost run of this process; else the one of ``wattledger exec`` around it; else None."""
    if _active:
        return _active[-1]
    run, token = os.environ.get(ENV_RUN, ""), os.environ.get(ENV_TOKEN, "")
    return attached(run, token, os.environ.get(ENV_PHASE, "")) if run and token else None


def begin_window(key: str = "") -> None:
    """A window over the current run; where there is none, this process is one from now on."""
    run = current()
    if run is None:
        run = declare()
        run.start()
    run.begin_window(key)


def end_window(key: str = "") -> Measurement | None:
    """The energy of the current run since ``begin_window`` with this key. None: no such window, or no daemon."""
    run = current()
    return None if run is None else run.end_window(key)


@quiet
def keep_up() -> None:
    """Connect again if the daemon was restarted: for programs that make no other call for a long time."""
    _link.keep_up()


def _fresh_token() -> str:
    return os.urandom(16).hex()


def _fresh_id(name: str) -> str:
    return f"{name}-{os.urandom(4).hex()}"


def _program() -> str:
    return os.path.splitext(os.path.basename(sys.argv[0] if sys.argv else ""))[0] or "run"  # noqa: PTH119, PTH122 - light


def _whole(amount: object) -> int:
    """Also of a numpy integer, a one-element tensor, or a float that is whole."""
    try:
        return operator.index(amount)  # type: ignore[arg-type] # that is the question
    except TypeError:
        return int(amount)  # type: ignore[call-overload,no-any-return] # the next question


@atexit.register
def _end_all() -> None:
    for run in reversed(_active[:]):
        run.end()


os.register_at_fork(after_in_child=_link.after_fork)
