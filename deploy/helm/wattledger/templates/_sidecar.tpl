{{- /* The daemon beside the containers of one pod: it books that pod's share and nothing else. For other charts, which
       have this one as a dependency with daemon.enabled: false. In the pod's template:

         shareProcessNamespace: true
         initContainers:
           - {{- include "wattledger.sidecar.container" .Subcharts.wattledger | nindent 10 }}
         volumes: {{- include "wattledger.sidecar.volumes" .Subcharts.wattledger | nindent 8 }}

       It is an init container that stays (restartPolicy: Always), so that a Job is done when its work is. */ -}}
{{- define "wattledger.sidecar.container" -}}
name: wattledger
image: {{ include "wattledger.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
restartPolicy: Always
command: [wattledger, run]
args:
  - --config=/etc/wattledger/config.toml
  - --state-dir=/var/lib/wattledger
  - --listen=:{{ .Values.web.port }}
  - --log.format={{ .Values.daemon.log.format }}
  - --own-only
env:
  {{- include "wattledger.commonEnv" . | nindent 2 }}
  {{- include "wattledger.nodeEnv" . | nindent 2 }}
  {{- range $name, $path := dict "POD_NAME" "metadata.name" "POD_NAMESPACE" "metadata.namespace" "POD_UID" "metadata.uid" }}
  - name: {{ $name }}
    valueFrom: {fieldRef: {apiVersion: v1, fieldPath: {{ $path }}}}
  {{- end }}
  {{- if .Values.sidecar.hostSys }}
  {{- include "wattledger.sysEnv" . | nindent 2 }}
  {{- end }}
  - {name: WATTLEDGER_WORKLOADS__KUBERNETES__API, value: "false"}
  - {name: WATTLEDGER_WORKLOADS__GPU_REPLICAS, value: {{ .Values.sidecar.gpuReplicas | quote }}}
  {{- if eq .Values.sidecar.gpus "kubelet" }}
  - {name: NVIDIA_VISIBLE_DEVICES, value: all}
  {{- else }}
  # The image asks for all; the devices of a claim come by themselves.
  - {name: NVIDIA_VISIBLE_DEVICES, value: void}
  {{- end }}
  {{- if ne .Values.sidecar.gpus "none" }}
  - {name: NVIDIA_DRIVER_CAPABILITIES, value: utility}
  {{- end }}
  {{- if .Values.books.url }}
  - {name: WATTLEDGER_BOOKS__URL, value: {{ .Values.books.url | quote }}}
  {{- if .Values.ship.enabled }}
  - {name: WATTLEDGER_BOOKS__SHIP, value: {{ .Values.ship.every | quote }}}
  {{- end }}
  {{- end }}
{{- include "wattledger.booksEnvFrom" . }}
ports:
  - {name: wattledger, containerPort: {{ .Values.web.port }}, protocol: TCP}
startupProbe:
  httpGet: {path: /-/healthy, port: wattledger, scheme: HTTP}
  periodSeconds: 1
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /-/healthy, port: wattledger, scheme: HTTP}
  periodSeconds: 20
  timeoutSeconds: 5
  failureThreshold: 6
securityContext: {{- include "wattledger.containerSecurity" list | nindent 2 }}
  runAsUser: {{ .Values.sidecar.runAsUser }}
  runAsNonRoot: {{ ne (int .Values.sidecar.runAsUser) 0 }}
  seccompProfile: {type: RuntimeDefault}
resources: {{- toYaml .Values.sidecar.resources | nindent 2 }}
  {{- if eq .Values.sidecar.gpus "claim" }}
  claims: [{name: {{ .Values.sidecar.claimName | quote }}}]
  {{- end }}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  - {name: wattledger-config, mountPath: /etc/wattledger, readOnly: true}
  - {name: wattledger-state, mountPath: /var/lib/wattledger}
  - {name: wattledger-tmp, mountPath: /tmp}
  - {name: wattledger-podinfo, mountPath: /etc/podinfo, readOnly: true}
  {{- if .Values.sidecar.hostSys }}
  {{- include "wattledger.sysMount" . | replace "name: sys" "name: wattledger-sys" | nindent 2 }}
  {{- end }}
  {{- if eq .Values.sidecar.gpus "kubelet" }}
  - {name: wattledger-kubelet, mountPath: /var/lib/kubelet/pod-resources, readOnly: true}
  {{- end }}
  {{- if .Values.secretName }}
  - {name: wattledger-secrets, mountPath: /run/secrets/wattledger, readOnly: true}
  {{- end }}
  {{- include "wattledger.booksMount" . | nindent 2 }}
{{- end -}}

{{- define "wattledger.sidecar.volumes" -}}
- name: wattledger-config
  configMap: {name: {{ include "wattledger.fullname" . }}}
- name: wattledger-state
  emptyDir: {sizeLimit: {{ .Values.state.size | quote }}}
- name: wattledger-tmp
  emptyDir: {sizeLimit: 256Mi}
- name: wattledger-podinfo
  downwardAPI:
    items:
      - {path: labels, fieldRef: {apiVersion: v1, fieldPath: metadata.labels}}
      - {path: annotations, fieldRef: {apiVersion: v1, fieldPath: metadata.annotations}}
{{- if .Values.sidecar.hostSys }}
- name: wattledger-sys
  hostPath: {path: /sys, type: Directory}
{{- end }}
{{- if eq .Values.sidecar.gpus "kubelet" }}
- name: wattledger-kubelet
  hostPath: {path: {{ .Values.kubernetes.kubeletDir | quote }}, type: DirectoryOrCreate}
{{- end }}
{{- with .Values.secretName }}
- name: wattledger-secrets
  secret: {secretName: {{ . | quote }}, defaultMode: 0444} # any user of that container; no other mounts it
{{- end }}
{{- include "wattledger.booksVolume" . }}
{{- end -}}
