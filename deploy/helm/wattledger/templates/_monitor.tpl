{{- /* What ServiceMonitor and PodMonitor say alike of an endpoint. A pod's name changes with every update, and series
       with it; the node is what stays. The daemon's own labels keep their names (site of wattledger_pue_ratio, namespace
       and job of wattledger_workload_info), as with every configuration in deploy/prometheus. The alert that a node is
       silent looks for a job called wattledger, whatever nameOverride says. Takes the monitor's values and the scheme. */ -}}
{{- define "wattledger.endpoint" -}}
port: http
path: /metrics
scheme: {{ .scheme }}
interval: {{ .monitor.interval }}
{{- with .monitor.scrapeTimeout }}
scrapeTimeout: {{ . }}
{{- end }}
honorLabels: true
relabelings:
  - {action: replace, sourceLabels: [__meta_kubernetes_pod_node_name], targetLabel: instance}
  - {action: labeldrop, regex: namespace|pod|container|service|endpoint}
  - {action: replace, targetLabel: job, replacement: wattledger}
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
