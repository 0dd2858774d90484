// Command golden executes the templates of cases.txt with Go's text/template: go run . < cases.txt > ../templates.json
//
// cases.txt has one case per line. ␤ stands for a line break, ␞ divides texts that are parsed one after the other (as
// templates t, t2, t3…; t is executed). Lines that begin with "#!" set the data ("#! data typed") or the missingkey
// option ("#! missing zero") of those that follow, those with "# " are comments.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"
)

// Inner, Item and the data below stand again in tests/unit/test_helm_template.c.
type Inner struct {
	X int
	S string
}

type Item struct {
	Name  string
	Count int
	Tags  []string
	Any   any
	Inner
	Sub *Inner
	Map map[string]any
}

func (i Item) Hello() string                     { return "hello " + i.Name }
func (i Item) Sum(a, b int) int                  { return a + b }
func (i Item) Fail() (string, error)             { return "", errors.New("item failed") }
func (i Item) Join(s string, l ...string) string { return strings.Join(l, s) }
func (i Inner) Twice() int                       { return 2 * i.X }

func typed() any {
	item := Item{Name: "n", Count: 3, Tags: []string{"a", "b"}, Inner: Inner{1, "in"}, Sub: &Inner{2, "sub"}, Map: map[string]any{"k": "v"}}
	return map[string]any{
		"i": 7, "neg": -3, "zero": 0, "i8": int8(-5), "i64": int64(1 << 40), "u": uint(9), "u8": uint8(200), "u64": uint64(1 << 63),
		"f": 2.5, "f32": float32(1.1), "big": 1e21, "small": 1e-7, "million": 1000000.0, "whole": 3.0, "t": true, "no": false,
		"s": "text", "empty": "", "uni": "日本語 é", "bin": "a\xff\x00b", "html": "<a href=\"x\">'&'</a>", "nil": nil,
		"list": []any{1, "a", nil, 2.5, true}, "strings": []string{"x", "y", "z"}, "ints": []int{3, 1, 2}, "nolist": []any{}, "nillist": []any(nil),
		"bytes": []byte("hi"), "map": map[string]any{"b": 2, "a": 1, "nested": map[string]any{"deep": map[string]any{"x": "found"}}, "none": nil},
		"strmap": map[string]string{"k": "v", "j": "w"}, "nilmap": map[string]any(nil), "nomap": map[string]any{}, "err": errors.New("an error"),
		"num": json.Number("12"), "dur": 90 * time.Second, "item": item, "ptr": &item, "nilptr": (*Item)(nil), "c": complex(1, -2),
		"maps": []map[string]any{{"a": 1}, {"a": 2}}, "fn": strings.ToUpper,
	}
}

func jsonData(number bool) any {
	d := json.NewDecoder(strings.NewReader(`{"name":"app","replicas":3,"ratio":0.25,"big":12345678,"huge":1e+30,"neg":-1,"on":true,"off":false,"null":null,
"image":{"repository":"nginx","tag":"1.25"},"list":["a","b","c"],"nested":{"list":[{"name":"x","port":80},{"name":"y","port":443}]},"empty":{},"none":[]}`))
	if number {
		d.UseNumber()
	}
	var v any
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

var data = map[string]any{"typed": typed(), "json": jsonData(false), "numbers": jsonData(true), "nil": nil, "string": "dot", "int": 5}

var funcs = template.FuncMap{
	"add":      func(a, b int) int { return a + b },
	"upper":    strings.ToUpper,
	"anything": func(v any) any { return v },
	"fails":    func(s string) (string, error) { return "", errors.New(s) },
	"panics":   func(s string) string { panic(s) },
	"join":     func(sep string, s ...string) string { return strings.Join(s, sep) },
	"list":     func(v ...any) []any { return v },
	"dict": func(v ...any) map[string]any {
		m := map[string]any{}
		for i := 0; i+1 < len(v); i += 2 {
			m[v[i].(string)] = v[i+1]
		}
		return m
	},
	"set":     func(m map[string]any, k string, v any) map[string]any { m[k] = v; return m },
	"half":    func(f float64) float64 { return f / 2 },
	"yes":     func(b bool) string { return fmt.Sprint(b) },
	"small":   func(u uint8) uint8 { return u },
	"nothing": func() any { return nil },
	"answer":  func() int { return 42 },
	"strs":    func(s []string) int { return len(s) },
	"text":    func(e error) string { return e.Error() },
	"byts":    func(b []byte) string { return string(b) },
	"cplx":    func(c complex128) complex128 { return c },
}

type blob string

func (b blob) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(b)) {
		return json.Marshal(string(b))
	}
	return json.Marshal([][]byte{[]byte(b)})
}

type row struct {
	Data    string `json:"data"`
	Missing string `json:"missing"`
	Text    blob   `json:"text"`
	Out     blob   `json:"out"`
	Error   blob   `json:"error,omitempty"`
}

func run(r *row) {
	root := template.New("t").Funcs(funcs).Option("missingkey=" + r.Missing)
	d := data[r.Data]
	if r.Data == "typed" { // templates change maps
		d = typed()
	}
	for i, text := range strings.Split(string(r.Text), "\x1e") {
		t := root
		if i > 0 {
			t = root.New(fmt.Sprintf("t%d", i+1))
		}
		if _, err := t.Parse(text); err != nil {
			r.Error = blob(err.Error())
			return
		}
	}
	var b bytes.Buffer
	if err := root.ExecuteTemplate(&b, "t", d); err != nil {
		r.Error = blob(err.Error())
	}
	r.Out = blob(address.ReplaceAllString(b.String(), "0xADDRESS"))
	r.Error = blob(address.ReplaceAllString(string(r.Error), "0xADDRESS"))
}

// address: of pointers, no two runs print the same.
var address = regexp.MustCompile("0x[0-9a-f]{6,}")

func main() {
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	r, separator := row{Data: "typed", Missing: "invalid"}, "["
	for in.Scan() {
		line := in.Text()
		var what, value string
		if n, _ := fmt.Sscanf(line, "#! %s %s", &what, &value); n == 2 {
			if what == "data" {
				r.Data = value
			} else {
				r.Missing = value
			}
			continue
		}
		if line == "" || strings.HasPrefix(line, "# ") {
			continue
		}
		c := r
		c.Text = blob(strings.NewReplacer("␤", "\n", "␞", "\x1e", "␀", "\x00", "␍", "\r", "␉", "\t", "␦", "\xff").Replace(line))
		run(&c)
		var text bytes.Buffer
		e := json.NewEncoder(&text)
		e.SetEscapeHTML(false)
		if err := e.Encode(c); err != nil {
			panic(err)
		}
		fmt.Fprint(out, separator, text.String())
		separator = ","
	}
	fmt.Fprintln(out, "]")
}
