{{/* Labels on every object. */}}
{{- define "lockkeeper.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: lockkeeper
app.kubernetes.io/part-of: lockkeeper
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Labels on our pods, by which they are also selected: they must not change between releases. Argument: the component. */}}
{{- define "lockkeeper.podLabels" -}}
app.kubernetes.io/name: lockkeeper
app.kubernetes.io/part-of: lockkeeper
app.kubernetes.io/component: {{ . }}
{{- end }}

{{- define "lockkeeper.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{- define "lockkeeper.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{/* What a container of ours may do on its machine: nothing. */}}
{{- define "lockkeeper.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* Annotations on what releases the nodes when the chart is uninstalled. */}}
{{- define "lockkeeper.releaseHook" -}}
helm.sh/hook: pre-delete
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}
