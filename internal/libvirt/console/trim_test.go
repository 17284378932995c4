package console

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestConsoleIsBounded: whoever is root in a machine could fill the host's disk by its serial port.
func TestConsoleIsBounded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "console.log")
	if emptied, err := trim(path, 10); err != nil || emptied {
		t.Errorf("before the machine: %t, %v", emptied, err)
	}
	qemu, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer qemu.Close()
	for _, tt := range []struct {
		text, left string
		emptied    bool
	}{
		{"0123456789", "0123456789", false},
		{strings.Repeat("x", 100), "", true},
		{"panic", "panic", false},
	} {
		if _, err := qemu.WriteString(tt.text); err != nil {
			t.Fatal(err)
		}
		emptied, err := trim(path, 10)
		left, readErr := os.ReadFile(path)
		if err != nil || readErr != nil || emptied != tt.emptied || string(left) != tt.left {
			t.Errorf("after %.10q: %t, %q left, %v, %v", tt.text, emptied, left, err, readErr)
		}
	}
}

func TestTail(t *testing.T) {
	if got := (Log{Path: filepath.Join(t.TempDir(), "none")}).Tail(); got != nil {
		t.Errorf("no file: %q", got)
	}
	name := filepath.Join(t.TempDir(), "console.log")
	text := "first\n" + strings.Repeat("\r\nx", 3*tailBytes) + "\nlast words"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got := Log{Path: name}.Tail()
	if len(got) != tailLines || got[tailLines-1] != "last words" || got[0] != "x" {
		t.Errorf("got %d lines, %q", len(got), got)
	}
}

// TestTailKeepsPanic: the call trace of a panic was longer than what is kept of the console, and gitd said that
// the machine had powered off.
func TestTailKeepsPanic(t *testing.T) {
	const words = "[    2.0] Kernel panic - not syncing: sysrq triggered crash"
	got := lastLines("before\n" + words + strings.Repeat("\n  call", 50))
	if len(got) != tailLines || got[0] != words || PanicLine(got) != "sysrq triggered crash" {
		t.Errorf("got %q", got)
	}
}
