{{- /* Containers and volumes of the daemon's pod. */ -}}

{{- define "wattledger.daemonEnv" -}}
{{ include "wattledger.commonEnv" . }}
{{ include "wattledger.nodeEnv" . }}
{{- if and .Values.daemon.nvidia.enabled (not .Values.daemon.demo) }}
- {name: NVIDIA_VISIBLE_DEVICES, value: {{ .Values.daemon.nvidia.visibleDevices | quote }}}
- {name: NVIDIA_DRIVER_CAPABILITIES, value: utility}
{{- else }}
- {name: NVIDIA_VISIBLE_DEVICES, value: void}
{{- end }}
{{- if not .Values.daemon.demo }}
{{ include "wattledger.sysEnv" . }}
{{- end }}
{{- if not (include "wattledger.asksApi" .) }}
- {name: WATTLEDGER_WORKLOADS__KUBERNETES__API, value: "false"}
{{- end }}
{{- with .Values.daemon.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "wattledger.daemonMounts" -}}
{{ include "wattledger.commonMounts" . }}
- {name: state, mountPath: /var/lib/wattledger}
{{- if .Values.web.configSecret }}
- {name: web, mountPath: /etc/wattledger-web, readOnly: true}
{{- end }}
{{- if not .Values.daemon.demo }}
{{ include "wattledger.sysMount" . }}
{{- if .Values.kubernetes.kubeletSocket }}
- {name: kubelet, mountPath: /var/lib/kubelet/pod-resources, readOnly: true}
{{- end }}
{{- if .Values.kubernetes.podLogs }}
- {name: pod-logs, mountPath: /var/log/pods, readOnly: true}
{{- end }}
{{- if .Values.declare.enabled }}
- {name: declare, mountPath: /run/wattledger}
{{- end }}
{{- end }}
{{- end -}}

{{- define "wattledger.daemonVolumes" -}}
{{ include "wattledger.commonVolumes" . }}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
- name: state
  {{- if eq .Values.state.type "hostPath" }}
  hostPath: {path: {{ .Values.state.hostPath | quote }}, type: DirectoryOrCreate}
  {{- else if eq .Values.state.type "emptyDir" }}
  emptyDir: {sizeLimit: {{ .Values.state.size | quote }}}
  {{- else }}
  ephemeral:
    volumeClaimTemplate:
      spec:
        accessModes: [ReadWriteOnce]
        {{- with .Values.state.storageClassName }}
        storageClassName: {{ . | quote }}
        {{- end }}
        resources: {requests: {storage: {{ .Values.state.size | quote }}}}
  {{- end }}
{{- with .Values.web.configSecret }}
- name: web
  secret: {secretName: {{ . | quote }}, defaultMode: 0400}
{{- end }}
{{- if not .Values.daemon.demo }}
- name: sys
  hostPath: {path: /sys, type: Directory}
{{- if .Values.kubernetes.kubeletSocket }}
- name: kubelet
  hostPath: {path: {{ .Values.kubernetes.kubeletDir | quote }}, type: DirectoryOrCreate}
{{- end }}
{{- if .Values.kubernetes.podLogs }}
- name: pod-logs
  hostPath: {path: /var/log/pods, type: DirectoryOrCreate}
{{- end }}
{{- if .Values.declare.enabled }}
- name: declare
  hostPath: {path: {{ .Values.declare.hostPath | quote }}, type: DirectoryOrCreate}
{{- end }}
{{- end }}
{{- if .Values.ship.enabled }}
{{- if include "wattledger.asksApi" . }}
- name: no-token
  emptyDir: {sizeLimit: 1Mi}
{{- end }}
{{- include "wattledger.booksVolume" . }}
{{- end }}
{{- end -}}

{{- define "wattledger.daemonContainer" -}}
name: wattledger
image: {{ include "wattledger.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [wattledger, run]
args:
  - --config=/etc/wattledger/config.toml
  - --state-dir=/var/lib/wattledger
  - --listen=:{{ .Values.web.port }}
  - --log.level={{ .Values.daemon.log.level }}
  - --log.format={{ .Values.daemon.log.format }}
  {{- if .Values.daemon.demo }}
  - --demo
  {{- end }}
  {{- if .Values.web.configSecret }}
  - --web.config.file=/etc/wattledger-web/{{ .Values.web.configKey }}
  {{- end }}
env: {{- include "wattledger.daemonEnv" . | nindent 2 }}
ports:
  - {name: http, containerPort: {{ .Values.web.port }}, protocol: TCP}
startupProbe:
  {{- include "wattledger.probe" (dict "root" . "path" "/-/healthy") | nindent 2 }}
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  {{- include "wattledger.probe" (dict "root" . "path" "/-/healthy") | nindent 2 }}
  periodSeconds: 20
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  {{- include "wattledger.probe" (dict "root" . "path" "/-/ready") | nindent 2 }}
  periodSeconds: 10
  timeoutSeconds: 5
securityContext: {{- include "wattledger.containerSecurity" (ternary list .Values.daemon.capabilities .Values.daemon.demo) | nindent 2 }}
  {{- with .Values.daemon.seLinuxOptions }}
  seLinuxOptions: {{ toJson . }}
  {{- end }}
resources: {{- toYaml .Values.daemon.resources | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts: {{- include "wattledger.daemonMounts" . | nindent 2 }}
{{- end -}}

{{- /* An init container that stays: the kubelet ends it after the daemon, when the ledger is closed, and its last turn
       ships what the daemon booked last (kubernetes.io, "Sidecar Containers"). */ -}}
{{- define "wattledger.shipContainer" -}}
name: ship
image: {{ include "wattledger.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
restartPolicy: Always
command: [wattledger, ship]
args:
  - --config=/etc/wattledger/config.toml
  - --state-dir=/var/lib/wattledger
  - --every={{ .Values.ship.every }}
env:
  {{- include "wattledger.commonEnv" . | nindent 2 }}
  {{- include "wattledger.nodeEnv" . | nindent 2 }}
  {{- include "wattledger.booksEnv" . | nindent 2 }}
{{- include "wattledger.booksEnvFrom" . }}
securityContext: {{- include "wattledger.containerSecurity" list | nindent 2 }}
  {{- with .Values.daemon.seLinuxOptions }}
  seLinuxOptions: {{ toJson . }}
  {{- end }}
resources: {{- toYaml .Values.ship.resources | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  {{- include "wattledger.commonMounts" . | nindent 2 }}
  - {name: state, mountPath: /var/lib/wattledger}
  {{- if include "wattledger.asksApi" . }}
  # The API's token is the daemon's alone: where something is mounted at its place, Kubernetes mounts none.
  - {name: no-token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true}
  {{- end }}
  {{- include "wattledger.booksMount" . | nindent 2 }}
{{- end -}}
