package libvirt

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

// TestCapture: the copy of a disk to which an app writes all the time has a clean file system, in which what was
// written until the moment of the copy is whole, and the app waits only for a moment.
func TestCapture(t *testing.T) { onKernels(t, capture) }

func capture(t *testing.T, img image) {
	d := openDriver(t)
	defer func() { closeDriver(t, d) }()
	data, more := newVolume(t), newVolume(t)
	s := img.spec("capture")
	s.Disks = append(s.Disks, core.Disk{Serial: "vol-data", Path: data, Writable: true}, core.Disk{Serial: "vol-more", Path: more, Writable: true})
	s.Mounts = []core.Mount{{Serial: "vol-data", Path: "/data"}, {Serial: "vol-more", Path: "/app/more"}}
	p := boot(t, d, s)
	p.kind(core.EventListening, 1)
	p.get("/count", "name=/data/log")
	for late := time.Now().Add(guestLimit); !strings.HasPrefix(p.file("/data/log"), "1\n"); {
		if time.Now().After(late) {
			t.Fatal("the app writes nothing")
		}
	}
	var last int
	for range 3 {
		p.get("/pause", "")
		before := p.counted("/data/log")
		copies := []core.DiskCopy{emptyCopy(t, data), emptyCopy(t, more)}
		c, err := d.Capture(t.Context(), p.m.ID, copies)
		if err != nil {
			t.Fatal(err)
		}
		after := p.counted("/data/log")
		last = checkCopy(t, copies[0].To.Name())
		if !c.Frozen || last < before || last > after {
			t.Errorf("the copy has %d lines, the volume had %d before and %d after: %+v", last, before, after, c)
		}
		t.Logf("held for %s; the slowest write took %s µs; %d lines", c.Held, strings.TrimSpace(p.get("/pause", "")), last)
	}
	if _, err := d.Capture(t.Context(), p.m.ID, []core.DiskCopy{emptyCopy(t, img.app)}); err != nil {
		t.Errorf("a read-only disk: %v", err)
	}
	if _, err := d.Capture(t.Context(), p.m.ID, []core.DiskCopy{emptyCopy(t, newVolume(t))}); err == nil {
		t.Error("a disk of another machine was copied")
	}
	// A gitd that is killed in the frozen moment says nothing more, and the guest lets writes go on by itself.
	const held = 500 // ms
	p.get("/pause", "")
	d.watched(p.m.ID).send(guest.Message{Kind: guest.KindFreeze, Freeze: &guest.Freeze{ID: 1, Millis: held}})
	for late := time.Now().Add(guestLimit); ; {
		slowest, err := strconv.Atoi(strings.TrimSpace(p.get("/pause", "")))
		if err != nil || time.Now().After(late) {
			t.Fatalf("no write was held: %v", err)
		}
		if slowest > held*1000/2 {
			break // the write that was held has ended
		}
	}
	if n := p.counted("/data/log"); n <= last {
		t.Errorf("%d lines: the app does not go on", n)
	}
}

// counted is how many lines the app has written.
func (p *probe) counted(name string) int {
	p.t.Helper()
	lines := strings.Fields(p.file(name))
	if len(lines) == 0 {
		return 0
	}
	n, err := strconv.Atoi(lines[len(lines)-1])
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func emptyCopy(t *testing.T, of string) core.DiskCopy {
	t.Helper()
	info, err := os.Stat(of)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "copy"))
	if err == nil {
		err = f.Truncate(info.Size())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return core.DiskCopy{Path: of, To: f}
}

// checkCopy checks a file system and what count has written in it, and returns the last number.
func checkCopy(t *testing.T, path string) int {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), "e2fsck", "-fn", path).CombinedOutput(); err != nil {
		t.Fatalf("the copy is not clean: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), "debugfs", "-R", "cat /log", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(out))
	for i, l := range lines {
		if l != fmt.Sprint(i+1) {
			t.Fatalf("line %d of the copy is %q", i+1, l)
		}
	}
	return len(lines)
}
