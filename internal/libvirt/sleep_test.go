package libvirt

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// savedState is where a test saves a machine.
type savedState struct{ bytes.Buffer }

func (*savedState) Close() error { return nil }

// TestSleep saves a machine, ends it, and goes on with it in another one: with what it had in its memory, and how long
// that takes. The rest is in the suite (package drivertest).
func TestSleep(t *testing.T) {
	if testing.Short() {
		t.Skip("boots machines")
	}
	img := newImage(t)
	d := openDriver(t)
	defer func() { closeDriver(t, d) }()
	p := boot(t, d, img.spec("before"))
	p.kind(core.EventListening, 1)
	if got := p.get("/write", "name=/tmp/kept"); !strings.Contains(got, "<nil>") {
		t.Fatal(got)
	}
	var s savedState
	begun := time.Now()
	serials, err := d.Save(t.Context(), p.m.ID, &s)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("saved %d MB in %s", s.Len()>>20, time.Since(begun))
	if err := d.Stop(t.Context(), p.m.ID, 0); err != nil {
		t.Fatal(err)
	}
	again := &probe{t: t, more: make(chan struct{})}
	whole := bytes.NewReader(s.Bytes())
	begun = time.Now()
	again.m, err = d.Restore(t.Context(), img.spec("after"), serials, whole, again.watch)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d := openDriver(t)
		if err := d.Stop(context.Background(), again.m.ID, 0); err != nil {
			t.Error(err)
		}
		closeDriver(t, d)
	})
	t.Logf("restored in %s", time.Since(begun))
	again.kind(core.EventListening, 1)
	t.Logf("listens after %s", time.Since(begun))
	if got := again.file("/tmp/kept"); got == "" {
		t.Error("what was in its memory is lost")
	}
	t.Logf("answered after %s", time.Since(begun))
}
