{{/* Labels on every object. */}}
{{- define "lockkeeper.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: lockkeeper
app.kubernetes.io/part-of: lockkeeper
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
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

{{/* A pod that fits the Pod Security level restricted. */}}
{{- define "lockkeeper.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* Where a hook's pod may run: wherever a controller may, and on the only node there is, which may be the one that is cordoned. */}}
{{- define "lockkeeper.hookPlacement" -}}
{{- with .Values.controller.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
nodeSelector:
  kubernetes.io/os: linux
  {{- with .Values.controller.nodeSelector }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
tolerations:
  - key: node.kubernetes.io/unschedulable
    operator: Exists
  - key: lockkeeper.dev/outdated
    operator: Exists
  {{- with .Values.controller.tolerations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Annotations on what brings the CRDs to this version. */}}
{{- define "lockkeeper.crdsHook" -}}
helm.sh/hook: pre-upgrade
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* Annotations on what `helm test` runs. */}}
{{- define "lockkeeper.verifyHook" -}}
helm.sh/hook: test
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* The webhooks as the controller's --webhooks takes them. Argument: the list. */}}
{{- define "lockkeeper.webhooks" -}}
{{- $names := list }}
{{- $parts := list }}
{{- range . }}
{{- if has .name $names }}
{{- fail (printf "notifications.webhooks: two are named %s" .name) }}
{{- end }}
{{- $names = append $names .name }}
{{- $parts = append $parts (printf "%s:%s%s" .name .format (empty .types | ternary "" (printf ":%s" (join "+" .types)))) }}
{{- end }}
{{- join "," $parts }}
{{- end }}
