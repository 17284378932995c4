package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

// newRoot is where the base is mounted until it becomes the root.
const newRoot = "/newroot"

// leaveInitramfs loads the modules and makes the base disk the root. This process goes on: starting the same program
// again from the base would cost the start of a Go program, 0.1 s under emulation.
func leaveInitramfs() error {
	early := []mountPoint{
		{source: "devtmpfs", target: "/dev", kind: "devtmpfs", create: true},
		{source: "sysfs", target: "/sys", kind: "sysfs", create: true},
	}
	for _, m := range early {
		if err := m.mount(); err != nil {
			return err
		}
	}
	if err := loadModules(); err != nil {
		return err
	}
	disk, err := waitDisk(guest.DiskBase)
	if err != nil {
		return err
	}
	base := mountPoint{source: disk, target: newRoot, kind: "erofs", flags: unix.MS_RDONLY | plain, create: true}
	if err := base.mount(); err != nil {
		return err
	}
	for _, m := range early {
		if err := unix.Unmount(m.target, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount %s: %w", m.target, err)
		}
	}
	return switchRoot()
}

// switchRoot frees the initramfs's memory and moves the new root over it.
// pivot_root(2) does not work on an initramfs.
func switchRoot() error {
	if err := errors.Join(os.RemoveAll(guest.ModulesDir), os.Remove("/init")); err != nil {
		return fmt.Errorf("free memory: %w", err)
	}
	if err := os.Chdir(newRoot); err != nil {
		return err
	}
	if err := unix.Mount(".", "/", "", unix.MS_MOVE, ""); err != nil {
		return fmt.Errorf("move root: %w", err)
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("change root: %w", err)
	}
	return os.Chdir("/")
}

func loadModules() error {
	order, err := os.ReadFile(guest.ModuleOrder)
	if err != nil {
		return err
	}
	names, err := parseOrder(string(order))
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := loadModule(filepath.Join(guest.ModulesDir, name)); err != nil {
			return fmt.Errorf("load module %s: %w", name, err)
		}
	}
	return nil
}

func loadModule(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil && !errors.Is(err, unix.EEXIST) {
		return err
	}
	return nil
}

// parseOrder returns the file names of a module order, one a line.
func parseOrder(text string) ([]string, error) {
	var names []string
	for line := range strings.Lines(text) {
		name := strings.TrimSpace(line)
		if name == "" || strings.HasPrefix(name, "#") {
			continue
		}
		if !filepath.IsLocal(name) || strings.Contains(name, "/") || !strings.HasSuffix(name, ".ko") {
			return nil, fmt.Errorf("module order: %q is no module's file name", name)
		}
		names = append(names, name)
	}
	return names, nil
}
