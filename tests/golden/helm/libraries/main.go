// Command golden writes what Go's libraries make of many inputs: golden DIRECTORY
package main

import (
	"encoding/json"
	"os"
	"unicode/utf8"
)

// blob is bytes: a JSON string if they are UTF-8, else a list of one string in base64.
type blob string

func (b blob) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(b)) {
		return marshal(string(b))
	}
	return marshal([][]byte{[]byte(b)})
}

func blobs(list []string) []blob {
	out := []blob{}
	for _, s := range list {
		out = append(out, blob(s))
	}
	return out
}

func marshal(v any) ([]byte, error) { return json.Marshal(v) }

// save writes one case per line.
func save(file string, cases []any) {
	f, err := os.Create(file)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	e := json.NewEncoder(f)
	e.SetEscapeHTML(false)
	f.WriteString("[\n")
	for i, c := range cases {
		if i > 0 {
			f.WriteString(",")
		}
		if err := e.Encode(c); err != nil {
			panic(err)
		}
	}
	f.WriteString("]\n")
}

func main() {
	if os.Getenv("TZ") != "America/New_York" {
		panic("run with TZ=America/New_York")
	}
	writeRegexp(os.Args[1] + "/regexp.json")
	writeSemver(os.Args[1])
	writeYAML(os.Args[1])
	writeTOML(os.Args[1] + "/toml.json")
	writeTimes(os.Args[1])
	writeSprig(os.Args[1] + "/sprig.json")
}
