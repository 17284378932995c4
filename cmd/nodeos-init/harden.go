package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// setting is a kernel setting below /proc/sys.
type setting struct{ name, value string }

// settings close what neither Node nor this process needs. Some of them exist only in kernels with many features: a
// kernel that lacks a setting also lacks what the setting closes.
func settings() []setting {
	return []setting{
		{"kernel/kptr_restrict", "2"},             // no addresses of the kernel in /proc
		{"kernel/dmesg_restrict", "1"},            // nor in its log
		{"kernel/perf_event_paranoid", "3"},       // 3 is Debian's: not at all without privileges
		{"kernel/unprivileged_bpf_disabled", "1"}, // for good
		{"kernel/modules_disabled", "1"},          // for good
		{"kernel/kexec_load_disabled", "1"},       // for good
		{"kernel/sysrq", "0"},                     // keys on the console
		{"kernel/yama/ptrace_scope", "2"},         // with a capability only, which this process uses: see reach
		{"user/max_user_namespaces", "0"},
		{"vm/unprivileged_userfaultfd", "0"},
		{"net/core/bpf_jit_harden", "1"},
		{"fs/protected_symlinks", "1"},
		{"fs/protected_hardlinks", "1"},
		{"fs/protected_fifos", "2"},
		{"fs/protected_regular", "2"},
	}
}

// apply writes all settings and returns a warning for each that failed.
func apply(all []setting) (warnings []string) {
	for _, s := range all {
		err := os.WriteFile("/proc/sys/"+s.name, []byte(s.value), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			warnings = append(warnings, fmt.Sprintf("kernel setting %s: %v", s.name, err))
		}
	}
	return warnings
}

// hide removes from the file system what only this process needed: the disks and the channel in /dev, all of /sys, and
// write access to /proc/sys.
func hide() error {
	if err := unix.Unmount("/sys", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount /sys: %w", err)
	}
	if err := makeSmallDev(); err != nil {
		return err
	}
	if err := unix.Mount("/proc/sys", "/proc/sys", "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind /proc/sys: %w", err)
	}
	return remountReadOnly("/proc/sys", unix.MS_BIND|hardened)
}

// device is a character device that every Unix program may expect.
type device struct {
	name  string
	minor uint32 // of major 1, memory devices
}

func devices() []device {
	return []device{{"null", 3}, {"zero", 5}, {"full", 7}, {"random", 8}, {"urandom", 9}}
}

// makeSmallDev replaces the kernel's /dev by one that contains no disk, no channel and no memory, and to which nothing
// can be added.
func makeSmallDev() error {
	if err := unix.Unmount("/dev", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("unmount /dev: %w", err)
	}
	dev := mountPoint{source: "dev", target: "/dev", kind: "tmpfs", flags: unix.MS_NOSUID | unix.MS_NOEXEC, options: "mode=0755,size=16k"}
	if err := dev.mount(); err != nil {
		return err
	}
	for _, d := range devices() {
		path := "/dev/" + d.name
		if err := unix.Mknod(path, unix.S_IFCHR, int(unix.Mkdev(1, d.minor))); err != nil {
			return fmt.Errorf("make %s: %w", path, err)
		}
		if err := os.Chmod(path, 0o666); err != nil { // the umask does not apply to chmod
			return err
		}
	}
	for name, target := range map[string]string{"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"} {
		if err := os.Symlink("/proc/self/fd"+target, "/dev/"+name); err != nil {
			return err
		}
	}
	if err := mountTerminals(); err != nil {
		return err
	}
	shm := mountPoint{source: "shm", target: "/dev/shm", kind: "tmpfs", flags: hardened, options: "mode=1777,size=25%", create: true}
	if err := shm.mount(); err != nil {
		return err
	}
	return remountReadOnly("/dev", unix.MS_NOSUID|unix.MS_NOEXEC)
}

func remountReadOnly(target string, flags uintptr) error {
	if err := unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_RDONLY|flags, ""); err != nil {
		return fmt.Errorf("make %s read-only: %w", target, err)
	}
	return nil
}
