package dotenv

import (
	"maps"
	"os/exec"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	tests := []struct {
		text string
		want map[string]string
	}{
		{"", map[string]string{}},
		{"# only\n\n  # comments\n", map[string]string{}},
		{"A=1\nB=\nC = spaced out  \n", map[string]string{"A": "1", "B": "", "C": "spaced out"}},
		{"export A=1", map[string]string{"A": "1"}},
		{"A=1\r\nB=2\r\n", map[string]string{"A": "1", "B": "2"}},
		{"A=one # comment\nB='two # no comment' # comment\n", map[string]string{"A": "one", "B": "two # no comment"}},
		{"A=pa$$word\nB=\"pa$Word\"\nC=${A}`x`\n", map[string]string{"A": "pa$$word", "B": "pa$Word", "C": "${A}`x`"}},
		{"A=postgres://u:p@h/db?x=1&y=2\n", map[string]string{"A": "postgres://u:p@h/db?x=1&y=2"}},
		{"KEY=\"-----BEGIN-----\nabc=\n-----END-----\n\"\nB=2", map[string]string{"KEY": "-----BEGIN-----\nabc=\n-----END-----\n", "B": "2"}},
		{"KEY='a\r\nb'\n", map[string]string{"KEY": "a\nb"}},
		{`A="x\ny\\n\"z\" \t"`, map[string]string{"A": "x\ny\\n\"z\" \\t"}},
		{`A='it'\''s'`, map[string]string{"A": "it's"}},
		{`A='x\ny'`, map[string]string{"A": `x\ny`}},
		{"A=`it's \"quoted\"`", map[string]string{"A": `it's "quoted"`}},
		{`JSON={"a":"b"}`, map[string]string{"JSON": `{"a":"b"}`}},
		{"\ufeffA=1", map[string]string{"A": "1"}},
		{"A=1\nA=2\n", map[string]string{"A": "2"}},
	}
	for _, tt := range tests {
		got, err := Parse(tt.text)
		if err != nil || !maps.Equal(got, tt.want) {
			t.Errorf("%q: %q, %v; want %q", tt.text, got, err, tt.want)
		}
	}
	for text, line := range map[string]string{
		"hunter2": "line 1 ", "A=1\n\nhunter2\n": "line 3 ", "A='x\ny'\n9X=hunter2": "line 3 ",
		"A=\"hunter2\nB=2\n": "line 1 ", "A='x' hunter2\n": "line 1 ", "=hunter2": "line 1 ", "A-B=hunter2": "line 1 ",
	} {
		_, err := Parse(text)
		if err == nil || !strings.HasPrefix(err.Error(), line) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v, want %q and not what stands there", text, err, line)
		}
	}
}

// FuzzParse: whatever is imported, the parser ends, names are names, and
// an error tells nothing of the file.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"A=1\n", "A=\"x\ny\"\n", "export A='z'", "#\n", "A=`", "\xff=\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		vars, err := Parse(text)
		if err != nil && !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%q: %v", text, err)
		}
		again, err := Parse(Format(vars))
		for name, value := range vars {
			if strings.ReplaceAll(value, "\r\n", "\n") != again[name] {
				t.Errorf("%q exported and imported is %q, %v", value, again[name], err)
			}
			if !assignment.MatchString(name + "=") {
				t.Errorf("%q has the name %q", text, name)
			}
		}
	})
}

// exported are values that someone could set to have a shell run them.
var exported = map[string]string{
	"A": "it's", "B": "'", "C": "''\\''", "D": "$(touch /tmp/x) `id` ${HOME}", "E": "two\nlines\n", "F": `a"b\n\`, "G": "", "H": " #no comment ", "I": "é\t!",
}

// TestExportIsImported: what config:export prints, config:import and a shell
// read as it was.
func TestExportIsImported(t *testing.T) {
	text := Format(exported)
	got, err := Parse(text)
	if err != nil || !maps.Equal(got, exported) {
		t.Errorf("imported: %q, %v\nfrom\n%s", got, err, text)
	}
	for name, want := range exported {
		said, err := exec.Command("sh", "-euc", text+"\nprintf %s \"$"+name+"\"").Output()
		if err != nil || string(said) != want {
			t.Errorf("a shell reads %s as %q, %v; want %q", name, said, err, want)
		}
	}
}
