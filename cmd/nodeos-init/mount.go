package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

const (
	hardened = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	plain    = unix.MS_NOSUID | unix.MS_NODEV
)

// mountPoint is one mount(2) call.
type mountPoint struct {
	source, target, kind string
	flags                uintptr
	options              string
	create               bool // the target folder is made first
}

// systemMounts are mounted before the disks; hide says what the app can see of them. The size of each tmpfs bounds the
// memory that the app can fill; a tmpfs without a size may take half the memory.
func systemMounts() []mountPoint {
	return []mountPoint{
		{source: "devtmpfs", target: "/dev", kind: "devtmpfs", flags: unix.MS_NOSUID | unix.MS_NOEXEC, options: "mode=0755"},
		{source: "proc", target: "/proc", kind: "proc", flags: hardened, options: "hidepid=2"},
		{source: "sysfs", target: "/sys", kind: "sysfs", flags: hardened | unix.MS_RDONLY},
		{source: "run", target: "/run", kind: "tmpfs", flags: hardened, options: "mode=0755,size=1m"},
		{source: "tmp", target: "/tmp", kind: "tmpfs", flags: hardened, options: "mode=1777,size=25%"},
		{source: "layers", target: guest.LayersDir, kind: "tmpfs", flags: plain, options: "mode=0700,size=25%"},
	}
}

func (m mountPoint) mount() error {
	if m.create {
		if err := os.Mkdir(m.target, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	err := unix.Mount(m.source, m.target, m.kind, m.flags, m.options)
	// A kernel with CONFIG_DEVTMPFS_MOUNT has mounted /dev already.
	if err != nil && !(m.kind == "devtmpfs" && errors.Is(err, unix.EBUSY)) {
		return fmt.Errorf("mount %s on %s: %w", m.source, m.target, err)
	}
	return nil
}

// mountAll mounts the whole file system, but for the app's files in a spare machine, which it returns. init may have
// been started from an initramfs with the modules of a stock kernel, or from the base itself.
func mountAll() (*spare, error) {
	if _, err := os.Stat(guest.ModuleOrder); err == nil {
		if err := leaveInitramfs(); err != nil {
			return nil, fmt.Errorf("initramfs: %w", err)
		}
	}
	for _, m := range systemMounts() {
		if err := m.mount(); err != nil {
			return nil, err
		}
	}
	if s, err := openSlots(); s != nil || err != nil {
		return s, err
	}
	return nil, errors.Join(mountApp(findDisk), mountDebian())
}
