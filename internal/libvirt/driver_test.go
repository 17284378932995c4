package libvirt

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/fleet/drivertest"
)

// TestConformance boots real machines.
func TestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	if os.Getenv(ownProcess) == "" {
		again(t)
		return
	}
	img := newImage(t)
	open := func(t *testing.T) fleet.Driver { return newDriver(t) }
	var n atomic.Int32
	spec := func(*testing.T) core.MachineSpec { return img.spec(fmt.Sprintf("shop-v3-%d", n.Add(1))) }
	drivertest.Run(t, open, spec)
}

// ownProcess says that a test has a process of its own.
const ownProcess = "GITD_TEST_OWN_PROCESS"

// again runs a test in a process of its own: it opens a driver more often than the process of all tests has left.
func again(t *testing.T) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run", "^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), ownProcess+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// program is gitd-machine, as users have it; empty in short tests, which start no machine.
var program string

func buildMachine(dir string) (string, error) {
	if testing.Short() {
		return "", nil
	}
	out := filepath.Join(dir, "gitd-machine")
	build := exec.Command(filepath.Join("..", "..", "scripts", "build-machine"), out)
	if msg, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", build, err, msg)
	}
	return out, nil
}

// spare is an open driver that no test uses at the moment. Tests share it, because a process can open the embedded
// driver only some 16 times.
var spare *Driver

// openDriver returns the spare driver, or a new one. Its log is not a test's,
// because it outlives tests.
func openDriver(t *testing.T) *Driver {
	t.Helper()
	if d := spare; d != nil {
		spare = nil
		return d
	}
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)
	d, err := New(context.Background(), Config{State: state, Machine: program, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// newDriver returns a new driver, as a new process of gitd has it.
func newDriver(t *testing.T) *Driver {
	t.Helper()
	if err := closeSpare(); err != nil {
		t.Fatal(err)
	}
	return openDriver(t)
}

// closeDriver lets go of the machines, and keeps the driver for the next test.
func closeDriver(t *testing.T, d *Driver) {
	t.Helper()
	d.letGo()
	if err := closeSpare(); err != nil {
		t.Error(err)
	}
	spare = d
}

func closeSpare() error {
	d := spare
	spare = nil
	if d == nil {
		return nil
	}
	return d.Close()
}

// spec returns the spec of a machine of this image that runs testdata/app.
func (i image) spec(id string) core.MachineSpec {
	return core.MachineSpec{
		ID: id, App: "shop", Release: 3, Kernel: i.kernel, Initrd: i.initrd, Hostname: "shop",
		Args: []string{"server"}, Env: map[string]string{"PATH": "/usr/bin", "PORT": "8080", "SECRET": "hush"}, Port: 8080,
		Disks: []core.Disk{{Serial: "base", Path: i.root}, {Serial: "app", Path: i.app}, {Serial: "deps", Path: i.deps}},
		Share: core.Share{Resources: core.Resources{MemoryMiB: 128, CPUs: 1}},
	}
}

// TestSweep: the files of machines that have ended are removed when gitd starts.
func TestSweep(t *testing.T) {
	if testing.Short() {
		t.Skip("needs libvirt")
	}
	left := state.Machine("left-v1-aa")
	if err := os.MkdirAll(left, 0o711); err != nil {
		t.Fatal(err)
	}
	closeDriver(t, newDriver(t))
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%s is still there: %v", left, err)
	}
}
