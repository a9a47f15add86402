"""Whose the memory of the node is: bytes by workload, without those of workloads inside it."""

from __future__ import annotations

from tracker.workloads.cgroups import Tree
from tracker.workloads.groups import Group
from tracker.workloads.interface import Identity

Sizes = dict[str, tuple[Identity, int]]  # by workload key: bytes


def memory_by_workload(tree: Tree) -> Sizes:
    """Usage of every workload whose memory is counted. One that cannot be read is left out."""
    sizes: Sizes = {}
    inner: dict[Group, int] = {}
    for group in tree.order:  # children before parents
        if group.memory is None:
            continue
        try:
            usage_bytes = int(group.memory.read())
        except (OSError, ValueError):
            continue
        outer = group.parent.owner if group.parent is not None else None
        if outer is not None:
            inner[outer] = inner.get(outer, 0) + usage_bytes
        own_bytes = max(0, usage_bytes - inner.get(group, 0)) if inner else usage_bytes
        key = group.identity.key
        before = sizes.get(key)
        sizes[key] = (group.identity, own_bytes if before is None else before[1] + own_bytes)
    return sizes
