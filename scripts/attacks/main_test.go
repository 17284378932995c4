package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestPage: each test that the page names is there, so that nobody renames one and leaves its attack without a test.
func TestPage(t *testing.T) {
	text, err := os.ReadFile("../../" + page)
	if err != nil {
		t.Fatal(err)
	}
	packages, tests := listed(string(text))
	if len(packages) == 0 {
		t.Fatal("the page names no test")
	}
	for _, p := range packages {
		source := sourceOf(t, "../../"+p)
		for _, test := range tests[p] {
			if name, script, ok := strings.Cut(test, "/"); ok {
				if _, err := os.Stat("../../cmd/gitd/testdata/script/" + script + ".txtar"); name != "TestScripts" || err != nil {
					t.Errorf("%s.%s: there is no such script", p, test)
				}
			} else if !regexp.MustCompile(`(?m)^func ` + test + `\(`).MatchString(source) {
				t.Errorf("%s has no %s", p, test)
			}
		}
	}
}

func sourceOf(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		if strings.HasSuffix(f.Name(), "_test.go") {
			b, err := os.ReadFile(dir + "/" + f.Name())
			if err != nil {
				t.Fatal(err)
			}
			all.Write(b)
		}
	}
	return all.String()
}

func TestListed(t *testing.T) {
	packages, tests := listed("| `internal/a.TestX`, `cmd/gitd.TestScripts/b` | `internal/a.TestY` and `internal/a.TestX` | `x.TestZ` |")
	if !slices.Equal(packages, []string{"internal/a", "cmd/gitd"}) || !slices.Equal(tests["internal/a"], []string{"TestX", "TestY"}) {
		t.Errorf("%q %q", packages, tests)
	}
	if got := patternOf([]string{"TestScripts/b", "TestScripts/c"}); got != "^(TestScripts)$/^(b|c)$" {
		t.Errorf("pattern %s", got)
	}
}
