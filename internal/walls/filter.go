package walls

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Offsets in struct seccomp_data, for little-endian machines.
const (
	offNumber = 0
	offArch   = 4
	offArg0   = 16
	offArg1   = 24
)

// mostSysV is the largest piece of System V's shared memory that a build gets, in bytes. PostgreSQL wants 56 of them.
const mostSysV = 64 << 10

// x32Bit marks the system calls of the x32 ABI, which no build uses.
const x32Bit = 0x4000_0000

// refuse ends a filter with an error number for the caller.
func refuse(e unix.Errno) bpf.Instruction {
	return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(e)}
}

// filter is what namespaces do not cover: sockets of families that lead
// around the network namespace (AF_VSOCK reaches the hypervisor) or into rare
// parts of the kernel, io_uring (which opens sockets past any filter), and
// the key ring, which is not the build's own. Nested user namespaces would
// open rare parts too. A filter cannot read what clone3 wants, so there is no
// clone3; the C library then uses clone. Memory that exists without a process
// that maps it cannot be counted where there are no control groups: so there
// are no memfds, and no large pieces of System V's shared memory.
func filter(arch uint32) []bpf.Instruction {
	allow := bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	f := []bpf.Instruction{
		bpf.LoadAbsolute{Off: offArch, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: arch, SkipTrue: 1},
		refuse(unix.ENOSYS), // a 32-bit program
		bpf.LoadAbsolute{Off: offNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: x32Bit, SkipTrue: 1},
		refuse(unix.ENOSYS),
	}
	for _, nr := range []uint32{
		unix.SYS_IO_URING_SETUP, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY, unix.SYS_KEYCTL,
		unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
		unix.SYS_CLONE3, unix.SYS_MEMFD_CREATE, unix.SYS_MEMFD_SECRET,
	} {
		f = append(f, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: nr, SkipTrue: 1}, refuse(unix.ENOSYS))
	}
	for _, nr := range []uint32{unix.SYS_CLONE, unix.SYS_UNSHARE} {
		f = append(f,
			bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: nr, SkipTrue: 4},
			bpf.LoadAbsolute{Off: offArg0, Size: 4},
			bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: unix.CLONE_NEWUSER, SkipFalse: 1},
			refuse(unix.EPERM),
			allow,
		)
	}
	f = append(f,
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_SHMGET, SkipTrue: 6},
		bpf.LoadAbsolute{Off: offArg1 + 4, Size: 4}, // the upper half of the size
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 2},
		bpf.LoadAbsolute{Off: offArg1, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: mostSysV, SkipTrue: 1},
		refuse(unix.EINVAL), // as where kernel.shmmax is that small
		allow,
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SYS_SOCKET, SkipTrue: 1},
		allow,
		bpf.LoadAbsolute{Off: offArg0, Size: 4},
	)
	for _, family := range []uint32{unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK} {
		f = append(f, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: family, SkipTrue: 1}, allow)
	}
	return append(f, refuse(unix.EAFNOSUPPORT))
}

// program is the filter as the kernel takes it.
func program() ([]unix.SockFilter, error) {
	arch, ok := map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}[runtime.GOARCH]
	if !ok {
		return nil, fmt.Errorf("no system call filter for %s", runtime.GOARCH)
	}
	raw, err := bpf.Assemble(filter(arch))
	if err != nil {
		return nil, err
	}
	code := make([]unix.SockFilter, len(raw))
	for i, r := range raw {
		code[i] = unix.SockFilter{Code: r.Op, Jt: r.Jt, Jf: r.Jf, K: r.K}
	}
	return code, nil
}

// SetFilter puts the filter on this thread, which then becomes the command.
func SetFilter() error {
	code, err := program()
	if err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
}

// filterFile has the filter as bubblewrap reads it.
func filterFile() (*os.File, error) {
	code, err := program()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := binary.Write(&b, binary.NativeEndian, code); err != nil {
		return nil, err
	}
	return memory("filter", b.Bytes())
}

// memory is a file that is nowhere on a disk. It is read from its beginning.
func memory(name string, content []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memory for the %s: %w", name, err)
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.WriteAt(content, 0); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
