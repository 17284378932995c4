// Package seal encrypts what the ledger must not show to whoever has a copy of it.
//
// It owns the form of sealed values and of the file with their key. It does not own what is sealed.
package seal

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/chacha20poly1305"

	"github.com/nodeos-dev/gitd/internal/disk"
)

// keyHead begins the key file's only line of content and names its form.
const keyHead = "gitd-config-key-1:"

const keyNote = "# The key of the config values in the ledger beside this file. Without it they are lost:\n" +
	"# keep a copy apart from the ledger's, for with both anyone can read them.\n"

// Sealer encrypts values for a place (an app and a name), with
// XChaCha20-Poly1305: the place is authenticated with the value, so that a
// value which somebody moved to another row does not open. Nonces are random;
// 24 bytes of them never repeat.
type Sealer struct{ aead cipher.AEAD }

// New seals with key, which is one of ReadKey or MakeKey.
func New(key []byte) (Sealer, error) {
	aead, err := chacha20poly1305.NewX(key)
	return Sealer{aead}, err
}

// Seal encrypts value for its place.
func (s Sealer) Seal(value, app, name string) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(value)+s.aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return s.aead.Seal(nonce, nonce, []byte(value), place(app, name)), nil
}

// ErrSealed is that a value does not open. It never holds what was to be opened.
var ErrSealed = errors.New("it was not sealed for this place with this key")

// Open returns what Seal was given, if it is for this place and key.
func (s Sealer) Open(sealed []byte, app, name string) (string, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return "", ErrSealed
	}
	value, err := s.aead.Open(nil, sealed[:n], sealed[n:], place(app, name))
	if err != nil {
		return "", ErrSealed
	}
	return string(value), nil
}

// place is unambiguous: neither part can hold a slash.
func place(app, name string) []byte { return []byte(app + "/" + name) }

// ReadKey reads the key file. It refuses a key that others can read: it may be in wrong hands
// already, and silently closing the file would hide that.
func ReadKey(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a plain file (%s); move it away", path, info.Mode().Type())
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("%s can be read by others (mode %04o), and it opens every config value: `chmod 600 %s`, "+
			"and change the secrets if somebody may have copied it", path, info.Mode().Perm(), path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if encoded, ok := strings.CutPrefix(strings.TrimSpace(line), keyHead); ok {
			key, err := base64.StdEncoding.DecodeString(encoded)
			if err == nil && len(key) == chacha20poly1305.KeySize {
				return key, nil
			}
		}
	}
	return nil, fmt.Errorf("%s holds no key of the form %s…: put it back from your backup", path, keyHead)
}

// MakeKey makes the key file. Its name is on disk before anything is sealed.
func MakeKey(path string) ([]byte, error) {
	key := make([]byte, chacha20poly1305.KeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	text := keyNote + keyHead + base64.StdEncoding.EncodeToString(key) + "\n"
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, err
	}
	return key, disk.SyncFolder(filepath.Dir(path))
}
