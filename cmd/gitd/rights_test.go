package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// watchedKey is the watch of a script.
type watchedKey struct{}

// watch looks at the processes of a gitd, from its first to its last, for as long as it is there.
type watch struct {
	stop  chan struct{}
	ended sync.WaitGroup

	mu    sync.Mutex
	names []string // of programs that were seen
	wrong []string // those that had more rights than gitd's user
}

// cmdRights looks, until it is called a second time, at each process that gitd has started and at each QEMU of this
// script, and fails if one of them was root, or had a capability on the host, but newuidmap and newgidmap:
// rights begin; rights end PROGRAM... The programs must have been seen.
func cmdRights(ts *testscript.TestScript, neg bool, args []string) {
	switch {
	case len(args) == 1 && args[0] == "begin":
		w := &watch{stop: make(chan struct{})}
		*ts.Value(watchedKey{}).(**watch) = w
		w.ended.Go(func() { w.look(daemonOf(ts)) })
		ts.Defer(w.end)
	case len(args) > 1 && args[0] == "end":
		w := *ts.Value(watchedKey{}).(**watch)
		w.end()
		if len(w.wrong) > 0 {
			ts.Fatalf("processes with rights that gitd's user does not have:\n%s", strings.Join(w.wrong, "\n"))
		}
		for _, name := range args[1:] {
			if !slices.Contains(w.names, name) {
				ts.Fatalf("%s was not seen; these were: %s", name, w.names)
			}
		}
	default:
		ts.Fatalf("usage: rights begin, or rights end PROGRAM...")
	}
}

func (w *watch) end() {
	w.mu.Lock()
	select {
	case <-w.stop:
	default:
		close(w.stop)
	}
	w.mu.Unlock()
	w.ended.Wait()
}

func (w *watch) look(d *testDaemon) {
	host, _ := os.Readlink("/proc/self/ns/user")
	for {
		pids := append(d.qemus(), below(d.cmd.Process.Pid)...)
		for _, pid := range pids {
			w.process(pid, host)
		}
		select {
		case <-w.stop:
			return
		case <-time.After(2 * time.Millisecond): // the kernel tells root alone of new processes, and of all on the host
		}
	}
}

// process notes one process. Capabilities in a user namespace of its own are none on the host, as a sandbox's are.
func (w *watch) process(pid int, host string) {
	dir := filepath.Join("/proc", strconv.Itoa(pid))
	text, err := os.ReadFile(filepath.Join(dir, "status"))
	space, errSpace := os.Readlink(filepath.Join(dir, "ns/user"))
	if err != nil || errSpace != nil {
		return // it has ended
	}
	field := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		field[name] = strings.TrimSpace(value)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	name := field["Name"]
	if !slices.Contains(w.names, name) {
		w.names = append(w.names, name)
	}
	what := fmt.Sprintf("%s: uid %s, gid %s, capabilities %s of %s", name, field["Uid"], field["Gid"], field["CapEff"], field["CapPrm"])
	ofRoot := slices.Contains(strings.Fields(field["Uid"]+" "+field["Gid"]), "0")
	capable := space == host && strings.Trim(field["CapEff"]+field["CapPrm"]+field["CapAmb"], "0") != ""
	if name == "newuidmap" || name == "newgidmap" {
		return // Debian's, which give a user namespace the ids that /etc/subuid says
	}
	if (ofRoot || capable) && !slices.Contains(w.wrong, what) {
		w.wrong = append(w.wrong, what)
	}
}

// below are a process and all that descend from it.
func below(pid int) []int {
	pids := []int{pid}
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range tasks {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for word := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(word); err == nil {
				pids = append(pids, below(child)...)
			}
		}
	}
	return pids
}

// cmdLogs reports whether the daemon has logged a text so far.
func cmdLogs(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: [!] logs TEXT")
	}
	if log := daemonOf(ts).log(); strings.Contains(log, args[0]) == neg {
		ts.Fatalf("logs %q: %v\n%s", args[0], !neg, log)
	}
}
