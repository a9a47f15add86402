"""Steps that several processes take together, as the ranks of a training do: each says that it has taken one, and the
run has taken one.

Processes of a run that live at the same time take the same steps, so the run has as many as the furthest of them. Who
declared before the first step has taken none yet; who joins later, as the worker that replaces a lost one, is where the
slowest of the others is. When all of them are gone, whoever comes next takes further steps, which are added.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tracker.workloads.declared.declaration import Peer
from tracker.workloads.declared.stat import Stat

#: Units that are taken together. What else a process counts (tokens, samples, requests) is its own and is added up.
TOGETHER = frozenset({"step", "steps", "epoch", "epochs"})


#: A process that adds to a run, under a token of it.
Taker = tuple[str, Peer]


@dataclass(slots=True)
class _Group:
    """``done``: how far the furthest of them is, by unit, since the first of them came. ``starters``: who declared when
    nothing was done. ``counted``: how far each is that has said so."""

    done: Counter[str] = field(default_factory=Counter)
    starters: set[Taker] = field(default_factory=set)
    counted: dict[Taker, Counter[str]] = field(default_factory=dict)


class Steps:
    """By run. ``look``: a process now."""

    def __init__(self, look: Callable[[int], Stat | None]) -> None:
        self._look = look
        self._groups: dict[str, _Group] = {}

    def declared(self, run: str, who: Taker) -> None:
        """``who`` is a process of the run from now on."""
        self._keep(run, self._lives)
        group = self._groups.setdefault(run, _Group())
        if not group.done:
            group.starters.add(who)

    def taken(self, run: str, who: Taker, units: Mapping[str, int]) -> dict[str, int]:
        """``who`` has done so much more: how much more the run has done by that."""
        return {
            unit: self._take(run, who, unit, amount) if unit in TOGETHER else amount for unit, amount in units.items()
        }

    def leave(self, run: str, token: str) -> None:
        """Nobody adds under this token any more."""
        self._keep(run, lambda who: who[0] != token)

    def _take(self, run: str, who: Taker, unit: str, amount: int) -> int:
        group = self._groups.get(run)
        if group is None or unit not in group.counted.get(who, ()):
            self._keep(run, self._lives)
            group = self._groups.setdefault(run, _Group())
            group.counted.setdefault(who, Counter())[unit] = _position(group, who, unit, amount)
        mine = group.counted[who]
        mine[unit] += amount
        more = max(0, mine[unit] - group.done[unit])
        group.done[unit] += more
        return more

    def _lives(self, who: Taker) -> bool:
        stat = self._look(who[1].pid)
        return stat is not None and stat.start == who[1].start

    def _keep(self, run: str, stays: Callable[[Taker], bool]) -> None:
        group = self._groups.get(run)
        if group is not None:
            group.counted = {who: counted for who, counted in group.counted.items() if stays(who)}
            group.starters = {who for who in group.starters if stays(who)}
            if not group.counted and not group.starters:
                del self._groups[run]


def _position(group: _Group, who: Taker, unit: str, amount: int) -> int:
    """Where ``who`` was before the first ``amount`` that it tells of."""
    others = [counted[unit] for other, counted in group.counted.items() if other != who and counted[unit]]
    if not others:
        return group.done[unit]
    return 0 if who in group.starters else max(0, min(others) - amount)
