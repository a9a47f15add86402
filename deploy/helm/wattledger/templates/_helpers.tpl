{{- /* Names, labels, the image: what every object needs. */ -}}

{{- define "wattledger.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* At most 52 letters: a CronJob adds 11 to its name, and -export has 7. */ -}}
{{- define "wattledger.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 43 | trimSuffix "-" -}}
{{- else if contains (include "wattledger.name" .) .Release.Name -}}
{{- .Release.Name | trunc 43 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "wattledger.name" .) | trunc 43 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "wattledger.selector" -}}
app.kubernetes.io/name: {{ include "wattledger.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "wattledger.labels" -}}
{{ include "wattledger.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | quote }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "wattledger.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ printf "%s@%s" .repository .digest }}
{{- else -}}
{{ printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "wattledger.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "wattledger.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* Whether the daemon asks the API server. */ -}}
{{- define "wattledger.asksApi" -}}
{{- if and .Values.daemon.enabled (not .Values.daemon.demo) .Values.kubernetes.api -}}true{{- end -}}
{{- end -}}

{{- /* Combinations that cannot be, each with what to do. Included by the ConfigMap, which is always there. */ -}}
{{- define "wattledger.validate" -}}
{{- if and .Values.serviceMonitor.enabled .Values.podMonitor.enabled -}}
{{- fail "serviceMonitor and podMonitor would scrape every node twice. Enable one of them." -}}
{{- end -}}
{{- if and (or .Values.serviceMonitor.enabled .Values.podMonitor.enabled) (not .Values.daemon.enabled) -}}
{{- fail "There is no daemon to scrape: daemon.enabled is false. Disable serviceMonitor and podMonitor, or enable the daemon." -}}
{{- end -}}
{{- range $part := list "ship" "history" "export" "portal" -}}
{{- if (index $.Values $part).enabled -}}
{{- if not $.Values.books.url -}}
{{- fail (printf "%s.enabled needs books. Set books.url, such as s3://carbon-books/prod." $part) -}}
{{- end -}}
{{- if and (not (contains "://" $.Values.books.url)) (not (and $.Values.books.persistentVolumeClaim (hasPrefix "/books" $.Values.books.url))) -}}
{{- fail (printf "books.url %s is a folder in a container, which is lost with it. Name a bucket, or set books.persistentVolumeClaim and a url below /books." $.Values.books.url) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and .Values.daemon.enabled .Values.daemon.runAsUser .Values.daemon.capabilities -}}
{{- fail "daemon.capabilities do nothing for another user than 0: Kubernetes has no ambient capabilities. Set daemon.runAsUser to 0, or leave them out." -}}
{{- end -}}
{{- if and .Values.rbac.create (include "wattledger.asksApi" .) (not .Values.serviceAccount.create) (not .Values.serviceAccount.name) -}}
{{- fail "rbac.create would let every pod of the namespace list the pods of the cluster, by the account that all have. Set serviceAccount.name, or kubernetes.api to false." -}}
{{- end -}}
{{- if and .Values.daemon.enabled (regexMatch "(?m)^([^#\\n]*[\\s{,.])?[\"']?ship[\"']?\\s*=" .Values.config) -}}
{{- fail "config lets the daemon ship, which has neither the bucket's keys nor the memory. Take ship out of config and set ship.enabled." -}}
{{- end -}}
{{- if and .Values.ship.enabled .Values.history.enabled (not (contains "--match" (join " " .Values.history.args))) -}}
{{- fail "ship and history would both bring the hours of every node into the books. Disable one, or say with --match in history.args whose series are meant." -}}
{{- end -}}
{{- if and .Values.ship.enabled .Values.daemon.demo -}}
{{- fail "daemon.demo measures nothing: what it books must not get into the books of a fleet. Disable ship.enabled." -}}
{{- end -}}
{{- if and .Values.history.enabled (not .Values.history.prometheusUrl) -}}
{{- fail "history.enabled needs a server to read from. Set history.prometheusUrl, such as http://prometheus.monitoring:9090." -}}
{{- end -}}
{{- if .Values.export.enabled -}}
{{- if not .Values.export.destination -}}
{{- fail "export.enabled needs a place for the files. Set export.destination, such as s3://finance/carbon." -}}
{{- end -}}
{{- if and (not (contains "://" .Values.export.destination)) (not (and .Values.books.persistentVolumeClaim (hasPrefix "/books" .Values.export.destination))) -}}
{{- fail (printf "export.destination %s is a folder in a container, which is lost with it. Name a bucket, or set books.persistentVolumeClaim and a folder below /books." .Values.export.destination) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.portal.enabled (not .Values.portal.tokenSecret) (not .Values.portal.webConfigSecret) -}}
{{- fail "portal.enabled would let everybody in the cluster read the statements. Set portal.tokenSecret or portal.webConfigSecret." -}}
{{- end -}}
{{- if and (or .Values.web.tls .Values.web.authenticated) (not .Values.web.configSecret) -}}
{{- fail "web.tls and web.authenticated describe the file in web.configSecret. Set it too." -}}
{{- end -}}
{{- if and .Values.prometheusRule.enabled (not .Values.prometheusRule.files) (not .Values.prometheusRule.extraGroups) -}}
{{- fail "prometheusRule.enabled has no rules: name some in prometheusRule.files, or in extraGroups." -}}
{{- end -}}
{{- if and (eq .Values.sidecar.gpus "claim") (not .Values.sidecar.claimName) -}}
{{- fail "sidecar.gpus is claim: set sidecar.claimName to the pod's resource claim." -}}
{{- end -}}
{{- end -}}
