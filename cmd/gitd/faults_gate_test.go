package main

import (
	"bufio"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gate is where a shell script waits for the test: the script writes a line to $reached and reads a line from $go,
// which are named pipes.
type gate struct {
	t           *testing.T
	dir         string
	reached, to *os.File
}

func newGate(t *testing.T, dir string) *gate {
	t.Helper()
	g := &gate{t: t, dir: dir}
	for name, f := range map[string]**os.File{"reached": &g.reached, "go": &g.to} {
		path := filepath.Join(dir, name)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		var err error
		// It is opened for both directions, so that opening never waits for the other side.
		if *f, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { (*f).Close(); os.Remove(path) }) //nolint:errcheck // the test has ended
	}
	return g
}

// script makes a program from a line of shell and returns its path.
func (g *gate) script(line string) string {
	g.t.Helper()
	path := filepath.Join(g.dir, "held-ssh")
	writeScript(g.t, path, "reached='"+g.dir+"/reached' go='"+g.dir+"/go'\n"+line)
	return path
}

func writeScript(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// wait returns what the script wrote when it came to the gate.
func (g *gate) wait() string {
	g.t.Helper()
	if err := g.reached.SetReadDeadline(time.Now().Add(eventLimit)); err != nil {
		g.t.Fatal(err)
	}
	line, err := bufio.NewReader(g.reached).ReadString('\n')
	if err != nil {
		g.t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// open lets the script go on.
func (g *gate) open() {
	if _, err := g.to.WriteString("go\n"); err != nil && !errors.Is(err, os.ErrClosed) {
		g.t.Error(err)
	}
}

// packer makes a folder with a mkfs.erofs in it, which runs the host's own, and lets gitd's user reach it.
func packer(r *rig) string {
	r.t.Helper()
	dir := filepath.Join(r.work, "packer")
	if err := os.Mkdir(dir, 0o755); err != nil {
		r.t.Fatal(err)
	}
	for d := r.work; d != filepath.Dir(d) && d != filepath.Clean(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o711); err != nil {
			r.t.Fatal(err)
		}
	}
	packs(r, "exec /usr/bin/mkfs.erofs \"$@\"")
	return dir
}

// packs has the packer do something else. Behind its walls it sees no file of the test but itself.
func packs(r *rig, line string) {
	r.t.Helper()
	writeScript(r.t, filepath.Join(r.work, "packer", "mkfs.erofs"), line)
}
