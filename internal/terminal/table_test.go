package terminal

import (
	"bytes"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
)

func shown(t *testing.T, w *Window, rows [][]string) string {
	t.Helper()
	var out bytes.Buffer
	if err := WriteTable(&out, w, rows); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func releasesLike() [][]string {
	return [][]string{
		{"RELEASE", "STATE", "WHAT"},
		{"v12", "live", strings.Repeat("a long subject ", 10)},
		{"v3", "failed", "日本語の件名"},
	}
}

// TestTableForPrograms: nothing is cut and nothing is coloured where no
// terminal is.
func TestTableForPrograms(t *testing.T) {
	want := "RELEASE  STATE   WHAT\n" +
		"v12      live    " + strings.Repeat("a long subject ", 10) + "\n" +
		"v3       failed  日本語の件名\n"
	if got := shown(t, nil, releasesLike()); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestTableFitsTheTerminal(t *testing.T) {
	for _, width := range []int{200, 80, 40, 24} {
		got := shown(t, &Window{Size: Size{Width: width, Height: 24}}, releasesLike())
		for line := range strings.Lines(got) {
			if w := ansi.StringWidth(strings.TrimSuffix(line, "\n")); w > width {
				t.Errorf("%d columns on a terminal of %d: %q", w, width, line)
			}
		}
		if width < 200 && !strings.Contains(got, "…") {
			t.Errorf("width %d: nothing says that the text goes on:\n%s", width, got)
		}
		if !strings.Contains(got, "\x1b[32mlive") || !strings.Contains(got, "\x1b[31mfailed") {
			t.Errorf("states are not coloured: %q", got)
		}
	}
}

// TestTableTellsTheTerminalNothing: a commit's subject is a stranger's text.
func TestTableTellsTheTerminalNothing(t *testing.T) {
	got := shown(t, nil, [][]string{{"WHAT"}, {"\x1b]0;owned\x07\x1b[2Jx\r\ny\u202e"}})
	if strings.ContainsAny(got, "\x1b\x07\r\u202e") || strings.Count(got, "\n") != 2 {
		t.Errorf("%q", got)
	}
}
