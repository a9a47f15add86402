/* Multi-instance GPUs: parents, their instances, what an instance is made of. */
#include "layout.h"

#include <string.h>

struct attributes {
  unsigned sm_count, copy_engines, decoders, encoders, jpeg, ofa, gi_slices, ci_slices;
  unsigned long long memory_mb;
};
_Static_assert(sizeof(struct attributes) == 40, "nvmlDeviceAttributes_t");

EXPORT nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned *current, unsigned *pending) {
  WHOLE_GPU(nvmlDeviceGetMigMode, device)
  if (!on.gpu->mig_capable) return NVML_ERROR_NOT_SUPPORTED;
  *current = *pending = on.gpu->mig_mode;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned *count) {
  WHOLE_GPU(nvmlDeviceGetMaxMigDeviceCount, device)
  *count = on.gpu->mig_capable ? 7 : 0;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned index, nvmlDevice_t *out) {
  WHOLE_GPU(nvmlDeviceGetMigDeviceHandleByIndex, device)
  if (!on.gpu->mig_mode) return NVML_ERROR_NOT_SUPPORTED;
  if (index >= 7) return NVML_ERROR_INVALID_ARGUMENT;
  if (index >= on.gpu->mig_count) return NVML_ERROR_NOT_FOUND;
  if (on.gpu->migs[index].code) return on.gpu->migs[index].code;
  *out = handle_of(on.index, (int)index);
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetDeviceHandleFromMigDeviceHandle(nvmlDevice_t device, nvmlDevice_t *out) {
  DEVICE(nvmlDeviceGetDeviceHandleFromMigDeviceHandle, device)
  if (on.mig == NULL) return NVML_ERROR_INVALID_ARGUMENT;
  *out = handle_of(on.index, -1);
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceIsMigDeviceHandle(nvmlDevice_t device, unsigned *is_mig) {
  DEVICE(nvmlDeviceIsMigDeviceHandle, device)
  *is_mig = on.mig != NULL;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetGpuInstanceId(nvmlDevice_t device, unsigned *id) {
  DEVICE(nvmlDeviceGetGpuInstanceId, device)
  if (on.mig == NULL) return NVML_ERROR_NOT_SUPPORTED;
  *id = on.mig->gi;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetComputeInstanceId(nvmlDevice_t device, unsigned *id) {
  DEVICE(nvmlDeviceGetComputeInstanceId, device)
  if (on.mig == NULL) return NVML_ERROR_NOT_SUPPORTED;
  *id = on.mig->ci;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetAttributes_v2(nvmlDevice_t device, struct attributes *out) {
  DEVICE(nvmlDeviceGetAttributes_v2, device)
  if (on.mig == NULL) return NVML_ERROR_NOT_SUPPORTED; /* nvml.h: MIG device handles only */
  memset(out, 0, sizeof *out);
  out->sm_count = on.mig->sm_count;
  out->gi_slices = out->ci_slices = on.mig->slices;
  out->memory_mb = on.mig->memory_mb;
  return NVML_SUCCESS;
}
