package output

import (
	"bytes"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/progress"
)

// TestMask: a value of config does not end in what a push prints, in the forms in which programs print values.
func TestMask(t *testing.T) {
	m := newMask(map[string]string{
		"TOKEN": "npm_s3cret/key+=", "LONGER": "npm_s3cret/key+=longer", "SHORT": "true", "EMPTY": "",
		"PEM": "-----BEGIN KEY-----\nc2VjcmV0MTIz\n-----END KEY-----\n", "TAB": "tab\x01and\x02control",
	})
	for text, want := range map[string]string{
		"nothing":                                   "nothing",
		"//r/:_authToken=npm_s3cret/key+=":          "//r/:_authToken=[TOKEN]",
		"npm_s3cret/key+=npm_s3cret/key+=":          "[TOKEN][TOKEN]",
		"npm_s3cret/key+=longer":                    "[LONGER]",
		"?t=npm_s3cret%2Fkey%2B%3D&x=1":             "?t=[TOKEN]&x=1",
		"/npm_s3cret%2Fkey+=/x":                     "/[TOKEN]/x",
		"true":                                      "true",
		`{"key":"c2VjcmV0MTIz\n-----END KEY-----"}`: `{"key":"[PEM]\n[PEM]"}`,
		"tabandcontrol":                             "[TAB]",
		"npm_s3":                                    "npm_s3",
	} {
		if got := m.line(text); got != want {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	if got := m.cut("a minified line with npm_s3cret/k"); got != "a minified line with " {
		t.Errorf("the beginning of a value is left: %q", got)
	}
	if none := newMask(nil); none.line("text") != "text" || none.cut("text") != "text" {
		t.Error("without values, something is masked")
	}
}

// TestOutputIsMasked: also when a value comes in pieces, in colours, behind a carriage return, or at the end of a line
// that is too long; and in the last lines, which go to gitd's log.
func TestOutputIsMasked(t *testing.T) {
	var said bytes.Buffer
	out := New(progress.NewReport(&said), map[string]string{"TOKEN": "hunter2hunter2"})
	for _, piece := range []string{
		"a hunter2", "hunter2\n", "\x1b[31mhunter2hunter2\x1b[0m\n", "50%\rhunter2hunter2\n",
		strings.Repeat("x", lineLimit-10), "hunter2hunter2\n", "no end: hunter2hunter2",
	} {
		out.Write([]byte(piece)) //nolint:errcheck // it never fails
	}
	out.Flush()
	for _, text := range []string{said.String(), strings.Join(out.Tail(), "\n")} {
		if strings.Contains(text, "hunter") || strings.Count(text, "[TOKEN]") != 4 {
			t.Errorf("printed:\n%.300q", text)
		}
	}
}
