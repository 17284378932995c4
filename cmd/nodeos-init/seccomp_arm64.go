package main

import "golang.org/x/sys/unix"

const (
	nativeArch = unix.AUDIT_ARCH_AARCH64
	otherABI   = 0x40000000 // arm64 has no other ABI: no call has such a number
)

// deniedHere are calls of this architecture only.
func deniedHere() []uint32 { return []uint32{unix.SYS_KEXEC_FILE_LOAD} }
