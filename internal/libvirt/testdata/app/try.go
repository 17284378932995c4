package main

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// attempts are what an app could try in order to get out of its place. Each returns nil if it succeeded.
func attempts() map[string]func() error {
	all := map[string]func() error{
		"become root":           func() error { return unix.Setuid(0) },
		"mount":                 func() error { return unix.Mount("none", "/tmp", "tmpfs", 0, "") },
		"remount":               func() error { return unix.Mount("", "/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND, "") },
		"unmount":               func() error { return unix.Unmount("/dev", unix.MNT_DETACH) },
		"open_tree":             func() error { _, err := unix.OpenTree(unix.AT_FDCWD, "/", unix.OPEN_TREE_CLONE); return err },
		"chroot":                func() error { return unix.Chroot("/tmp") },
		"make a device":         func() error { return unix.Mknod("/tmp/vda", unix.S_IFBLK|0o666, int(unix.Mkdev(254, 0))) },
		"load a module":         func() error { return unix.InitModule([]byte{1}, "") },
		"load a kernel":         func() error { return call(unix.SYS_KEXEC_LOAD) },
		"reboot":                func() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) },
		"power off":             func() error { return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF) },
		"power off by sysrq":    func() error { return write("/proc/sysrq-trigger", "o") },
		"kill init":             func() error { return unix.Kill(1, unix.SIGKILL) },
		"trace init":            func() error { return unix.PtraceSeize(1) },
		"read init's memory":    readInit,
		"bpf":                   func() error { return call(unix.SYS_BPF, 0, uintptr(unsafe.Pointer(&[64]byte{})), 64) },
		"perf":                  func() error { _, err := unix.PerfEventOpen(&unix.PerfEventAttr{Size: 120}, 0, -1, -1, 0); return err },
		"userfaultfd":           func() error { return call(unix.SYS_USERFAULTFD, unix.O_CLOEXEC) },
		"io_uring":              func() error { return call(unix.SYS_IO_URING_SETUP, 8, uintptr(unsafe.Pointer(&[120]byte{}))) },
		"keys":                  func() error { _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true); return err },
		"read the kernel log":   func() error { _, err := unix.Klogctl(unix.SYSLOG_ACTION_READ_ALL, make([]byte, 4096)); return err },
		"set the clock":         func() error { return unix.Settimeofday(&unix.Timeval{Sec: 1}) },
		"set the host name":     func() error { return unix.Sethostname([]byte("x")) },
		"swap":                  func() error { return call(unix.SYS_SWAPON, text("/tmp/x"), 0) },
		"a user namespace":      func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
		"a child in one":        childInNamespace,
		"another's namespace":   func() error { return open("/proc/1/ns/net", os.O_RDONLY) },
		"raise a limit":         func() error { return unix.Setrlimit(unix.RLIMIT_NPROC, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}) },
		"a raw socket":          func() error { return socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP) },
		"a packet socket":       func() error { return socket(unix.AF_PACKET, unix.SOCK_RAW, 0) },
		"a vsock":               func() error { return socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0) },
		"the kernel's ciphers":  func() error { return socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0) },
		"change the address":    func() error { return interfaceCall(unix.SIOCSIFADDR) },
		"take the network down": func() error { return interfaceCall(unix.SIOCSIFFLAGS) },
		"add a route":           addRoute,
	}
	maps.Copy(all, attemptsHere())
	for _, name := range []string{"/dev/vda", "/dev/vport0p1", "/dev/hvc0", "/dev/ttyS0", "/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/console",
		"/proc/kcore", "/proc/kmsg", "/proc/1/environ", "/proc/1/mem", "/proc/1/fd/0"} {
		all["open "+name] = func() error { return open(name, os.O_RDONLY) }
	}
	for _, name := range []string{"/proc/sys/kernel/hostname", "/proc/sys/vm/overcommit_memory", "/usr/bin/server"} {
		all["write "+name] = func() error { return write(name, "1") }
	}
	for _, dir := range []string{"/tmp", "/dev/shm"} {
		all["run from "+dir] = func() error { return runFrom(dir) }
	}
	return all
}

// try prints what came of each attempt.
func try(w http.ResponseWriter, _ *http.Request) {
	all := attempts()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if err := all[name](); err != nil {
			fmt.Fprintf(w, "%s: %v\n", name, err)
		} else {
			fmt.Fprintf(w, "%s: succeeded\n", name)
		}
	}
}

func call(number uintptr, args ...uintptr) error {
	var a [4]uintptr
	copy(a[:], args)
	if _, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], 0, 0); errno != 0 {
		return errno
	}
	return nil
}

func pointer[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

func text(s string) uintptr {
	b, err := unix.BytePtrFromString(s)
	if err != nil {
		return 0
	}
	return uintptr(unsafe.Pointer(b))
}

func readInit() error {
	b := make([]byte, 8)
	local := unix.Iovec{Base: &b[0], Len: 8}
	remote := unix.RemoteIovec{Base: 0x400000, Len: 8}
	_, err := unix.ProcessVMReadv(1, []unix.Iovec{local}, []unix.RemoteIovec{remote}, 0)
	return err
}

func childInNamespace() error {
	p, err := os.StartProcess("/proc/self/exe", []string{"x"}, &os.ProcAttr{
		Env: []string{"DRIVERTEST=exit"}, Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER},
	})
	if err != nil {
		return err
	}
	_, err = p.Wait()
	return err
}

func open(name string, flags int) error {
	f, err := os.OpenFile(name, flags, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

func write(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}

func socket(family, kind, protocol int) error {
	fd, err := unix.Socket(family, kind, protocol)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// interfaceCall changes the machine's interface, eth0.
func interfaceCall(request uintptr) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var ifreq [40]byte
	copy(ifreq[:], "eth0")
	ifreq[16] = unix.AF_INET
	return call(unix.SYS_IOCTL, uintptr(fd), request, uintptr(unsafe.Pointer(&ifreq)))
}

// addRoute asks the kernel by netlink, as ip(8) does.
func addRoute() error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	// A default route: struct nlmsghdr, then struct rtmsg.
	m := [28]byte{28, 0, 0, 0, unix.RTM_NEWROUTE, 0, unix.NLM_F_REQUEST | unix.NLM_F_ACK, 4, 1, 0, 0, 0, 0, 0, 0, 0,
		unix.AF_INET, 0, 0, 0, unix.RT_TABLE_MAIN, unix.RTPROT_STATIC, 0, unix.RTN_BLACKHOLE}
	if err := unix.Sendto(fd, m[:], 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	var answer [256]byte
	n, _, err := unix.Recvfrom(fd, answer[:], 0)
	if err != nil || n < 20 {
		return fmt.Errorf("%d bytes: %w", n, err)
	}
	if errno := -*(*int32)(unsafe.Pointer(&answer[16])); errno != 0 {
		return syscall.Errno(errno)
	}
	return nil
}

// runFrom puts a copy of this program into dir and runs it.
func runFrom(dir string) error {
	to := dir + "/copy"
	dst, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	src, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer src.Close()
	defer os.Remove(to)
	if _, err := io.Copy(dst, src); err != nil {
		return err
	}
	if err := dst.Close(); err != nil {
		return err
	}
	p, err := os.StartProcess(to, []string{"x"}, &os.ProcAttr{Env: []string{"DRIVERTEST=exit"}})
	if err != nil {
		return err
	}
	_, err = p.Wait()
	return err
}
