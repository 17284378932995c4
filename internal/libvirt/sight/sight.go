// Package sight finds out whether a libvirt sees the files of this host.
//
// It owns how that is asked. It does not own the connection, nor where machines run.
package sight

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/libvirt/session"
)

// Sight is what a libvirt must see of this host.
type Sight struct {
	URI           string
	State         core.StateDir // its path is absolute
	Accel         string        // of libvirt's domain types, one that it has
	Arch, Machine string        // as libvirt calls them
}

// Check refuses a libvirt that does not see the state folder: machines open their disks there by path, so each
// boot would fail. It lets libvirt read a file that was just written.
//
// The file is a saved machine, which the QEMU driver itself reads (virDomainSaveImageGetXMLDesc), with root's rights as
// it reads disks. Rejected: storage pools and volumes, because their driver is one more daemon and may be missing; and
// to compare the hosts, because one host has many mount namespaces, and two hosts can share a folder.
func (s Sight) Check(l *session.Link) error {
	id := make([]byte, 16)
	rand.Read(id)
	file, err := s.write(saved(s.sample(id)))
	if err != nil {
		return err
	}
	defer os.RemoveAll(file)
	text, err := l.Conn.DomainSaveImageGetXMLDesc(file, 0)
	switch {
	case err == nil && strings.Contains(strings.ReplaceAll(text, "-", ""), hex.EncodeToString(id)):
		return nil
	case err == nil:
		err = fmt.Errorf("it reads another file as %s", file)
	}
	return &core.Rejection{
		Reason: fmt.Sprintf("the libvirt at %s does not see the state folder %s, where machines have their disks: %v", s.URI, s.State, session.Plain(err)),
		Hint: "run gitd on the host of that libvirt, and outside of a container that hides the folder; " +
			"or mount the folder there under the same path; or leave out --libvirt",
		Err: err,
	}
}

// sample is the smallest domain that libvirt reads. It is never started.
func (s Sight) sample(id []byte) string {
	return fmt.Sprintf("<domain type='%s'><name>gitd-sight</name><uuid>%x</uuid><memory>1024</memory>"+
		"<os><type arch='%s' machine='%s'>hvm</type></os></domain>", s.Accel, id, s.Arch, s.Machine)
}

// saved is what libvirt has at the beginning of a saved machine: a header (struct _virQEMUSaveHeader) and the domain.
func saved(domain string) []byte {
	const version, unused = 2, 14
	head := []uint32{version, uint32(len(domain) + 1), 0, 0, 0}
	b := []byte("LibvirtQemudSave")
	for _, n := range append(head, make([]uint32, unused)...) {
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	return append(b, domain+"\x00"...)
}

// write writes a file under a new name, so that nobody has an older one in a cache.
func (s Sight) write(b []byte) (file string, err error) {
	f, err := os.CreateTemp(s.State.Libvirt(), "sight-")
	if err != nil {
		return "", err
	}
	_, err = f.Write(b)
	// On a shared folder, the root of the other host may be nobody.
	return f.Name(), errors.Join(err, f.Chmod(0o644), f.Close())
}
