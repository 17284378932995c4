package main

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// deniedCalls are system calls that Node never makes and that exist to change the machine, or to look into other
// processes. Most of them need a capability that the app does not have, so this is a second wall; for the few that need
// none, it is the only wall. Each is answered with "operation not permitted".
func deniedCalls() []uint32 {
	return append([]uint32{
		unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_MOVE_MOUNT, unix.SYS_OPEN_TREE,
		unix.SYS_FSOPEN, unix.SYS_FSCONFIG, unix.SYS_FSMOUNT, unix.SYS_FSPICK, unix.SYS_MOUNT_SETATTR,
		unix.SYS_UNSHARE, unix.SYS_SETNS,
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
		unix.SYS_INIT_MODULE, unix.SYS_FINIT_MODULE, unix.SYS_DELETE_MODULE, unix.SYS_KEXEC_LOAD, unix.SYS_REBOOT,
		unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV, unix.SYS_KCMP, unix.SYS_PIDFD_GETFD,
		unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
		unix.SYS_SWAPON, unix.SYS_SWAPOFF, unix.SYS_ACCT, unix.SYS_QUOTACTL, unix.SYS_SYSLOG,
		unix.SYS_SETTIMEOFDAY, unix.SYS_CLOCK_SETTIME, unix.SYS_CLOCK_ADJTIME, unix.SYS_ADJTIMEX,
		unix.SYS_SETHOSTNAME, unix.SYS_SETDOMAINNAME,
		unix.SYS_OPEN_BY_HANDLE_AT, unix.SYS_NAME_TO_HANDLE_AT, unix.SYS_FANOTIFY_INIT, unix.SYS_LOOKUP_DCOOKIE, unix.SYS_VHANGUP,
	}, deniedHere()...)
}

// missingCalls are answered as by a kernel that does not have them, so that a program does without them. libuv has
// other ways than io_uring, which has had more holes than any other part of the kernel.
func missingCalls() []uint32 {
	return []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER}
}

// socketFamilies are those that a program may open. It learns the addresses of the machine through netlink.
func socketFamilies() []uint32 {
	return []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}
}

const (
	allow       = uint32(0x7fff0000) // SECCOMP_RET_ALLOW
	errnoAnswer = uint32(0x00050000) // SECCOMP_RET_ERRNO, with the number added

	// Offsets in struct seccomp_data. Of an argument it is the lower half, which comes first on everything that gitd
	// runs on.
	callNumber, callArch, callArg0 = 0, 4, 16

	newNamespaces = unix.CLONE_NEWNS | unix.CLONE_NEWUSER | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
		unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP
)

// callFilter returns the program that decides about each system call.
func callFilter() []unix.SockFilter {
	load := func(offset uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset}
	}
	answer := func(k uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k}
	}
	// unless skips the next instruction unless the test holds.
	unless := func(test uint16, k uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, Jf: 1, K: k}
	}
	fail := func(errno unix.Errno) unix.SockFilter { return answer(errnoAnswer | uint32(errno)) }
	f := []unix.SockFilter{
		load(callArch),
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: nativeArch},
		fail(unix.EPERM), // 32-bit programs have other numbers
		load(callNumber),
		unless(unix.BPF_JGE, otherABI), fail(unix.ENOSYS),
	}
	for _, nr := range deniedCalls() {
		f = append(f, unless(unix.BPF_JEQ, nr), fail(unix.EPERM))
	}
	for _, nr := range missingCalls() {
		f = append(f, unless(unix.BPF_JEQ, nr), fail(unix.ENOSYS))
	}
	// clone3 hides its flags. It cannot make namespaces nevertheless: user namespaces are switched off, and the other
	// kinds need a capability.
	f = append(f,
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 3, K: unix.SYS_CLONE},
		load(callArg0), unless(unix.BPF_JSET, newNamespaces), fail(unix.EPERM),
		load(callNumber),
		unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: unix.SYS_SOCKET}, answer(allow),
		load(callArg0))
	for _, family := range socketFamilies() {
		f = append(f, unless(unix.BPF_JEQ, family), answer(allow))
	}
	return append(f, fail(unix.EAFNOSUPPORT))
}

// filterCalls installs the filter on this thread and what it starts. The thread must have no_new_privs already.
func filterCalls() error {
	f := callFilter()
	program := unix.SockFprog{Len: uint16(len(f)), Filter: &f[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("filter of system calls: %w", err)
	}
	return nil
}
