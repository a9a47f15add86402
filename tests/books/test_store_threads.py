"""A bucket from a node with many CPUs: its client's threads have to fit into TasksMax= of the units."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.fakes.s3 import s3_server

#: A machine of 224 CPUs, for whoever asks the kernel (sched_getaffinity(2)).
CPUS = """
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/types.h>
int sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set) {
  (void)pid;
  if (size < 224 / 8) return errno = EINVAL, -1;
  memset(set, 0, size);
  for (size_t cpu = 0; cpu < 224; cpu++) CPU_SET_S(cpu, size, set);
  return 0;
}
"""
ASK = """
import os, sys
from pathlib import Path
from tracker.books.store import open_store
store = open_store(sys.argv[1], Path(sys.argv[2]))
print(len(os.sched_getaffinity(0)), store.create("x", b"1"), store.read("x"), list(store.names()))
print(len(os.listdir("/proc/self/task")))
"""


@pytest.mark.needs("gcc")
def test_a_client_of_buckets_makes_no_thread_for_each_cpu(tmp_path: Path) -> None:
    """A node that runs into TasksMax= ships nothing for ever: the client cannot even look up a host's name."""
    source, library = tmp_path / "cpus.c", tmp_path / "cpus.so"
    source.write_text(CPUS, encoding="utf-8")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    with s3_server() as s3:
        url = s3.bucket("books")
        address = {"AWS_ENDPOINT_URL": s3.endpoint.replace("127.0.0.1", "localhost")}
        env = {**os.environ, **s3.environ, **address, "LD_PRELOAD": str(library)}
        env.pop("TOKIO_WORKER_THREADS", None)
        command = [sys.executable, "-c", ASK, url, str(tmp_path / "cache")]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=True)
    asked, threads = done.stdout.splitlines()
    assert asked == "224 True b'1' [('x', 1)]"
    text = (REPO / "deploy/systemd/wattledger-ship.service").read_text(encoding="utf-8")
    (limit,) = re.findall(r"^TasksMax=(\d+)$", text, re.MULTILINE)
    assert int(threads) + 16 < int(limit), "sixteen more of them download"
