package main

import (
	"time"
)

// Layouts, parsing and durations of package time, in New York's time.

type formatCase struct {
	Layout string `json:"layout"`
	Out    string `json:"out"` // of each moment, between bars
}

type parseCase struct {
	Layout string `json:"layout"`
	Text   string `json:"text"`
	Out    string `json:"out"`
	Error  string `json:"error,omitempty"`
}

type durationCase struct {
	Text  string `json:"text"`
	Out   string `json:"out"`
	Error string `json:"error,omitempty"`
}

// seconds since 1970, nanoseconds
var moments = [][2]int64{{0, 0}, {1700000000, 123456789}, {-1, 999999999}, {951782400, 0}, {1078012800, 500000000}, {4102444800, 1000}, {-62135596800, 0}, {-2208988800, 100}, {253402300799, 120000000}, {1710054000, 0}, {1710053999, 0}, {1730613600, 0}, {1730617200, 0}, {32503680000, 0}, {-5000000000, 0}}

var layouts = []string{time.ANSIC, time.UnixDate, time.RubyDate, time.RFC822, time.RFC822Z, time.RFC850, time.RFC1123, time.RFC1123Z, time.RFC3339, time.RFC3339Nano, time.Kitchen, time.Stamp, time.StampMilli, time.StampMicro, time.StampNano, time.DateTime, time.DateOnly, "2006-01-02T15:04:05.000Z07", "06 1 2 3 4 5", "_2 __2 002 Mon Monday Jan January", "Z070000 Z07:00:00 -070000 -07:00:00 -07 Z07", ".9 .99 .999999 ,000 ,9 .0 .00000", "pm PM 03 15", "Janu Mond Jan. Monx MST MSTX", "_2006 20060102150405", "2 Jan 2006 at 15h04", "", "plain text", ".0001", "5.000 05.999", "x.000x"}

var parses = [][2]string{{time.RFC3339, "2020-02-29T23:59:59Z"}, {time.RFC3339, "2020-02-29T23:59:59+05:30"}, {time.RFC3339, "2020-07-01T12:00:00-04:00"}, {time.RFC3339, "2020-02-29T23:59:59.123Z"}, {time.RFC3339, "2019-02-29T23:59:59Z"}, {time.RFC3339, "2020-13-01T00:00:00Z"}, {time.RFC3339, "2020-00-01T00:00:00Z"}, {time.RFC3339, "2020-01-32T00:00:00Z"}, {time.RFC3339, "2020-01-00T00:00:00Z"}, {time.RFC3339, "2020-01-01T24:00:00Z"}, {time.RFC3339, "2020-01-01T00:60:00Z"}, {time.RFC3339, "2020-01-01T00:00:60Z"}, {time.RFC3339, "2020-01-01T00:00:00"}, {time.RFC3339, "2020-01-01T00:00:00+25:00"}, {time.RFC3339, "2020-01-01T00:00:00+0100"}, {time.RFC3339, "2020-01-01T00:00:00+01:61"}, {time.RFC3339, "2020-01-01 00:00:00Z"}, {time.RFC3339, "x"}, {time.RFC3339, ""}, {time.RFC3339, "2020-01-01T00:00:00Zx"}, {time.RFC1123, "Mon, 02 Jan 2006 15:04:05 MST"}, {time.RFC1123, "Mon, 02 Jan 2006 15:04:05 EST"}, {time.RFC1123, "Mon, 02 Jul 2006 15:04:05 EDT"}, {time.RFC1123, "Mon, 02 Jan 2006 15:04:05 UTC"}, {time.RFC1123, "Mon, 02 Jan 2006 15:04:05 GMT+3"}, {time.RFC1123, "Mon, 02 Jan 2006 15:04:05 xyz"}, {time.RFC1123, "Mox, 02 Jan 2006 15:04:05 UTC"}, {time.RFC1123Z, "Mon, 02 Jan 2006 15:04:05 -0700"}, {time.ANSIC, "Mon Jan  2 15:04:05 2006"}, {time.ANSIC, "mon jan 2 15:04:05 2006"}, {time.Kitchen, "3:04PM"}, {time.Kitchen, "12:00AM"}, {time.Kitchen, "12:30PM"}, {time.Kitchen, "13:00PM"}, {time.Kitchen, "3:04XM"}, {time.DateOnly, "2020-1-2"}, {time.DateOnly, "2020-01-02 "}, {time.DateOnly, " 2020-01-02"}, {time.DateOnly, "20-01-02"}, {time.DateOnly, "2020/01/02"}, {"2006-1-2", "2020-1-2"}, {"2006-1-2", "2020-01-02"}, {"January 2, 2006", "MARCH 3, 2021"}, {"Jan 2 06", "Feb 3 69"}, {"Jan 2 06", "Feb 3 68"}, {"2006 002", "2020 366"}, {"2006 002", "2019 366"}, {"2006 __2", "2020  60"}, {"2006-01 002", "2020-02 001"}, {"15:04:05.000", "01:02:03.456"}, {"15:04:05.000", "01:02:03.4"}, {"15:04:05.999", "01:02:03"}, {"15:04:05.999", "01:02:03.123456789123"}, {"15:04:05", "01:02:03,5"}, {"15:04", "1:2"}, {"3:4:5", "1:2:3"}, {"03", "1"}, {"-07", "+05"}, {"-07:00:00", "-01:02:03"}, {"-070000", "-010203"}, {"Z07", "Z"}, {"Z0700", "+0000"}, {"MST", "WITA"}, {"MST", "ChST"}, {"MST", "ABCDE"}, {"MST", "ABCDT"}, {"MST", "+03"}, {"MST", "AB"}, {"MST", "GMT"}, {"MST", "GMT-11"}, {"2006-01-02 MST", "2020-07-01 EST"}, {"2006", "-200"}, {"06", "-1"}, {"a 2006 b", "a 2020 b"}, {"a 2006 b", "a  2020   b"}, {"a 2006 b", "a2020b"}, {"", ""}, {"", "x"}, {"x", "x"}, {"x", "y"}, {"2006", "20é0"}, {"PM", "pm"}, {"pm", "am"}, {"_2", " 5"}, {"_2", "15"}, {"02", "5"}, {"Monday", "tuesday"}, {"Monday", "Tue"}, {"2006-01-02", "0000-01-01"}, {"2006-01-02 15:04:05", "2024-03-10 02:30:00"}, {"2006-01-02 15:04:05", "2024-11-03 01:30:00"}}

var durations = []string{"", "0", "-0", "+0", "1", "1s", "-1.5h", "+5m", "1h2m3s4ms5us6ns", "1µs", "1μs", "1us", ".5s", "1.s", ".s", "1.", "-", "+", "s", "1x", "1s1", "1S", "1 s", "1ss", "3000000h", "9223372036854775807ns", "9223372036854775808ns", "-9223372036854775808ns", "2562047h47m16.854775807s", "2562047h47m16.854775808s", "0.000000000000001h", "1.23456789123s", "0.1ns", "100d", "1h\"", "1é", "--1s", "1e3s", "99999999999999999999s", "1h-2m"}

func writeTimes(dir string) {
	cases := []any{}
	for _, l := range layouts {
		c := formatCase{Layout: l}
		for _, m := range moments {
			t := time.Unix(m[0], m[1])
			c.Out += t.UTC().Format(l) + "|" + t.Format(l) + "|"
		}
		cases = append(cases, c)
	}
	save(dir+"/time_formats.json", cases)
	cases = []any{}
	for _, p := range parses {
		c := parseCase{Layout: p[0], Text: p[1]}
		if t, err := time.ParseInLocation(p[0], p[1], time.Local); err != nil {
			c.Error = err.Error()
		} else {
			c.Out = t.String()
		}
		cases = append(cases, c)
	}
	save(dir+"/time_parses.json", cases)
	cases = []any{}
	for _, s := range durations {
		c := durationCase{Text: s}
		if d, err := time.ParseDuration(s); err != nil {
			c.Error = err.Error()
		} else {
			c.Out = d.String() + " " + d.Round(time.Second).String() + " " + d.Truncate(time.Minute).String() + " " + d.Round(time.Hour).String()
		}
		cases = append(cases, c)
	}
	save(dir+"/durations.json", cases)
}
