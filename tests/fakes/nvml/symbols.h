/* Every NVML function the fake exports, in the order of the call counters. fake_nvml.py reads this list too.
 *
 * It is what codecarbon, nvitop, nvitop-exporter, zeus, gpustat and carbontracker look up, and what our own source uses.
 * A function that is not here is "not found" to pynvml, as with an old driver.
 */
#ifndef FAKE_NVML_SYMBOLS_H
#define FAKE_NVML_SYMBOLS_H

#define SYMBOLS(X) \
  X(nvmlInitWithFlags) \
  X(nvmlInit_v2) \
  X(nvmlShutdown) \
  X(nvmlSystemGetDriverVersion) \
  X(nvmlSystemGetNVMLVersion) \
  X(nvmlSystemGetCudaDriverVersion) \
  X(nvmlDeviceGetCount_v2) \
  X(nvmlDeviceGetHandleByIndex_v2) \
  X(nvmlDeviceGetHandleByUUID) \
  X(nvmlDeviceGetHandleByPciBusId_v2) \
  X(nvmlDeviceGetName) \
  X(nvmlDeviceGetUUID) \
  X(nvmlDeviceGetIndex) \
  X(nvmlDeviceGetSerial) \
  X(nvmlDeviceGetPciInfo_v3) \
  X(nvmlDeviceGetMinorNumber) \
  X(nvmlDeviceGetModuleId) \
  X(nvmlDeviceGetArchitecture) \
  X(nvmlDeviceGetCudaComputeCapability) \
  X(nvmlDeviceGetNumGpuCores) \
  X(nvmlDeviceGetC2cModeInfoV) \
  X(nvmlDeviceGetTotalEnergyConsumption) \
  X(nvmlDeviceGetPowerUsage) \
  X(nvmlDeviceGetFieldValues) \
  X(nvmlDeviceGetSamples) \
  X(nvmlDeviceGetEnforcedPowerLimit) \
  X(nvmlDeviceGetPowerManagementLimit) \
  X(nvmlDeviceGetPowerManagementDefaultLimit) \
  X(nvmlDeviceGetPowerManagementLimitConstraints) \
  X(nvmlDeviceSetPowerManagementLimit) \
  X(nvmlDeviceGetUtilizationRates) \
  X(nvmlDeviceGetEncoderUtilization) \
  X(nvmlDeviceGetDecoderUtilization) \
  X(nvmlDeviceGetMemoryInfo) \
  X(nvmlDeviceGetMemoryInfo_v2) \
  X(nvmlDeviceGetBAR1MemoryInfo) \
  X(nvmlDeviceGetConfComputeMemSizeInfo) \
  X(nvmlDeviceGetPcieThroughput) \
  X(nvmlDeviceGetTotalEccErrors) \
  X(nvmlDeviceGetTemperature) \
  X(nvmlDeviceGetTemperatureV) \
  X(nvmlDeviceGetFanSpeed) \
  X(nvmlDeviceGetPerformanceState) \
  X(nvmlDeviceGetClockInfo) \
  X(nvmlDeviceGetMaxClockInfo) \
  X(nvmlDeviceGetSupportedGraphicsClocks) \
  X(nvmlDeviceGetSupportedMemoryClocks) \
  X(nvmlDeviceGetComputeMode) \
  X(nvmlDeviceGetPersistenceMode) \
  X(nvmlDeviceGetDisplayActive) \
  X(nvmlDeviceGetDisplayMode) \
  X(nvmlDeviceGetDriverModel_v2) \
  X(nvmlDeviceSetPersistenceMode) \
  X(nvmlDeviceSetGpuLockedClocks) \
  X(nvmlDeviceResetGpuLockedClocks) \
  X(nvmlDeviceSetMemoryLockedClocks) \
  X(nvmlDeviceResetMemoryLockedClocks) \
  X(nvmlDeviceGetComputeRunningProcesses_v2) \
  X(nvmlDeviceGetComputeRunningProcesses_v3) \
  X(nvmlDeviceGetGraphicsRunningProcesses_v2) \
  X(nvmlDeviceGetGraphicsRunningProcesses_v3) \
  X(nvmlDeviceGetMPSComputeRunningProcesses_v3) \
  X(nvmlDeviceGetRunningProcessDetailList) \
  X(nvmlDeviceGetProcessUtilization) \
  X(nvmlDeviceGetProcessesUtilizationInfo) \
  X(nvmlDeviceGetAccountingMode) \
  X(nvmlDeviceGetAccountingStats) \
  X(nvmlDeviceGetAccountingPids) \
  X(nvmlDeviceGetAccountingBufferSize) \
  X(nvmlDeviceGetMigMode) \
  X(nvmlDeviceGetMaxMigDeviceCount) \
  X(nvmlDeviceGetMigDeviceHandleByIndex) \
  X(nvmlDeviceGetDeviceHandleFromMigDeviceHandle) \
  X(nvmlDeviceIsMigDeviceHandle) \
  X(nvmlDeviceGetGpuInstanceId) \
  X(nvmlDeviceGetComputeInstanceId) \
  X(nvmlDeviceGetAttributes_v2) \
  X(nvmlEventSetCreate) \
  X(nvmlDeviceRegisterEvents) \
  X(nvmlEventSetWait_v2) \
  X(nvmlEventSetFree)

#endif
