package main

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/libvirt/libvirtdtest"
)

// TestSparesOfDaemon: a machine that a libvirt daemon has started without an app gets one, too. The layers reach its
// QEMU as descriptors, through the daemon.
func TestSparesOfDaemon(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	t.Parallel()
	l := libvirtdtest.New(t)
	l.Start()
	r := newRig(t, filepath.Join(bin, "gitd"), "", "--libvirt", l.URI(), "--spares", "1")
	r.serve()
	r.admit()
	r.repo("shop", filepath.Join("..", "..", "templates", "apps", "hello"))
	pushed(t, r, "shop")
	r.says(t, "a spare machine is ready", 0)
	r.edit("shop", "second", map[string]string{"note": "second"})
	p := r.push("shop", "main")
	if <-p.done; p.err != nil || !strings.Contains(p.out.String(), "a spare machine, which had been up for") {
		t.Errorf("push: %v\n%s\n%s", p.err, p.out, r.tail(20))
	}
	hello(t, r)
	r.halt() // a libvirtd that is killed remembers on the base, which tests share, that a machine has it
}
