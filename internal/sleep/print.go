package sleep

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"

	"github.com/nodeos-dev/gitd/internal/core"
)

// A print begins with a salt and ends with what machines ran on, hashed; in bytes.
const (
	saltSize = 16
	hostSize = sha256.Size
)

// print is what a machine was booted as: with the same print, it would be booted as the same machine again. It is the
// whole of spec, the environment included, but its id and its network, which is told anew; and what machines run on.
// What stands in the file shows none of that: it is hashed, and spec with a salt. Which gitd has started it does not
// matter: one that makes machines in another way has another host.
func (b *Beds) print(salt []byte, spec core.MachineSpec) ([]byte, error) {
	spec.ID, spec.Kept, spec.Egress, spec.Share = "", false, core.Egress{}, core.Share{Resources: spec.Resources}
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, salt)
	h.Write(text)
	h.Write(b.host[:])
	return append(h.Sum(salt), b.host[:]...), nil
}

// note remembers what a machine was booted as. Without that, it does not sleep.
func (b *Beds) note(id string, spec core.MachineSpec) {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	p, err := b.print(salt, spec)
	if err == nil {
		err = os.WriteFile(b.file(id, printSuffix), p, 0o600)
	}
	if err != nil {
		b.cfg.Log.Warn("a machine will not sleep: what it was booted as is not written down", "machine", id, "error", err)
	}
}

// errOther is that what was saved is of another machine than the one that is to boot.
var errOther = errors.New("its config, its image or its size are others now, or QEMU, the processor or the form of machines are")

// same returns nil if the machine id was booted as spec would be now.
func (b *Beds) same(id string, spec core.MachineSpec) error {
	was, err := os.ReadFile(b.file(id, printSuffix))
	if err != nil {
		return err
	}
	if len(was) < saltSize+hostSize {
		return errOther
	}
	now, err := b.print(bytes.Clone(was[:saltSize]), spec)
	if err != nil {
		return err
	}
	if !hmac.Equal(was, now) {
		return errOther
	}
	return nil
}

// noted reports whether a machine could go on once it was saved: it is known what it was booted as, and it was on this
// host, by a gitd that makes machines as this one does.
func (b *Beds) noted(id string) bool {
	was, err := os.ReadFile(b.file(id, printSuffix))
	return err == nil && len(was) > hostSize && bytes.Equal(was[len(was)-hostSize:], b.host[:])
}
