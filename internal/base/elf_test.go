package base

import (
	"errors"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The dynamic loader itself is the judge: started with our list only, it must
// find everything that it finds on its own.
func TestSharedObjectsAgreeWithTheLoader(t *testing.T) {
	if testing.Short() {
		t.Skip("needs mkfs.erofs")
	}
	exe, err := exec.LookPath("mkfs.erofs")
	check(t, err)
	got, err := sharedObjects(exe, []string{"libresolv.so.2", "no-such-library.so"})
	check(t, err)
	have := map[string]bool{}
	loader := ""
	for _, p := range got {
		have[filepath.Base(p)] = true
		if strings.Contains(p, "/ld-linux") {
			loader = p
		}
	}
	if loader == "" || !have["libresolv.so.2"] || have["no-such-library.so"] {
		t.Fatalf("no loader, no extra library, or one too many: %v", got)
	}
	list, err := exec.CommandContext(t.Context(), loader, "--list", exe).Output()
	check(t, err)
	for line := range strings.Lines(string(list)) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), " ")
		if base := filepath.Base(name); !strings.HasPrefix(base, "linux-vdso") && !have[base] {
			t.Errorf("the loader wants %s, which is not among %v", base, got)
		}
	}
}

func TestSharedObjectsErrors(t *testing.T) {
	if _, err := sharedObjects(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := sharedObjects("/etc/passwd", nil); err == nil {
		t.Error("a text file has no libraries")
	}
}
