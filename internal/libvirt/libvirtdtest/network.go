package libvirtdtest

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const inside = "GITD_TEST_IN_NETWORK"

// InNetwork runs a test again, in a process with a network of its own, and reports whether this is that process. args
// are further ones of the test's program.
func InNetwork(t *testing.T, args ...string) bool {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("makes a network of its own, which needs root")
	}
	if os.Getenv(inside) != "" {
		// libvirt reads and writes of bridges what /sys shows, which is the network of whoever has mounted it.
		err := errors.Join(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("sysfs", "/sys", "sysfs", 0, ""))
		if err != nil {
			t.Fatal(err)
		}
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, append([]string{"-test.run", "^" + t.Name() + "$", "-test.v"}, args...)...)
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
}
