"""Keeps one GPU busy, with whatever is there: torch, CuPy, JAX, Numba, or the driver alone.

    python -m tests.benchmarks.gpu_load steady 45      busy for 45 s
    python -m tests.benchmarks.gpu_load burst 45       half a second busy, half a second idle

It uses the first GPU that CUDA shows; CUDA_VISIBLE_DEVICES chooses. Prints one line of JSON when it begins.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import sys
import time
from collections.abc import Callable

#: Runs some ten milliseconds of work and waits for its end.
Burn = Callable[[], object]
BURST_S = 0.5
SIZE = 4096

#: Eight chains of fused multiply-adds in each thread. The driver compiles PTX for its GPU, any since Maxwell.
PTX = """
.version 6.0
.target sm_50
.address_size 64
.visible .entry burn(.param .u64 out, .param .u32 rounds)
{
  .reg .pred %again;
  .reg .b32 %r<6>;
  .reg .f32 %f<11>;
  .reg .b64 %rd<5>;
  ld.param.u64 %rd1, [out];
  ld.param.u32 %r1, [rounds];
  cvta.to.global.u64 %rd2, %rd1;
  mov.u32 %r2, %tid.x;
  mov.u32 %r3, %ctaid.x;
  mov.u32 %r4, %ntid.x;
  mad.lo.s32 %r5, %r3, %r4, %r2;
  cvt.rn.f32.u32 %f1, %r5;
  mov.f32 %f9, 0f3F7FFFFE;
  mov.f32 %f10, 0f3A83126F;
  mov.f32 %f2, %f1; mov.f32 %f3, %f1; mov.f32 %f4, %f1; mov.f32 %f5, %f1;
  mov.f32 %f6, %f1; mov.f32 %f7, %f1; mov.f32 %f8, %f1;
LOOP:
  fma.rn.f32 %f1, %f1, %f9, %f10; fma.rn.f32 %f2, %f2, %f9, %f10;
  fma.rn.f32 %f3, %f3, %f9, %f10; fma.rn.f32 %f4, %f4, %f9, %f10;
  fma.rn.f32 %f5, %f5, %f9, %f10; fma.rn.f32 %f6, %f6, %f9, %f10;
  fma.rn.f32 %f7, %f7, %f9, %f10; fma.rn.f32 %f8, %f8, %f9, %f10;
  add.s32 %r1, %r1, -1;
  setp.ne.s32 %again, %r1, 0;
  @%again bra LOOP;
  add.f32 %f1, %f1, %f2; add.f32 %f3, %f3, %f4; add.f32 %f5, %f5, %f6; add.f32 %f7, %f7, %f8;
  add.f32 %f1, %f1, %f3; add.f32 %f5, %f5, %f7; add.f32 %f1, %f1, %f5;
  mul.wide.u32 %rd3, %r5, 4;
  add.s64 %rd4, %rd2, %rd3;
  st.global.f32 [%rd4], %f1;
  ret;
}
"""


def torch() -> Burn:
    import torch  # type: ignore[import-not-found,unused-ignore]  # only on machines that have it

    if not torch.cuda.is_available():
        raise RuntimeError("torch sees no GPU")
    matrix = torch.randn(SIZE, SIZE, device="cuda", dtype=torch.float16)

    def burn() -> None:
        for _ in range(8):
            matrix @ matrix
        torch.cuda.synchronize()

    return burn


def cupy() -> Burn:
    import cupy  # type: ignore[import-not-found,unused-ignore]  # only on machines that have it

    matrix = cupy.random.rand(SIZE, SIZE, dtype=cupy.float32)

    def burn() -> None:
        matrix @ matrix
        cupy.cuda.runtime.deviceSynchronize()

    return burn


def jax() -> Burn:
    import jax  # type: ignore[import-not-found,unused-ignore]  # only on machines that have it

    if jax.default_backend() != "gpu":
        raise RuntimeError("JAX sees no GPU")
    matrix = jax.numpy.ones((SIZE, SIZE), dtype=jax.numpy.float16)
    multiply = jax.jit(lambda a: a @ a)
    return lambda: multiply(matrix).block_until_ready()


def numba() -> Burn:
    from numba import cuda  # type: ignore[import-not-found,unused-ignore]  # only on machines that have it

    out = cuda.device_array(1 << 20, dtype="float32")

    @cuda.jit  # type: ignore[untyped-decorator,unused-ignore]  # numba is not typed
    def kernel(values: object) -> None:
        i = cuda.grid(1)
        value = float(i)
        for _ in range(20_000):
            value = value * 0.9999999 + 0.001
        values[i] = value  # type: ignore[index]  # a device array

    def burn() -> None:
        kernel[4096, 256](out)
        cuda.synchronize()

    return burn


def driver() -> Burn:
    """libcuda.so.1 and the text above: needs no framework and no compiler."""
    lib = ctypes.CDLL("libcuda.so.1")

    def ask(name: str, *args: object) -> None:
        code = getattr(lib, name)(*args)
        if code:
            raise RuntimeError(f"{name} answered {code}")

    device, context, module, kernel = ctypes.c_int(), ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
    memory, blocks, threads = ctypes.c_uint64(), 4096, 256
    ask("cuInit", 0)
    ask("cuDeviceGet", ctypes.byref(device), 0)
    ask("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
    ask("cuCtxSetCurrent", context)
    ask("cuModuleLoadData", ctypes.byref(module), PTX.encode())
    ask("cuModuleGetFunction", ctypes.byref(kernel), module, b"burn")
    ask("cuMemAlloc_v2", ctypes.byref(memory), ctypes.c_size_t(blocks * threads * 4))
    rounds = ctypes.c_uint32(20_000)
    pointers = (ctypes.c_void_p * 2)(*(ctypes.cast(ctypes.byref(v), ctypes.c_void_p) for v in (memory, rounds)))

    def burn() -> None:
        ask("cuLaunchKernel", kernel, blocks, 1, 1, threads, 1, 1, 0, None, pointers, None)
        ask("cuCtxSynchronize")

    return burn


#: The best first. A framework draws more power than the kernel above, whose threads use no tensor cores.
FRAMEWORKS: dict[str, Callable[[], Burn]] = {
    "torch": torch,
    "cupy": cupy,
    "jax": jax,
    "numba": numba,
    "driver": driver,
}


def best(wanted: str = "auto") -> tuple[str, Burn]:
    """The first that works here, tried once. Raises RuntimeError with the reason of each that does not."""
    reasons = []
    for name in FRAMEWORKS if wanted == "auto" else [wanted]:
        try:
            burn = FRAMEWORKS[name]()
            burn()
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the next may work
            reasons.append(f"{name}: {error}")
        else:
            return name, burn
    raise RuntimeError("Nothing here can use the GPU: " + "; ".join(reasons))


def keep_busy(
    burn: Burn,
    pattern: str,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], object] = time.sleep,
) -> int:
    """Until the time is over; how often ``burn`` ran."""
    begin_s = clock()
    rounds = 0
    while (now_s := clock() - begin_s) < seconds:
        if pattern == "burst" and now_s % (2 * BURST_S) >= BURST_S:
            sleep(2 * BURST_S - now_s % (2 * BURST_S))
            continue
        burn()
        rounds += 1
    return rounds


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu_load", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("pattern", choices=("burst", "steady"))
    parser.add_argument("seconds", type=float)
    parser.add_argument("--framework", default="auto", choices=("auto", *FRAMEWORKS))
    options = parser.parse_args()
    try:
        name, burn = best(options.framework)
    except RuntimeError as error:
        sys.exit(str(error))
    print(json.dumps({"framework": name, "pid": os.getpid()}), flush=True)
    rounds = keep_busy(burn, options.pattern, options.seconds)
    print(json.dumps({"rounds": rounds}), flush=True)


if __name__ == "__main__":
    main()
