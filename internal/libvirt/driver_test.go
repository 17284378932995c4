package libvirt

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"gitd/internal/deploy"
	"gitd/internal/deploy/drivertest"
)

// TestConformance boots real machines.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	img := newImage(t)
	open := func(t *testing.T) deploy.Driver { return openDriver(t) }
	var n atomic.Int32
	spec := func(*testing.T) deploy.MachineSpec { return img.spec(fmt.Sprintf("shop-v3-%d", n.Add(1))) }
	drivertest.Run(t, open, spec)
}

func openDriver(t *testing.T) *Driver {
	t.Helper()
	d, err := New(context.Background(), Config{State: state, Log: zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.InfoLevel)})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// spec starts testdata/app in a machine of this image.
func (i image) spec(id string) deploy.MachineSpec {
	return deploy.MachineSpec{
		ID: id, App: "shop", Release: 3, Kernel: i.kernel, Initrd: i.initrd, Hostname: "shop",
		Args: []string{"server"}, Env: map[string]string{"PATH": "/usr/bin", "PORT": "8080", "SECRET": "hush"}, Port: 8080,
		Disks:     []deploy.Disk{{Serial: "base", Path: i.root}, {Serial: "app", Path: i.app}, {Serial: "deps", Path: i.deps}},
		Resources: deploy.Resources{MemoryMiB: 128, CPUs: 1},
	}
}

// TestSweep: what is left of machines that are no more goes when gitd starts.
func TestSweep(t *testing.T) {
	left := state.Machine("left-v1-aa")
	if err := os.MkdirAll(left, 0o711); err != nil {
		t.Fatal(err)
	}
	closeDriver(t, openDriver(t))
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", left, err)
	}
}
