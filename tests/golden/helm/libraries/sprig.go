package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig/v3"
	"sigs.k8s.io/yaml"
	goyaml "sigs.k8s.io/yaml/goyaml.v3"
)

// What templates with sprig's and helm's functions give, in New York's time. Each part of a line between bars is a case.

//go:embed sprig.txt
var sprigTemplates string

type sprigCase struct {
	Template blob   `json:"template"`
	Output   blob   `json:"output"`
	Error    string `json:"error,omitempty"`
}

const sprigData = `{"s":"text","f":2.5,"b":true,"l":[1,"a",null,2.5,true],"m":{"a":1,"n":null,"list":[1,{"x":"y"}],"sub":{"k":"v","t":true}},"el":[],"em":{}}`

func sprigFuncs() template.FuncMap {
	f := sprig.TxtFuncMap()
	delete(f, "env")
	delete(f, "expandenv")
	trimmed := func(b []byte, err error) string {
		if err != nil {
			return ""
		}
		return strings.TrimSuffix(string(b), "\n")
	}
	f["toYaml"] = func(v any) string { return trimmed(yaml.Marshal(v)) }
	f["toYamlPretty"] = func(v any) string {
		var b bytes.Buffer
		e := goyaml.NewEncoder(&b)
		e.SetIndent(2)
		err := e.Encode(v)
		return trimmed(b.Bytes(), err)
	}
	f["toJson"] = func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			return ""
		}
		return string(b)
	}
	f["toToml"], f["fromToml"] = toTOML, fromTOML
	f["fromYaml"], f["fromYamlArray"], f["fromJson"], f["fromJsonArray"] = fromYAML, fromYAMLArray, fromJSON, fromJSONArray
	return f
}

func writeSprig(file string) {
	cases, lines := []any{}, []string{}
	for _, line := range strings.Split(sprigTemplates, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		if strings.Contains(line, ":=") { // variables go through the line
			lines = append(lines, line)
			continue
		}
		lines = append(lines, strings.Split(strings.ReplaceAll(line, "}}|{{", "}}\n{{"), "\n")...)
	}
	for _, line := range lines {
		data := map[string]any{}
		if err := json.Unmarshal([]byte(sprigData), &data); err != nil {
			panic(err)
		}
		data["bin"] = "a\xffÉ"
		c := sprigCase{Template: blob(line)}
		t, err := template.New("t").Funcs(sprigFuncs()).Parse(line)
		var out strings.Builder
		if err == nil {
			err = t.Execute(&out, data)
		}
		c.Output = blob(out.String())
		if err != nil {
			c.Error = err.Error()
		}
		cases = append(cases, c)
	}
	save(file, cases)
}
