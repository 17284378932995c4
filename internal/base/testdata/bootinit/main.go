// Bootinit is the smallest init that shows that a base boots: it finds the base
// by its serial, on an initramfs with the help of its modules, and starts the
// program that stands for Node in it. Its last line is "bootinit: ok" or the error.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nodeos-dev/gitd/internal/guest"
)

func main() {
	if err := run(); err != nil {
		fmt.Println("bootinit:", err)
	} else {
		fmt.Println("bootinit: ok")
	}
	if err := unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		fmt.Println("bootinit: power off:", err)
	}
}

func run() error {
	if _, err := os.Stat(guest.ModuleOrder); err == nil {
		if err := moveToBase(); err != nil {
			return err
		}
	} else if err := checkBaseIsRoot(); err != nil {
		return err
	}
	out, err := exec.Command(guest.Node, "--help").CombinedOutput()
	if err != nil {
		return fmt.Errorf("node: %w: %s", err, out)
	}
	return nil
}

// checkBaseIsRoot checks that the kernel has mounted the base by itself.
func checkBaseIsRoot() error {
	if err := unix.Mount("sysfs", "/sys", "sysfs", 0, ""); err != nil {
		return err
	}
	disk, err := bySerial(guest.DiskBase)
	if err == nil && disk != "/dev/vda" {
		err = fmt.Errorf("the base is %s and not the root", disk)
	}
	return err
}

// moveToBase goes from an initramfs to the base.
func moveToBase() error {
	if err := loadModules(); err != nil {
		return err
	}
	if err := errors.Join(os.Mkdir("/sys", 0o755), os.Mkdir("/base", 0o755),
		unix.Mount("sysfs", "/sys", "sysfs", 0, ""), unix.Mount("dev", "/dev", "devtmpfs", 0, "")); err != nil {
		return err
	}
	disk, err := bySerial(guest.DiskBase)
	if err != nil {
		return err
	}
	if err := unix.Mount(disk, "/base", "erofs", unix.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("mount %s: %w", disk, err)
	}
	return errors.Join(unix.Mount("dev", "/base/dev", "devtmpfs", 0, ""), unix.Chroot("/base"), os.Chdir("/"))
}

func loadModules() error {
	order, err := os.ReadFile(guest.ModuleOrder)
	if err != nil {
		return err
	}
	for name := range strings.FieldsSeq(string(order)) {
		f, err := os.Open(filepath.Join(guest.ModulesDir, name))
		if err != nil {
			return err
		}
		if err := unix.FinitModule(int(f.Fd()), "", 0); err != nil {
			return fmt.Errorf("load %s: %w", name, err)
		}
		f.Close()
	}
	return nil
}

func bySerial(want string) (string, error) {
	files, err := filepath.Glob("/sys/block/*/serial")
	if err != nil {
		return "", err
	}
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && strings.TrimSpace(string(b)) == want {
			return "/dev/" + filepath.Base(filepath.Dir(f)), nil
		}
	}
	return "", fmt.Errorf("no disk with serial %q among %q", want, files)
}
