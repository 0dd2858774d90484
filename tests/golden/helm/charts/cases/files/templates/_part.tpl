{{- define "part" -}}part{{- end }}
