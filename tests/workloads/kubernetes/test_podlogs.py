"""Names of pods from the folders of their logs: what a node without any right at the API server still knows."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.workloads.kubernetes.podlogs import MAX_FOLDERS, parse_folder, read_pods
from tracker.workloads.kubernetes.trouble import Trouble

UID = "b1d0c5e4-5c5c-4a6f-9d0e-1f2a3b4c5d6e"
HASH = "81cdabfc720501d9e81b425b15921b4d"


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        (f"ml_train-0_{UID}", ("ml", "train-0", UID)),
        (f"kube-system_kube-apiserver-node-1_{HASH}", ("kube-system", "kube-apiserver-node-1", HASH)),
        (f"a_b.c.d_{UID}", ("a", "b.c.d", UID)),
        (f"ml_{UID}", None),
        (f"ml_train_0_{UID}", None),
        (f"ML_train_{UID}", None),
        (f"ml_train-_{UID}", None),
        (f"ml_train_{UID}\n", None),
        (f"../x_train_{UID}", None),
        ("lost+found", None),
        ("", None),
    ],
)
def test_folder_names(folder: str, names: tuple[str, str, str] | None) -> None:
    assert parse_folder(folder) == names


@given(st.text())
def test_any_text_is_accepted(text: str) -> None:
    names = parse_folder(text)
    assert names is None or "_".join(names) == text


def test_pods_with_their_containers(tmp_path: Path) -> None:
    for container in ("main", "istio-proxy"):
        (tmp_path / f"ml_train-0_{UID}" / container).mkdir(parents=True)
    (tmp_path / f"kube-system_etcd-node-1_{HASH}").mkdir()
    (tmp_path / "core.1234").write_text("")
    pods = read_pods(tmp_path, {})
    assert {uid: (pod.namespace, pod.name, pod.containers) for uid, pod in pods.items()} == {
        UID: ("ml", "train-0", ("istio-proxy", "main")),
        HASH: ("kube-system", "etcd-node-1", ()),
    }


def test_a_container_that_comes_later_is_seen_and_an_unchanged_folder_is_not_read_again(tmp_path: Path) -> None:
    folder = tmp_path / f"ml_train-0_{UID}"
    (folder / "main").mkdir(parents=True)
    first = read_pods(tmp_path, {})
    assert read_pods(tmp_path, first)[UID] is first[UID]
    (folder / "debugger").mkdir()
    os.utime(folder, ns=(1, first[UID].changed_ns + 1))
    assert read_pods(tmp_path, first)[UID].containers == ("debugger", "main")


def test_a_pod_that_is_gone_is_not_listed(tmp_path: Path) -> None:
    folder = tmp_path / f"ml_train-0_{UID}"
    folder.mkdir()
    before = read_pods(tmp_path, {})
    folder.rmdir()
    assert read_pods(tmp_path, before) == {}


def test_a_folder_that_holds_a_million_names_is_looked_at_in_part(tmp_path: Path) -> None:
    for number in range(MAX_FOLDERS + 10):
        (tmp_path / f"ml_p_{number:08d}-0000-0000-0000-000000000000").mkdir()
    assert len(read_pods(tmp_path, {})) == MAX_FOLDERS


def test_without_the_mount_the_line_that_adds_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(Trouble) as caught:
        read_pods(tmp_path / "pods", {})
    assert caught.value.kind == "absent"
    assert f"hostPath: {{path: {tmp_path}/pods}}" in caught.value.remedy


def test_a_file_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pods").write_text("")
    with pytest.raises(Trouble) as caught:
        read_pods(tmp_path / "pods", {})
    assert caught.value.kind == "failed"
