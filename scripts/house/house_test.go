package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// measure runs the command on a repository of these files.
func measure(t *testing.T, files map[string]string) (table string, broken []string) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	broken, err := run(root, &out)
	if err != nil {
		t.Fatal(err)
	}
	return out.String(), broken
}

// functionOf is the source of a function of so many lines.
func functionOf(name string, lines int) string {
	return "func " + name + "() {\n" + strings.Repeat("\t_ = 0\n", lines-2) + "}\n"
}

func methodsOf(receiver string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "func (%s) M%d() {}\n", receiver, i)
	}
	return b.String()
}

func TestLimits(t *testing.T) {
	wide := strings.Repeat("x ", 60) + "y" // 121 columns
	for name, c := range map[string]struct {
		file, text string
		want       string // empty: nothing is broken
	}{
		"package":            {"a/a.go", "package a\n" + strings.Repeat("\n", maxPackage), "a has 3001 lines"},
		"package at limit":   {"a/a.go", "package a\n" + strings.Repeat("\n", maxPackage-1), ""},
		"program":            {"cmd/a/a.go", "package main\n" + strings.Repeat("\n", maxPackage), ""},
		"test":               {"a/a_test.go", "package a\n" + strings.Repeat("\n", maxPackage), ""},
		"methods":            {"a/a.go", "package a\ntype T int\n" + methodsOf("*T", 25) + "func (T) More() {}\n", "a.T has 26 methods"},
		"methods at limit":   {"a/a.go", "package a\ntype T int\n" + methodsOf("T", 25), ""},
		"methods of generic": {"a/a.go", "package a\ntype T[A, B any] struct{}\n" + methodsOf("*T[A, B]", 26), "a.T has 26 methods"},
		"interface":          {"a/a.go", "package a\ntype T interface {\n" + strings.Repeat("A(); B()\n", 13) + "}\n", "a.T has 26 methods"},
		"functions":          {"a/a.go", "package a\n" + functionOf("A", 31), "p90 is 31"},
		"functions at limit": {"a/a.go", "package a\n" + functionOf("A", 30), ""},
		"comment":            {"a/a.go", "package a\n\n// " + wide + "\n", "a/a.go:3: 124 columns"},
		"comment of a test":  {"a/a_test.go", "package a\n\n// " + wide + "\n", "a/a_test.go:3: 124 columns"},
		"comment in tabs":    {"a/a.go", "package a\n\nfunc A() {\n\t// " + wide[:115] + "\n}\n", "a/a.go:4: 122 columns"},
		"comment, old form":  {"a/a.go", "package a\n\n/*\n" + wide + "\n*/\n", "a/a.go:4: 121 columns"},
		"directive":          {"a/a.go", "package a\n\nvar a = \"" + wide + "\" //nolint:gosec // why\n", ""},
		"string":             {"a/a.go", "package a\n\nvar a = \"" + wide + "\"\n", ""},
		"prose":              {"docs/a.md", "a\n" + wide + "\n", "docs/a.md:2: 121 columns"},
		"prose at limit":     {"docs/a.md", wide[:120] + "\n", ""},
		"runes":              {"docs/a.md", strings.Repeat("é", 120) + "\n", ""},
		"table":              {"docs/a.md", "| " + wide + " |\n", ""},
		"code in prose":      {"docs/a.md", "```\n" + wide + "\n```\n" + wide + "\n", "docs/a.md:4: 121 columns"},
		"link":               {"docs/a.md", "See [the house](" + strings.Repeat("x", 120) + ").\n", ""},
		"address":            {"docs/a.md", "See https://example.org/" + strings.Repeat("x", 120) + "\n", ""},
		"testdata":           {"a/testdata/a.go", "package a\n// " + wide + "\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, broken := measure(t, map[string]string{c.file: c.text})
			switch {
			case c.want == "" && len(broken) > 0:
				t.Errorf("got %q, want nothing", broken)
			case c.want != "" && (len(broken) != 1 || !strings.Contains(broken[0], c.want)):
				t.Errorf("got %q, want one of %q", broken, c.want)
			}
		})
	}
}

func TestTable(t *testing.T) {
	table, _ := measure(t, map[string]string{
		"a/a.go":      "package a\n\ntype T int\n\n" + methodsOf("T", 3) + functionOf("Long", 9),
		"a/a_test.go": "package a\n" + functionOf("Longer", 99),
	})
	row := strings.Fields(strings.Split(table, "\n")[1])
	if want := "a 16 4 1 9 9 T (3)"; strings.Join(row, " ") != want {
		t.Errorf("got %q, want %q", row, want)
	}
	if !strings.Contains(table, "9  a.Long\n") || strings.Contains(table, "Longer") {
		t.Errorf("the longest functions are not those of the package:\n%s", table)
	}
}
