package guest_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// TestLongestVolumeIsFound: the longest name that a volume may have makes a serial that virtio does not cut.
func TestLongestVolumeIsFound(t *testing.T) {
	v := core.Volume{App: "shop", Mount: "/data", Size: core.MinVolume}
	for v.Name = "a"; core.CheckVolume(v, nil) == nil; v.Name += "a" {
		if serial := guest.VolumeSerial(v.Name); len(serial) > guest.MaxSerial {
			t.Fatalf("the serial %q has more than %d bytes", serial, guest.MaxSerial)
		}
	}
	if len(v.Name) < 10 {
		t.Errorf("a volume's name ends at %q", v.Name)
	}
}

// Patterns that find a copy of the contract in another source file.
var (
	copied      = regexp.MustCompile(`Serial: *"(?:base|app|deps|vol)\b|"vol-|"/(app|layers|modules)[/"]|"/?usr/bin/node"|[:=]1000:1000|(?i:[ug]id|owner)\w* += 1000\b`)
	copiedDisks = regexp.MustCompile(`"(base|app|deps)"`) // these words mean something else too, outside of nodeos-init
)

// TestContractStandsOnce: the packages that build or boot a machine, and nodeos-init, take what both sides must agree
// on from this package. The test fails for a copy of it, because a copy could be changed alone.
func TestContractStandsOnce(t *testing.T) {
	uses := map[string]bool{}
	for dir, files := range sources(t) {
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			uses[dir] = uses[dir] || contract.Match(text)
			for line := range strings.Lines(string(text)) {
				line, _, _ = strings.Cut(strings.TrimSpace(line), "//")
				if copied.MatchString(line) || dir == "cmd/nodeos-init" && copiedDisks.MatchString(line) {
					t.Errorf("%s: %s", file, line)
				}
			}
		}
	}
	for _, dir := range []string{"cmd/nodeos-init", "internal/core", "internal/libvirt", "internal/volume"} {
		if !uses[dir] {
			t.Errorf("%s does not use the contract", dir)
		}
	}
}

var contract = regexp.MustCompile(`\bguest\.(AppUID|Node|AppDir|LayersDir|ModulesDir|ModuleOrder|Disk[A-Z]\w+|VolumeSerial|Max(Serial|Disks|Volumes))\b`)

// sources returns the project's Go files by their folder, without tests and without this package.
func sources(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	root, all := strings.TrimSpace(string(out)), map[string][]string{}
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		dir, _ := filepath.Rel(root, filepath.Dir(path))
		switch {
		case err != nil:
			return err
		case e.IsDir() && slices.Contains([]string{"testdata", ".git", "bin", "guest", "ledgertest"}, e.Name()):
			return fs.SkipDir
		case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go"):
			all[dir] = append(all[dir], path)
		}
		return nil
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("there are no sources: %v", err)
	}
	return all
}
