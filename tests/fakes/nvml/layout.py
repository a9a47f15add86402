"""The shared page of layout.h, mirrored field by field. The library refuses a page of another size."""

from __future__ import annotations

import ctypes as c

MAGIC = 0x4C4D564E
MAX_GPUS = 16
MAX_MIG = 8
MAX_SEGMENTS = 1024
MAX_PROCESSES = 64
MAX_SAMPLES = 512
MAX_SYMBOLS = 128
LOG_CALLS = 4096
TEXT = 96
FAULT_HANG = -1


class Segment(c.Structure):
    _fields_ = (
        ("start_us", c.c_int64),
        ("energy_nj", c.c_int64),
        ("power_mw", c.c_uint32),
        ("pad", c.c_uint32),
    )


class Process(c.Structure):
    _fields_ = (
        ("list_pid", c.c_uint32),
        ("sample_pid", c.c_uint32),
        ("kinds", c.c_uint32),
        ("listed", c.c_uint32),
        ("memory_bytes", c.c_uint64),
        ("start_us", c.c_int64),
        ("end_us", c.c_int64),
        ("sm_percent", c.c_uint32),
        ("mig", c.c_int32),
    )


class Sample(c.Structure):
    _fields_ = (("time_us", c.c_int64), ("pid", c.c_uint32), ("sm_percent", c.c_uint32))


class Table(c.Structure):
    _fields_ = (
        ("process_count", c.c_uint32),
        ("sample_count", c.c_uint32),
        ("processes", Process * MAX_PROCESSES),
        ("samples", Sample * MAX_SAMPLES),
    )


class Mig(c.Structure):
    _fields_ = (
        ("uuid", c.c_char * TEXT),
        ("name", c.c_char * TEXT),
        ("gi", c.c_uint32),
        ("ci", c.c_uint32),
        ("sm_count", c.c_uint32),
        ("slices", c.c_uint32),
        ("memory_mb", c.c_uint64),
        ("code", c.c_int32),
        ("pad", c.c_uint32),
    )


class Gpu(c.Structure):
    _fields_ = (
        ("name", c.c_char * TEXT),
        ("uuid", c.c_char * TEXT),
        ("serial", c.c_char * TEXT),
        *((name, c.c_uint32) for name in ("pci_domain", "pci_bus", "pci_device", "minor")),
        *((name, c.c_uint32) for name in ("module_id", "arch", "cc_major", "cc_minor")),
        *((name, c.c_uint32) for name in ("limit_min_mw", "limit_max_mw", "limit_default_mw", "limit_mw")),
        ("memory_bytes", c.c_uint64),
        ("memory_used_bytes", c.c_uint64),
        *((name, c.c_uint32) for name in ("gpu_percent", "persistence", "cores", "c2c")),
        *((name, c.c_uint32) for name in ("generation", "mig_generation", "mig_capable", "mig_mode")),
        *((name, c.c_uint32) for name in ("mig_count", "lenient_fields")),
        ("migs", Mig * MAX_MIG),
        ("segment_count", c.c_uint64),
        ("segments", Segment * MAX_SEGMENTS),
        *((name, c.c_int64) for name in ("period_us", "module_mw", "offset_nj", "reset_us", "stuck_us")),
        ("counter_permille", c.c_int64),
        ("counter_override", c.c_uint64),
        ("power_override", c.c_uint32),
        ("memory_power_mw", c.c_uint32),
        *((name, c.c_uint32) for name in ("sample_every_us", "ring_samples", "ignore_last_seen", "active")),
        ("tables", Table * 2),
        ("fault", c.c_int32 * MAX_SYMBOLS),
        ("calls", c.c_uint64 * MAX_SYMBOLS),
    )


class Call(c.Structure):
    _fields_ = (("time_us", c.c_int64), ("symbol", c.c_uint32), ("gpu", c.c_int32))


class Control(c.Structure):
    _fields_ = (
        *((name, c.c_uint32) for name in ("magic", "layout_size", "virtual_clock", "gpu_count")),
        *((name, c.c_int64) for name in ("now_us", "t0_us", "wall_us")),
        *((name, c.c_uint32) for name in ("driver_generation", "library_generation", "hung", "cuda_version")),
        ("driver_version", c.c_char * TEXT),
        ("nvml_version", c.c_char * TEXT),
        ("fault", c.c_int32 * MAX_SYMBOLS),
        ("calls", c.c_uint64 * MAX_SYMBOLS),
        ("delay_us", c.c_uint32 * MAX_SYMBOLS),
        ("log_count", c.c_uint64),
        ("log", Call * LOG_CALLS),
        ("gpus", Gpu * MAX_GPUS),
    )
