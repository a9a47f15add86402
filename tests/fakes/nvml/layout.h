/* The page that a test shares with the fake libnvidia-ml.so.1, and what the parts of the fake share with each other.
 *
 * layout.py mirrors every struct below field by field; it compares sizeof(struct control) with layout_size when the
 * library maps the page, so that a forgotten field fails loudly. Times are microseconds since the trace began, powers
 * milliwatts, so that milliwatt x microsecond = nanojoule and every integral is exact.
 */
#ifndef FAKE_NVML_LAYOUT_H
#define FAKE_NVML_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#include "symbols.h"

#define MAGIC 0x4c4d564eu
#define MAX_GPUS 16
#define MAX_MIG 8
#define MAX_SEGMENTS 1024 /* a ring: older ones are forgotten */
#define MAX_PROCESSES 64
#define MAX_SAMPLES 512
#define MAX_SYMBOLS 128
#define LOG_CALLS 4096 /* a ring */
#define TEXT 96

#define FAULT_HANG (-1) /* the call sleeps until the fault is changed */

typedef int nvmlReturn_t;
typedef void *nvmlDevice_t;

/* nvml.h, nvmlReturn_enum */
enum {
  NVML_SUCCESS = 0,
  NVML_ERROR_UNINITIALIZED = 1,
  NVML_ERROR_INVALID_ARGUMENT = 2,
  NVML_ERROR_NOT_SUPPORTED = 3,
  NVML_ERROR_NOT_FOUND = 6,
  NVML_ERROR_INSUFFICIENT_SIZE = 7,
  NVML_ERROR_TIMEOUT = 10,
  NVML_ERROR_LIB_RM_VERSION_MISMATCH = 18,
  NVML_ERROR_ARGUMENT_VERSION_MISMATCH = 25,
};

/* nvml.h, NVML_DEVICE_ARCH_* */
enum { ARCH_VOLTA = 5, ARCH_TURING = 6, ARCH_AMPERE = 7 };

#define ENUM(name) SYM_##name,
enum symbol { SYMBOLS(ENUM) SYMBOL_COUNT };
#undef ENUM

struct segment { /* constant power from start_us to the next segment */
  int64_t start_us;
  int64_t energy_nj; /* integral up to start_us */
  uint32_t power_mw;
  uint32_t pad;
};

struct process {
  uint32_t list_pid;   /* what the running-process lists say */
  uint32_t sample_pid; /* what utilisation samples say: the host's PID, also where the lists say the namespace's */
  uint32_t kinds;      /* 1 compute, 2 graphics, 4 MPS client */
  uint32_t listed;     /* 0: ended, only its samples remain */
  uint64_t memory_bytes; /* UINT64_MAX: not available */
  int64_t start_us;
  int64_t end_us; /* -1: runs */
  uint32_t sm_percent; /* 0: gives no samples */
  int32_t mig;         /* index of the MIG instance, -1: whole GPU */
};

struct sample {
  int64_t time_us;
  uint32_t pid;
  uint32_t sm_percent;
};

struct table {
  uint32_t process_count;
  uint32_t sample_count;
  struct process processes[MAX_PROCESSES];
  struct sample samples[MAX_SAMPLES];
};

struct mig {
  char uuid[TEXT];
  char name[TEXT];
  uint32_t gi, ci;
  uint32_t sm_count, slices;
  uint64_t memory_mb;
  int32_t code; /* what asking for its handle answers, 0: the handle */
  uint32_t pad;
};

struct gpu {
  char name[TEXT], uuid[TEXT], serial[TEXT];
  uint32_t pci_domain, pci_bus, pci_device, minor;
  uint32_t module_id, arch, cc_major, cc_minor;
  uint32_t limit_min_mw, limit_max_mw, limit_default_mw, limit_mw;
  uint64_t memory_bytes, memory_used_bytes;
  uint32_t gpu_percent, persistence;
  uint32_t cores, c2c;
  uint32_t generation;     /* of the handle; another one makes old handles invalid */
  uint32_t mig_generation; /* of MIG handles */
  uint32_t mig_capable, mig_mode;
  uint32_t mig_count;
  uint32_t lenient_fields; /* 1: GetFieldValues succeeds even when no value was filled */
  struct mig migs[MAX_MIG];

  uint64_t segment_count; /* ever written; the last MAX_SEGMENTS of them are in the ring */
  struct segment segments[MAX_SEGMENTS];
  int64_t period_us;      /* the sensor publishes this often */
  int64_t module_mw;      /* Grace and LPDDR beside the GPU: in the counter and the module power when c2c is on */
  int64_t offset_nj;      /* what the counter stood at when the trace began */
  int64_t reset_us;       /* the counter starts anew here, -1: never */
  int64_t stuck_us;       /* the counter stands still from here, -1: never */
  int64_t counter_permille; /* the counter's own error, 1000: none */
  uint64_t counter_override; /* not 0: what the counter says */
  uint32_t power_override;   /* not 0: what the power sensor says */
  uint32_t memory_power_mw;  /* field value with scope MEMORY, 0: not supported */

  uint32_t sample_every_us;  /* period of the utilisation sampler */
  uint32_t ring_samples;     /* 1: every sample since lastSeen, 0: the newest of each process */
  uint32_t ignore_last_seen; /* 1: stale samples are returned whatever was asked for */
  uint32_t active;           /* which of the two tables is current: the writer fills the other one, then flips */
  struct table tables[2];

  int32_t fault[MAX_SYMBOLS]; /* 0: none, else the code to answer or FAULT_HANG */
  uint64_t calls[MAX_SYMBOLS];
};

struct call {
  int64_t time_us;
  uint32_t symbol;
  int32_t gpu; /* -1: not about a GPU */
};

struct control {
  uint32_t magic, layout_size;
  uint32_t virtual_clock, gpu_count;
  int64_t now_us; /* the virtual clock */
  int64_t t0_us;  /* CLOCK_MONOTONIC when the trace began, where the clock is real */
  int64_t wall_us; /* UTC when the trace began: sample timestamps count from here */
  uint32_t driver_generation;  /* another one: everything answers UNINITIALIZED until the next init */
  uint32_t library_generation; /* another one: a process that had loaded the library cannot initialise it any more */
  uint32_t hung;               /* calls that are asleep right now */
  uint32_t cuda_version;
  char driver_version[TEXT], nvml_version[TEXT];
  int32_t fault[MAX_SYMBOLS]; /* of calls that are not about a GPU */
  uint64_t calls[MAX_SYMBOLS];
  uint32_t delay_us[MAX_SYMBOLS]; /* what each call costs */
  uint64_t log_count;
  struct call log[LOG_CALLS];
  struct gpu gpus[MAX_GPUS];
};

struct target { /* whom a handle means */
  struct gpu *gpu;
  int index;
  struct mig *mig; /* NULL: the whole GPU */
};

extern struct control *control;

/* control.c */
int64_t now_us(void);
int64_t integral_nj(const struct gpu *gpu, int64_t at_us);
nvmlReturn_t enter(enum symbol symbol, nvmlDevice_t device, struct target *target);
nvmlReturn_t enter_driver(enum symbol symbol);
nvmlReturn_t enter_index(enum symbol symbol, unsigned index, struct target *target);
nvmlReturn_t whole_gpu_fault(enum symbol symbol, const struct target *target);
nvmlDevice_t handle_of(int gpu, int mig);

nvmlReturn_t put_text(char *out, unsigned size, const char *text);

#define EXPORT __attribute__((visibility("default")))
#define UNUSED(x) (void)(x)
/* The first line of a call about a device: counts it, checks the handle, answers the scripted fault. */
#define DEVICE(name, device)                                      \
  struct target on;                                               \
  {                                                               \
    nvmlReturn_t code = enter(SYM_##name, (device), &on);         \
    if (code != NVML_SUCCESS) return code;                        \
  }
/* The same for a call that only a whole GPU answers. */
#define WHOLE_GPU(name, device) \
  DEVICE(name, device)          \
  if (on.mig != NULL) return NVML_ERROR_NOT_SUPPORTED;

#endif
