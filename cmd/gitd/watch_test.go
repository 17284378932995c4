package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// TestMetricsAreDocumented: docs/watching.md has a row for each metric that the source names, and for no other.
func TestMetricsAreDocumented(t *testing.T) {
	files, err := filepath.Glob("../../internal/metrics/*.go")
	if err != nil {
		t.Fatal(err)
	}
	name := regexp.MustCompile(`"(gitd_[a-z_]+)"`)
	named := map[string]bool{}
	for _, path := range append(files, "watch_more.go") {
		if filepath.Ext(path) != ".go" || regexp.MustCompile(`_test\.go$`).MatchString(path) {
			continue
		}
		for _, m := range name.FindAllStringSubmatch(readFile(t, path), -1) {
			named[m[1]] = true
		}
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(gitd_[a-z_]+)` \\|").FindAllStringSubmatch(readFile(t, "../../docs/watching.md"), -1) {
		documented[m[1]] = true
	}
	if !maps.Equal(named, documented) {
		t.Errorf("the source has\n%q\nand docs/watching.md\n%q", slices.Sorted(maps.Keys(named)), slices.Sorted(maps.Keys(documented)))
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
