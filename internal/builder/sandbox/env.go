package sandbox

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// sealEnv puts the environment of a command into memory that its file descriptor hands inside. Bubblewrap runs outside
// of the walls, so none of it may be in its own environment: LD_PRELOAD there would be code on the host. A file would
// have secrets on the disk.
func sealEnv(env []string) (*os.File, error) {
	fd, err := unix.MemfdCreate("env", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memory for the environment: %w", err)
	}
	f := os.NewFile(uintptr(fd), "env")
	if _, err := f.WriteAt([]byte(strings.Join(latest(env), "\x00")), 0); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// openEnv is the other end of sealEnv.
func openEnv() ([]string, error) {
	f := os.NewFile(envFD, "env")
	b, err := io.ReadAll(f)
	if err != nil || len(b) == 0 {
		return nil, err
	}
	return strings.Split(string(b), "\x00"), nil
}

// latest leaves the last value of each variable, as os/exec does. Programs do not agree on which of two counts.
func latest(env []string) []string {
	seen := map[string]bool{}
	var list []string
	for _, e := range slices.Backward(env) {
		name, _, _ := strings.Cut(e, "=")
		if !seen[name] {
			seen[name] = true
			list = append(list, e)
		}
	}
	slices.Reverse(list)
	return list
}
