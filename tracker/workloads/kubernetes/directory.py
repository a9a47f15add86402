"""The pods of this node as far as any source has named them, by uid.

Two sources bring names: the API server and the log folders. The kubelet's list brings devices, by name only; ``bind``
says which uid such a name has. Rules:

- A pod that its sources no longer list is kept for 15 minutes, so that the energy of its last ticks finds its name. A
  source that does not answer at all lists nothing anew and takes nothing away.
- A pod's name is used again by the next pod of a StatefulSet. Of several with one name, the youngest that is still
  listed has it: two pods of one name never live at the same time.
- The kubelet lists every pod that it runs. One it no longer lists has ended, whatever an older answer of another source
  said, until that source lists it once more.
- Names without a known uid get the key ``pod/<namespace>/<name>``: their devices are held by somebody, and who is known
  but for the uid. As soon as a uid is known, the key of the cgroup, ``pod/<uid>``, takes its place.

Not thread-safe by itself: the resolver holds a lock while anything is learned. ``find`` may be called by anybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from tracker.core.model import Workload
from tracker.core.units import NS_PER_S
from tracker.workloads.kubernetes.metadata import ApiPod
from tracker.workloads.kubernetes.naming import Named, is_placeholder, name_pod, placeholder
from tracker.workloads.kubernetes.podlogs import LogPod

KEEP_NS = 900 * NS_PER_S
#: 5,000 pods an hour leave 1,250 behind in 15 minutes; a node runs some hundred.
MAX_PODS = 2048

_Name = tuple[str, str]  # namespace, pod


class _Record:
    __slots__ = ("api", "api_lists", "ended", "learned_ns", "logs", "logs_list", "missing_since_ns", "named")

    def __init__(self) -> None:
        self.api: ApiPod | None = None
        self.logs: LogPod | None = None
        self.api_lists = self.logs_list = False  # in the last answer of that source
        self.learned_ns = 0  # when one of them listed it last
        self.missing_since_ns: int | None = None  # since when none does
        self.ended = False
        self.named: Named | None = None

    @property
    def listed(self) -> bool:
        return self.api_lists or self.logs_list

    @property
    def name(self) -> _Name:
        pod = self.api or self.logs
        return ("", "") if pod is None else (pod.namespace, pod.name)

    @property
    def born_ns(self) -> int:
        """To put pods of one name into their order; the API server's word counts more than a folder's date."""
        return (self.api.created_ns if self.api else 0) or (self.logs.changed_ns if self.logs else 0)

    def shrink(self) -> None:
        """Of a pod that is gone only the labels of its workload are kept: of a thousand, nine tenths are texts that
        rules have had their chance to match."""
        if self.api is not None:
            self.api = replace(self.api, labels={}, annotations={})
        if self.named is not None:
            self.named = Named(self.named.workload)


class Directory:
    """All pods that are known, bounded."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}
        self._named: dict[str, Named] = {}  # by every uid that a pod goes by
        self._bound: dict[_Name, Workload] = {}

    def find(self, uid: str) -> Named | None:
        """What is known of a pod by the uid in its cgroup's name, or by that of a static pod's mirror."""
        return self._named.get(uid)

    def __len__(self) -> int:
        return len(self._records)

    def learn_api(self, pods: Iterable[ApiPod], now_ns: int) -> None:
        """The API server's answer, complete. ``now_ns``: when it was asked."""
        listed = {pod.uid: pod for pod in pods}
        for uid, pod in listed.items():
            record = self._record(uid, now_ns)
            record.api_lists, record.named = True, record.named if record.api == pod else None
            record.api = pod
        for uid, record in self._records.items():
            record.api_lists = uid in listed
        self._settle(now_ns)

    def learn_logs(self, pods: Mapping[str, LogPod], now_ns: int) -> None:
        """The log folders, complete. ``now_ns``: when they were read."""
        for uid, pod in pods.items():
            record = self._record(uid, now_ns)
            record.logs_list, record.named = True, record.named if record.logs == pod else None
            record.logs = pod
        for uid, record in self._records.items():
            record.logs_list = uid in pods
        self._settle(now_ns)

    def learn_running(self, names: Iterable[_Name], asked_ns: int) -> None:
        """The names of all pods in the kubelet's answer, and when it was asked."""
        running = frozenset(names)
        for record in self._records.values():
            if record.learned_ns < asked_ns and record.name not in running:
                record.ended = True
        self._bound = {name: workload for name, workload in self._bound.items() if name in running}

    def bind(self, names: Iterable[_Name], *, fresh: bool) -> dict[_Name, Workload]:
        """The workload of each name. ``fresh``: the names come from an answer just received; otherwise a name keeps the
        uid it had when nothing better is known, until that pod is forgotten: then the name is left out."""
        youngest: dict[_Name, tuple[int, str]] = {}
        for uid, record in self._records.items():
            if record.listed and not record.ended:
                youngest[record.name] = max(youngest.get(record.name, (-1, "")), (record.born_ns, uid))
        before, bound = self._bound, {}
        for name in names:
            if name in youngest:
                bound[name] = self._named[youngest[name][1]].workload
            elif fresh or name not in before:
                bound[name] = placeholder(*name)
            elif is_placeholder(before[name]) or before[name].key.removeprefix("pod/") in self._named:
                bound[name] = before[name]
        self._bound = bound
        return bound

    def _record(self, uid: str, now_ns: int) -> _Record:
        record = self._records.setdefault(uid, _Record())
        record.learned_ns, record.missing_since_ns, record.ended = now_ns, None, False
        return record

    def _settle(self, now_ns: int) -> None:
        """After an answer: forget what is long gone, name what changed."""
        for record in self._records.values():
            if not record.listed and record.missing_since_ns is None:
                record.missing_since_ns = now_ns
                record.shrink()
        kept = {uid: record for uid, record in self._records.items() if not _expired(record, now_ns)}
        if len(kept) > MAX_PODS:
            order = sorted(kept, key=lambda uid: (kept[uid].listed, kept[uid].learned_ns, kept[uid].born_ns))
            kept = {uid: kept[uid] for uid in order[-MAX_PODS:]}
        named: dict[str, Named] = {}
        for uid, record in kept.items():
            if record.named is None:
                record.named = name_pod(uid, record.api, record.logs)
            named[uid] = record.named
        for record in kept.values():
            mirror = record.api.mirror_uid if record.api else ""
            if mirror and mirror not in named and record.named is not None:
                workload = replace(record.named.workload, key=f"pod/{mirror}")
                named[mirror] = Named(workload, record.named.attributes)
        self._records, self._named = kept, named


def _expired(record: _Record, now_ns: int) -> bool:
    since_ns = record.missing_since_ns
    return since_ns is not None and now_ns - since_ns > KEEP_NS
