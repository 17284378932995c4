package server

import (
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/cli/command"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":                        nil,
		"  apps \t --json ":       {"apps", "--json"},
		`git-receive-pack 'shop'`: {"git-receive-pack", "shop"},
		`x 'it'\''s' "a b" c\ d`:  {"x", "it's", "a b", "c d"},
		`config:set shop A= B=''`: {"config:set", "shop", "A=", "B="},
		`x '' ""`:                 {"x", "", ""},
		`x "a\"b\$c\d"`:           {"x", `a"b$c\d`},
		"x 'two\nlines'":          {"x", "two\nlines"},
		"apps; rm -rf $HOME | `id` && $(id) >f *": {"apps;", "rm", "-rf", "$HOME", "|", "`id`", "&&", "$(id)", ">f", "*"},
		"x ä\xff": {"x", "ä\xff"},
	} {
		if got, err := split(line); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`'`, `"`, `x "a`, `x 'a`, `x\`, `"\`, strings.Repeat("x", maxCommand+1)} {
		if got, err := split(line); err == nil {
			t.Errorf("%.20q is %q", line, got)
		}
	}
}

// FuzzSplit: whatever comes, it ends; and what was quoted comes back.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"apps --json", `a 'b c' "d\"e"`, `'`, "\\", "x\x00y", `a''b`} {
		f.Add(s, "b c")
	}
	f.Fuzz(func(t *testing.T, line, word string) {
		words, err := split(line)
		if err == nil && len(strings.Join(words, "")) > len(line) {
			t.Errorf("%q grew to %q", line, words)
		}
		if _, err := appName(append([]string{receivePack}, words...), command.Door{}); err == nil && strings.ContainsAny(words[0], "\\.\x00 ") && !strings.HasSuffix(words[0], ".git") && !strings.HasSuffix(words[0], ".git/") {
			t.Errorf("%q names the app %q", line, words)
		}
		want := []string{word, line}
		got, err := split(quote(word) + " " + quote(line))
		if len(word)+len(line) < maxCommand/8 && (err != nil || !slices.Equal(got, want)) {
			t.Errorf("%q comes back as %q, %v", want, got, err)
		}
	})
}

// quote is how git and shells quote.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
