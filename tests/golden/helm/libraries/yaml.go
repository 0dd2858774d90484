package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"sigs.k8s.io/yaml"
	goyaml "sigs.k8s.io/yaml/goyaml.v3"
)

// How sigs.k8s.io/yaml and go-yaml v3 (indented by two) write values, and what the former reads.

type yamlCase struct {
	Value any  `json:"value"` // a blob, or any JSON value
	V2    blob `json:"v2"`
	V3    blob `json:"v3"`
	Item  blob `json:"item"` // v2 of {"k": [value, {"n": value}], value: value}; only for strings
	Item3 blob `json:"item3"`
}

var long = strings.Repeat("word and more words ", 12)

var yamlStrings = []string{"", " ", "a", "a b", " a", "a ", "a  b", "-", "- a", "-a", "--", "---", "--- a", "...", "....", "?", "? a", "?a", ":", ": a", ":a", "a:", "a: b", "a:b", "a :b", "#", "#a", "a#b", "a #b", "a\t#b", "[", "]", "{", "}", "[a]", "{a}", "a,b", "a[b", ",a", "&a", "*a", "!a", "|", "|a", ">", "%a", "@a", "`a", "'", "''", "'a'", "a'b", "a 'b", "\"", "\"a\"", "a\"b", "\\", "a\\b", "a\\n", "= a", "=", "<", "<<", "<<a", "~", "~a", "null", "Null", "NULL", "nULL", "nil", "true", "True", "TRUE", "tRUE", "false", "False", "FALSE", "yes", "Yes", "YES", "yEs", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF", "y", "Y", "n", "N", "t", "T", "f", "F", "o", "yes ", "0", "1", "-1", "+1", "-0", "00", "01", "007", "08", "0x1F", "0X1f", "0xg", "0b101", "-0b1", "0b2", "0o17", "0O17", "-0o17", "0o8", "1_000", "_1", "1_", "1__0", "0x_1F", "0_7", "1e3", "1E3", "1e", "e3", "1e+3", "1e-3", "1.", ".5", "-.5", "+.5", ".", "..", "._", "1.5", "1.5.2", "1.2.3", "1_0.5", ".1_0", "1e400", "-1e400", "1e-400", ".inf", ".Inf", ".INF", "-.inf", "+.inf", ".nan", ".NaN", ".NAN", "inf", "nan", "Infinity", "+", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616", "123456789012345678901234567890", "0x8000000000000000", "0xFFFFFFFFFFFFFFFFF", "1:30", "12:30:45", "1:60", "1:3:4.5", "-1:30", "+1:30", "1:", ":30", "1:30:", "190:20:30", "1_0:30", "1:300", "2001-01-01", "2001-1-1", "2001-13-01", "2001-02-29", "2000-02-29", "2001-01-01T00:00:00Z", "2001-01-01t00:00:00Z", "2001-01-01 00:00:00", "2001-01-01 00:00:00Z", "2001-01-01T00:00:00", "2001-01-01T00:00:00.123456789Z", "2001-01-01T00:00:00+01:00", "2001-01-01T00:00:00,5Z", "2001-1-1T1:2:3Z", "2001-01-01T25:00:00Z", "2001-01-01T00:00:00+0100", "20010101", "2001-01", "2001", "2001-", "12-12-2001", "a\nb", "a\n", "\n", "\na", "\n\n", "a\n\n", "a\n\n\n", "a\nb\n", " a\nb", "a\n b", "a \nb", "a\nb ", "a\n ", "a\n\nb", "\n\na", " \na", "a\n#b", "a\n\tb", "\ta", "a\t", "a\tb", "\t", "a\rb", "a\r\nb", "a\r", "a\x00b", "\x00", "a\x07\x08\x1b", "a\nb\x00", "é", "aéb", "é\nb", "中文", "😀", "a😀b\nc", "\u00a0", "a\u00a0b", "\u0085", "a\u0085b", "a\u2028b", "a\u2029", "\u2028a", "a \u2028b", "a\u2028 b", "\u200b", "\ufeff", "a\ufeffb", "\ufeffab\"c", "\ufffd", "\uffff", "a\ufffeb", "\ue000", "\x7f", "a\x7fb", "\u0080", "\u009f", "\xff", "a\xffb", "\xff\n", "caf\xe9", "\xff\xfe" + strings.Repeat("x", 60), strings.Repeat("\xfe", 51), strings.Repeat("\xfe", 52), strings.Repeat("\xfe", 120), long, strings.TrimSpace(long), "'" + strings.TrimSpace(long), "\"" + strings.TrimSpace(long) + "\tx", strings.ReplaceAll(strings.TrimSpace(long), " ", "  "), "x: " + strings.ReplaceAll(strings.TrimSpace(long), " ", "  "), "\t" + strings.ReplaceAll(strings.TrimSpace(long), " ", "  "), strings.Repeat("x", 100), strings.Repeat("x", 100) + " y", strings.Repeat("x", 79) + " y z", strings.Repeat("x", 80) + " y z", strings.Repeat("x", 81) + " y z", strings.Repeat("é", 90) + " y z", strings.Repeat("x", 128), strings.Repeat("x", 129), strings.Repeat("x", 1020), strings.Repeat("x", 1025), strings.Repeat("x", 90) + " # y", strings.Repeat("x", 90) + "\ny", "yes: " + strings.TrimSpace(long) + "'s", "{{ .Values.a }}", "{{a}}", "$(a)", "${a}", "a=b", "a;b", "a|b", "a>b", "a&b", "a*b", "a!b", "a%b", "a@b", "a`b", "http://a.b:80/c?d=e#f", "a: ", "a:\n", "key: value\nother: [1, 2]\n", "- a\n- b\n", "#!/bin/sh\nset -e\n", "  indented\nnot\n", "\tx\ny\n", "end with spaces  \nx\n", "-----BEGIN X-----\nabc\n-----END X-----\n", "100m", "1Gi", "0.5", "1.0", "10.0.0.1", "::1", "0.0.0.0/0", "*.example.com", "@daily", "0 0 * * *", "*/5 * * * *", "%d", "!ref", "!!str a", "&anchor", "? complex", "foo ? bar", "foo, bar", "foo] bar", "a - b", "a-", "\"quoted\": x", "'quoted': x", "<a>", "</a>", "a<b>c&d", "it's", "say \"hi\"", "c:\\dir", "tab\there", "x\\ty", "1 000", "1,000", "١", "½", "Ⅷ"}

var yamlNumbers = []any{0, 1, -1, 42, 1000000, 123456789, 9007199254740993, math.MaxInt64, math.MinInt64, 0.0, math.Copysign(0, -1), 1.0, -1.0, 1.5, 0.1, 1e3, 100000.0, 1e6, 1e7, 123456.0, 1234567.0, 1234567.5, 12345678.9, 1e20, 1e21, 1e22, 123456789012345678901234.0, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 0.000123, 0.00001234, 1e100, 1e-100, math.MaxFloat64, math.SmallestNonzeroFloat64, 1.0 / 3, 2.5e-8, 3.14159, 1e15, 1e16, 1.8446744073709552e19, 9.223372036854775807e18, -9.223372036854775808e18, float32(0.1), float32(16777216), int8(-5), uint8(200), true, false, nil}

// The order of "a1b", "a2" and "a10" is a circle to go-yaml v2: what comes out depends on chance, so names are no such ones.
var yamlOthers = []any{map[string]any{}, []any{}, []string{}, map[string]any{"a": map[string]any{}}, map[string]any{"a": []any{}}, []any{[]any{}}, []any{map[string]any{}}, []any{[]any{1, 2}, []any{[]any{3}, 4}}, []any{map[string]any{"a": 1, "b": []any{1}}, "x"}, map[string]any{"a": []any{map[string]any{"b": []any{1, map[string]any{"c": nil}}}}}, map[string]any{"b": 1, "a": 2, "B": 3, "A": 4, "_": 5, "1": 6, "10": 7, "2": 8, "a1": 9, "a10": 10, "a2": 11, "a-b": 12, "a.b": 13, "a b": 14, "ab": 15, "": 16, "0": 17, "00": 18, "01": 19, "é": 20, "z": 21, "a01": 22, "a001": 23, "true": 27, "null": 28, "~": 29, "a/b": 30, "aB": 31, "a_b": 32, "9": 33, "1.5": 34, "-1": 35, "a11": 37, "1-a": 38, "1_a": 39}, map[string]any{"ax": 2, "a1": 3, "a": 4, "a12": 5, "a1-": 6, "x9-y": 8, "x09-y": 9, "x9-z": 10, "x100": 11, "x10": 12, "x1000": 13, "x1001": 14, "x101": 15}, map[string]any{strings.Repeat("k", 128): 1, strings.Repeat("l", 129): map[string]any{"a": 1}, "m\nn": []any{1, 2}, "o\n": "x", strings.Repeat("q r ", 40) + "s": "t", "u": []any{map[string]any{"v\nw": 1}}}, map[string]any{"a": "x\ny\n", "b": map[string]any{"c": " x\ny", "d": []any{"p\nq\n\n", "r\n"}}}, []any{"a\nb", []any{"c\nd\n"}}, map[string]any{"n": nil, "t": true, "f": false, "s": "true"}, map[string]string{"b": "1", "a": "x"}, []string{"b", "1"}, []int{1, 2}, map[string]any{"html": "<a href=\"x\">&amp;</a>"}, []any{nil, []any{nil}}, map[string][]string{"a": {"b"}, "c": nil}, []byte("hello"), map[string]any{"x": []byte{0, 1, 255}}, [][]any{{1}, {}}, map[string]any{"deep": map[string]any{"er": map[string]any{"still": []any{map[string]any{"k": map[string]any{"v": long}}}}}}, map[string]any{"a": long, "b": []any{long, map[string]any{"c": "'" + long}}}}

func v2(v any) (out blob) {
	defer func() {
		if e := recover(); e != nil {
			out = blob(fmt.Sprint("panic: ", e))
		}
	}()
	b, err := yaml.Marshal(v)
	if err != nil {
		return blob("error: " + err.Error())
	}
	return blob(b)
}

func v3(v any) (out blob) {
	defer func() {
		if e := recover(); e != nil {
			out = blob(fmt.Sprint("panic: ", e))
		}
	}()
	var b bytes.Buffer
	e := goyaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(v); err != nil {
		return blob("error: " + err.Error())
	}
	return blob(b.Bytes())
}

var yamlTexts = []string{"", "a: 1", "- a\n- b", "a", "1", "null", "~", "a: b: c", "a:\n  - b\n c", "\ta: b", "a: [1, 2", "a: {b", "a: 'b", "a: \"b", "a: \"\\q\"", "a: *x", "a: &x 1\nb: *x", "a: &x {b: 1}\nc:\n  <<: *x\n  d: 2", "a: !!binary aGk=", "a: !!int x", "a: !!str 1", "a: !!float 1", "a: |\n  x\n  y\n", "a: >-\n  x\n  y\n", "? a\n: b", "1: a\n2.5: b\ntrue: c\nnull: d", "true: c", "{a: b}: c", "[a]: b", "a: 1\na: 2", "---\na: 1\n---\nb: 2", "a: yes\nb: on\nc: n", "a: 0x1F\nb: 0o17\nc: 017\nd: 1_000\ne: 1e3\nf: .5\ng: 12345678901234567890\nh: 1234567890123456789012\ni: 1:30\nj: 2001-01-01", "a: .inf", "a: .nan", "@a: b", "a: `b", "a: %b", "- - - a", "a:\n- b\n- c:\n    d", "# only comment", "a: # c\n  b", "a: b # c", "\"a\": 'it''s'", "a: \"\\u00e9\\n\\x41\"", "a: b\n  c", "a\nb", "a:\n\tb", "%YAML 1.1\n---\na: b", "...", "a: b\n...\nc", "{a: 1, b: [x, y], }", "{a, b}", "[a: b]", "a: b\n- c", "- a\nb: c", "a: -", "a: ?", ": a", "- ", "-", "a: |2\n   x\n", "a: |x\n  y", "a: \u0001", "\xff", "a: \xff", "a: >\n", "!x a", "a: !x b", "&a b", "*a", "{", "}", "[", "]", "a: }", "a: ]", "a: ,", "{a: b", "{\"a\":1}", "{\"a\": {\"b\": [1, 2.5, \"x\", null, true]}}", "[1, a, {b: c}]", "- 1\n- x\n- {a: b}\n- [c]\n-\n  - d\n- null", "{{ .Values.x }}", "a: {{ .Values.x }}", "key: value\n  bad: indent", "a:\n  b: 1\n c: 2", "a: 'x\n\n  y'", "a: \"x \\\n  y\"", "\"\": 1", "a: ''", "a: <<", "<<: 1", "<<: {a: 1}\nb: 2", "<<: [{a: 1}, {b: 2}]", "a: &a [*a]", "a: 10000000000000000000000000", "a: -0", "a: 1.0", "a: 100000000", "a: 0.1", "a: 1e21", "long: " + long}

var jsonTexts = []string{"", "{}", "[]", "null", "1", "\"a\"", "{\"a\":1}", "[1]", "{", "[", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "[1,]", "[1", "{a:1}", "{'a':1}", "{\"a\":tru}", "nul", "{\"a\":1}x", "{\"a\":1} {}", "[1] 2", " {\"a\" : [ 1 , 2.5e3 , -0 , \"\\u00e9\\ud83d\\ude00\\n\" , null , true ] } ", "{\"a\":01}", "{\"a\":1.}", "{\"a\":.5}", "{\"a\":1e}", "{\"a\":+1}", "{\"a\":\"\\q\"}", "{\"a\":\"\n\"}", "{\"a\":\"\\ud800\"}", "{\"a\":12345678901234567890}", "{\"a\":1,\"a\":2}", "{1:2}", "[1 2]", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "true", "[{\"a\":{\"b\":[]}}]", "\xff", "{\"\xff\":\"\xfe\"}", "//x", "{\"a\":NaN}", "-", "[-]", "[\"a]", "{\"<\":\"&\"}"}

// read is what fromYaml, fromYamlArray, fromJson and fromJsonArray make of a text, as JSON.
type readCase struct {
	Text  blob   `json:"text"`
	Map   string `json:"map"`
	Array string `json:"array"`
}

func writeYAML(dir string) {
	cases := []any{}
	for _, s := range yamlStrings {
		nested := map[string]any{"k": []any{s, map[string]any{"n": s}, []any{s}}, s: s}
		cases = append(cases, yamlCase{Value: blob(s), V2: v2(s), V3: v3(s), Item: v2(nested), Item3: v3(nested)})
	}
	save(dir+"/yaml_strings.json", cases)

	cases = []any{}
	for _, v := range yamlNumbers {
		told := map[string]any{"type": fmt.Sprintf("%T", v), "text": fmt.Sprint(v)}
		if v == nil || v == true || v == false {
			told = map[string]any{"json": v}
		}
		cases = append(cases, yamlCase{Value: told, V2: v2(v), V3: v3(v)})
	}
	for _, v := range yamlOthers {
		var plain any // as template functions see it: numbers are floats
		if err := json.Unmarshal(must(json.Marshal(v)), &plain); err != nil {
			panic(err)
		}
		cases = append(cases, yamlCase{Value: map[string]any{"json": plain}, V2: v2(plain), V3: v3(plain)})
	}
	save(dir+"/yaml_values.json", cases)

	cases = []any{}
	for _, s := range yamlTexts {
		cases = append(cases, readCase{Text: blob(s), Map: string(must(marshal(fromYAML(s)))), Array: string(must(marshal(fromYAMLArray(s))))})
	}
	save(dir+"/yaml_texts.json", cases)

	cases = []any{}
	for _, s := range jsonTexts {
		cases = append(cases, readCase{Text: blob(s), Map: string(must(marshal(fromJSON(s)))), Array: string(must(marshal(fromJSONArray(s))))})
	}
	save(dir+"/json_texts.json", cases)
}
