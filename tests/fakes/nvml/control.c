/* The shared page, the clock, the integral of the trace, and the gate every call passes: count, fault, hang, handle. */
#include "layout.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct control *control = NULL;

static unsigned initialised = 0;      /* nvmlInit is reference counted */
static uint32_t session_generation;   /* driver generation at the first init */
static uint32_t loaded_generation;    /* library generation when this process loaded the library */

/* Look at another page from now on. 0, or -1: no such page, -2: its layout is another one. */
EXPORT int fake_nvml_use(const char *path) {
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return -1;
  struct stat status;
  if (fstat(fd, &status) != 0 || (size_t)status.st_size < sizeof(struct control)) {
    close(fd);
    return -2;
  }
  struct control *page = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (page == MAP_FAILED) return -1;
  if (page->magic != MAGIC || page->layout_size != sizeof(struct control)) {
    munmap(page, sizeof(struct control));
    return -2;
  }
  /* The old page stays mapped: a call of another thread may be asleep in it. */
  control = page;
  initialised = 0;
  loaded_generation = page->library_generation;
  return 0;
}

__attribute__((constructor)) static void use_environment(void) {
  const char *path = getenv("FAKE_NVML_CONTROL");
  if (path != NULL) fake_nvml_use(path);
}

int64_t now_us(void) {
  if (control->virtual_clock) return __atomic_load_n(&control->now_us, __ATOMIC_ACQUIRE);
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 - control->t0_us;
}

/* Energy of the trace from its begin to at_us: exact, because power is piecewise constant. */
int64_t integral_nj(const struct gpu *gpu, int64_t at_us) {
  uint64_t count = __atomic_load_n(&gpu->segment_count, __ATOMIC_ACQUIRE);
  uint64_t oldest = count > MAX_SEGMENTS ? count - MAX_SEGMENTS : 0;
  for (uint64_t i = count; i > oldest; i--) {
    const struct segment *segment = &gpu->segments[(i - 1) % MAX_SEGMENTS];
    if (segment->start_us <= at_us) return segment->energy_nj + (int64_t)segment->power_mw * (at_us - segment->start_us);
  }
  return 0;
}

static void note(enum symbol symbol, int gpu) {
  uint64_t *calls = gpu < 0 ? control->calls : control->gpus[gpu].calls;
  __atomic_fetch_add(&calls[symbol], 1, __ATOMIC_RELAXED);
  uint64_t at = __atomic_fetch_add(&control->log_count, 1, __ATOMIC_RELAXED);
  control->log[at % LOG_CALLS] = (struct call){now_us(), (uint32_t)symbol, gpu};
  uint32_t delay_us = control->delay_us[symbol];
  if (delay_us) usleep(delay_us);
}

/* The scripted answer of a call; sleeps as long as it is to hang. */
static nvmlReturn_t fault(const int32_t *fault) {
  int32_t code = __atomic_load_n(fault, __ATOMIC_ACQUIRE);
  if (code != FAULT_HANG) return code;
  __atomic_fetch_add(&control->hung, 1, __ATOMIC_ACQ_REL);
  while ((code = __atomic_load_n(fault, __ATOMIC_ACQUIRE)) == FAULT_HANG) usleep(500);
  __atomic_fetch_sub(&control->hung, 1, __ATOMIC_ACQ_REL);
  return code;
}

static int usable(void) { return initialised > 0 && session_generation == control->driver_generation; }

/* A handle is a number: 1 << 48 | MIG generation << 32 | generation << 16 | gpu << 8 | (mig + 1). */
nvmlDevice_t handle_of(int index, int mig) {
  const struct gpu *gpu = &control->gpus[index];
  uintptr_t handle = (uintptr_t)1 << 48 | (uintptr_t)(gpu->generation & 0xffff) << 16 | (uintptr_t)index << 8;
  if (mig >= 0) handle |= (uintptr_t)(gpu->mig_generation & 0xffff) << 32 | (uintptr_t)(mig + 1);
  return (nvmlDevice_t)handle;
}

static nvmlReturn_t resolve(nvmlDevice_t device, struct target *target) {
  uintptr_t handle = (uintptr_t)device;
  int index = (int)(handle >> 8 & 0xff), mig = (int)(handle & 0xff) - 1;
  if (handle >> 48 != 1 || (uint32_t)index >= control->gpu_count) return NVML_ERROR_INVALID_ARGUMENT;
  struct gpu *gpu = &control->gpus[index];
  if (mig >= (int)gpu->mig_count || device != handle_of(index, mig)) return NVML_ERROR_INVALID_ARGUMENT;
  *target = (struct target){gpu, index, mig < 0 ? NULL : &gpu->migs[mig]};
  return NVML_SUCCESS;
}

nvmlReturn_t enter(enum symbol symbol, nvmlDevice_t device, struct target *target) {
  if (control == NULL || !usable()) return NVML_ERROR_UNINITIALIZED;
  nvmlReturn_t code = resolve(device, target);
  note(symbol, code == NVML_SUCCESS ? target->index : -1);
  if (code != NVML_SUCCESS) return code;
  code = fault(&target->gpu->fault[symbol]);
  if (code != NVML_SUCCESS) return code;
  return usable() ? resolve(device, target) : NVML_ERROR_UNINITIALIZED; /* it may have changed during a hang */
}

nvmlReturn_t enter_driver(enum symbol symbol) {
  if (control == NULL) return NVML_ERROR_UNINITIALIZED;
  note(symbol, -1);
  if (!usable()) return NVML_ERROR_UNINITIALIZED;
  return fault(&control->fault[symbol]);
}

nvmlReturn_t enter_index(enum symbol symbol, unsigned index, struct target *target) {
  if (control == NULL || !usable()) return NVML_ERROR_UNINITIALIZED;
  if (index >= control->gpu_count) return NVML_ERROR_INVALID_ARGUMENT;
  note(symbol, (int)index);
  *target = (struct target){&control->gpus[index], (int)index, NULL};
  return fault(&target->gpu->fault[symbol]);
}

/* The fault of one call where another one gives the same value (field values). */
nvmlReturn_t whole_gpu_fault(enum symbol symbol, const struct target *target) {
  return fault(&target->gpu->fault[symbol]);
}

nvmlReturn_t put_text(char *out, unsigned size, const char *text) {
  size_t length = strlen(text);
  if (length + 1 > size) return NVML_ERROR_INSUFFICIENT_SIZE;
  memcpy(out, text, length + 1);
  return NVML_SUCCESS;
}

static nvmlReturn_t init(enum symbol symbol) {
  if (control == NULL) return 9; /* DRIVER_NOT_LOADED: nobody wrote a script */
  note(symbol, -1);
  nvmlReturn_t code = fault(&control->fault[symbol]);
  if (code != NVML_SUCCESS) return code;
  if (loaded_generation != control->library_generation) return NVML_ERROR_LIB_RM_VERSION_MISMATCH;
  initialised++;
  session_generation = control->driver_generation;
  return NVML_SUCCESS;
}

EXPORT nvmlReturn_t nvmlInitWithFlags(unsigned flags) {
  UNUSED(flags);
  return init(SYM_nvmlInitWithFlags);
}

EXPORT nvmlReturn_t nvmlInit_v2(void) { return init(SYM_nvmlInit_v2); }

EXPORT nvmlReturn_t nvmlShutdown(void) {
  if (control == NULL || initialised == 0) return NVML_ERROR_UNINITIALIZED;
  note(SYM_nvmlShutdown, -1);
  nvmlReturn_t code = fault(&control->fault[SYM_nvmlShutdown]);
  if (initialised > 0) initialised--;
  return code;
}

/* How often this process holds the driver open: a GPU can be reset only at 0. */
EXPORT unsigned fake_nvml_holds(void) { return initialised; }
