package libvirt

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/nodeos-dev/gitd/internal/core"
)

// TestFullDisk: the host's disk was full when a machine wrote to its volume. QEMU stopped the machine, and nothing ever
// let it go on: for gitd it was paused by somebody, and not hung. It now goes on when there is room, and what the app
// wrote is there.
func TestFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine")
	}
	small := smallDisk(t)
	img, d := newImage(t), openDriver(t)
	defer func() { closeDriver(t, d) }()
	volume := filepath.Join(small, "volume")
	copySparse(t, newVolume(t), volume)
	spec := img.spec("full-disk")
	spec.Disks = append(spec.Disks, core.Disk{Serial: "vol-data", Path: volume, Writable: true})
	spec.Mounts = []core.Mount{{Serial: "vol-data", Path: "/data"}}
	p := boot(t, d, spec)
	p.kind(core.EventListening, 1)

	filler := filepath.Join(small, "filler")
	fillDisk(t, filler)
	saved := make(chan string, 1)
	go func() { saved <- p.get("/save", "name=/data/x&size=4000000") }()
	p.line("nodeos", "the server's disk is full")
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if got := <-saved; got != "<nil>\n" {
		t.Errorf("what was written while the disk was full: %q", got)
	}
	if err := d.Stop(t.Context(), p.m.ID, 0); err != nil {
		t.Fatal(err)
	}
}

// smallDisk mounts a file system of 16 MiB that QEMU's user can reach, and returns its path.
func smallDisk(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a file system to be filled")
	}
	dir := t.TempDir()
	openToQEMU(t, dir)
	if out, err := exec.CommandContext(t.Context(), "mount", "-t", "tmpfs", "-o", "mode=755,size=16m", "full", dir).CombinedOutput(); err != nil {
		t.Fatalf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func copySparse(t *testing.T, from, to string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "cp", "--sparse=always", from, to).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
}

// fillDisk takes all the room of a file system.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.WriteString(strings.Repeat("x", 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
