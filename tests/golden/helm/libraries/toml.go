package main

import (
	"bytes"
	"fmt"

	"github.com/BurntSushi/toml"
)

// What BurntSushi/toml reads (printed with %v), and how it writes that again; in New York's time.

type tomlCase struct {
	Text  blob `json:"text"`
	Value blob `json:"value"`
	Again blob `json:"again"`
}

var tomlTexts = []string{"", "\n", "# c", "a = 1", "a=1\n", "a = 1 # c\nb=2", "a = +1\nb = -0\nc = 1_000\nd = 0x1F_f\ne = 0o17\nf = 0b1_01\ng = 0", "a = 01", "a = +01", "a = 1__0", "a = _1", "a = 1_", "a = 0xg", "a = 0b2", "a = 0o8", "a = +0x1", "a = 0_1", "a = 99999999999999999999", "a = 9223372036854775807", "a = -9223372036854775808", "a = 1.5\nb = -1e3\nc = 1E-2\nd = 6.626e-34\ne = 1_0.0_1\nf = inf\ng = -inf\nh = +inf", "a = nan", "a = 1.", "a = .5", "a = 1.e2", "a = 1e", "a = 1.5.2", "a = 1e400", "a = 00.5", "a = -", "a = +x", "a = -inx", "a = inx", "a = na", "a = i", "a = nope", "a = truex", "a = true\nb = false", "a = True", "a = é", "a = \"x\"\nb = 'y'\nc = \"\"\nd = ''", "a = \"\\b\\t\\n\\f\\r\\\"\\\\\\u00e9\\U0001F600\"", "a = \"\\e\"", "a = \"\\x41\"", "a = \"\\q\"", "a = \"\\ \"", "a = \"\\u12\"", "a = \"\\u12g4\"", "a = \"\\ud800\"", "a = \"\\U00110000\"", "a = \"x", "a = \"x\ny\"", "a = 'x", "a = 'x\n'", "a = \"\"\"\nx\ny\"\"\"", "a = \"\"\"x\\\n   y\\  \n\n z\"\"\"", "a = \"\"\"x\"\"\"\"", "a = \"\"\"x\"\"\"\"\"", "a = \"\"\"x\"\"\"\"\"\"", "a = \"\"\"\"\"\"", "a = \"\"\"x", "a = \"\"\"a\"b\"\"c\\\"\"\"\"", "a = '''\nx\\n\ny'''", "a = '''x''''", "a = '''x''''''", "a = '''x", "a = \"\"\"\r\nx\r\n\"\"\"", "a = 2020-01-02", "a = 2020-01-02T03:04:05Z", "a = 2020-01-02t03:04:05.123z", "a = 2020-01-02 03:04:05+02:00", "a = 2020-01-02T03:04:05", "a = 03:04:05", "a = 03:04:05.5", "a = 2020-13-01", "a = 2020-1-2", "a = 2020-01-02T3:04:05Z", "a = 2020-01-02T", "a = 1:2:3", "a = 2020-07-01T12:00:00-04:00", "a = 2020-01-02  # c", "a = []", "a = [1, 2,]", "a = [1,\n 2 # c\n,3\n]", "a = [[1], [\"x\", []]]", "a = [1 2]", "a = [,]", "a = [1,,2]", "a = [1", "a = [", "a = ]", "a = [1, \"a\", 1.5, true]", "a = [{b = 1}, {b = 2}]", "a = {}", "a = {b = 1, c = {d = 2}}", "a = {b = 1,}", "a = {,}", "a = {b = 1,, c = 2}", "a = {b = 1\n}", "a = {\nb = 1}", "a = {b = 1", "a = {", "a = {b}", "a = {b = 1 c = 2}", "a = {b.c = 1, b.d = 2}", "a = {b = 1, b = 2}", "a = {b = 1}\n[a.c]\nd = 1", "a.b.c = 1\na.b.d = 2", "a.b = 1\na = 2", "a = 1\na.b = 2", "a = 1\na = 2", "a = [1]\na = [2]", "a = [1]\na = 2", "a = 1\na = [2]", "\"a b\" = 1\n'c.d' = 2\n\"\" = 3", "a . b = 1", "a. = 1", ".a = 1", "a..b = 1", "= 1", " = 1", "a", "a b = 1", "a =", "a = \n", "a\n= 1", "a = 1 b = 2", "a = 1 ]", "é = 1", "a\"b = 1", "[a]\nb = 1\n[a.c]\nd = 2\n[e]", "[a]\n[a]", "[a.b]\n[a]\n[a.b]", "[a.b]\n[a]\nc = 1", "[a]\nb = 1\n[a.b]", "[ a . \"b\" ]\nc = 1", "[]", "[a", "[a.]", "[.a]", "[a b]", "[a]]", "[a] x", "[a] # c", "[\"\"]", "[a\n]", "[[a]]\nb = 1\n[[a]]\nb = 2\n[[a.c]]\nd = 1\n[a.e]\nf = 1", "[[a]]\n[a]", "[a]\n[[a]]", "a = []\n[[a]]", "[[a]", "[[a] ]", "[[]]", "[[a]]\n[[a.b]]\n[[a.b]]\n[[a]]\n[[a.b]]", "[a]\nb.c = 1\n[a.b]\nd = 2", "[a.b.c]\nx=1\n[a.b]\ny=2\n[a]\nz=3", "a = 1\x00", "\x00", "a = \"\x01\"", "a = 1\r", "a = 1\r\nb = 2\r\n", "# \x7f", "a = \"\xff\"", "\xef\xbb\xbfa = 1", "\xff\xfea = 1", "a = '\t'", "a = \"\t\"", "a = @", "a = *", "a = \x7f", "[servers]\n[servers.alpha]\nip = \"10.0.0.1\"\ndc = \"eqdc10\"\n[servers.beta]\nip = \"10.0.0.2\"\n[owner]\nname = \"T\"\ndob = 1979-05-27T07:32:00-08:00\n[[fruit]]\nname = \"apple\"\n[fruit.physical]\ncolor = \"red\"\n[[fruit.variety]]\nname = \"red delicious\"\n", "a = [\n\n]", "a = [ # c\n# d\n1]", "x = {a = [1, {b = 2}]}", "1 = 2\n-_ = 3\n1.2 = 3", "a = \"€\\u20AC\"", "a = 0.0\nb = -0.0\nc = 1e10\nd = 100000000000000000000.0", "a = 1 # \xe2\x82", "a = {b = {c = {d = [[[{e = 1}]]]}}}"}

func toTOML(v any) string {
	var b bytes.Buffer
	if err := toml.NewEncoder(&b).Encode(v); err != nil {
		return err.Error()
	}
	return b.String()
}

func fromTOML(s string) map[string]any {
	m := map[string]any{}
	if err := toml.Unmarshal([]byte(s), &m); err != nil {
		m["Error"] = err.Error()
	}
	return m
}

func writeTOML(file string) {
	cases := []any{}
	for _, s := range tomlTexts {
		m := fromTOML(s)
		cases = append(cases, tomlCase{blob(s), blob(fmt.Sprint(m)), blob(toTOML(m))})
	}
	save(file, cases)
}
