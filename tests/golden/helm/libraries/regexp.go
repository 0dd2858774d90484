package main

import "regexp"

// What package regexp does with expressions and texts: one row per expression.

type regexpCase struct {
	Expr    blob    `json:"expr"`
	Error   blob    `json:"error,omitempty"`
	Text    blob    `json:"text,omitempty"`
	Match   []int   `json:"match"`
	All     [][]int `json:"all"`
	Split   []blob  `json:"split"`
	Split2  []blob  `json:"split2"`
	With    blob    `json:"with,omitempty"`
	Replace blob    `json:"replace"`
	Literal blob    `json:"literal"`
	Quote   blob    `json:"quote"`
}

var regexpBad = []string{
	`(`, `)`, `(a`, `a)`, `(a))`, `a))(`, `[`, `[a`, `[]`, `[^`, `[^]`, `[a-`, `[b-a]`, `[a-\d]`, `[\d-z]x[`, `*`, `+a`, `?`, `a**`, `a*+`, `a??b???`, `a+*?`,
	`|*`, `(*)`, `(|+)`, `(?i)*`, `a{2}{3}`, `a{1001}`, `a{2,1}`, `a{1,1001}`, `a{100000000000}`, `(a{100}){11}`, `((a{10}){10}){11}`, `a{,2}`, `\`, `a\`, `\8`, `\1`, `\12\9`, `\q`,
	`\C`, `\x`, `\x1`, `\xg`, `\xgg`, `\x{`, `\x{}`, `\x{110000}`, `\x{12`, `\x{zz}`, `[\q]`, `[\x{1234567}]`, `\p`, `\pX`, `\p{`, `\p{Foo}`, `\p{^Foo}`, `\P{bar}`, `[\p{Foo}]`, `[\pL-z`,
	`[[:foo:]]`, `[[:alpha:`, `[[:^word:]`, `(?P<n`, `(?P<>a)`, `(?P<n-1>a)`, `(?<n`, `(?<é>a)`, `(?P=n)`, `(?z)`, `(?i`, `(?i-)`, `(?--i)`, `(?-)`, `(?i-s-m:a)`, `(?=a)`, `(?!a)`, `(?<=a)`, `(?<!a)`, `(?#c)`, `(?>a)`,
	`(?`, `(?P`, `(?P<`, `a(?i)**`, "\xff", "a\xffb", "[\xff]", "(?P<\xff>a)", `(?i)(?s`, "\\\xff", `[a-\x{110000}]`, `x{2}{`, `(?P<n>a)(?P<n>b)`, `[[:`, `[[.a.]]`, `[z-a]`, `\pN\p{Nope}`, `(((((`, `(a|b`, `[[:word:]-z]`, `a{2`, `{`, `{}`, `{1}`, `^{2}`, `(^*)$+`, `x*{2}`, `x{2}*`, `\b+`,
	`\Qab\E*`, `\Qab`, `\Q*\E+`, `\E`, `\z\A\Z`, `\G`, `\<`, `[\b]`, `\u0041`, `\07\008`, `\400`,
}

var regexpGood = [][3]string{
	{`a`, "banana", "X"}, {`a+`, "baaanaa", "<$0>"}, {`a*`, "baaac", "-"}, {`a*?`, "aab", "-"}, {``, "abc", "-"}, {``, "", "-"}, {`x*`, "", "y"}, {`a|ab`, "abab", "[$0]"}, {`ab|a`, "abab", "[$0]"},
	{`(a)(b)?`, "abaa", "$2$1"}, {`(?P<x>a)(?P<y>b)`, "abab", "${y}${x}$x1"}, {`(?<x>a)|(?<y>b)`, "ab", "[$x|$y]"}, {`(a|b)*`, "abba", "$1"}, {`(a*)*`, "b", "$1|"}, {`(a*)+`, "aab", "<$1>"}, {`(a|b)*?c`, "abc", "$1"}, {`(|a)*`, "aa", "($1)"}, {`(|a)+`, "aa", "($1)"}, {`(a|)+`, "aa", "($1)"}, {`(?:(a)|b)*`, "ab", "$1"},
	{`^abc$`, "abc", "$$"}, {`^`, "a\nb", ">"}, {`$`, "a\nb", "<"}, {`(?m)^`, "a\nb\n", ">"}, {`(?m)$`, "a\nb\n", "<"}, {`(?m)^a.$`, "ab\nac\nabc", "x"}, {`.`, "a\nb", "x"}, {`(?s).`, "a\nb", "x"}, {`(?s).*`, "a\nb", "x"}, {`.*`, "a\nb", "x"}, {`\Aa`, "aa", "x"}, {`a\z`, "aa", "x"}, {`\bfoo\b`, "foo foobar barfoo foo.", "x"}, {`\B.`, "ab cd", "x"}, {`\b`, "ab cd", "|"},
	{`[a-c]+`, "abcdabc", "x"}, {`[^a-c]+`, "abcdefabc", "x"}, {`[^a]`, "a\nb", "x"}, {`[]a]+`, "a]b]", "x"}, {`[^]a]+`, "a]b", "x"}, {`[a-]+`, "a-b-", "x"}, {`[-a]+`, "a-b", "x"}, {`[+--]+`, "+,-.", "x"}, {`[\]\-\\]+`, `a]-\b`, "x"}, {`[[:alpha:]]+`, "ab1cd", "x"}, {`[[:^alpha:]]+`, "ab1cd", "x"}, {`[[:punct:]]`, "a!b?c_d", "x"}, {`[[:space:][:digit:]]+`, "a 1\t2b\v", "x"}, {`[[:xdigit:]]+`, "xyz0aF", "x"}, {`[[:cntrl:]]`, "a\x7fb\x01", "x"}, {`[[:ascii:]]+`, "abcéd", "x"}, {`[[:graph:]]+`, "a b", "x"}, {`[[:print:]]+`, "a b\n", "x"}, {`[[:word:]]+`, "a_b-c", "x"}, {`[[:blank:]]`, "a \tb", "x"}, {`[[:lower:]][[:upper:]]`, "aBbC", "x"}, {`[[:alnum:]]+`, "a1-b2", "x"}, {`[[:]+`, "a[:b", "x"},
	{`\d+`, "a12b345", "<$0>"}, {`\D+`, "a12b345", "x"}, {`\s+`, "a \t\nb\vc", "x"}, {`\S+`, "a \t\nb", "x"}, {`\w+`, "a_1-é b", "x"}, {`\W+`, "a_1-é b", "x"}, {`[\d\s]+`, "a1 2b", "x"}, {`[^\d\s]+`, "a1 2b", "x"}, {`[\D]+`, "a1 2b", "x"},
	{`\pL+`, "aé中1b", "x"}, {`\p{Lu}`, "aBÉc", "x"}, {`\p{^Lu}+`, "aBÉc", "x"}, {`\PL+`, "aé12中", "x"}, {`\p{Greek}+`, "abγδε", "x"}, {`\P{Greek}+`, "abγδεc", "x"}, {`[\p{Han}a]+`, "a中文b", "x"}, {`\p{Cyrillic}+`, "привет x", "x"}, {`\pN`, "1²Ⅷ", "x"}, {`\p{Letter}+`, "ab1", "x"}, {`\p{uppercase letter}`, "aB", "x"}, {`\p{nd}+`, "a1٣", "x"}, {`\p{Any}`, "a", "x"}, {`\p{ASCII}+`, "aé", "x"}, {`\p{LC}+`, "aBǅ1", "x"}, {`(?i)\p{Lu}+`, "aBé1", "x"}, {`(?i)\p{ASCII}+`, "aſK", "x"}, {`\p{Sc}`, "a€$", "x"}, {`\p{Z}+`, "a\u00a0 b", "x"}, {`\p{Latin}+`, "abcé中", "x"},
	{`(?i)abc`, "xABCabcAbC", "x"}, {`(?i)k`, "kK\u212a", "x"}, {`(?i)s+`, "sSſ", "x"}, {`(?i)é`, "éÉe", "x"}, {`(?i)σ`, "ΣσςΑ", "x"}, {`(?i)ß`, "ßẞs", "x"}, {`(?i)[a-c]+`, "aBCd", "x"}, {`(?i)[^a-c]+`, "aBCdE", "x"}, {`(?i)\w+`, "aſK-", "x"}, {`(?i)[[:upper:]]+`, "aBc1", "x"}, {`a(?i)b`, "abaBAB", "x"}, {`a(?i:b)c`, "abcaBcaBC", "x"}, {`(?i)a(?-i)b`, "abAbaB", "x"}, {`(?i-s:a.)b`, "A\nbaxb", "x"}, {`(?U)a+`, "aaa", "x"}, {`(?U)a+?`, "aaa", "x"}, {`(?i)ı`, "iIı", "x"}, {`(?i)İ`, "iİ", "x"}, {`(?i)µ`, "µμΜ", "x"},
	{`a{2}`, "aaaaa", "x"}, {`a{2,}`, "aaaaab", "x"}, {`a{2,3}`, "aaaaaaaa", "x"}, {`a{2,3}?`, "aaaaaaaa", "x"}, {`a{0}`, "aa", "x"}, {`a{0,1}`, "aab", "x"}, {`a{,2}`, "a{,2}", "x"}, {`a{`, "a{", "x"}, {`a{1`, "a{1", "x"}, {`a{1,2`, "a{1,2", "x"}, {`a{01}`, "a{01}", "x"}, {`(ab){2}`, "ababab", "$1"}, {`(a){2,3}(b)?`, "aaab", "$1$2"}, {`(?:a{2}){2}`, "aaaaa", "x"}, {`(a?){3}`, "aa", "[$1]"}, {`(a?)*`, "aa", "[$1]"}, {`(a??)*`, "aa", "[$1]"}, {`(?:a?){0,5}?b`, "aab", "x"}, {`(a*){2,}`, "aab", "[$1]"}, {`(a|b){0}c`, "c", "[$1]"}, {`(?:){3}`, "ab", "x"},
	{`\x41\x{42}\103`, "ABC", "x"}, {`\a\f\n\r\t\v`, "\a\f\n\r\t\v", "x"}, {`\.\*\_\-`, ".*_-", "x"}, {`\Qa.b\E.`, "a.bcaxbc", "x"}, {`\Qa.b`, "a.b", "x"}, {`\0`, "a\x00b", "x"}, {`\101`, "A", "x"}, {`é+`, "éé", "x"}, {`[é-ü]+`, "éêü", "x"}, {`中|文`, "中文", "<$0>"}, {`.`, "\xff\xfea", "x"}, {`[^a]`, "\xffa", "x"}, {"\ufffd", "a\xffb", "x"}, {`😀`, "a😀b", "x"}, {`.`, "é😀", "x"},
	{`(\w+)-(\d+)`, "foo-12 bar-3", "$2-$1"}, {`(\w+)-(\d+)`, "foo-12 bar-3", "${2}x$1x"}, {`(\w+)`, "foo", "$1_a"}, {`(\w+)`, "foo", "${1}_a"}, {`o`, "foo", "$"}, {`o`, "foo", "$$$"}, {`o`, "foo", "${"}, {`o`, "foo", "${}"}, {`o`, "foo", "${a-b}"}, {`o`, "foo", "$9$0"}, {`o`, "foo", "$00"}, {`(o)`, "foo", "$01"}, {`(?P<é>o)?`, "foo", "a"}, {`(?P<o1>o)`, "foo", "$o1-$o2"}, {`o`, "foo", "a$é"},
	{`,`, "a,b,c", ";"}, {`,`, ",a,,b,", ";"}, {`\s*,\s*`, "a , b,c ,d", ";"}, {`,`, "abc", ";"}, {`,`, "", ";"}, {`[,;]`, "a,b;c", "."}, {`b*`, "abbac", "."}, {`$`, "ab", "."}, {`^`, "ab", "."}, {`(?:a|b)`, "xaybz", "."},
	{`[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*`, "foo-bar.example.com", "x"}, {`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`, "foo-bar", "x"}, {`^(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?$`, "1.2.3-rc.1", "$1|$2|$3|$4"}, {`^https?://([^/:]+)(:\d+)?(/.*)?$`, "https://example.com:8080/a/b?c=d", "$1 $2 $3"}, {`(?i)^(true|yes|on)$`, "YES", "x"}, {`(a+)+$`, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", "x"}, {`(x+x+)+y`, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "z"}, {`(.*)(\d+)`, "abc123", "$1|$2"}, {`(.*?)(\d+)`, "abc123", "$1|$2"}, {`(.*?)(\d+)$`, "abc123", "$1|$2"}, {`"[^"]*"`, `a "b" c "d"`, "x"}, {`(foo|foobar)(bar)?`, "foobarbar", "$1,$2"}, {`(a)|(b)|(c)`, "cab", "[$1$2$3]"}, {`((a)(b))((c)|d)`, "abcabd", "$1$2$3$4$5"}, {`\$\{(\w+)\}`, "a ${b} c", "<$1>"}, {`^$`, "", "x"}, {`^$`, "a", "x"}, {`a^b`, "a^b", "x"}, {`a$b`, "a$b", "x"}, {`(?m)a$\n^b`, "a\nb", "x"}, {`^*a`, "aa", "x"}, {`(^a)+`, "aa", "x"}, {`(?:^|,)(\w)`, "a,b", "<$1>"}, {`x(?:)y`, "xy", "z"}, {`(?i)(?:abc|abd)+`, "ABCabd", "z"}, {`[^\x00-\x{10FFFF}]`, "a", "x"}, {`[^\x00-\x{10FFFF}]|a`, "a", "x"}, {`(?:[^\x00-\x{10FFFF}])*a`, "aa", "x"}, {`a.*b.*c`, "aXXbYYcb", "x"}, {`(?s)a.*?b`, "a\nb\nb", "x"},
}

func writeRegexp(file string) {
	cases := []any{}
	seen := map[string]bool{}
	add := func(expr, text, with string) {
		c := regexpCase{Expr: blob(expr), Text: blob(text), With: blob(with)}
		re, err := regexp.Compile(expr)
		if err != nil {
			c.Error = blob(err.Error())
			c.Text, c.With = "", ""
			if seen[expr] {
				return
			}
			seen[expr] = true
		} else {
			c.Match = re.FindStringSubmatchIndex(text)
			c.All = re.FindAllStringIndex(text, -1)
			c.Split = blobs(re.Split(text, -1))
			c.Split2 = blobs(re.Split(text, 2))
			c.Replace = blob(re.ReplaceAllString(text, with))
			c.Literal = blob(re.ReplaceAllLiteralString(text, with))
			c.Quote = blob(regexp.QuoteMeta(text))
		}
		cases = append(cases, c)
	}
	for _, e := range regexpBad {
		add(e, "a{2}b{,3}AZ", "x")
	}
	for _, e := range regexpGood {
		add(e[0], e[1], e[2])
		add(e[0], "foo-12, Bar aab\n\tβaß x", "[$1]")
	}
	save(file, cases)
}
