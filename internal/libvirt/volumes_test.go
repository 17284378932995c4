package libvirt

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// newVolume makes an empty ext4 file system of 8 MiB.
func newVolume(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	openToQEMU(t, dir)
	path := filepath.Join(dir, "volume")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 8<<20); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.CommandContext(t.Context(), "mkfs.ext4", "-q", path).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v\n%s", err, b)
	}
	return path
}

// TestVolumes: what an app writes to a volume is there in its next machine,
// and the file system is left clean; a path that is not the app's is refused.
func TestVolumes(t *testing.T) { onKernels(t, volumes) }

func volumes(t *testing.T, img image) {
	d := openDriver(t)
	defer func() { closeDriver(t, d) }()
	data, more := newVolume(t), newVolume(t)
	spec := func(id, path string) core.MachineSpec {
		s := img.spec(id)
		s.Disks = append(s.Disks, core.Disk{Serial: "vol-data", Path: data, Writable: true}, core.Disk{Serial: "vol-more", Path: more, Writable: true})
		s.Mounts = []core.Mount{{Serial: "vol-data", Path: path}, {Serial: "vol-more", Path: "/app/deep/er"}}
		return s
	}
	p := boot(t, d, spec("volume-1", "/data"))
	p.kind(core.EventListening, 1)
	for _, name := range []string{"/data/x", "/app/deep/er/y"} {
		if got := p.get("/write", "name="+name); got != "<nil>\n" {
			t.Errorf("write %s: %s", name, got)
		}
	}
	for _, want := range []string{"/data ext4 rw,nosuid,nodev,noatime", "/app/deep/er ext4 rw,nosuid,nodev,noatime"} {
		if mounts := p.file("/proc/self/mounts"); !strings.Contains(mounts, " "+want) {
			t.Errorf("no %q in:\n%s", want, mounts)
		}
	}
	if err := d.Stop(t.Context(), p.m.ID, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{data, more} {
		if b, err := exec.CommandContext(t.Context(), "e2fsck", "-fn", path).CombinedOutput(); err != nil {
			t.Errorf("the file system is not clean: %v\n%s", err, b)
		}
	}
	p = boot(t, d, spec("volume-2", "/app/data"))
	p.kind(core.EventListening, 1)
	if got := p.file("/app/data/x"); got != "written" {
		t.Errorf("after a new start: %q", got)
	}
	if err := d.Stop(t.Context(), p.m.ID, 0); err != nil {
		t.Fatal(err)
	}
	p = boot(t, d, spec("volume-3", "/etc"))
	if e := p.kind(core.EventGone, 1); !strings.Contains(e.Detail, `volume "vol-data" at "/etc": /etc is the machine's own`) {
		t.Errorf("gone: %q", e.Detail)
	}
}
