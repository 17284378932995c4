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
	// Devices exist when the load of a module returns or when the kernel has started. The wait is for hosts that are
	// slower than those seen so far.
	deviceLimit = 10 * time.Second
	deviceRetry = 5 * time.Millisecond
)

// errNoDevice says that no device of that name exists now.
var errNoDevice = errors.New("no such device")

// debianDirs are the folders in which Debian's packages have their files. The base has each of them.
func debianDirs() []string { return []string{"usr", "etc", "lib", "var", "opt"} }

// mountDebian lays the packages of Debian, if this machine has some, below the base: where both have a file, it is the
// base's. Overlays of the folders leave the root as it is; a new root would have to be made of it, and moved over it.
func mountDebian() error {
	disk, err := findDisk(guest.DiskDebian)
	if errors.Is(err, errNoDevice) {
		return nil
	}
	if err != nil {
		return err
	}
	from := path.Join(guest.LayersDir, guest.DiskDebian)
	m := mountPoint{source: disk, target: from, kind: "erofs", flags: unix.MS_RDONLY | plain, create: true}
	if err := m.mount(); err != nil {
		return err
	}
	for _, dir := range debianDirs() {
		if _, err := os.Stat(path.Join(from, dir)); err != nil {
			continue // no package has anything there
		}
		both := mountPoint{
			source: guest.DiskDebian, target: "/" + dir, kind: "overlay", flags: unix.MS_RDONLY | plain,
			options: "lowerdir=/" + dir + ":" + path.Join(from, dir),
		}
		if err := both.mount(); err != nil {
			return err
		}
	}
	return nil
}

// mountApp joins the layers at /app: the app's own files over its dependencies, and memory on top, so that the app can
// write there and what it writes is lost at the end. find returns the disk of each.
func mountApp(find func(serial string) (device string, err error)) error {
	lower, err := mountLayers(find)
	if err != nil {
		return err
	}
	upper, work := guest.LayersDir+"/upper", guest.LayersDir+"/work"
	if err := errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o700), os.Chown(upper, guest.AppUID, guest.AppUID)); err != nil {
		return err
	}
	return joined(strings.Join(lower, ":"), upper, work).mount()
}

// joined joins folders at /app.
func joined(lower, upper, work string) mountPoint {
	return mountPoint{
		source: guest.DiskApp, target: guest.AppDir, kind: "overlay", flags: plain,
		options: "lowerdir=" + lower + ",upperdir=" + upper + ",workdir=" + work,
	}
}

// mountLayers mounts the disk of the app, which must be there, and that of its dependencies, and returns their mount
// points, the upper one first.
func mountLayers(find func(serial string) (device string, err error)) ([]string, error) {
	var dirs []string
	for _, serial := range []string{guest.DiskApp, guest.DiskDeps} {
		disk, err := find(serial)
		if serial == guest.DiskDeps && errors.Is(err, errNoDevice) {
			continue // this machine has none
		}
		if err != nil {
			return nil, err
		}
		dir := path.Join(guest.LayersDir, serial)
		m := mountPoint{source: disk, target: dir, kind: "erofs", flags: unix.MS_RDONLY | plain, create: true}
		if err := m.mount(); err != nil {
			return nil, err
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}

// waitDisk does what findDisk does, for a disk that must come.
func waitDisk(serial string) (device string, err error) {
	return waitDevice(func() (string, error) { return findDisk(serial) })
}

func findDisk(serial string) (device string, err error) {
	if id := diskID(); id != "" {
		name, err := partitionByName(os.DirFS("/sys/class/block"), guest.PartitionName(serial, id))
		return "/dev/" + name, err
	}
	name, err := diskBySerial(os.DirFS("/sys/block"), serial)
	return "/dev/" + name, err
}

// diskBySerial looks through /sys/block, or a copy of it, for the virtio disk with serial.
func diskBySerial(block fs.FS, serial string) (name string, err error) {
	name, seen, err := deviceByFile(block, "vd*/serial", serial)
	if errors.Is(err, errNoDevice) {
		err = fmt.Errorf("disk %q: %w; there are %q", serial, err, seen)
	}
	return name, err
}

// deviceByFile returns the folder whose file (the last element of pattern) contains want. seen is what the files of the
// others contain.
func deviceByFile(sys fs.FS, pattern, want string) (name string, seen []string, err error) {
	files, err := fs.Glob(sys, pattern)
	if err != nil {
		return "", nil, err
	}
	for _, f := range files {
		b, err := fs.ReadFile(sys, f)
		if err != nil {
			continue // the device is being removed
		}
		got := strings.TrimSpace(string(b))
		if got == want {
			return path.Dir(f), nil, nil
		}
		seen = append(seen, got)
	}
	return "", seen, errNoDevice
}

// waitDevice repeats find until it finds a device or deviceLimit is over.
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
