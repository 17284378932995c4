package debian

import (
	"os"
	"path/filepath"
	"testing"
)

// TestAddApplets: busybox gets its names, and a program of another package keeps its own.
func TestAddApplets(t *testing.T) {
	for name, busybox := range map[string]bool{"with": true, "without": false} {
		dir := t.TempDir()
		check(t, os.MkdirAll(filepath.Join(dir, "usr/bin"), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, "usr/bin/grep"), []byte("real"), 0o755))
		if busybox {
			check(t, os.WriteFile(filepath.Join(dir, "usr/bin/busybox"), nil, 0o755))
		}
		u, err := OpenUnpacked(dir)
		check(t, err)
		check(t, u.AddApplets([]string{"sh", "grep"}))
		check(t, u.Close())
		to, err := os.Readlink(filepath.Join(dir, "usr/bin/sh"))
		grep, _ := os.ReadFile(filepath.Join(dir, "usr/bin/grep"))
		if (err == nil) != busybox || (busybox && to != "busybox") || string(grep) != "real" {
			t.Errorf("%s: sh leads to %q, %v; grep is %q", name, to, err, grep)
		}
	}
}
