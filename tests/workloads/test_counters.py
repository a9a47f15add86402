"""Parsers of the kernel's numbers."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tracker.workloads.counters import (
    count_cpus,
    parse_cpu_stat,
    parse_cpuacct,
    parse_meminfo,
    parse_proc_stat,
)

TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


def test_cpu_stat() -> None:
    assert parse_cpu_stat(b"usage_usec 129980861\nuser_usec 92689681\nsystem_usec 37291180\nnice_usec 0\n") == 129980861
    assert parse_cpu_stat(b"nr_periods 0\nusage_usec 7\nuser_usec 1\n") == 7


def test_cpuacct() -> None:
    assert parse_cpuacct(b"134693080497\n") == 134693080


def test_proc_stat() -> None:
    """Busy is user, nice, system, irq and softirq; idle, iowait and steal are not, guests are already in user."""
    assert parse_proc_stat(b"cpu  1 2 4 1000 1000 8 16 1000 1 1\ncpu0 1 2 4 8 0 0 0 0 0 0\n") == 31 * TICK_US


def test_meminfo() -> None:
    text = b"MemTotal:       24684084 kB\nMemFree:        24030680 kB\nMemAvailable:   24207388 kB\n"
    assert parse_meminfo(text) == (24684084 * 1024, 24030680 * 1024)


@pytest.mark.parametrize(("text", "count"), [("0", 1), ("0-1", 2), ("0-3,8-11", 8), ("0,2,4", 3), ("0-255", 256)])
def test_cpu_list(text: str, count: int) -> None:
    assert count_cpus(text) == count


@pytest.mark.parametrize("parse", [parse_cpu_stat, parse_cpuacct, parse_proc_stat, parse_meminfo])
@pytest.mark.parametrize(
    "text",
    [b"", b"\n", b"garbage", b"usage_usec \n", b"usage_usec x\n", b"cpu  1 2 3\n", b"cpu a b c d e f g h\n", b"\xff"],
)
def test_garbage_is_refused_not_zero(parse: Callable[[bytes], object], text: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse(text)


@pytest.mark.parametrize("text", ["", "x", "1-x", "0,,2"])
def test_a_garbled_cpu_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        count_cpus(text)
