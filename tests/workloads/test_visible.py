"""Every form of CUDA_VISIBLE_DEVICES and its relatives: a tool that reads one of them wrong reports 0 J or all GPUs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.workloads.visible import ALL, NONE, Gpu, Visible, parse_list, parse_nvidia, select, visible_gpus

A, B, C = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-8932aaaa-0000-4106-c12f-20bd9faed9f6", "GPU-deadbeef01234567"
MIG = "MIG-11111111-2222-3333-4444-555555555555"
GPUS = (Gpu("0", A, "H100"), Gpu("1", B, "H100"), Gpu("2", C, "L4"))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("0", ["0"]),
        ("0,1,2", ["0", "1", "2"]),
        (" 2 , 0 ", ["2", "0"]),
        ("+1", ["1"]),
        ("00", ["0"]),
        ("1gpu2,2ampere", ["1", "2"]),  # strtoul(3)
        ("", []),
        (" ", []),
        (",", []),
        ("-1", []),
        ("NoDevFiles", []),  # Slurm, for a job without GPUs
        ("none", []),
        ("all", []),  # a word of another variable: invalid here
        ("0,2,-1,1", ["0", "2"]),  # what follows an invalid entry is invisible
        ("0,x,1", ["0"]),
        ("0,,1", ["0"]),
        ("1,1", []),  # twice: nothing is visible
        ("0,00", []),
        (A, [A]),
        (f"{A},{B}", [A, B]),
        ("GPU-8932f937", ["GPU-8932f937"]),
        ("GPU-", []),
        (f"{A},0", [A]),  # the first entry decides the form
        (f"0,{A}", ["0"]),
        (f"{A},{MIG}", [A]),
        (MIG, [MIG]),
        (f"MIG-{A}/1/0", [f"MIG-{A}/1/0"]),  # before R470
        (f"{MIG},{MIG}", []),
        ("gpu-8932f937", []),
    ],
)
def test_cuda(text: str, names: list[str]) -> None:
    assert parse_list(text) == Visible(tuple(names))


def test_what_is_not_set_hides_nothing() -> None:
    assert parse_list(None) == ALL
    assert parse_nvidia(None) == ALL
    assert visible_gpus({}, GPUS) == GPUS


@pytest.mark.parametrize(
    ("text", "visible"),
    [
        ("all", ALL),
        ("none", NONE),
        ("void", NONE),
        ("", NONE),
        ("0,1", Visible(("0", "1"))),
        (f"{A}, {MIG}", Visible((A, MIG))),
        ("0:1", Visible(("0:1",))),
        ("nvidia.com/gpu=1", Visible(("1",))),
        ("nvidia.com/gpu=all", ALL),
    ],
)
def test_nvidia(text: str, visible: Visible) -> None:
    assert parse_nvidia(text) == visible


@pytest.mark.parametrize(
    ("environ", "uuids"),
    [
        ({"CUDA_VISIBLE_DEVICES": "1"}, [B]),
        ({"CUDA_VISIBLE_DEVICES": "2,0"}, [C, A]),
        ({"CUDA_VISIBLE_DEVICES": ""}, []),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, []),
        ({"CUDA_VISIBLE_DEVICES": "0,7,1"}, [A]),  # there is no 7
        ({"CUDA_VISIBLE_DEVICES": "GPU-8932f"}, [A]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-8932F937"}, [A]),
        ({"CUDA_VISIBLE_DEVICES": "GPU-8932"}, []),  # two fit
        ({"CUDA_VISIBLE_DEVICES": "GPU-8932f,GPU-8932f9"}, [A]),  # the same one by two names
        ({"CUDA_VISIBLE_DEVICES": MIG}, [MIG]),
        ({"NVIDIA_VISIBLE_DEVICES": "all"}, [A, B, C]),
        ({"NVIDIA_VISIBLE_DEVICES": "void"}, []),
        ({"NVIDIA_VISIBLE_DEVICES": f"{B},{C}"}, [B, C]),
        ({"NVIDIA_VISIBLE_DEVICES": f"{B},{C}", "CUDA_VISIBLE_DEVICES": "1"}, [C]),  # numbered anew in the container
        ({"NVIDIA_VISIBLE_DEVICES": "none", "CUDA_VISIBLE_DEVICES": "0"}, []),
        ({"ROCR_VISIBLE_DEVICES": "1,2"}, [B, C]),
        ({"ROCR_VISIBLE_DEVICES": "GPU-deadbeef01234567"}, [C]),
        ({"ROCR_VISIBLE_DEVICES": ""}, []),
        ({"ROCR_VISIBLE_DEVICES": "1,2", "HIP_VISIBLE_DEVICES": "1"}, [C]),  # a number among those that ROCr shows
        ({"HIP_VISIBLE_DEVICES": "0,-1,1"}, [A]),
        ({"HIP_VISIBLE_DEVICES": "2", "CUDA_VISIBLE_DEVICES": "0"}, [C]),  # HIP's own variable wins
        ({"ROCR_VISIBLE_DEVICES": "1,2", "CUDA_VISIBLE_DEVICES": "0"}, [B]),
        ({"HIP_VISIBLE_DEVICES": A}, []),  # HIP knows numbers only
    ],
)
def test_what_a_process_sees(environ: dict[str, str], uuids: list[str]) -> None:
    assert [gpu.uuid for gpu in visible_gpus(environ, GPUS)] == uuids


@given(st.text(alphabet="01234,-+ GPUMIgpx:/\N{ARABIC-INDIC DIGIT ONE}", max_size=30) | st.text(max_size=30))
def test_any_text_names_some_gpus_once_or_none(text: str) -> None:
    for variable in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        seen = visible_gpus({variable: text}, GPUS)
        assert len(set(seen)) == len(seen)
        assert all(gpu.uuid in {A, B, C} or re.match(r"MIG-|\d+:\d+$", gpu.uuid) for gpu in seen)
    assert len(set(parse_list(text).names)) == len(parse_list(text).names)


def test_on_a_node_without_gpus_nothing_is_seen() -> None:
    assert select(Visible(("0",)), ()) == ()
    assert visible_gpus({"CUDA_VISIBLE_DEVICES": "0"}, ()) == ()
