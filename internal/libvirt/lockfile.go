package libvirt

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// deviceLocks is where libvirt notes which process has a machine's channel open, as lockdev(3) does for serial ports.
const deviceLocks = "/var/lock"

// deviceLock is libvirt's note for a channel's socket (virChrdevLockFilePath).
func deviceLock(socket string) string {
	return filepath.Join(deviceLocks, "LCK.."+strings.ReplaceAll(strings.TrimPrefix(socket, "/dev/"), "/", "_"))
}

// dropStaleLock removes the note of a gitd that was killed. Libvirt would do so itself, unless the number in it is that
// of a process: of the killed gitd while nobody has reaped it, or of whoever got its number since. It would then refuse
// the channel of a healthy machine.
//
// Nobody who lives can have made the note: the embedded driver's channels are opened within one process, which has the
// lock of the driver's folder (driver.pid), and this process has it now.
func (f machineFiles) dropStaleLock(id string) error {
	socket := f.channelSocket(id)
	if socket == "" {
		return nil // that libvirtd is alive, and does its own housekeeping
	}
	if err := os.Remove(deviceLock(socket)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the lock that a killed gitd left: %w", err)
	}
	return nil
}
