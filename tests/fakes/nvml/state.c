/* What other tools ask for and we do not: memory, clocks, temperatures, modes, events. Plausible constants. */
#include "layout.h"

#include <unistd.h>

struct utilization {
  unsigned gpu, memory;
};
struct memory {
  unsigned long long total, free, used;
};
struct memory_v2 {
  unsigned version;
  unsigned long long total, reserved, free, used;
};
struct temperature {
  unsigned version, sensor;
  int celsius;
};
_Static_assert(sizeof(struct memory_v2) == 40, "nvmlMemory_v2_t");
_Static_assert(sizeof(struct temperature) == 12, "nvmlTemperature_v1_t");

EXPORT nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, struct utilization *out) {
  WHOLE_GPU(nvmlDeviceGetUtilizationRates, device)
  if (on.gpu->mig_mode) return NVML_ERROR_NOT_SUPPORTED;
  *out = (struct utilization){on.gpu->gpu_percent, on.gpu->gpu_percent / 2};
  return NVML_SUCCESS;
}

#define CODEC(name)                                                               \
  EXPORT nvmlReturn_t name(nvmlDevice_t device, unsigned *percent, unsigned *us) { \
    WHOLE_GPU(name, device)                                                       \
    if (on.gpu->mig_mode) return NVML_ERROR_NOT_SUPPORTED;                        \
    *percent = 0;                                                                 \
    *us = 167000;                                                                 \
    return NVML_SUCCESS;                                                          \
  }
CODEC(nvmlDeviceGetEncoderUtilization)
CODEC(nvmlDeviceGetDecoderUtilization)

static unsigned long long total_bytes(const struct target *on) {
  return on->mig ? on->mig->memory_mb << 20 : on->gpu->memory_bytes;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, struct memory *out) {
  DEVICE(nvmlDeviceGetMemoryInfo, device)
  unsigned long long total = total_bytes(&on), used = on.mig ? 0 : on.gpu->memory_used_bytes;
  *out = (struct memory){total, total - used, used};
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetMemoryInfo_v2(nvmlDevice_t device, struct memory_v2 *out) {
  DEVICE(nvmlDeviceGetMemoryInfo_v2, device)
  if (out->version != 0x2000028) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  unsigned long long total = total_bytes(&on), used = on.mig ? 0 : on.gpu->memory_used_bytes;
  *out = (struct memory_v2){out->version, total, 0, total - used, used};
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetBAR1MemoryInfo(nvmlDevice_t device, struct memory *out) {
  DEVICE(nvmlDeviceGetBAR1MemoryInfo, device)
  *out = (struct memory){1ull << 37, (1ull << 37) - (1ull << 20), 1ull << 20};
  return NVML_SUCCESS;
}

/* Exported together with RunningProcessDetailList: nvitop switches to an old process struct where only this one is. */
EXPORT nvmlReturn_t nvmlDeviceGetConfComputeMemSizeInfo(nvmlDevice_t device, unsigned long long out[2]) {
  DEVICE(nvmlDeviceGetConfComputeMemSizeInfo, device)
  out[0] = out[1] = 0;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetPcieThroughput(nvmlDevice_t device, int counter, unsigned *kb_per_s) {
  WHOLE_GPU(nvmlDeviceGetPcieThroughput, device)
  UNUSED(counter);
  *kb_per_s = 1024;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetTotalEccErrors(nvmlDevice_t device, int type, int counter, unsigned long long *count) {
  WHOLE_GPU(nvmlDeviceGetTotalEccErrors, device)
  UNUSED(type);
  UNUSED(counter);
  *count = 0;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, int sensor, unsigned *celsius) {
  WHOLE_GPU(nvmlDeviceGetTemperature, device)
  UNUSED(sensor);
  *celsius = 45;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetTemperatureV(nvmlDevice_t device, struct temperature *out) {
  WHOLE_GPU(nvmlDeviceGetTemperatureV, device)
  if (out->version != 0x100000c) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  out->celsius = 45;
  return NVML_SUCCESS;
}

#define CONSTANT(name, value)                                    \
  EXPORT nvmlReturn_t name(nvmlDevice_t device, unsigned *out) { \
    WHOLE_GPU(name, device)                                      \
    *out = (unsigned)(value);                                    \
    return NVML_SUCCESS;                                         \
  }
CONSTANT(nvmlDeviceGetPerformanceState, 0)
CONSTANT(nvmlDeviceGetComputeMode, 0)
CONSTANT(nvmlDeviceGetPersistenceMode, on.gpu->persistence)
CONSTANT(nvmlDeviceGetDisplayActive, 0)
CONSTANT(nvmlDeviceGetDisplayMode, 0)

EXPORT nvmlReturn_t nvmlDeviceGetFanSpeed(nvmlDevice_t device, unsigned *percent) {
  WHOLE_GPU(nvmlDeviceGetFanSpeed, device)
  UNUSED(percent);
  return NVML_ERROR_NOT_SUPPORTED; /* data centre boards have no fan of their own */
}

EXPORT nvmlReturn_t nvmlDeviceGetDriverModel_v2(nvmlDevice_t device, unsigned *current, unsigned *pending) {
  WHOLE_GPU(nvmlDeviceGetDriverModel_v2, device)
  UNUSED(current);
  UNUSED(pending);
  return NVML_ERROR_NOT_SUPPORTED; /* Windows only */
}

#define CLOCK(name)                                                            \
  EXPORT nvmlReturn_t name(nvmlDevice_t device, int type, unsigned *mhz) {     \
    WHOLE_GPU(name, device)                                                    \
    *mhz = type == 2 ? 2619 : 1980; /* 2: memory */                            \
    return NVML_SUCCESS;                                                       \
  }
CLOCK(nvmlDeviceGetClockInfo)
CLOCK(nvmlDeviceGetMaxClockInfo)

static nvmlReturn_t one_clock(unsigned *count, unsigned *mhz, unsigned value) {
  unsigned room = *count;
  *count = 1;
  if (mhz == NULL || room < 1) return NVML_ERROR_INSUFFICIENT_SIZE;
  *mhz = value;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetSupportedMemoryClocks(nvmlDevice_t device, unsigned *count, unsigned *mhz) {
  WHOLE_GPU(nvmlDeviceGetSupportedMemoryClocks, device)
  return one_clock(count, mhz, 2619);
}

EXPORT nvmlReturn_t nvmlDeviceGetSupportedGraphicsClocks(nvmlDevice_t device, unsigned memory_mhz, unsigned *count,
                                                         unsigned *mhz) {
  WHOLE_GPU(nvmlDeviceGetSupportedGraphicsClocks, device)
  UNUSED(memory_mhz);
  return one_clock(count, mhz, 1980);
}

EXPORT nvmlReturn_t nvmlDeviceSetPersistenceMode(nvmlDevice_t device, unsigned mode) {
  WHOLE_GPU(nvmlDeviceSetPersistenceMode, device)
  on.gpu->persistence = mode;
  return NVML_SUCCESS;
}

#define LOCK(name)                                                             \
  EXPORT nvmlReturn_t name(nvmlDevice_t device, unsigned low, unsigned high) { \
    WHOLE_GPU(name, device)                                                    \
    UNUSED(low);                                                               \
    UNUSED(high);                                                              \
    return NVML_SUCCESS;                                                       \
  }
LOCK(nvmlDeviceSetGpuLockedClocks)
LOCK(nvmlDeviceSetMemoryLockedClocks)

#define UNLOCK(name)                              \
  EXPORT nvmlReturn_t name(nvmlDevice_t device) { \
    WHOLE_GPU(name, device)                       \
    return NVML_SUCCESS;                          \
  }
UNLOCK(nvmlDeviceResetGpuLockedClocks)
UNLOCK(nvmlDeviceResetMemoryLockedClocks)

/* Events: a set can be made and waited for, nothing ever happens. */
EXPORT nvmlReturn_t nvmlEventSetCreate(void **set) {
  static int the_set;
  nvmlReturn_t code = enter_driver(SYM_nvmlEventSetCreate);
  *set = &the_set;
  return code;
}

EXPORT nvmlReturn_t nvmlDeviceRegisterEvents(nvmlDevice_t device, unsigned long long types, void *set) {
  WHOLE_GPU(nvmlDeviceRegisterEvents, device)
  UNUSED(types);
  UNUSED(set);
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlEventSetWait_v2(void *set, void *data, unsigned timeout_ms) {
  UNUSED(set);
  UNUSED(data);
  nvmlReturn_t code = enter_driver(SYM_nvmlEventSetWait_v2);
  if (code != NVML_SUCCESS) return code;
  usleep(timeout_ms < 1000 ? timeout_ms * 1000 : 1000000);
  return NVML_ERROR_TIMEOUT;
}

EXPORT nvmlReturn_t nvmlEventSetFree(void *set) {
  UNUSED(set);
  return enter_driver(SYM_nvmlEventSetFree);
}
