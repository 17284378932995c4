package jail

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// dropRights makes this process one with no rights but to signal QEMU. It answers a guest from now on. It is not
// dumpable, so no process of its uid can read its memory.
func (s *Spec) dropRights() error {
	if !s.Single() {
		if err := becomeSupervisor(); err != nil {
			return fmt.Errorf("give up the rights of the machine's owner: %w", err)
		}
	}
	return errors.Join(everywhere("no new privileges", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1),
		everywhere("not dumpable", unix.SYS_PRCTL, unix.PR_SET_DUMPABLE, 0))
}

func becomeSupervisor() error {
	if err := everywhere("keep capabilities", unix.SYS_PRCTL, unix.PR_SET_KEEPCAPS, 1); err != nil {
		return err
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setresgid(idSupervisor, idSupervisor, idSupervisor),
		syscall.Setresuid(idSupervisor, idSupervisor, idSupervisor)); err != nil {
		return err
	}
	return setCaps(1 << unix.CAP_KILL)
}

// setCaps gives all threads of this process the same capabilities, of the first 32.
func setCaps(effective uint32) error {
	header := &unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	data := &[2]unix.CapUserData{{Effective: effective, Permitted: effective}}
	return everywhere("capabilities", unix.SYS_CAPSET, uintptr(unsafe.Pointer(header)), uintptr(unsafe.Pointer(data)))
}

// everywhere makes a system call on all threads: the kernel keeps rights for each thread.
func everywhere(what string, call, a, b uintptr) error {
	if _, _, errno := syscall.AllThreadsSyscall(call, a, b, 0); errno != 0 {
		return fmt.Errorf("%s: %w", what, errno)
	}
	return nil
}

// admitQEMU lets QEMU's id write the files that are its own, beside their owner. The owner stays: gitd goes on to read
// and to shorten them, and the next machine of a volume has another id.
func (s *Spec) admitQEMU() error {
	if s.Single() {
		return nil
	}
	for _, f := range s.Files {
		if !f.Writable {
			continue
		}
		if err := unix.Setxattr(f.Path, "system.posix_acl_access", accessFor(idQEMU), 0); err != nil {
			return fmt.Errorf("give %s to the machine: %w; its file system must have access control lists", f.Path, err)
		}
	}
	return nil
}

// The tags of an entry of an access control list, as the kernel has them (linux/posix_acl.h, posix_acl_xattr.h).
const (
	aclVersion  = 2
	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclMask     = 0x10
	aclOther    = 0x20
	aclNobody   = ^uint32(0) // the id of entries that have none
)

// accessFor is the access control list of a file that its owner and one more user may read and write, and nobody else.
func accessFor(uid uint32) []byte {
	b := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{
		{aclUserObj, 6, aclNobody}, {aclUser, 6, uid}, {aclGroupObj, 0, aclNobody}, {aclMask, 6, aclNobody}, {aclOther, 0, aclNobody},
	} {
		b = binary.LittleEndian.AppendUint16(b, e.tag)
		b = binary.LittleEndian.AppendUint16(b, e.perm)
		b = binary.LittleEndian.AppendUint32(b, e.id)
	}
	return b
}

// becomeQEMU takes QEMU's id, and with it loses all rights in the namespaces. Groups are kept only where KVM needs one.
func (s *Spec) becomeQEMU() error {
	if !s.Single() {
		if !needsGroup(kvmDevice) {
			if err := syscall.Setgroups(nil); err != nil {
				return fmt.Errorf("groups: %w", err)
			}
		}
		if err := errors.Join(syscall.Setresgid(idQEMU, idQEMU, idQEMU), syscall.Setresuid(idQEMU, idQEMU, idQEMU)); err != nil {
			return fmt.Errorf("ids: %w", err)
		}
	}
	if err := everywhere("ambient capabilities", unix.SYS_PRCTL, unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL); err != nil {
		return err
	}
	return errors.Join(setCaps(0), everywhere("no new privileges", unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1))
}

const kvmDevice = "/dev/kvm"

// needsGroup reports whether a device can be opened, and not by everybody.
func needsGroup(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o006 != 0o006
}
