/* The driver and the identity of its GPUs and MIG instances. */
#include "layout.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

struct pci_info {
  char bus_id_legacy[16];
  unsigned domain, bus, device, device_id, subsystem_id;
  char bus_id[32];
};
_Static_assert(sizeof(struct pci_info) == 68, "nvmlPciInfo_t");

EXPORT const char *nvmlErrorString(nvmlReturn_t code) {
  static char text[32];
  snprintf(text, sizeof text, "NVML error %d", code);
  return text;
}

#define DRIVER(name)                                      \
  {                                                       \
    nvmlReturn_t code = enter_driver(SYM_##name);         \
    if (code != NVML_SUCCESS) return code;                \
  }

EXPORT nvmlReturn_t nvmlSystemGetDriverVersion(char *out, unsigned size) {
  DRIVER(nvmlSystemGetDriverVersion)
  return put_text(out, size, control->driver_version);
}

EXPORT nvmlReturn_t nvmlSystemGetNVMLVersion(char *out, unsigned size) {
  DRIVER(nvmlSystemGetNVMLVersion)
  return put_text(out, size, control->nvml_version);
}

EXPORT nvmlReturn_t nvmlSystemGetCudaDriverVersion(int *version) {
  DRIVER(nvmlSystemGetCudaDriverVersion)
  *version = (int)control->cuda_version;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetCount_v2(unsigned *count) {
  DRIVER(nvmlDeviceGetCount_v2)
  *count = control->gpu_count;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t *device) {
  struct target on;
  nvmlReturn_t code = enter_index(SYM_nvmlDeviceGetHandleByIndex_v2, index, &on);
  if (code == NVML_SUCCESS) *device = handle_of(on.index, -1);
  return code;
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByUUID(const char *uuid, nvmlDevice_t *device) {
  DRIVER(nvmlDeviceGetHandleByUUID)
  for (int i = 0; i < (int)control->gpu_count; i++) {
    const struct gpu *gpu = &control->gpus[i];
    if (strcmp(gpu->uuid, uuid) == 0) {
      *device = handle_of(i, -1);
      return NVML_SUCCESS;
    }
    for (int mig = 0; mig < (int)gpu->mig_count; mig++) {
      if (strcmp(gpu->migs[mig].uuid, uuid) != 0) continue;
      *device = handle_of(i, mig);
      return NVML_SUCCESS;
    }
  }
  return NVML_ERROR_NOT_FOUND;
}

static void bus_ids(const struct gpu *gpu, struct pci_info *info) {
  snprintf(info->bus_id, sizeof info->bus_id, "%08X:%02X:%02X.0", gpu->pci_domain, gpu->pci_bus & 0xff,
           gpu->pci_device & 0xff);
  snprintf(info->bus_id_legacy, sizeof info->bus_id_legacy, "%04X:%02X:%02X.0", gpu->pci_domain & 0xffff,
           gpu->pci_bus & 0xff, gpu->pci_device & 0xff);
}

EXPORT nvmlReturn_t nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, nvmlDevice_t *device) {
  DRIVER(nvmlDeviceGetHandleByPciBusId_v2)
  for (int i = 0; i < (int)control->gpu_count; i++) {
    struct pci_info info;
    bus_ids(&control->gpus[i], &info);
    if (strcasecmp(info.bus_id, bus_id) != 0 && strcasecmp(info.bus_id_legacy, bus_id) != 0) continue;
    *device = handle_of(i, -1);
    return NVML_SUCCESS;
  }
  return NVML_ERROR_NOT_FOUND;
}

EXPORT nvmlReturn_t nvmlDeviceGetPciInfo_v3(nvmlDevice_t device, struct pci_info *info) {
  DEVICE(nvmlDeviceGetPciInfo_v3, device)
  memset(info, 0, sizeof *info);
  bus_ids(on.gpu, info);
  info->domain = on.gpu->pci_domain;
  info->bus = on.gpu->pci_bus;
  info->device = on.gpu->pci_device;
  info->device_id = 0x233010de;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *out, unsigned size) {
  DEVICE(nvmlDeviceGetName, device)
  return put_text(out, size, on.mig ? on.mig->name : on.gpu->name);
}

EXPORT nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *out, unsigned size) {
  DEVICE(nvmlDeviceGetUUID, device)
  return put_text(out, size, on.mig ? on.mig->uuid : on.gpu->uuid);
}

EXPORT nvmlReturn_t nvmlDeviceGetSerial(nvmlDevice_t device, char *out, unsigned size) {
  DEVICE(nvmlDeviceGetSerial, device)
  return put_text(out, size, on.gpu->serial);
}

#define NUMBER(name, value)                                       \
  EXPORT nvmlReturn_t name(nvmlDevice_t device, unsigned *out) {  \
    WHOLE_GPU(name, device)                                       \
    *out = (unsigned)(value);                                     \
    return NVML_SUCCESS;                                          \
  }
NUMBER(nvmlDeviceGetIndex, on.index)
NUMBER(nvmlDeviceGetMinorNumber, on.gpu->minor)
NUMBER(nvmlDeviceGetModuleId, on.gpu->module_id)
NUMBER(nvmlDeviceGetArchitecture, on.gpu->arch)
NUMBER(nvmlDeviceGetNumGpuCores, on.gpu->cores)

EXPORT nvmlReturn_t nvmlDeviceGetCudaComputeCapability(nvmlDevice_t device, int *major, int *minor) {
  DEVICE(nvmlDeviceGetCudaComputeCapability, device)
  *major = (int)on.gpu->cc_major;
  *minor = (int)on.gpu->cc_minor;
  return NVML_SUCCESS;
}

/* nvmlC2cModeInfo_v1_t has no version field: exactly four bytes are written. */
EXPORT nvmlReturn_t nvmlDeviceGetC2cModeInfoV(nvmlDevice_t device, unsigned *enabled) {
  WHOLE_GPU(nvmlDeviceGetC2cModeInfoV, device)
  if (on.gpu->c2c == 2) return NVML_ERROR_NOT_SUPPORTED;
  *enabled = on.gpu->c2c;
  return NVML_SUCCESS;
}
