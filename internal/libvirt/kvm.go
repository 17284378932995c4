package libvirt

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

const kvmDevice = "/dev/kvm"

// openKVM says why QEMU cannot open /dev/kvm, or returns nil if it can.
func (a *account) openKVM() error {
	if a == nil || a.Name == "" {
		if err := unix.Access(kvmDevice, unix.R_OK|unix.W_OK); err != nil {
			return fmt.Errorf("%s: %w", kvmDevice, err)
		}
		return nil
	}
	st, err := stat(kvmDevice)
	if err != nil {
		return err
	}
	if !a.mayOpen(st.Mode, int(st.Uid), int(st.Gid)) {
		return fmt.Errorf("%s cannot be opened by the user %s", kvmDevice, a.Name)
	}
	return nil
}

// mayOpen reports whether a may read and write a file with this mode and
// owner.
func (a *account) mayOpen(mode uint32, uid, gid int) bool {
	switch {
	case a.UID == uid:
		return mode&0o600 == 0o600
	case a.GID == gid || slices.Contains(a.Groups, gid):
		return mode&0o060 == 0o060
	default:
		return mode&0o006 == 0o006
	}
}

// shareKVM gives /dev/kvm to QEMU's group if it belongs to root alone, as on a host without udev; Debian's udev rule
// does the same. A device that somebody has given to a group stays as it is: in a container that shares the host's
// /dev, the number of that group may have another name.
//
// This matters even where KVM does not work. To ask QEMU what it can do, libvirt starts it with the right to open any
// file. Then libvirt finds that QEMU's user could not have opened this device, throws the answer away and asks again:
// 20 times, 80 s, for one start of a machine.
func (a *account) shareKVM(log zerolog.Logger) {
	if a.Name == "" || a.openKVM() == nil {
		return
	}
	st, err := stat(kvmDevice)
	if err != nil {
		return // there is none
	}
	if !rootAlone(st.Mode, int(st.Uid), int(st.Gid)) {
		log.Warn().Uint32("group", st.Gid).Msgf("%s is not for the user %s, and machines start slowly: add that user to the device's group", kvmDevice, a.Name)
		return
	}
	if err := errors.Join(os.Chown(kvmDevice, 0, a.GID), os.Chmod(kvmDevice, 0o660)); err != nil {
		log.Warn().Err(err).Msgf("%s cannot be given to the group %s, and machines start slowly", kvmDevice, qemuGroup)
		return
	}
	log.Info().Msgf("gave %s to the group %s: it was root's alone", kvmDevice, qemuGroup)
}

// ShareKVM does for the user as whom a gitd that root has started will run, and QEMU with it, what New does for QEMU's
// user of a gitd that stays root. Only root can.
func ShareKVM(user string, log zerolog.Logger) error {
	a, err := lookupAccount(user, qemuGroup)
	if err == nil {
		a.shareKVM(log)
	}
	return err
}

// rootAlone reports whether nobody but root may use a device.
func rootAlone(mode uint32, uid, gid int) bool {
	return uid == 0 && gid == 0 && mode&0o006 == 0
}

func stat(path string) (*syscall.Stat_t, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, fmt.Errorf("stat %s: %w", path, errors.ErrUnsupported)
	}
	return st, nil
}
