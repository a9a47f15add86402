/* Power and energy: the trace as the sensors of a GPU publish it. */
#include "layout.h"

#define MEAN_US 1000000 /* nvml.h: on Ampere (except GA100) or newer, power averaged over 1 s */

enum { SCOPE_GPU = 0, SCOPE_MODULE = 1, SCOPE_MEMORY = 2 };

/* nvml.h, NVML_FI_*; all power fields are milliwatts */
enum {
  FI_TOTAL_ENERGY = 83,
  FI_POWER_AVERAGE = 185,
  FI_POWER_INSTANT = 186,
  FI_POWER_MIN_LIMIT = 187,
  FI_POWER_MAX_LIMIT = 188,
  FI_POWER_DEFAULT_LIMIT = 189,
  FI_POWER_CURRENT_LIMIT = 190,
  FI_ENERGY = 191,
  FI_POWER_REQUESTED_LIMIT = 192,
};

struct field_value {
  unsigned field, scope;
  long long timestamp_us, latency_us;
  unsigned value_type; /* 1 unsigned int, 3 unsigned long long */
  nvmlReturn_t code;
  union {
    unsigned u32;
    unsigned long long u64;
  } value;
};
_Static_assert(sizeof(struct field_value) == 40, "nvmlFieldValue_t");

static int64_t published_us(const struct gpu *gpu) {
  int64_t now = now_us();
  return now - now % gpu->period_us;
}

/* GA100 is compute capability 8.0; every other Ampere, and all that came later, average. */
static int averages(const struct gpu *gpu) { return gpu->cc_major > 8 || (gpu->cc_major == 8 && gpu->cc_minor > 0); }

static unsigned instant_mw(const struct gpu *gpu) {
  int64_t at = published_us(gpu);
  return (unsigned)(integral_nj(gpu, at + 1) - integral_nj(gpu, at));
}

static unsigned mean_mw(const struct gpu *gpu) {
  int64_t end = published_us(gpu), start = end > MEAN_US ? end - MEAN_US : 0;
  if (end == start) return instant_mw(gpu);
  return (unsigned)((integral_nj(gpu, end) - integral_nj(gpu, start)) / (end - start));
}

static int64_t with_module_nj(const struct gpu *gpu, int64_t at_us) {
  return integral_nj(gpu, at_us) + (gpu->c2c ? gpu->module_mw * at_us : 0);
}

static unsigned long long counter_mj(const struct gpu *gpu) {
  if (gpu->counter_override) return gpu->counter_override;
  int64_t at = published_us(gpu), now = now_us();
  if (gpu->stuck_us >= 0 && at > gpu->stuck_us) at = gpu->stuck_us;
  int64_t energy_nj = gpu->offset_nj + with_module_nj(gpu, at);
  if (gpu->reset_us >= 0 && now >= gpu->reset_us)
    energy_nj = at < gpu->reset_us ? 0 : with_module_nj(gpu, at) - with_module_nj(gpu, gpu->reset_us);
  return (unsigned long long)(energy_nj / 1000 * gpu->counter_permille / 1000000);
}

EXPORT nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *energy) {
  WHOLE_GPU(nvmlDeviceGetTotalEnergyConsumption, device)
  if (on.gpu->arch < ARCH_VOLTA) return NVML_ERROR_NOT_SUPPORTED; /* nvml.h: Volta or newer */
  *energy = counter_mj(on.gpu);
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned *power) {
  WHOLE_GPU(nvmlDeviceGetPowerUsage, device)
  *power = on.gpu->power_override ? on.gpu->power_override : averages(on.gpu) ? mean_mw(on.gpu) : instant_mw(on.gpu);
  return NVML_SUCCESS;
}

static nvmlReturn_t power_field(const struct target *on, struct field_value *field, int average) {
  nvmlReturn_t code = whole_gpu_fault(SYM_nvmlDeviceGetPowerUsage, on);
  if (code != NVML_SUCCESS) return code;
  const struct gpu *gpu = on->gpu;
  if (average && !averages(gpu)) return NVML_ERROR_NOT_SUPPORTED;
  unsigned power_mw = average ? mean_mw(gpu) : instant_mw(gpu);
  if (field->scope == SCOPE_MODULE) {
    if (!gpu->c2c) return NVML_ERROR_NOT_SUPPORTED;
    power_mw += (unsigned)gpu->module_mw;
  } else if (field->scope == SCOPE_MEMORY) { /* seen on H100 and H200 only, and never as an instant */
    if (!average || !gpu->memory_power_mw) return NVML_ERROR_NOT_SUPPORTED;
    power_mw = gpu->memory_power_mw;
  } else if (field->scope != SCOPE_GPU) {
    return NVML_ERROR_INVALID_ARGUMENT;
  }
  field->value.u32 = power_mw;
  field->value_type = 1;
  return NVML_SUCCESS;
}

static nvmlReturn_t energy_field(const struct target *on, struct field_value *field) {
  nvmlReturn_t code = whole_gpu_fault(SYM_nvmlDeviceGetTotalEnergyConsumption, on);
  if (code != NVML_SUCCESS) return code;
  if (on->gpu->arch < ARCH_VOLTA || field->scope != SCOPE_GPU) return NVML_ERROR_NOT_SUPPORTED;
  field->value.u64 = counter_mj(on->gpu);
  field->value_type = 3;
  return NVML_SUCCESS;
}

static nvmlReturn_t limit_field(struct field_value *field, unsigned limit_mw) {
  field->value.u32 = limit_mw;
  field->value_type = 1;
  return NVML_SUCCESS;
}

static nvmlReturn_t fill(const struct target *on, struct field_value *field) {
  if (on->mig != NULL) return NVML_ERROR_NOT_SUPPORTED;
  switch (field->field) {
    case FI_TOTAL_ENERGY:
    case FI_ENERGY: return energy_field(on, field);
    case FI_POWER_AVERAGE: return power_field(on, field, 1);
    case FI_POWER_INSTANT: return power_field(on, field, 0);
    case FI_POWER_MIN_LIMIT: return limit_field(field, on->gpu->limit_min_mw);
    case FI_POWER_MAX_LIMIT: return limit_field(field, on->gpu->limit_max_mw);
    case FI_POWER_DEFAULT_LIMIT: return limit_field(field, on->gpu->limit_default_mw);
    case FI_POWER_CURRENT_LIMIT:
    case FI_POWER_REQUESTED_LIMIT: return limit_field(field, on->gpu->limit_mw);
    default: return NVML_ERROR_NOT_SUPPORTED;
  }
}

/* SUCCESS if any value was filled; each value carries its own code. */
EXPORT nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t device, int count, struct field_value *values) {
  DEVICE(nvmlDeviceGetFieldValues, device)
  nvmlReturn_t first = NVML_ERROR_INVALID_ARGUMENT;
  int filled = 0;
  for (int i = 0; i < count; i++) {
    values[i].code = fill(&on, &values[i]);
    values[i].timestamp_us = control->wall_us + published_us(on.gpu);
    values[i].latency_us = 1;
    if (i == 0) first = values[i].code;
    filled += values[i].code == NVML_SUCCESS;
  }
  return filled || on.gpu->lenient_fields ? NVML_SUCCESS : first;
}

/* Only the power samples (type 0): the last published values after lastSeen, at most 16. */
EXPORT nvmlReturn_t nvmlDeviceGetSamples(nvmlDevice_t device, int type, unsigned long long last_seen, int *value_type,
                                         unsigned *count, void *out) {
  struct { unsigned long long time_us, value; } *samples = out;
  WHOLE_GPU(nvmlDeviceGetSamples, device)
  if (type != 0) return NVML_ERROR_NOT_SUPPORTED;
  *value_type = 1;
  if (samples == NULL) {
    *count = 16;
    return NVML_SUCCESS;
  }
  unsigned room = *count;
  *count = 0;
  int64_t end = published_us(on.gpu);
  for (int64_t at = end - 15 * on.gpu->period_us; at <= end && *count < room; at += on.gpu->period_us) {
    unsigned long long time_us = (unsigned long long)(control->wall_us + at);
    if (at < 0 || time_us <= last_seen) continue;
    samples[*count].time_us = time_us;
    samples[(*count)++].value = (unsigned)(integral_nj(on.gpu, at + 1) - integral_nj(on.gpu, at));
  }
  return *count ? NVML_SUCCESS : NVML_ERROR_NOT_FOUND;
}

#define LIMIT(name, member)                                           \
  EXPORT nvmlReturn_t name(nvmlDevice_t device, unsigned *limit) {    \
    WHOLE_GPU(name, device)                                           \
    *limit = on.gpu->member;                                          \
    return NVML_SUCCESS;                                              \
  }
LIMIT(nvmlDeviceGetEnforcedPowerLimit, limit_mw)
LIMIT(nvmlDeviceGetPowerManagementLimit, limit_mw)
LIMIT(nvmlDeviceGetPowerManagementDefaultLimit, limit_default_mw)

EXPORT nvmlReturn_t nvmlDeviceGetPowerManagementLimitConstraints(nvmlDevice_t device, unsigned *low, unsigned *high) {
  WHOLE_GPU(nvmlDeviceGetPowerManagementLimitConstraints, device)
  *low = on.gpu->limit_min_mw;
  *high = on.gpu->limit_max_mw;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceSetPowerManagementLimit(nvmlDevice_t device, unsigned limit) {
  WHOLE_GPU(nvmlDeviceSetPowerManagementLimit, device)
  if (limit < on.gpu->limit_min_mw || limit > on.gpu->limit_max_mw) return NVML_ERROR_INVALID_ARGUMENT;
  on.gpu->limit_mw = limit;
  return NVML_SUCCESS;
}
