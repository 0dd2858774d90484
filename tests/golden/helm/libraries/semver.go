package main

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// What Masterminds/semver makes of versions, and of constraints on them.

type versionCase struct {
	Version     string   `json:"version"`
	Error       string   `json:"error,omitempty"`
	StrictError string   `json:"strict,omitempty"`
	Parts       []string `json:"parts,omitempty"`
	Next        string   `json:"next,omitempty"`
}

type constraintCase struct {
	Constraint string `json:"constraint"`
	Error      string `json:"error,omitempty"`
	Holds      string `json:"holds,omitempty"` // versions between spaces
}

var versions = strings.Split("0.0.0 0.0.1 0.0.3 0.1.0 0.2.0 0.2.3 0.2.4 0.3.0 1.0.0 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.1.0 1.1.1 1.2.0 1.2.3 1.2.3-0 1.2.3-rc1 1.2.3+meta 1.2.4 1.3.0 1.29.3 1.30.0-0 2.0.0 2.0.0-rc.1 2.1.0 2.3.4 3.0.0 3.1.2 4.1.0 4.5.6 11.0.0 11.1.0 11.1.1 11.2.1 12.0.0 20.10.9", " ")

var oddVersions = []string{"", "v", "1", "v1", "1.2", "v1.2", "V1.2.3", "1.2.3.4", "01.2.3", "1.02.3", "1.2.03", "1.2.3-01", "1.2.3-a.01", "1.2.3-0a", "1.2.3-", "1.2.3+", "1.2.3-+", "1.2.3-a..b", "1.2.3+a..b", "1.2.3-a+b", "1.2.3+b-a", "1.2.3+01", "v1.2.3-rc.1+build.5", " 1.2.3", "1.2.3 ", "a.b.c", "1.x", "1.2.x", "*", "1.2.3-é", "1.2.3_4", "-1.2.3", "1.-2.3", "18446744073709551615.0.0", "18446744073709551616.0.0", "1.18446744073709551616", "1.2.18446744073709551616-x", "1..2", "1.2.", ".1.2", "1.2-rc1", "1-rc1", "1+b", "vv1", "1.2.3-v1", "1.2.3--", "1.2.3-a-b", "0.0.0-0", "latest", "1.2.3\n", "00", "00.01.02"}

var constraints = []string{"", " ", "*", "x", "X", "1", "1.2", "1.2.3", "=1.2.3", "= 1.2", "==1.2", "!=1.2.3", "!=1.2", "!=1", "!=1.x", "!=1.2.x", "!= 1.2.x-rc1", "!=1.2-rc1", "!=*", ">1", ">1.2", ">1.2.3", "> 1.x", ">11", ">11.1", ">11.1.0", ">*", "<1", "<1.2", "<1.2.3", "<2.0.0-0", "<*", ">=1", ">=1.2", ">=1.2.3", "=>1.2.3", ">=1.2.3-0", ">= 1.0.0-beta", ">=*", "<=1", "<=1.2", "<=1.2.3", "=<1.2.3", "<=1.x", "<=11.1", "<=*", "~1", "~1.2", "~1.2.3", "~>1.2.3", "~ 1.2.x", "~0", "~0.0", "~0.0.0", "~*", "~1.2.3-0", "~11.1", "^1", "^1.2", "^1.2.3", "^0", "^0.0", "^0.0.0", "^0.0.3", "^0.2", "^0.2.3", "^0.x", "^1.x", "^*", "^1.0.0-alpha", "^ 1.2", "1.x", "1.x.x", "1.*", "1.2.*", "1.2.x", "x.2.3", "1.x.3", "1 - 2", "1.2 - 2.3.4", "1.2.3 - 2.0.0-rc.1", "1.2.3-alpha - 2", "1.2-2.3", "1.2 -2.3", "1.2- 2.3", "1 - 2 || 4 - 11", "1 - 2, 4", "1 - 2 3 - 4", ">=1.0 - 2.0", ">=1.2, <2", ">=1.2 <2", ">=1.2,<2", ">= 1.2 , < 2", ">=1.2,,<2", ">=1.2,", ",>=1.2", ">=1.2<2", "1.2.3 || 4.5.6", "1||2", "1 || ", "|| 1", "1 | 2", "1|2", ">=1.2 <2 || >=3 !=4.1.0", ">=1.0.0-0 <2", ">=1.0.0-0 || >=2", "1.2.3.4", "v1.2.3", ">v1.2", "vv1", "> =1", "=>=1", ">>1", "a", "1.a", "1.2.3-", "1.2.3+b", ">=1.2.3+b", "^1.2.3+b", "1.2.3 2.0.0", ">=1.29.0-0", ">= 1.19-0", "<1.30.0-0", "~2.0.0-rc.1", "18446744073709551616", "1.18446744073709551616.0", "01.2.3", "1.2.3-01", "\t>=\n1.2 ", "1.2.3\v", "!1.2", "~=1.2", "<>1", "1,2", "1 2", "*,1", ">= 1.2.3, < 2.0.0 || = 3.1.2", "^1 ^1.2", "1.2.3-alpha.1.beta+x.y", "<= 2.0.0 > 1.2.3", "11.x - 12", "x - 1", "1 - x", "1  -  2", "1\t-\n2", "0", "0.x", "0.0", "0.0.0"}

func writeSemver(dir string) {
	parsed := []any{}
	for _, s := range append(oddVersions, versions...) {
		c := versionCase{Version: s}
		if v, err := semver.NewVersion(s); err != nil {
			c.Error = err.Error()
		} else {
			c.Parts = []string{fmt.Sprint(v.Major()), fmt.Sprint(v.Minor()), fmt.Sprint(v.Patch()), v.Prerelease(), v.Metadata(), v.String(), v.Original()}
			a, b, p := v.IncMajor(), v.IncMinor(), v.IncPatch()
			c.Next = a.Original() + " " + b.Original() + " " + p.Original()
		}
		if _, err := semver.StrictNewVersion(s); err != nil {
			c.StrictError = err.Error()
		}
		parsed = append(parsed, c)
	}
	save(dir+"/semver_versions.json", parsed)

	order := []any{}
	for _, s := range versions {
		row := ""
		for _, t := range versions {
			row += string("<=>"[semver.MustParse(s).Compare(semver.MustParse(t))+1])
		}
		order = append(order, map[string]string{"version": s, "order": row})
	}
	save(dir+"/semver_order.json", order)

	checked := []any{}
	for _, s := range constraints {
		c := constraintCase{Constraint: s}
		if cs, err := semver.NewConstraint(s); err != nil {
			c.Error = err.Error()
		} else {
			for _, v := range versions {
				if cs.Check(semver.MustParse(v)) {
					c.Holds += v + " "
				}
			}
		}
		checked = append(checked, c)
	}
	save(dir+"/semver_constraints.json", checked)
}
