package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

const (
	// Devices are there when a module's load returns or the kernel has
	// started; the wait is for slower hosts than were seen.
	deviceLimit = 10 * time.Second
	deviceRetry = 5 * time.Millisecond
)

// errNoDevice: no device of that name, now.
var errNoDevice = errors.New("no such device")

// mountApp joins the layers at /app: the app's own files over its
// dependencies, and memory on top, so that writes work and vanish.
func mountApp() error {
	lower, err := mountLayers()
	if err != nil {
		return err
	}
	upper, work := guest.LayersDir+"/upper", guest.LayersDir+"/work"
	if err := errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o700), os.Chown(upper, guest.AppUID, guest.AppUID)); err != nil {
		return err
	}
	return mountPoint{
		source: guest.DiskApp, target: guest.AppDir, kind: "overlay", flags: plain,
		options: "lowerdir=" + strings.Join(lower, ":") + ",upperdir=" + upper + ",workdir=" + work,
	}.mount()
}

// mountLayers mounts the disk of the app, which must be there, and that of its dependencies, and returns their mount
// points, the upper one first.
func mountLayers() ([]string, error) {
	var dirs []string
	for _, layer := range []struct {
		serial   string
		optional bool
	}{{guest.DiskApp, false}, {guest.DiskDeps, true}} {
		// All disks are on one bus: with the app's there, that of the dependencies is there or is not part of this
		// machine.
		find := waitDisk
		if layer.optional {
			find = findDisk
		}
		disk, err := find(layer.serial)
		if layer.optional && errors.Is(err, errNoDevice) {
			continue
		}
		if err != nil {
			return nil, err
		}
		dir := path.Join(guest.LayersDir, layer.serial)
		m := mountPoint{source: disk, target: dir, kind: "erofs", flags: unix.MS_RDONLY | plain, create: true}
		if err := m.mount(); err != nil {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}

// waitDisk is findDisk for a disk that must come.
func waitDisk(serial string) (device string, err error) {
	return waitDevice(func() (string, error) { return findDisk(serial) })
}

func findDisk(serial string) (device string, err error) {
	name, err := diskBySerial(os.DirFS("/sys/block"), serial)
	return "/dev/" + name, err
}

// diskBySerial looks through a /sys/block for the virtio disk with serial.
func diskBySerial(block fs.FS, serial string) (name string, err error) {
	name, seen, err := deviceByFile(block, "vd*/serial", serial)
	if errors.Is(err, errNoDevice) {
		err = fmt.Errorf("disk %q: %w; there are %q", serial, err, seen)
	}
	return name, err
}

// deviceByFile returns the folder whose file (the last element of pattern)
// holds want, and what the others hold.
func deviceByFile(sys fs.FS, pattern, want string) (name string, seen []string, err error) {
	files, err := fs.Glob(sys, pattern)
	if err != nil {
		return "", nil, err
	}
	for _, f := range files {
		b, err := fs.ReadFile(sys, f)
		if err != nil {
			continue // a device on its way out
		}
		got := strings.TrimSpace(string(b))
		if got == want {
			return path.Dir(f), nil, nil
		}
		seen = append(seen, got)
	}
	return "", seen, errNoDevice
}

// waitDevice repeats find until there is a device or deviceLimit is over.
func waitDevice(find func() (string, error)) (string, error) {
	give := time.Now().Add(deviceLimit)
	for {
		name, err := find()
		if !errors.Is(err, errNoDevice) || time.Now().After(give) {
			return name, err
		}
		time.Sleep(deviceRetry)
	}
}
