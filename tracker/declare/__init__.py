"""Declare a run: what this process and everything it starts does from here on is charged to it, not to its container.

    from tracker.declare import declare

    with declare("run-42", project="nlp", phase="training") as run:
        for batch in loader:
            train(batch)
            run.add(tokens=4096, steps=1)
        with run.phase("evaluation"):
            evaluate()
    print(run.energy())

    @declare(project="nlp")
    def sweep(): ...

    begin_window("epoch")                   # as in Zeus, in joules
    train_epoch()
    end_window("epoch").total_energy

It speaks with the daemon of this node over a unix socket and needs the standard library only. Without a daemon
everything works and nothing is measured. Nothing here raises into the program that uses it, and no call but
``energy``, ``end(wait_s=...)`` and the windows waits for anybody.

What it is not: a stopwatch. Energy is told apart once per tick of the daemon (5 s), booked every other tick (10 s), and
only what is booked is told. Phases shorter than a tick are right on average, not each. A process that exits within the
millisecond in which it ended its run takes what it used since the last tick with it: that stays with its container.
"""

from __future__ import annotations

from tracker.declare.energy import Energy, Measurement
from tracker.declare.run import Run, attached, begin_window, current, declare, end_window

__all__ = ["Energy", "Measurement", "Run", "attached", "begin_window", "current", "declare", "end_window"]
