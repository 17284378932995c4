package main

import (
	"strings"
	"sync/atomic"
)

// noShell explains, once, why child_process.exec fails: Node says "spawn /bin/sh ENOENT", and does not say that there
// is no shell on purpose.
type noShell struct{ told atomic.Bool }

// look is told each line of the app's output.
func (n *noShell) look(line string, say func(format string, args ...any)) {
	if strings.Contains(line, "/bin/sh ENOENT") && n.told.CompareAndSwap(false, true) {
		say(`a NodeOS machine has no shell, so child_process.exec and the option shell fail: use execFile, spawn or fork, ` +
			`with process.execPath for node; or "nodeos": {"shell": true} in package.json gives it one`)
	}
}
