package main

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// closedPaths returns the paths at which, and below which, no volume may be: they hold what the machine itself is made
// of. checkVolumePath refuses "/" too.
func closedPaths() []string {
	return []string{"/proc", "/sys", "/dev", "/usr", "/etc", "/lib", "/lib64", "/bin", "/sbin", "/run", guest.LayersDir}
}

// mountVolumes mounts the writable disks for the app, and returns their paths.
func mountVolumes(mounts []guest.Mount) (mounted []string, err error) {
	for _, m := range mounts {
		if err := mountVolume(m); err != nil {
			return mounted, fmt.Errorf("volume %q at %q: %w", m.Serial, m.Path, err)
		}
		mounted = append(mounted, m.Path)
	}
	return mounted, nil
}

func mountVolume(m guest.Mount) error {
	if err := checkVolumePath(m.Path); err != nil {
		return err
	}
	disk, err := waitDisk(m.Serial)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.Path, 0o755); err != nil {
		return fmt.Errorf("%w; a volume can be at /data, or below /app or /tmp", err)
	}
	// A symlink in the repository must not lead the mount elsewhere. No process of the app runs yet, so the path cannot
	// change between here and the mount.
	if real, err := filepath.EvalSymlinks(m.Path); err != nil || real != m.Path {
		return errors.Join(err, fmt.Errorf("the path leads to %q: it must have no symlinks", real))
	}
	// The journal makes a check unnecessary after a crash.
	if err := (mountPoint{source: disk, target: m.Path, kind: "ext4", flags: plain | unix.MS_NOATIME}).mount(); err != nil {
		return err
	}
	return os.Chown(m.Path, guest.AppUID, guest.AppUID)
}

// checkVolumePath refuses paths at which a volume would hide the machine's
// own files.
func checkVolumePath(p string) error {
	if !path.IsAbs(p) || path.Clean(p) != p || p == "/" || p == guest.AppDir {
		return errors.New("it must be an absolute path, plain, and neither / nor " + guest.AppDir)
	}
	for _, closed := range closedPaths() {
		if p == closed || strings.HasPrefix(p, closed+"/") {
			return fmt.Errorf("%s is the machine's own", closed)
		}
	}
	return nil
}

// unmountVolumes leaves the volumes' file systems clean. A file system that is still in use is made read-only, which
// writes everything out too.
func unmountVolumes(mounted []string) {
	for _, m := range slices.Backward(mounted) {
		err := unix.Unmount(m, 0)
		if err != nil {
			err = unix.Mount("", m, "", unix.MS_REMOUNT|unix.MS_RDONLY|plain, "")
		}
		if err != nil {
			fmt.Fprintf(os.Stderr, "nodeos-init: unmount %s: %v\n", m, err)
		}
	}
}
