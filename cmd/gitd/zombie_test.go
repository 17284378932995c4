package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// careless is a parent that never reaps: the gitd that it starts stays a zombie when it is killed. Other commands of
// gitd are run as they are. Whatever the test does, gitd ends with it.
const careless = `#!/bin/sh
[ "$1" = serve ] || exec %[1]s "$@"
setpriv --pdeathsig KILL %[1]s "$@" &
echo $! >%[2]s
exec sleep infinity >/dev/null 2>&1
`

// TestRestartBesideZombie: gitd is killed, and another one starts before anybody has reaped it. Libvirt's note of who
// has a machine's channel open has the number of a process that seems to live then. Nothing healthy may be touched for
// that: the same machine goes on.
func TestRestartBesideZombie(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine")
	}
	program := filepath.Join(t.TempDir(), "careless")
	r := newRig(t, program, "")
	number := filepath.Join(r.work, "pid")
	if err := os.WriteFile(program, fmt.Appendf(nil, careless, filepath.Join(bin, "gitd"), number), 0o755); err != nil {
		t.Fatal(err)
	}
	restart := func() (pid int) {
		if parent := r.cmd; parent != nil {
			t.Cleanup(func() { parent.Process.Kill() }) //nolint:errcheck // its zombie ends with it
		}
		r.serve()
		return numberIn(t, number)
	}
	pid := restart()
	r.admit()
	r.repo("shop", filepath.Join("..", "..", "templates", "apps", "hello"))
	pushed(t, r, "shop")
	machine := r.qemus()[0].pid
	for n := range 10 {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if err := r.eventually(func() error { return zombie(pid) }); err != nil {
			t.Fatal(err)
		}
		mark := r.mark()
		pid = restart()
		if err := r.adopted(mark); err != nil {
			t.Fatalf("restart %d: %v\n%s", n+1, err, r.tail(30))
		}
		if now := r.qemus(); len(now) != 1 || now[0].pid != machine {
			t.Fatalf("restart %d: the machine was process %d, and now these run: %v", n+1, machine, now)
		}
		if status, _, err := r.get(r.client(false), "shop", "/"); err != nil || status != http.StatusOK {
			t.Errorf("restart %d: %d, %v", n+1, status, err)
		}
	}
	r.gitd("halt")
	if err := r.eventually(func() error { return zombie(pid) }); err != nil {
		t.Error(err)
	}
}

// adopted waits for the line that says that a machine was adopted.
func (r *rig) adopted(mark int) error {
	_, err := r.journal.wait("adoption", func(line string) bool {
		return strings.Contains(line, `"message":"machine adopted"`)
	}, mark, r.ended)
	return err
}

// zombie reports nil if a process has ended and was not reaped.
func zombie(pid int) error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return err
	}
	_, after, _ := strings.Cut(string(text), ") ")
	if !strings.HasPrefix(after, "Z") {
		return fmt.Errorf("process %d: %.1s", pid, after)
	}
	return nil
}

func numberIn(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
