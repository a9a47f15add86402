{{- /* What ServiceMonitor and PodMonitor say alike of an endpoint. A pod's name changes with every update, and series
       with it; the node is what stays. Without the target's own namespace, pod and container those of
       wattledger_workload_info keep their names; its job is moved aside to exported_job, since rules join by job. Takes
       the monitor's values and the scheme. */ -}}
{{- define "wattledger.endpoint" -}}
port: http
path: /metrics
scheme: {{ .scheme }}
interval: {{ .monitor.interval }}
scrapeTimeout: {{ .monitor.scrapeTimeout }}
honorLabels: false
relabelings:
  - {action: replace, sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: instance}
  - {action: labeldrop, regex: namespace|pod|container|service|endpoint}
  {{- with .monitor.relabelings }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .monitor.metricRelabelings }}
metricRelabelings: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .monitor.endpoint }}
{{ toYaml . }}
{{- end }}
{{- end -}}
