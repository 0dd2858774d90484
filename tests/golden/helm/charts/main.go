// What helm's own packages make of charts, values and schemas; run by hand: go run . > ../charts.json
package main

import (
	"encoding/json"
	"io"
	"log"
	"os"
	"path/filepath"
	"sort"
	"strings"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/releaseutil"
	"helm.sh/helm/v3/pkg/strvals"
	"sigs.k8s.io/yaml"
)

type result struct {
	Kind   string `json:"kind,omitempty"`
	In     any    `json:"in"`
	With   any    `json:"with,omitempty"`
	Out    any    `json:"out,omitempty"`
	Failed string `json:"failed,omitempty"`
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func doStrvals() (out []result) {
	texts := []string{"a=b", "a=1", "a=0", "a=01", "a=-5", "a=1.5", "a=true", "a=FALSE", "a=null", "a=", "a", "=x", "a=b,c=d", "a=b,", "a,b=c", "a.b=c", "a.b.c=1,a.b.d=2",
		"a[0]=x", "a[1]=x", "a[0].b=c,a[0].d=e", "a[0][1]=x", "a={1,2,x}", "a={}", "a={1", "a={a,b},c=d", "a\\,b=c", "a=b\\,c", "a\\.b=c", "a[-1]=x", "a[x]=y", "a[70000]=1", "a[0]x=y",
		"a.=b", ".a=b", "a..b=c", "a[0]", "a[0].b", "a=b=c", "s=1", "s.x=2", "s[0]=3", "l[0]=9", "l[3]=9", "l.x=1", "m.k=v", "m.n.o=p", "m=1", "m=null", "m.k=null", "a= b ", "ä=ö", "a=99999999999999999999",
		"a=0x10", "a=1e3", "a=\\{x}", "a={\\,}", "a={{x}}", "a=b,a.c=d", "a[0]=1,a=2", strings.Repeat("a.", 31) + "x=1", strings.Repeat("a.", 30) + "x=1", "a={\"x\":[1,2.5]}", "a=[1,2],b=\"x\"", "a={\"b\":null},c=3", "a=\"x", "a=tru", "m={\"z\":1}", "a=,b=1", "a=1 ,b=2"}
	kinds := map[string]func(string, map[string]interface{}) error{"typed": strvals.ParseInto, "string": strvals.ParseIntoString, "json": strvals.ParseJSON, "literal": strvals.ParseLiteralInto}
	names := []string{"typed", "string", "json", "literal"}
	for _, kind := range names {
		for _, t := range texts {
			dest := map[string]interface{}{"s": "text", "l": []interface{}{1.0, "x"}, "m": map[string]interface{}{"n": map[string]interface{}{"q": true}}}
			err := kinds[kind](t, dest)
			r := result{Kind: kind, In: t, Failed: text(err)}
			if err == nil {
				r.Out = dest
			}
			out = append(out, r)
		}
	}
	return out
}

func doMatch() (out []result) {
	for _, c := range [][2]string{{"abc", "abc"}, {"*", "abc"}, {"*c", "abc"}, {"a*", "a"}, {"a*", "ab/c"}, {"a*/b", "abc/b"}, {"a*b*c*d*e*/f", "axbxcxdxe/f"}, {"a*b?c*x", "abxbbxdbxebxczzx"}, {"ab[c]", "abc"},
		{"ab[b-d]", "abc"}, {"ab[e-g]", "abc"}, {"ab[^c]", "abc"}, {"ab[^e-g]", "abc"}, {"a\\*b", "a*b"}, {"a\\*b", "ab"}, {"a?b", "a☺b"}, {"a[^a]b", "a☺b"}, {"a???b", "a☺b"}, {"[a-ζ]*", "α"}, {"*[a-ζ]", "A"},
		{"a?b", "a/b"}, {"a*b", "a/b"}, {"[\\]a]", "]"}, {"[\\-]", "-"}, {"[x\\-]", "x"}, {"[]a]", "]"}, {"[-]", "-"}, {"[x-]", "x"}, {"[-x]", "x"}, {"\\", "a"}, {"[a-b-c]", "a"}, {"[", "a"}, {"[^", "a"}, {"[^bc", "a"}, {"a[", "a"}, {"a[", "ab"}, {"*x", "xxx"}, {"", ""}, {"*", "a/b"}, {"**", "a"}} {
		ok, err := filepath.Match(c[0], c[1])
		out = append(out, result{In: c[0], With: c[1], Out: ok, Failed: text(err)})
	}
	return out
}

func doMetadata() (out []result) {
	for _, s := range strings.Split(`name: [a]
maintainers: foo
maintainers: [foo]
dependencies: [{name: [x]}]
dependencies: [{tags: x}]
deprecated: 3
{version: 1.0, appVersion: 1.10, type: true, annotations: {a: 1, b: true}, name: x}
annotations: {a: [1]}
annotations: [x]
foo
[a]
3
keywords: [1, 2, [3]]
{NAME: foo, version: 1.2.3, apiVersion: v2}
{version: 1e6, icon: 12345678901234567890, home: 0x10, kubeVersion: 100000000000000000000000}
dependencies: {a: b}
{name: a/b, version: 1.0.0, apiVersion: v2}
{name: a, version: x, apiVersion: v2}
{name: a, apiVersion: v2}
{version: 1.0.0, apiVersion: v2}
{name: a, version: 1.0.0}
{name: a, version: 1.0.0, apiVersion: v2, type: other}
{name: a, version: 1.0.0, apiVersion: v2, maintainers: [null]}
{name: a, version: 1.0.0, apiVersion: v2, dependencies: [null]}
{name: a, version: 1.0.0, apiVersion: v2, dependencies: [{name: x, alias: "a b"}]}
{name: a, version: 1.0.0, apiVersion: v2, dependencies: [{name: x}, {name: y, alias: x}]}
{name: "a\tb\u0007", version: 1.0.0, apiVersion: v2, dependencies: [{name: x, version: ">1", import-values: [a, {child: b, parent: c}], tags: [t]}]}`, "\n") {
		m := new(chart.Metadata)
		err := yaml.Unmarshal([]byte(s), m)
		r := result{In: s, Failed: text(err)}
		if err == nil {
			if err = m.Validate(); err != nil {
				r.Failed = err.Error()
			} else {
				r.Out = m
			}
		}
		out = append(out, r)
	}
	return out
}

func doSchemas() (out []result) {
	schemas, err := os.ReadFile("schemas.txt")
	if err != nil {
		log.Fatal(err)
	}
	values := map[string]interface{}{"a": "x", "c": []interface{}{1.0, "z"}, "d": map[string]interface{}{"e": nil}, "q": 70000.0}
	for _, s := range strings.Split(strings.TrimSpace(string(schemas)), "\n") {
		out = append(out, result{In: s, With: values, Failed: text(chartutil.ValidateAgainstSingleSchema(values, []byte(s)))})
	}
	return out
}

// A chart from a directory below cases/, its files, and values in values.test.yaml.
func doChart(dir string) result {
	files := map[string]string{}
	var loaded []*loader.BufferedFile
	filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, _ := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[name] = string(data)
		if name != "values.test.yaml" {
			loaded = append(loaded, &loader.BufferedFile{Name: name, Data: data})
		}
		return nil
	})
	values := map[string]interface{}{}
	yaml.Unmarshal([]byte(files["values.test.yaml"]), &values)
	r := result{Kind: filepath.Base(dir)}
	out, err := render(loaded, values)
	r.In, r.Out, r.Failed = files, out, text(err)
	return r
}

func render(files []*loader.BufferedFile, values map[string]interface{}) (string, error) {
	c, err := loader.LoadFiles(files)
	if err != nil {
		return "", err
	}
	if err = chartutil.ProcessDependenciesWithMerge(c, values); err != nil {
		return "", err
	}
	options := chartutil.ReleaseOptions{Name: "rel", Namespace: "ns", Revision: 1, IsInstall: true}
	caps := chartutil.DefaultCapabilities.Copy()
	kube, _ := chartutil.ParseKubeVersion("1.35.0")
	caps.KubeVersion = *kube
	top, err := chartutil.ToRenderValues(c, values, options, caps)
	if err != nil {
		return "", err
	}
	texts, err := engine.Engine{}.Render(c, top)
	if err != nil {
		return "", err
	}
	hooks, manifests, err := releaseutil.SortManifests(texts, nil, releaseutil.InstallOrder)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, m := range manifests {
		b.WriteString("# " + m.Name + "\n" + m.Content + "\n")
	}
	for _, h := range hooks {
		b.WriteString("# hook " + h.Path + " " + h.Name + "\n" + h.Manifest + "\n")
	}
	return b.String(), nil
}

func main() {
	log.SetOutput(io.Discard)
	all := map[string][]result{"strvals": doStrvals(), "match": doMatch(), "metadata": doMetadata(), "schemas": doSchemas()}
	dirs, _ := filepath.Glob("cases/*")
	sort.Strings(dirs)
	for _, d := range dirs {
		all["charts"] = append(all["charts"], doChart(d))
	}
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	e.Encode(all)
}
