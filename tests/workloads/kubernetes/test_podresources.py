"""The kubelet's list of devices, read without the protobuf library and held to what that library writes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes import podresources_pb2 as pb
from tests.fakes.kubelet import answer, claim, pod
from tracker.workloads.kubernetes.podresources import PodDevices, parse_list
from tracker.workloads.kubernetes.wire import fields

GPU = "GPU-8f2c1d90-3e5a-4b17-9c2e-5da9abb5176"
MIG = "MIG-41b35d8c-15cd-5c5e-9c5a-0a2b7c9d1e2"


def test_who_holds_what() -> None:
    data = answer(
        pod("ml", "train-0", f"{GPU}1", f"{GPU}2"),
        pod("ml", "slice-0", f"{MIG}1", resource="nvidia.com/mig-1g.10gb"),
        pod("web", "nginx"),
    )
    assert parse_list(data) == (
        PodDevices("ml", "train-0", (f"{GPU}1", f"{GPU}2")),
        PodDevices("ml", "slice-0", (f"{MIG}1",)),
        PodDevices("web", "nginx"),
    )


def test_replicas_of_one_gpu_in_one_pod_are_one_device_and_each_pod_has_its_own() -> None:
    data = answer(pod("ml", "a", f"{GPU}1::0", f"{GPU}1::1"), pod("ml", "b", f"{GPU}1::2"))
    assert [each.devices for each in parse_list(data)] == [(f"{GPU}1",), (f"{GPU}1",)]


def test_containers_of_a_pod_are_added_up() -> None:
    both = pb.PodResources(name="a", namespace="ml")
    both.containers.extend([*pod("ml", "a", f"{GPU}1").containers, *pod("ml", "a", f"{GPU}1", f"{GPU}2").containers])
    assert parse_list(answer(both)) == (PodDevices("ml", "a", (f"{GPU}1", f"{GPU}2")),)


def test_claims_of_dynamic_resource_allocation_are_read() -> None:
    claimed = pod("ml", "a", "mlx5_0", resource="rdma/hca")
    claimed.containers[0].dynamic_resources.extend([claim("gpu.nvidia.com", "gpu-3"), claim("nic.example", "nic-0")])
    assert parse_list(answer(claimed)) == (PodDevices("ml", "a", ("index:3",)),)


def test_an_nvidia_id_of_unknown_form_is_told_others_are_not() -> None:
    data = answer(pod("ml", "a", f"{GPU}1-0"), pod("ml", "b", "0000:c1:00.0", resource="amd.com/gpu"))
    assert [each.strange for each in parse_list(data)] == [(f"{GPU}1-0",), ()]


def test_a_pod_without_a_name_is_left_out() -> None:
    assert parse_list(answer(pod("", "a", f"{GPU}1"), pod("ml", "", f"{GPU}2"))) == ()


def test_what_newer_kubelets_add_is_skipped() -> None:
    """Fields that our file does not have: topology (3), cpu_ids (3), memory (4), and numbers of every width."""
    devices = pb.ContainerDevices(resource_name="nvidia.com/gpu", device_ids=[f"{GPU}1"]).SerializeToString()
    topology = b"\x1a\x04\x0a\x02\x08\x01"
    container = b"\x0a\x01c\x12" + bytes([len(devices + topology)]) + devices + topology + b"\x1a\x02\x00\x01"
    extra = b"\x20\x05\x21" + bytes(8) + b"\x35" + bytes(4) + b"\xfa\x01\x00"  # 4: varint, 4: fixed64, 6: fixed32, 31
    one = b"\x0a\x01a\x12\x02ml\x1a" + bytes([len(container)]) + container + extra
    assert parse_list(b"\x0a" + bytes([len(one)]) + one) == (PodDevices("ml", "a", (f"{GPU}1",)),)


def test_bytes_that_are_no_utf_8_do_not_hide_the_pod() -> None:
    one = b"\x0a\x02\xff\xfe\x12\x02ml"
    assert parse_list(b"\x0a" + bytes([len(one)]) + one) == (PodDevices("ml", "\ufffd\ufffd"),)


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",  # no length
        b"\x0a\x05abc",  # shorter than it says
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",  # a length without an end
        b"\x0b",  # a group
        b"\x02\x00",  # field number 0
        b"\x09\x00",  # half a number
        b"\x0a\x02\x1a\x05",  # broken inside
        b"<html>502 Bad Gateway</html>",
    ],
)
def test_what_is_no_message_is_an_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_list(data)


def test_a_list_of_more_pods_than_a_node_can_run_is_refused() -> None:
    with pytest.raises(ValueError, match="5000 pods"):
        parse_list(answer(pod("ml", "a")) * 5000)


TEXT = st.text(min_size=1, max_size=20)
IDS = st.lists(st.sampled_from([f"{GPU}{n}" for n in range(4)] + [f"{GPU}{n}::1" for n in range(4)]), max_size=6)
PODS = st.lists(st.tuples(TEXT, TEXT, IDS), max_size=5)


@given(PODS)
def test_it_reads_whatever_the_protobuf_library_writes(pods: list[tuple[str, str, list[str]]]) -> None:
    expected = tuple(
        PodDevices(namespace, name, tuple(dict.fromkeys(each.removesuffix("::1") for each in ids)))
        for namespace, name, ids in pods
    )
    assert parse_list(answer(*(pod(namespace, name, *ids) for namespace, name, ids in pods))) == expected


@given(PODS, st.data())
def test_a_damaged_answer_is_an_error_or_an_answer_never_more(
    pods: list[tuple[str, str, list[str]]], data: st.DataObject
) -> None:
    message = bytearray(answer(*(pod(namespace, name, *ids) for namespace, name, ids in pods)))
    for _ in range(3):
        if message:
            message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(message[: data.draw(st.integers(0, len(message)))])
    with contextlib.suppress(ValueError):
        parse_list(cut)


@given(st.binary(max_size=200))
def test_the_reader_of_the_wire_ends_on_any_bytes(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert sum(len(content) for _, content in fields(data)) <= len(data)
