package progress

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestRepeatsAreFolded: a push once had a line for each probe, 501 of them for an app that answered 500 for two and a
// half minutes.
func TestRepeatsAreFolded(t *testing.T) {
	var said []string
	f := Repeats{Say: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }}
	start := time.Now()
	for n := range 501 {
		f.Note(start.Add(time.Duration(n)*300*time.Millisecond), "GET / → 500", " in 3ms")
	}
	want := []string{
		"GET / → 500 in 3ms", "GET / → 500 (×18 in 5.1s)", "GET / → 500 (×52 in 15.3s)", "GET / → 500 (×119 in 35.4s)",
		"GET / → 500 (×253 in 75.6s)", "GET / → 500 (×453 in 135.6s)",
	}
	if strings.Join(said, "\n") != strings.Join(want, "\n") {
		t.Errorf("%d lines:\n%s", len(said), strings.Join(said, "\n"))
	}
	f.Note(start.Add(151*time.Second), "GET / → 200", " in 2ms")
	if last := said[len(said)-1]; last != "GET / → 200 in 2ms" {
		t.Errorf("a new answer: %q", last)
	}
}

// TestChangesAreBounded: an app that gives two answers in turn does not fill the push either.
func TestChangesAreBounded(t *testing.T) {
	lines := 0
	f := Repeats{Say: func(string, ...any) { lines++ }}
	start := time.Now()
	for n := range 3000 {
		f.Note(start.Add(time.Duration(n)*300*time.Millisecond), fmt.Sprintf("GET / → %d", 500+n%2), "")
	}
	if lines > 50 {
		t.Errorf("%d lines", lines)
	}
}
