/* Who runs on a GPU: process lists, utilisation samples, accounting (off). */
#include "layout.h"

#include <string.h>

#define NO_INSTANCE 0xffffffffu /* nvml.h: gpuInstanceId and computeInstanceId where MIG is off */

struct process_info {
  unsigned pid;
  unsigned long long memory;
  unsigned gi, ci;
};
struct process_detail {
  unsigned pid;
  unsigned long long memory;
  unsigned gi, ci;
  unsigned long long protected_memory;
};
struct process_detail_list {
  unsigned version, mode, count;
  struct process_detail *entries;
};
struct utilization_sample {
  unsigned pid;
  unsigned long long time_us;
  unsigned sm, memory, encoder, decoder;
};
struct utilization_info {
  unsigned long long time_us;
  unsigned pid, sm, memory, encoder, decoder, jpeg, ofa;
};
struct utilization_infos {
  unsigned version, count;
  unsigned long long last_seen;
  struct utilization_info *entries;
};
_Static_assert(sizeof(struct process_info) == 24, "nvmlProcessInfo_t");
_Static_assert(sizeof(struct process_detail) == 32, "nvmlProcessDetail_v1_t");
_Static_assert(sizeof(struct process_detail_list) == 24, "nvmlProcessDetailList_v1_t");
_Static_assert(sizeof(struct utilization_sample) == 32, "nvmlProcessUtilizationSample_t");
_Static_assert(sizeof(struct utilization_info) == 40, "nvmlProcessUtilizationInfo_v1_t");
_Static_assert(sizeof(struct utilization_infos) == 24, "nvmlProcessesUtilizationInfo_v1_t");

static const struct table *table_of(const struct gpu *gpu) {
  return &gpu->tables[__atomic_load_n(&gpu->active, __ATOMIC_ACQUIRE) & 1];
}

/* Listed processes of these kinds that the handle shows: a MIG handle its own, a parent all of them. */
static unsigned listed(const struct target *on, unsigned kinds, const struct process **out) {
  const struct table *table = table_of(on->gpu);
  unsigned count = 0;
  for (unsigned i = 0; i < table->process_count && i < MAX_PROCESSES; i++) {
    const struct process *process = &table->processes[i];
    if (!process->listed || !(process->kinds & kinds)) continue;
    if (on->mig != NULL && (process->mig < 0 || &on->gpu->migs[process->mig] != on->mig)) continue;
    out[count++] = process;
  }
  return count;
}

static unsigned gi_of(const struct gpu *gpu, const struct process *process) {
  return process->mig < 0 ? NO_INSTANCE : gpu->migs[process->mig].gi;
}

static unsigned ci_of(const struct gpu *gpu, const struct process *process) {
  return process->mig < 0 ? NO_INSTANCE : gpu->migs[process->mig].ci;
}

/* The two-call protocol: too small a buffer answers 7 with the count, an empty list SUCCESS at once. */
static nvmlReturn_t list(const struct target *on, unsigned kinds, unsigned *room, struct process_info *out) {
  const struct process *found[MAX_PROCESSES];
  unsigned count = listed(on, kinds, found), given = *room;
  *room = count;
  if (count == 0) return NVML_SUCCESS;
  if (out == NULL || given < count) return NVML_ERROR_INSUFFICIENT_SIZE;
  for (unsigned i = 0; i < count; i++)
    out[i] = (struct process_info){found[i]->list_pid, found[i]->memory_bytes, gi_of(on->gpu, found[i]),
                                   ci_of(on->gpu, found[i])};
  return NVML_SUCCESS;
}

#define LIST(name, kinds)                                                                        \
  EXPORT nvmlReturn_t name(nvmlDevice_t device, unsigned *count, struct process_info *entries) { \
    DEVICE(name, device)                                                                         \
    return list(&on, (kinds), count, entries);                                                   \
  }
LIST(nvmlDeviceGetComputeRunningProcesses_v2, 1)
LIST(nvmlDeviceGetComputeRunningProcesses_v3, 1)
LIST(nvmlDeviceGetGraphicsRunningProcesses_v2, 2)
LIST(nvmlDeviceGetGraphicsRunningProcesses_v3, 2)
LIST(nvmlDeviceGetMPSComputeRunningProcesses_v3, 4)

EXPORT nvmlReturn_t nvmlDeviceGetRunningProcessDetailList(nvmlDevice_t device, struct process_detail_list *out) {
  DEVICE(nvmlDeviceGetRunningProcessDetailList, device)
  if (out->version != 0x1000018) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  const struct process *found[MAX_PROCESSES];
  unsigned kinds = out->mode == 3 ? 7 : 1u << out->mode;
  unsigned count = listed(&on, kinds, found), given = out->count;
  out->count = count;
  if (count == 0) return NVML_SUCCESS;
  if (out->entries == NULL || given < count) return NVML_ERROR_INSUFFICIENT_SIZE;
  for (unsigned i = 0; i < count; i++)
    out->entries[i] = (struct process_detail){found[i]->list_pid, found[i]->memory_bytes, gi_of(on.gpu, found[i]),
                                              ci_of(on.gpu, found[i]), 0};
  return NVML_SUCCESS;
}

static int wanted(const struct gpu *gpu, int64_t at_us, int64_t last_seen_us) {
  return at_us <= now_us() && (gpu->ignore_last_seen || at_us > last_seen_us);
}

static unsigned put(struct sample *out, unsigned count, int64_t at_us, unsigned pid, unsigned sm_percent) {
  if (count < MAX_SAMPLES) out[count++] = (struct sample){at_us, pid, sm_percent};
  return count;
}

/* Samples a busy process leaves by itself: one per sampler period while it runs. */
static unsigned steady(const struct gpu *gpu, const struct process *process, int64_t last_us, struct sample *out,
                       unsigned count) {
  int64_t every = gpu->sample_every_us, end = now_us();
  if (process->sm_percent == 0) return count;
  if (process->end_us >= 0 && process->end_us < end) end = process->end_us;
  int64_t newest = end - end % every, first = newest - 63 * every; /* the buffer reaches 64 periods back */
  for (int64_t at = gpu->ring_samples ? first : newest; at <= newest; at += every)
    if (at > process->start_us && wanted(gpu, at, last_us)) count = put(out, count, at, process->sample_pid, process->sm_percent);
  return count;
}

static unsigned samples_since(const struct gpu *gpu, unsigned long long last_seen, struct sample *out) {
  const struct table *table = table_of(gpu);
  int64_t last_us = last_seen == 0 ? -1 : (int64_t)last_seen - control->wall_us;
  unsigned count = 0;
  for (unsigned i = 0; i < table->sample_count && i < MAX_SAMPLES; i++)
    if (wanted(gpu, table->samples[i].time_us, last_us))
      count = put(out, count, table->samples[i].time_us, table->samples[i].pid, table->samples[i].sm_percent);
  for (unsigned i = 0; i < table->process_count && i < MAX_PROCESSES; i++)
    count = steady(gpu, &table->processes[i], last_us, out, count);
  return count;
}

EXPORT nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t device, struct utilization_sample *out,
                                                    unsigned *room, unsigned long long last_seen) {
  DEVICE(nvmlDeviceGetProcessUtilization, device)
  if (on.mig != NULL || on.gpu->mig_mode) return NVML_ERROR_NOT_SUPPORTED;
  struct sample found[MAX_SAMPLES];
  unsigned count = samples_since(on.gpu, last_seen, found), given = *room;
  *room = count;
  if (count == 0) return NVML_ERROR_NOT_FOUND;
  if (out == NULL || given < count) return NVML_ERROR_INSUFFICIENT_SIZE;
  for (unsigned i = 0; i < count; i++)
    out[i] = (struct utilization_sample){found[i].pid, (unsigned long long)(control->wall_us + found[i].time_us),
                                         found[i].sm_percent, found[i].sm_percent / 2, 0, 0};
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetProcessesUtilizationInfo(nvmlDevice_t device, struct utilization_infos *out) {
  DEVICE(nvmlDeviceGetProcessesUtilizationInfo, device)
  if (out->version != 0x1000018) return NVML_ERROR_ARGUMENT_VERSION_MISMATCH;
  if (on.mig != NULL || on.gpu->mig_mode) return NVML_ERROR_NOT_SUPPORTED;
  struct sample found[MAX_SAMPLES];
  unsigned count = samples_since(on.gpu, out->last_seen, found), given = out->count;
  out->count = count;
  if (out->entries == NULL) { /* pynvml takes SUCCESS for an error here: a size is always answered with 7 */
    if (count == 0) out->count = 1;
    return NVML_ERROR_INSUFFICIENT_SIZE;
  }
  if (count == 0) return NVML_ERROR_NOT_FOUND;
  if (given < count) return NVML_ERROR_INSUFFICIENT_SIZE;
  for (unsigned i = 0; i < count; i++)
    out->entries[i] = (struct utilization_info){(unsigned long long)(control->wall_us + found[i].time_us), found[i].pid,
                                                found[i].sm_percent, found[i].sm_percent / 2, 0, 0, 0, 0};
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetAccountingMode(nvmlDevice_t device, unsigned *mode) {
  WHOLE_GPU(nvmlDeviceGetAccountingMode, device)
  *mode = 0;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetAccountingStats(nvmlDevice_t device, unsigned pid, void *stats) {
  WHOLE_GPU(nvmlDeviceGetAccountingStats, device)
  UNUSED(pid);
  UNUSED(stats);
  return NVML_ERROR_NOT_SUPPORTED; /* accounting mode is off */
}

EXPORT nvmlReturn_t nvmlDeviceGetAccountingPids(nvmlDevice_t device, unsigned *count, unsigned *pids) {
  WHOLE_GPU(nvmlDeviceGetAccountingPids, device)
  UNUSED(pids);
  *count = 0;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlDeviceGetAccountingBufferSize(nvmlDevice_t device, unsigned *size) {
  WHOLE_GPU(nvmlDeviceGetAccountingBufferSize, device)
  *size = 4000;
  return NVML_SUCCESS;
}
