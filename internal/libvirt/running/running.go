// Package running looks for machines among the processes of this host, whichever libvirt has started them.
//
// It owns how a machine is told by its arguments. It does not own what becomes of it.
package running

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/libvirt/specs"
)

// QEMUs are the machines whose QEMU runs on this host with files of the state folder, whoever started it. A
// process that has ended and was not reaped has no arguments any more, and is none.
func QEMUs(state string) (ids []string, err error) {
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range all {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		if id := machineOf(text, state); id != "" {
			ids = append(ids, id)
		}
	}
	return ids, err
}

// machineOf reads the arguments of a QEMU that libvirt started: -name guest=ID,…, and -kernel with a file of the state
// folder. Empty: it is no machine of this state folder.
func machineOf(cmdline []byte, state string) (id string) {
	ours := false
	args := strings.Split(string(bytes.TrimSuffix(cmdline, []byte{0})), "\x00")
	for i := 1; i < len(args); i++ {
		switch args[i-1] {
		case "-kernel":
			ours = strings.HasPrefix(args[i], state+"/")
		case "-name":
			name, _, _ := strings.Cut(args[i], ",")
			id, _ = strings.CutPrefix(name, "guest=")
		}
	}
	if !ours || !specs.ID.MatchString(id) {
		return ""
	}
	return id
}
