"""The API server's list of pods, as bytes that anybody may have written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.apiserver import metadata, owner
from tracker.workloads.kubernetes.metadata import MAX_CHARACTERS, MAX_TEXTS, ApiPod, parse_pods

UID = "b1d0c5e4-5c5c-4a6f-9d0e-1f2a3b4c5d6e"
MIRROR_UID = "0a1b2c3d-5c5c-4a6f-9d0e-1f2a3b4c5d6e"
HASH = "81cdabfc720501d9e81b425b15921b4d"
BORN_NS = 1_791_014_400 * 10**9  # 2026-10-03T08:00:00Z


def listing(*pods: dict[str, object]) -> bytes:
    items = [{"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": pod} for pod in pods]
    return json.dumps(
        {"kind": "PartialObjectMetadataList", "metadata": {"resourceVersion": "9"}, "items": items}
    ).encode()


def test_a_pod_with_everything() -> None:
    pod = metadata(
        "ml",
        "train-0",
        UID,
        labels={"app": "bert"},
        annotations={"team": "nlp"},
        ownerReferences=[{"kind": "Other", "name": "no"}, owner("PyTorchJob", "bert")],
    )
    assert parse_pods(listing(pod)) == (
        ApiPod(UID, "ml", "train-0", "", BORN_NS, {"app": "bert"}, {"team": "nlp"}, "PyTorchJob", "bert"),
    )


def test_a_pod_with_nothing() -> None:
    assert parse_pods(listing({"name": "a", "namespace": "ml", "uid": UID})) == (ApiPod(UID, "ml", "a"),)
    nulls = {"labels": None, "annotations": None, "ownerReferences": None, "creationTimestamp": None}
    assert parse_pods(listing({"name": "a", "namespace": "ml", "uid": UID, **nulls})) == (ApiPod(UID, "ml", "a"),)


def test_an_empty_list_of_go_is_null() -> None:
    assert parse_pods(b'{"items": null}') == ()


def test_a_static_pod_is_known_by_what_its_cgroup_is_called() -> None:
    mirror = {"kubernetes.io/config.mirror": HASH, "kubernetes.io/config.hash": HASH}
    (pod,) = parse_pods(listing(metadata("kube-system", "etcd-node-1", MIRROR_UID, annotations=mirror)))
    assert (pod.uid, pod.mirror_uid) == (HASH, MIRROR_UID)


@pytest.mark.parametrize(
    "annotations",
    [
        {"kubernetes.io/config.hash": HASH},  # no mirror
        {"kubernetes.io/config.mirror": "x", "kubernetes.io/config.hash": UID},  # would take a usual pod's name
        {"kubernetes.io/config.mirror": "x", "kubernetes.io/config.hash": "../../etc"},
        {"kubernetes.io/config.mirror": "x"},
    ],
)
def test_nobody_takes_the_identity_of_another_pod(annotations: dict[str, str]) -> None:
    (pod,) = parse_pods(listing(metadata("evil", "a", MIRROR_UID, annotations=annotations)))
    assert (pod.uid, pod.mirror_uid) == (MIRROR_UID, "")


def test_pods_without_a_usable_uid_or_name_are_left_out() -> None:
    strange = [metadata("ml", "a", "not-a-uid"), metadata("ml", "", UID), metadata("", "a", UID)]
    assert parse_pods(listing(*strange)) == ()


def test_labels_are_cleaned_cut_and_bounded() -> None:
    labels = {
        "a": 'x\ny"z',
        "b": "=cmd('calc')!A1",
        "c": "y" * 10_000,
        "evil\nname": "1",
        "n" * 400: "1",
        **{f"l{number}": "v" for number in range(200)},
    }
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}", "z": "late"}
    (pod,) = parse_pods(listing(metadata("ml", "a", UID, labels=labels, annotations=annotations)))
    assert pod.labels["a"] == 'x\ufffdy"z'
    assert pod.labels["b"] == "=cmd('calc')!A1"  # what is written where decides what is dangerous there
    assert pod.labels["c"] == "y" * 128
    assert len(pod.labels) == MAX_TEXTS
    assert pod.annotations == {}
    assert all(name.isprintable() and len(name) < 320 for name in pod.labels)


def test_one_large_text_does_not_hide_those_after_it() -> None:
    labels = {f"large{number:02}" + "x" * 250: "v" * 128 for number in range(10)}
    (pod,) = parse_pods(listing(metadata("ml", "a", UID, labels={**labels, "team": "nlp"})))
    assert pod.labels["team"] == "nlp"
    assert sum(len(name) + len(text) for name, text in pod.labels.items()) <= MAX_CHARACTERS


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"kind": "Status"}',
        b'{"items": 7}',
        b'{"items": [{"metadata": {"labels": {"a": 7}}}]}',
        b'{"items": [' + b"[" * 100_000,
        b'{"items": [{"metadata": {"name": "\xff"}}]}',
    ],
)
def test_what_is_no_list_of_pods_is_an_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_pods(body)


def test_a_list_of_more_pods_than_a_node_can_run_is_refused() -> None:
    with pytest.raises(ValueError, match="5000 pods"):
        parse_pods(listing(*[metadata("ml", "a", UID)] * 5000))


@given(st.dictionaries(st.text(max_size=400), st.text(max_size=300), max_size=80), st.text(), st.text())
def test_whatever_is_in_it_comes_out_short_and_printable(labels: dict[str, str], name: str, born: str) -> None:
    try:
        pods = parse_pods(listing(metadata("ml", name, UID, labels=labels, annotations=labels, creationTimestamp=born)))
    except ValueError:
        return  # lone surrogates
    for pod in pods:
        texts = [*pod.labels.items(), *pod.annotations.items()]
        assert len(texts) <= MAX_TEXTS
        assert sum(len(key) + len(text) for key, text in texts) <= MAX_CHARACTERS
        assert all(key.isprintable() and text.isprintable() for key, text in texts)
