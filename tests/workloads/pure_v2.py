"""Run by test_real_cgroups.py where /sys/fs/cgroup is the unified hierarchy: prints what was used and what was seen."""

from __future__ import annotations

import json
from pathlib import Path

from tests.workloads.real import CGROUPS, container, groups, observe
from tests.workloads.world import cpu
from tracker.sysfs import Roots
from tracker.workloads.counters import find_hierarchies
from tracker.workloads.observer import CgroupObserver


def main() -> None:
    observer = CgroupObserver(Roots())
    with groups([CGROUPS]) as node:
        (lives, lives_key), (ended, ended_key) = container(), container()
        node.make(lives)
        node.make(ended)
        observe(observer)
        used = {"lives": node.run(lives, 0.2), "ended": node.run(ended, 0.1)}
        node.remove(ended)
        seen = cpu(observe(observer))
    shares = {"lives": seen[lives_key], "ended": seen[ended_key]}
    report = {name: {"used_us": used[name], "share_us": shares[name]} for name in used}
    layout = [(Path(found.root).name, found.version, found.whole_node) for found in find_hierarchies(CGROUPS)]
    finding = next(finding.message for finding in observer.check() if finding.subject == "cgroups")
    observer.close()
    print(json.dumps({**report, "layout": layout, "finding": finding, "sum_us": sum(seen.values())}))


if __name__ == "__main__":
    main()
