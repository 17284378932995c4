package libvirt

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/jails"
	"github.com/nodeos-dev/gitd/internal/libvirt/remote"
	"github.com/nodeos-dev/gitd/internal/libvirt/specs"
)

// machineFiles is what machines have on the host: a folder with the console's log, a socket, and disks that QEMU's user
// must reach.
type machineFiles struct {
	state    core.StateDir
	embedded bool     // the driver is in this process
	qemu     *account // the user that QEMU runs as; nil: this process does not decide that
	jails    *jails.Jails
	there    *remote.Host // where machines run; nil: on this host
}

// makeFiles makes STATE/machines/ID with the console's log in it, which
// QEMU's user must be able to write.
func (f machineFiles) makeFiles(id string) error {
	if err := os.Mkdir(f.state.Machine(id), 0o711); err != nil {
		return err
	}
	log, err := os.OpenFile(f.console(id).Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	if f.qemu == nil || f.qemu.Name == "" {
		return nil
	}
	// The walls are made by that user, who opens the machine's doors here.
	return errors.Join(log.Chown(f.qemu.UID, f.qemu.GID), os.Chown(f.state.Machine(id), f.qemu.UID, f.qemu.GID))
}

// shareVolumes gives the writable disks to QEMU's user, if this process decides who that is. A libvirt daemon does it
// itself.
func (f machineFiles) shareVolumes(disks []core.Disk) error {
	if f.qemu == nil || f.qemu.Name == "" {
		return nil
	}
	for _, disk := range disks {
		if !disk.Writable {
			continue
		}
		if err := os.Chown(disk.Path, f.qemu.UID, f.qemu.GID); err != nil {
			return fmt.Errorf("volume %s: %w", disk.Serial, err)
		}
	}
	return nil
}

// removeFiles removes what a machine leaves on the host.
func (f machineFiles) removeFiles(id string) error {
	err := errors.Join(f.there.Remove(id), os.RemoveAll(f.state.Machine(id)))
	f.jails.Free(id)
	if f.embedded {
		// Libvirt keeps QEMU's log of each domain for ever.
		if e := os.Remove(filepath.Join(f.state.Libvirt(), "log/qemu", id+".log")); !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}

// removeFilesOf is removeFiles for an id that was not checked yet, because the id becomes part of a path.
func (f machineFiles) removeFilesOf(id string) error {
	if !specs.ID.MatchString(id) {
		return nil
	}
	return f.removeFiles(id)
}

// channelSocket returns the path of the control channel's socket. It is empty where libvirt chooses the path.
func (f machineFiles) channelSocket(id string) string {
	if !f.embedded {
		return ""
	}
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(channelDir(f.state.Libvirt()), hex.EncodeToString(sum[:8]))
}
