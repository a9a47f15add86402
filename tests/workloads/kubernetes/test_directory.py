"""Who is who: uids from two sources joined with names from a third, while pods come, go and reuse their names."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tracker.core.model import Kind, Workload
from tracker.core.units import NS_PER_S
from tracker.workloads.kubernetes.directory import KEEP_NS, MAX_PODS, Directory
from tracker.workloads.kubernetes.metadata import ApiPod
from tracker.workloads.kubernetes.naming import is_placeholder
from tracker.workloads.kubernetes.podlogs import LogPod

WEB = ("ml", "web-0")
HASH = "81cdabfc720501d9e81b425b15921b4d"


def uid(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-000000000000"


def api(number: int, name: str = "web-0", **labels: str) -> ApiPod:
    return ApiPod(uid(number), "ml", name, created_ns=number * NS_PER_S, labels=labels)


def logs(number: int, name: str = "web-0") -> dict[str, LogPod]:
    return {uid(number): LogPod(uid(number), "ml", name, ("main",), number * NS_PER_S)}


def bound(directory: Directory, *, fresh: bool = True) -> str:
    return directory.bind([WEB], fresh=fresh)[WEB].key


def test_either_source_names_a_pod_and_both_together_know_more() -> None:
    directory = Directory()
    directory.learn_logs(logs(1), 0)
    named = directory.find(uid(1))
    assert named is not None
    assert named.workload == Workload(f"pod/{uid(1)}", Kind.POD, "web-0", namespace="ml", pod="web-0")
    directory.learn_api([replace(api(1), labels={"job-name": "sweep", "team": "nlp"})], 1)
    named = directory.find(uid(1))
    assert named is not None
    assert (named.workload.job, named.workload.name) == ("sweep", "sweep")
    assert named.attributes == {"label:job-name": "sweep", "label:team": "nlp", "containers": "main"}


def test_the_answer_is_the_same_object_while_nothing_changes() -> None:
    """The observer compares labels of every workload in every tick."""
    directory = Directory()
    directory.learn_api([api(1)], 0)
    first = directory.find(uid(1))
    directory.learn_api([api(1)], 1)
    assert directory.find(uid(1)) is first
    directory.learn_api([api(1, team="nlp")], 2)
    assert directory.find(uid(1)) is not first


def test_a_pod_that_is_gone_keeps_its_name_for_a_quarter_of_an_hour() -> None:
    directory = Directory()
    directory.learn_api([api(1)], 0)
    directory.learn_api([], 10)
    directory.learn_api([], 10 + KEEP_NS)
    assert directory.find(uid(1)) is not None
    directory.learn_api([], 11 + KEEP_NS)
    assert directory.find(uid(1)) is None
    assert len(directory) == 0


def test_of_a_pod_that_is_gone_the_job_is_kept_and_not_its_texts() -> None:
    directory = Directory()
    pod = replace(api(1), labels={"job-name": "sweep", "team": "nlp"})
    directory.learn_api([pod], 0)
    directory.learn_api([], 1)
    directory.learn_api([], 2)
    named = directory.find(uid(1))
    assert named is not None
    assert (named.workload.job, named.attributes) == ("sweep", {})
    directory.learn_api([pod], 3)
    named = directory.find(uid(1))
    assert named is not None
    assert named.attributes["label:team"] == "nlp"


def test_a_source_that_is_silent_takes_no_name_away() -> None:
    """The API server is down for hours; log folders go on being read."""
    directory = Directory()
    directory.learn_api([api(1)], 0)
    for hour in range(1, 10):
        directory.learn_logs({}, hour * 3600 * NS_PER_S)
    assert directory.find(uid(1)) is not None


def test_a_pod_that_returns_is_not_forgotten_by_its_old_absence() -> None:
    directory = Directory()
    directory.learn_api([api(1)], 0)
    directory.learn_api([], 10)
    directory.learn_api([api(1)], KEEP_NS)
    directory.learn_api([], KEEP_NS + 20)
    assert directory.find(uid(1)) is not None


def test_a_static_pod_is_known_by_its_hash_and_by_its_mirror() -> None:
    directory = Directory()
    mirrored = ApiPod(HASH, "kube-system", "etcd-node-1", mirror_uid=uid(9), labels={"tier": "control-plane"})
    directory.learn_api([mirrored], 0)
    directory.learn_logs({HASH: LogPod(HASH, "kube-system", "etcd-node-1", ("etcd",), 1)}, 0)
    by_hash, by_mirror = directory.find(HASH), directory.find(uid(9))
    assert by_hash is not None
    assert by_mirror is not None
    assert by_hash.workload.key == f"pod/{HASH}"
    assert by_mirror.workload == replace(by_hash.workload, key=f"pod/{uid(9)}")
    assert directory.bind([("kube-system", "etcd-node-1")], fresh=True).popitem()[1].key == f"pod/{HASH}"


def test_a_usual_pod_is_not_hidden_by_a_mirror_that_names_it() -> None:
    directory = Directory()
    directory.learn_api([ApiPod(HASH, "evil", "x", mirror_uid=uid(1)), api(1)], 0)
    named = directory.find(uid(1))
    assert named is not None
    assert named.workload.namespace == "ml"


def test_devices_of_a_name_go_to_its_uid_as_soon_as_any_source_knows_it() -> None:
    directory = Directory()
    assert bound(directory) == "pod/ml/web-0"
    assert is_placeholder(directory.bind([WEB], fresh=True)[WEB])
    directory.learn_logs(logs(1), 0)
    assert bound(directory, fresh=False) == f"pod/{uid(1)}"


def test_the_next_pod_of_the_same_name_takes_over() -> None:
    """A StatefulSet's pod is replaced: the old folder is still there when the new one appears."""
    directory = Directory()
    directory.learn_logs(logs(1), 0)
    assert bound(directory) == f"pod/{uid(1)}"
    directory.learn_logs({**logs(1), **logs(2)}, 1)
    assert bound(directory) == f"pod/{uid(2)}"
    named = directory.find(uid(1))
    assert named is not None  # its last joules still find it


def test_an_old_answer_of_the_api_server_does_not_bind_to_the_pod_before() -> None:
    directory = Directory()
    directory.learn_api([api(1)], 0)
    directory.learn_logs(logs(2), 5)
    assert bound(directory) == f"pod/{uid(2)}"


def test_without_logs_and_with_the_api_server_down_a_new_pod_of_an_old_name_is_nobody_known() -> None:
    """The kubelet no longer had the old one: to charge it for the new one's GPU would be wrong for hours."""
    directory = Directory()
    directory.learn_api([api(1)], 0)
    directory.learn_running([WEB], 10)
    assert bound(directory) == f"pod/{uid(1)}"
    directory.learn_running([], 20)
    directory.learn_running([WEB], 30)
    assert bound(directory) == "pod/ml/web-0"
    directory.learn_api([api(2)], 40)
    assert bound(directory, fresh=False) == f"pod/{uid(2)}"


def test_a_pod_that_is_learned_after_the_kubelet_was_asked_is_not_ended_by_that_answer() -> None:
    directory = Directory()
    directory.learn_logs(logs(1), 20)
    directory.learn_running([], 10)
    assert bound(directory) == f"pod/{uid(1)}"


def test_devices_stay_with_a_pod_whose_folder_goes_first() -> None:
    """Until the kubelet is asked again; otherwise they would move to a name without uid for some seconds."""
    directory = Directory()
    directory.learn_logs(logs(1), 0)
    bound(directory)
    directory.learn_logs({}, 1)
    assert bound(directory, fresh=False) == f"pod/{uid(1)}"
    assert bound(directory, fresh=True) == "pod/ml/web-0"


def test_devices_of_a_forgotten_pod_are_held_by_nobody() -> None:
    """The kubelet's folder was mounted wrong after a while and never answers again, the pod is long gone."""
    directory = Directory()
    directory.learn_logs(logs(1), 0)
    bound(directory)
    directory.learn_logs({}, 1)
    directory.learn_logs({}, 2 + KEEP_NS)
    assert directory.bind([WEB], fresh=False) == {}


def test_five_thousand_short_pods_an_hour_stay_few() -> None:
    """42 in each 30 seconds, for three hours; each lives for a minute and a half."""
    directory = Directory()
    for half_minute in range(360):
        first = half_minute * 42
        live = [api(number, f"p{number}") for number in range(first, first + 126)]
        directory.learn_api(live, half_minute * 30 * NS_PER_S)
        assert len(directory) <= 126 + 31 * 42
    assert all(directory.find(pod.uid) is not None for pod in live)


def test_beyond_the_limit_those_that_are_gone_longest_are_forgotten_first() -> None:
    directory = Directory()
    directory.learn_api([api(number, f"p{number}") for number in range(1, MAX_PODS)], 0)
    directory.learn_api([api(number, f"q{number}") for number in range(10_000, 10_010)], 1)
    assert len(directory) == MAX_PODS
    assert all(directory.find(uid(number)) is not None for number in range(10_000, 10_010))


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=5))
def test_names_come_out_clean_and_under_their_own_key(namespace: str, name: str, labels: dict[str, str]) -> None:
    directory = Directory()
    directory.learn_api([ApiPod(uid(1), namespace, name, labels=labels, owner_kind="X", owner_name=name)], 0)
    named = directory.find(uid(1))
    assert named is not None
    held = directory.bind([("other", name)], fresh=True)["other", name]
    assert named.workload.key == f"pod/{uid(1)}"
    for workload in (named.workload, held):
        for text in (workload.key, workload.name, workload.namespace, workload.pod, workload.job, workload.queue):
            assert text.isprintable()
            assert len(text) <= 128


NAMES = st.sampled_from(["web-0", "web-1", "job-a", "job-b"])


class Node(RuleBasedStateMachine):
    """A node that runs pods of a few names, one of each at a time. Three sources look at it whenever they like."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Directory()
        self.running: dict[str, int] = {}  # name -> number of the pod
        self.folders: dict[str, LogPod] = {}
        self.count = 0
        self.now_ns = 0
        self.truth: dict[str, str] = {}  # uid -> name, of all pods that ever ran
        self.listed: tuple[str, ...] = ()
        self.api_at = self.logs_at = -1  # number of the youngest pod when that source answered
        self.holders: dict[tuple[str, str], Workload] = {}

    def _later(self) -> int:
        self.now_ns += NS_PER_S
        return self.now_ns

    @rule(name=NAMES)
    def replace_pod(self, name: str) -> None:
        self.count += 1
        self.running[name] = self.count
        self.truth[uid(self.count)] = name
        self.folders |= logs(self.count, name)

    @rule(name=NAMES)
    def end_pod(self, name: str) -> None:
        self.running.pop(name, None)

    @rule()
    def clean_folders(self) -> None:
        alive = {uid(number) for number in self.running.values()}
        self.folders = {each: pod for each, pod in self.folders.items() if each in alive}

    @rule()
    def ask_api(self) -> None:
        self.directory.learn_api([api(number, name) for name, number in self.running.items()], self._later())
        self.api_at = self.count
        self._bind(fresh=False)

    @rule()
    def ask_logs(self) -> None:
        self.directory.learn_logs(self.folders, self._later())
        self.logs_at = self.count
        self._bind(fresh=False)

    @rule()
    def ask_kubelet(self) -> None:
        self.listed = tuple(self.running)
        self.directory.learn_running([("ml", name) for name in self.listed], self._later())
        self._bind(fresh=True)
        for (_, name), workload in self.holders.items():
            if self.running[name] <= max(self.api_at, self.logs_at):  # some source has seen this very pod
                assert workload.key == f"pod/{uid(self.running[name])}"

    def _bind(self, *, fresh: bool) -> None:
        self.holders = self.directory.bind([("ml", name) for name in self.listed], fresh=fresh)

    @invariant()
    def every_device_has_one_holder_of_the_right_name(self) -> None:
        for (namespace, name), workload in self.holders.items():
            assert (workload.namespace, workload.pod) == (namespace, name)
            if not is_placeholder(workload):
                assert self.truth[workload.key.removeprefix("pod/")] == name

    @invariant()
    def no_uid_ever_has_another_pods_name(self) -> None:
        for each, name in self.truth.items():
            named = self.directory.find(each)
            assert named is None or (named.workload.pod, named.workload.key) == (name, f"pod/{each}")

    @invariant()
    def running_pods_that_were_seen_are_known(self) -> None:
        for number in self.running.values():
            assert number > max(self.api_at, self.logs_at) or self.directory.find(uid(number)) is not None


TestNode = Node.TestCase
TestNode.settings = hypothesis_settings(max_examples=60, stateful_step_count=30, deadline=None)
