{{- define "lib.hello" }}hello {{ .Release.Name }} from {{ .Chart.Name }}{{ end }}
