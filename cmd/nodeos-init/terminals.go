package main

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// mountTerminals lets programs make terminals, as node-pty does. Each belongs to who has made it. The kernels of older
// bases have none.
func mountTerminals() error {
	pts := mountPoint{
		source: "devpts", target: "/dev/pts", kind: "devpts", flags: unix.MS_NOSUID | unix.MS_NOEXEC,
		options: "ptmxmode=0666,mode=0600,max=1024", create: true,
	}
	err := pts.mount()
	if errors.Is(err, unix.ENODEV) {
		return os.Remove(pts.target)
	}
	if err != nil {
		return err
	}
	if err := os.Symlink("pts/ptmx", "/dev/ptmx"); err != nil {
		return fmt.Errorf("make /dev/ptmx: %w", err)
	}
	return nil
}
