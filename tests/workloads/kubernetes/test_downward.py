"""The sidecar: which pod this process is in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.core.model import Kind, Level, Workload
from tracker.sysfs import Roots
from tracker.workloads.interface import Allocation, Identity
from tracker.workloads.kubernetes.downward import (
    DownwardResolver,
    Options,
    OwnPod,
    own_identity,
    parse_fields,
    pod_cgroup,
)

UID = "b1d0c5e4-5c5c-4a6f-9d0e-1f2a3b4c5d6e"
ID = "a1b2c3d4e5f6" + "0" * 52
SLICE = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{UID.replace('-', '_')}.slice"
ENVIRON = {"POD_NAME": "train-0", "POD_NAMESPACE": "ml", "POD_UID": UID}
OWN = Workload(f"pod/{UID}", Kind.POD, "train-0", namespace="ml", pod="train-0")


class World:
    """A container: its /proc, its /dev and its downwardAPI volume."""

    def __init__(self, folder: Path, cgroup: str = "0::/\n", **files: str) -> None:
        self.procfs, self.dev, self.podinfo = folder / "proc", folder / "dev", folder / "podinfo"
        for path in (self.procfs / "self", self.dev, self.podinfo):
            path.mkdir(parents=True)
        (self.procfs / "self" / "cgroup").write_text(cgroup)
        for name, text in files.items():
            (self.podinfo / name).write_text(text)

    def own(self, environ: dict[str, str]) -> OwnPod | None:
        return own_identity(environ, self.podinfo, self.procfs, self.dev)

    def resolver(self, environ: dict[str, str]) -> DownwardResolver:
        options = Options(downward_dir=str(self.podinfo))
        return DownwardResolver(options, Roots(procfs=self.procfs), environ, self.dev)


def test_from_the_environment_inside_a_cgroup_namespace(tmp_path: Path) -> None:
    assert World(tmp_path).own(ENVIRON) == OwnPod(Identity(Kind.POD, OWN.key, pod_uid=UID), OWN, {}, "", ())


def test_from_files_with_labels(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        name="train-0",
        namespace="ml",
        uid=UID,
        labels='app="bert"\ntraining.kubeflow.org/job-name="bert"\n',
        annotations='team="n\\nlp \\"x\\""\n',
    )
    own = world.own({})
    assert own is not None
    assert (own.workload.job, own.workload.phase, own.workload.namespace) == ("bert", "training", "ml")
    assert own.attributes == {
        "label:app": "bert",
        "label:training.kubeflow.org/job-name": "bert",
        "annotation:team": 'n\ufffdlp "x"',
    }


def test_the_cgroup_says_it_without_any_setting(tmp_path: Path) -> None:
    own = World(tmp_path, f"0::{SLICE}/cri-containerd-{ID}.scope\n").own({})
    assert own is not None
    assert (own.identity.pod_uid, own.identity.container_id, own.cgroup) == (UID, ID, SLICE)
    assert own.workload == Workload(f"pod/{UID}", Kind.POD, UID, pod=UID)


def test_the_kernel_counts_more_than_what_a_pods_author_wrote(tmp_path: Path) -> None:
    """Or anybody could book on another pod by an environment variable."""
    own = World(tmp_path, f"0::{SLICE}/cri-containerd-{ID}.scope\n").own(
        {**ENVIRON, "POD_UID": UID.replace("b1d0", "ffff")}
    )
    assert own is not None
    assert own.workload.key == f"pod/{UID}"


@pytest.mark.parametrize("uid", ["", "not-a-uid", f"{UID}/../x", UID + "\n" + UID])
def test_without_a_uid_nothing_is_claimed(tmp_path: Path, uid: str) -> None:
    world = World(tmp_path)
    assert world.own({**ENVIRON, "POD_UID": uid}) is None
    resolver = world.resolver({**ENVIRON, "POD_UID": uid})
    assert resolver.allocations() == ()
    assert resolver.resolve(Identity(Kind.POD, f"pod/{UID}", pod_uid=UID), OWN) is None
    (finding,) = resolver.check()
    assert finding.level is Level.WARN
    assert "metadata.uid" in finding.remedy


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (f"0::{SLICE}/cri-containerd-{ID}.scope", SLICE),
        (f"0::{SLICE}/cri-containerd-{ID}.scope/inner", SLICE),
        (f"5:cpuacct,cpu:/kubepods/pod{UID}/{ID}\n0::/", f"/kubepods/pod{UID}"),
        (
            f"0::/docker/{ID}/kubelet/kubepods/besteffort/pod{UID}/{ID}",
            f"/docker/{ID}/kubelet/kubepods/besteffort/pod{UID}",
        ),
        (f"0::/../../kubepods-pod{UID}.slice/cri-containerd-{ID}.scope", ""),
        ("0::/", ""),
        ("", ""),
        ("nonsense", ""),
    ],
)
def test_where_the_pods_own_counters_are(text: str, path: str) -> None:
    assert pod_cgroup(text, UID) == path


def test_it_names_its_own_pod_and_no_other(tmp_path: Path) -> None:
    resolver = World(tmp_path).resolver(ENVIRON)
    plain = Workload(f"pod/{UID}", Kind.POD, UID)
    assert resolver.resolve(Identity(Kind.POD, plain.key, pod_uid=UID), plain) == OWN
    other = Workload("pod/other", Kind.POD, "other")
    assert resolver.resolve(Identity(Kind.POD, other.key, pod_uid="other"), other) is None
    assert resolver.attributes("pod/other") == {}


def test_its_gpus_are_its_own(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.resolver({**ENVIRON, "NVIDIA_VISIBLE_DEVICES": "0,1"}).allocations() == (
        Allocation("index:0", OWN),
        Allocation("index:1", OWN),
    )
    every = world.resolver({**ENVIRON, "NVIDIA_VISIBLE_DEVICES": "all"})
    assert every.allocations() == ()  # all of the node's: whose they are is not known from here
    assert [finding.subject for finding in every.check() if finding.level is Level.WARN] == ["own labels", "own GPUs"]


def test_labels_that_change_are_seen_at_the_next_check(tmp_path: Path) -> None:
    world = World(tmp_path)
    resolver = world.resolver(ENVIRON)
    assert resolver.attributes(OWN.key) == {}
    (world.podinfo / "labels").write_text('team="nlp"\n')
    resolver.check()
    assert resolver.attributes(OWN.key) == {"label:team": "nlp"}
    assert [finding.level for finding in resolver.check()] == [Level.OK]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('a="b"\n', {"a": "b"}),
        ('a="b=c"\nd=""', {"a": "b=c", "d": ""}),
        (r'a="tab\tquote\"slash\\n"', {"a": 'tab\tquote"slash\\n'}),
        (r'a="\u00e9\U0001f600\x00\xff"', {"a": "é😀\0\ufffd"}),
        (r'a="\Uffffffff"', {"a": "\ufffd"}),
        (r'a="\q"', {"a": "\\q"}),
        ('a=b\n="c"\nd="\ne\n', {}),
        ("", {}),
    ],
)
def test_files_of_the_downward_api(text: str, fields: dict[str, str]) -> None:
    assert parse_fields(text) == fields


@given(st.text())
def test_any_file_is_accepted(text: str) -> None:
    parse_fields(text)


@given(st.text())
def test_any_cgroup_file_is_accepted(text: str) -> None:
    assert pod_cgroup(text, UID) == "" or UID.replace("-", "_") in text or UID in text
