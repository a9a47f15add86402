"""The load of the GPU smoke test, as far as it goes without a GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.gpu_load import best, keep_busy

REPO = Path(__file__).resolve().parents[2]
LIBCUDA = r"""
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#define CONTEXT ((void *)0x1234567812345678)
static int launches;
int cuInit(unsigned flags) { return flags; }
int cuDeviceGet(int *device, int ordinal) { *device = 7; return ordinal; }
int cuDevicePrimaryCtxRetain(void **context, int device) { *context = CONTEXT; return device == 7 ? 0 : 101; }
int cuCtxSetCurrent(void *context) { return context == CONTEXT ? 0 : 201; }
int cuModuleLoadData(void **module, const char *image) {
  *module = (void *)0x5555555555555555;
  return strstr(image, ".visible .entry burn(") ? 0 : 218;
}
int cuModuleGetFunction(void **function, void *module, const char *name) {
  *function = (void *)0x6666666666666666;
  return module == (void *)0x5555555555555555 && !strcmp(name, "burn") ? 0 : 500;
}
int cuMemAlloc_v2(uint64_t *memory, size_t bytes) {
  *memory = 0x7777777777777777;
  return bytes == 4096ull * 256 * 4 ? 0 : 2;
}
int cuLaunchKernel(void *f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                   unsigned shared, void *stream, void **args, void **extra) {
  launches++;
  if (f != (void *)0x6666666666666666 || gx != 4096 || gy != 1 || gz != 1 || bx != 256 || by != 1 || bz != 1) return 1;
  if (shared || stream || extra) return 1;
  return *(uint64_t *)args[0] == 0x7777777777777777 && *(uint32_t *)args[1] == 20000 ? 0 : 1;
}
int cuCtxSynchronize(void) { return launches ? 0 : 700; }
"""


def test_no_framework_is_a_sentence() -> None:
    with pytest.raises(RuntimeError, match=r"Nothing here can use the GPU: numba: .+"):
        best("numba")


class Clock:
    """Time that passes by working (a sixteenth of a second each) and by sleeping."""

    now_s = 100.0

    def work(self) -> None:
        self.now_s += 0.0625

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


@pytest.mark.parametrize(("pattern", "rounds"), [("steady", 64), ("burst", 32)])
def test_a_burst_is_half_as_busy_as_a_steady_load(pattern: str, rounds: int) -> None:
    clock = Clock()
    assert keep_busy(clock.work, pattern, 4.0, lambda: clock.now_s, clock.sleep) == rounds


@pytest.mark.needs("gcc")
def test_the_driver_alone_can_make_the_load(tmp_path: Path) -> None:
    """Machines without any framework: every call gets the arguments that cuda.h declares."""
    (tmp_path / "cuda.c").write_text(LIBCUDA)
    command = ["gcc", "-shared", "-fPIC", "-o", str(tmp_path / "libcuda.so.1"), str(tmp_path / "cuda.c")]
    subprocess.run(command, check=True)
    command = [sys.executable, "-m", "tests.benchmarks.gpu_load", "steady", "0.1", "--framework", "driver"]
    env = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    said = subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=True).stdout.splitlines()
    assert json.loads(said[0])["framework"] == "driver"
    assert json.loads(said[1])["rounds"] > 0
