package gitd_test

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	enabledLinter = regexp.MustCompile(`(?m)^    - ([a-z]+) #`) // a row of .golangci.yml's list, with its reason
	exception     = regexp.MustCompile(`//` + `nolint\b(?::([a-z,]+))?`)
)

// TestExceptionsAreChecked: nolintlint finds a needless //nolint only if the linter that it names runs, and looks at no
// file below testdata.
func TestExceptionsAreChecked(t *testing.T) {
	config, err := os.ReadFile(".golangci.yml")
	if err != nil {
		t.Fatal(err)
	}
	var enabled []string
	for _, m := range enabledLinter.FindAllStringSubmatch(string(config), -1) {
		enabled = append(enabled, m[1])
	}
	if !slices.Contains(enabled, "nolintlint") || !slices.Contains(enabled, "errcheck") {
		t.Fatalf(".golangci.yml enables %q, as this test reads it", enabled)
	}
	for _, file := range goFiles(t) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range exception.FindAllStringSubmatch(string(text), -1) {
			for name := range strings.SplitSeq(m[1], ",") {
				if strings.Contains(file, "/testdata/") || !slices.Contains(enabled, name) {
					t.Errorf("%s: nobody checks %q: leave it out", file, m[0])
				}
			}
		}
	}
}

// goFiles are all Go files of the programs and packages, below testdata too.
func goFiles(t *testing.T) (files []string) {
	t.Helper()
	repository := os.DirFS(".")
	for _, dir := range []string{"cmd", "internal", "scripts", "templates"} {
		err := fs.WalkDir(repository, dir, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".go") {
				files = append(files, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}
