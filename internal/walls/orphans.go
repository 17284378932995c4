package walls

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Orphans ends the bubblewraps that a gitd with the state folder dir has left when it was killed, and returns how many.
// Bubblewrap asks for its parent's end with --die-with-parent, but not before its two processes have begun: a parent
// that ends within these milliseconds leaves it, and its second process may wait for the first for ever. Those of a
// gitd that runs have a parent, and stay.
func Orphans(dir string) (ended int) {
	pids := map[int]bool{}
	// The second process of one has a parent until the first has ended.
	for limit := time.Now().Add(time.Second); time.Now().Before(limit); {
		n := 0
		all, _ := filepath.Glob("/proc/[0-9]*") // the pattern is a good one
		for _, proc := range all {
			pid, err := strconv.Atoi(filepath.Base(proc))
			if err == nil && orphan(proc, dir) && syscall.Kill(pid, syscall.SIGKILL) == nil {
				pids[pid] = true
				n++
			}
		}
		if n == 0 {
			break
		}
	}
	return len(pids)
}

// orphan reports whether a process is a bubblewrap that works in dir, and that has no parent any more: the first of all
// processes is it then. Where another one collects orphans, they stay, as they did.
func orphan(proc, dir string) bool {
	args, err := os.ReadFile(filepath.Join(proc, "cmdline"))
	if err != nil {
		return false
	}
	words := strings.Split(string(args), "\x00")
	if filepath.Base(words[0]) != "bwrap" || !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, dir+"/") }) {
		return false
	}
	stat, err := os.ReadFile(filepath.Join(proc, "stat"))
	if err != nil {
		return false
	}
	_, rest, _ := bytes.Cut(stat, []byte(") ")) // after the name: state, parent
	fields := strings.Fields(string(rest))
	if len(fields) < 2 {
		return false
	}
	return fields[1] == "1"
}
