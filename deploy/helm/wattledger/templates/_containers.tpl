{{- /* Parts of pods that several of them share. */ -}}

{{- /* Of every container: nothing is writable but what is mounted, no privilege can be gained. Takes a list of
       capabilities to add. */ -}}
{{- define "wattledger.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
  {{- with . }}
  add: {{ toJson . }}
  {{- end }}
{{- end -}}

{{- /* Writable places for Python and the engines. */ -}}
{{- define "wattledger.commonEnv" -}}
- {name: HOME, value: /tmp}
- {name: TMPDIR, value: /tmp}
- {name: XDG_CACHE_HOME, value: /tmp/cache}
{{- end -}}

{{- /* The host's name, for series and books. */ -}}
{{- define "wattledger.nodeEnv" -}}
- name: NODE_NAME
  valueFrom: {fieldRef: {apiVersion: v1, fieldPath: spec.nodeName}}
{{- end -}}

{{- /* void: the image asks for all GPUs, and this container needs none. */ -}}
{{- define "wattledger.booksEnv" -}}
- {name: NVIDIA_VISIBLE_DEVICES, value: void}
{{- with .Values.books.url }}
- {name: WATTLEDGER_BOOKS__URL, value: {{ . | quote }}}
{{- end }}
{{- end -}}

{{- define "wattledger.booksEnvFrom" -}}
{{- with .Values.books.credentialsSecret }}
envFrom:
  - secretRef: {name: {{ . | quote }}}
{{- end }}
{{- end -}}

{{- define "wattledger.commonMounts" -}}
- {name: config, mountPath: /etc/wattledger, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if .Values.secretName }}
- {name: secrets, mountPath: /run/secrets/wattledger, readOnly: true}
{{- end }}
{{- end -}}

{{- define "wattledger.booksMount" -}}
{{- if .Values.books.persistentVolumeClaim }}
- {name: books, mountPath: /books}
{{- end }}
{{- end -}}

{{- /* The tmp volume is not among them: its size differs. */ -}}
{{- define "wattledger.commonVolumes" -}}
- name: config
  configMap: {name: {{ include "wattledger.fullname" . }}}
{{- with .Values.secretName }}
- name: secrets
  secret: {secretName: {{ . | quote }}, defaultMode: 0400}
{{- end }}
{{- end -}}

{{- define "wattledger.booksVolume" -}}
{{- with .Values.books.persistentVolumeClaim }}
- name: books
  persistentVolumeClaim: {claimName: {{ . | quote }}}
{{- end }}
{{- end -}}

{{- /* A variable and no flag: kubectl exec … wattledger check has to look there, too. */ -}}
{{- define "wattledger.sysEnv" -}}
- {name: WATTLEDGER_NODE__SYSFS, value: /host/sys}
{{- end -}}

{{- /* Read-only with everything that is mounted below it (/sys/fs/cgroup), where the cluster can: uid 0 owns cgroups. */ -}}
{{- define "wattledger.sysMount" -}}
- name: sys
  mountPath: /host/sys
  readOnly: true
  {{- if semverCompare ">=1.31-0" .Capabilities.KubeVersion.Version }}
  recursiveReadOnly: IfPossible
  {{- end }}
{{- end -}}

{{- define "wattledger.probe" -}}
{{- $web := .root.Values.web -}}
{{- if $web.authenticated -}}
tcpSocket: {port: http}
{{- else -}}
httpGet: {path: {{ .path }}, port: http, scheme: {{ ternary "HTTPS" "HTTP" $web.tls }}}
{{- end -}}
{{- end -}}

{{- /* Pod level of jobs and tests: nobody in particular, no token, no host. */ -}}
{{- define "wattledger.jobPod" -}}
serviceAccountName: {{ include "wattledger.serviceAccount" . }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.jobs.runAsUser }}
  runAsGroup: {{ .Values.jobs.runAsUser }}
  fsGroup: {{ .Values.jobs.runAsUser }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toJson . }}
{{- end }}
{{- with .Values.jobs.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .Values.jobs.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- end -}}
