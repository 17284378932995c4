package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

func TestResolve(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	write("bin/node", "\x7fELF", 0o755)
	write("bin/plain", "text", 0o644)
	write("bin/next", "#!/usr/bin/env node\nrequire('x')", 0o755)
	write("bin/windows", "#! /usr/bin/env  node\r\n", 0o755)
	write("bin/sh-script", "#!/bin/sh\n", 0o755)
	write("bin/empty", "", 0o755)
	write("app/run", "\x7fELF", 0o755)
	bin, app := filepath.Join(dir, "bin"), filepath.Join(dir, "app")
	env := []string{"X=1", "PATH=relative:" + bin}
	for _, tt := range []struct {
		args string // separated by spaces
		path string
		argv string
		err  string
	}{
		{args: "node server.js", path: bin + "/node", argv: "node server.js"},
		{args: bin + "/node x", path: bin + "/node", argv: bin + "/node x"},
		{args: "./run -v", path: app + "/run", argv: "./run -v"},
		{args: "next start", path: bin + "/node", argv: bin + "/node " + bin + "/next start"},
		{args: "windows", path: bin + "/node", argv: bin + "/node " + bin + "/windows"},
		{args: "sh-script", path: bin + "/sh-script", argv: "sh-script"},
		{args: "empty", path: bin + "/empty", argv: "empty"},
		{args: "plain", err: "not found in PATH"},
		{args: "nope", err: "not found in PATH"},
		{args: "./nope", err: "no such file"},
		{args: bin, err: "not executable"},
		{args: "", err: "no program"},
	} {
		t.Run(tt.args, func(t *testing.T) {
			path, argv, err := resolve(strings.Fields(tt.args), env, app)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %q, %v; want an error with %q", path, err, tt.err)
				}
				return
			}
			if err != nil || path != tt.path || strings.Join(argv, " ") != tt.argv {
				t.Errorf("got %q, %q, %v", path, argv, err)
			}
		})
	}
}

// TestLauncher starts a program in the way the app is started, and looks at its privileges.
func TestLauncher(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	l, err := newLauncher()
	if err != nil {
		t.Fatal(err)
	}
	p, err := l.start(command{args: []string{"cat", "/proc/self/status"}, env: []string{"PATH=/bin:/usr/bin"}, dir: "/"}, guest.AppUID)
	if err != nil {
		t.Fatal(err)
	}
	var status []string
	for _, f := range p.output {
		capture(f, func(l string) { status = append(status, strings.Join(strings.Fields(l), " ")) })
	}
	var ws unix.WaitStatus
	if _, err := unix.Wait4(p.pid, &ws, 0, nil); err != nil || ws.ExitStatus() != 0 {
		t.Errorf("cat: %v, %v", ws.ExitStatus(), err)
	}
	for _, want := range []string{
		"Uid: 1000 1000 1000 1000", "Gid: 1000 1000 1000 1000", "Groups:", "NoNewPrivs: 1",
		"CapInh: 0000000000000000", "CapPrm: 0000000000000000", "CapEff: 0000000000000000", "CapBnd: 0000000000000000",
		"CapAmb: 0000000000000000", "SigBlk: 0000000000000000", "Seccomp: 2",
	} {
		if !slices.Contains(status, want) {
			t.Errorf("status lacks %q:\n%s", want, strings.Join(status, "\n"))
		}
	}
	// The rest of this process keeps what it has.
	if v, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); v != 0 || err != nil {
		t.Errorf("no_new_privs of another thread: %d, %v", v, err)
	}
}

func TestSplitLines(t *testing.T) {
	long := strings.Repeat("x", guest.MaxLine+10)
	for _, tt := range []struct {
		in   string
		want []string
	}{
		{"", nil},
		{"a\nb\r\n\nc", []string{"a", "b", "", "c"}},
		{long + "\ny\n", []string{long[:guest.MaxLine], long[guest.MaxLine:], "y"}},
	} {
		var got []string
		splitLines(bytes.NewBufferString(tt.in), func(l string) { got = append(got, l) })
		if !slices.Equal(got, tt.want) {
			t.Errorf("%.20q: got %d lines %.60q", tt.in, len(got), got)
		}
	}
}

func TestExited(t *testing.T) {
	const kill, abort, term = 9, 6, 15
	for _, tt := range []struct {
		status unix.WaitStatus
		oom    bool
		code   int
		reason string
	}{
		{0, false, 0, "exit code 0: it ended by itself"},
		{3 << 8, false, 3, "exit code 3"},
		{kill, false, -1, "ended by SIGKILL"},
		{kill, true, -1, "ended by SIGKILL: the machine ran out of memory; it had 88 MiB of the machine's 109 MiB"},
		{term, true, -1, "ended by SIGTERM"},
		{1 << 8, true, 1, "exit code 1: the machine, which has 109 MiB, ran out of memory"},
		{abort, false, -1, "SIGABRT: it aborted, as Node does when its heap is full; it had 88 MiB"},
	} {
		e := exited(death{status: tt.status, usage: unix.Rusage{Maxrss: 88 << 10}}, tt.oom, 109<<20)
		if e.Code != tt.code || !strings.Contains(e.Reason, tt.reason) || e.OutOfMemory != tt.oom {
			t.Errorf("status %#x: %+v", tt.status, e)
		}
	}
}

func TestReadButtons(t *testing.T) {
	event := func(kind, code byte, value byte) []byte {
		b := make([]byte, 24)
		b[16], b[18], b[20] = kind, code, value
		return b
	}
	var stream []byte
	stream = append(stream, event(1, 30, 1)...)  // another key
	stream = append(stream, event(1, 116, 0)...) // released
	stream = append(stream, event(0, 116, 1)...) // not a key
	stream = append(stream, event(1, 116, 1)...) // pressed
	stream = append(stream, 1, 2, 3)             // torn
	stops := make(chan time.Duration, 4)
	readButtons(bytes.NewReader(stream), stops)
	if len(stops) != 1 {
		t.Errorf("%d stops, want 1", len(stops))
	}
}
