package libvirt

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nodeos-dev/gitd/internal/core"
)

// checkSight refuses a libvirt that does not see the state folder: machines open their disks there by path, so each
// boot would fail. It lets libvirt read a file that was just written.
//
// The file is a saved machine, which the QEMU driver itself reads (virDomainSaveImageGetXMLDesc), with root's rights as
// it reads disks. Rejected: storage pools and volumes, because their driver is one more daemon and may be missing; and
// to compare the hosts, because one host has many mount namespaces, and two hosts can share a folder.
func (d *Driver) checkSight(l *link) error {
	id := make([]byte, 16)
	rand.Read(id)
	file, err := writeSaved(filepath.Join(d.owner, "libvirt"), d.sample(id))
	if err != nil {
		return err
	}
	defer os.Remove(file)
	text, err := l.conn.DomainSaveImageGetXMLDesc(file, 0)
	switch {
	case err == nil && strings.Contains(strings.ReplaceAll(text, "-", ""), hex.EncodeToString(id)):
		return nil
	case err == nil:
		err = fmt.Errorf("it reads another file as %s", file)
	}
	return &core.Rejection{
		Reason: fmt.Sprintf("the libvirt at %s does not see the state folder %s, where machines have their disks: %v", d.session.uri, d.owner, plain(err)),
		Hint: "run gitd on the host of that libvirt, and outside of a container that hides the folder; " +
			"or mount the folder there under the same path; or leave out --libvirt",
		Err: err,
	}
}

// sample is the smallest domain that libvirt reads. It is never started.
func (d *Driver) sample(id []byte) string {
	return fmt.Sprintf("<domain type='%s'><name>gitd-sight</name><uuid>%x</uuid><memory>1024</memory>"+
		"<os><type arch='%s' machine='%s'>hvm</type></os></domain>", d.accel, id, d.platform.Arch, d.platform.Machine)
}

// writeSaved writes what libvirt has at the beginning of a saved machine: a header (struct _virQEMUSaveHeader) and the
// domain.
func writeSaved(dir, domain string) (file string, err error) {
	const version, unused = 2, 14
	head := []uint32{version, uint32(len(domain) + 1), 0, 0, 0}
	var b bytes.Buffer
	b.WriteString("LibvirtQemudSave")
	for _, n := range append(head, make([]uint32, unused)...) {
		b.Write(binary.NativeEndian.AppendUint32(nil, n))
	}
	b.WriteString(domain + "\x00")
	f, err := os.CreateTemp(dir, "sight-")
	if err != nil {
		return "", err
	}
	_, err = f.Write(b.Bytes())
	if e := f.Chmod(0o644); err == nil { // on a shared folder, root may be nobody
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return f.Name(), err
}
