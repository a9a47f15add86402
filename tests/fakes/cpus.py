"""A machine of many CPUs, for whoever asks the kernel or the C library for their number."""

from __future__ import annotations

import subprocess
from pathlib import Path

MANY = 224
_SOURCE = """
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
int get_nprocs(void) { return 224; }
"""


def many_cpus(folder: Path) -> dict[str, str]:
    """The environment of a process on a machine of MANY CPUs. Needs gcc."""
    source, library = folder / "cpus.c", folder / "cpus.so"
    source.write_text(_SOURCE, encoding="utf-8")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True, timeout=60)
    return {"LD_PRELOAD": str(library)}
