package ledger

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
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

// sealer encrypts values for a place (an app and a name), with
// XChaCha20-Poly1305: the place is authenticated with the value, so that a
// value which somebody moved to another row does not open. Nonces are random;
// 24 bytes of them never repeat.
type sealer struct{ aead cipher.AEAD }

func (s sealer) seal(value, app, name string) ([]byte, error) {
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(value)+s.aead.Overhead())
	if _, err := rand.Read(nonce); err != nil {
		return nil, err
	}
	return s.aead.Seal(nonce, nonce, []byte(value), place(app, name)), nil
}

// errSealed never holds what was to be opened.
var errSealed = errors.New("it was not sealed for this place with this key")

func (s sealer) open(sealed []byte, app, name string) (string, error) {
	n := s.aead.NonceSize()
	if len(sealed) < n {
		return "", errSealed
	}
	value, err := s.aead.Open(nil, sealed[:n], sealed[n:], place(app, name))
	if err != nil {
		return "", errSealed
	}
	return string(value), nil
}

// place is unambiguous: neither part can hold a slash.
func place(app, name string) []byte { return []byte(app + "/" + name) }

// openSealer reads the key file, or makes it when nothing was ever sealed.
func openSealer(ctx context.Context, db querier, path string) (sealer, error) {
	sealed, app, name, err := anySealed(ctx, db)
	if err != nil {
		return sealer{}, err
	}
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) && sealed == nil {
		key, err = makeKey(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return sealer{}, fmt.Errorf("the ledger holds config values and their key file %s is missing: put it back from your backup, with mode 0600; "+
			"without it the values are lost, and `DELETE FROM vars` in the ledger starts without them", path)
	case err != nil:
		return sealer{}, err
	}
	aead, err := chacha20poly1305.NewX(key)
	if err != nil {
		return sealer{}, err
	}
	s := sealer{aead}
	if sealed == nil {
		return s, nil
	}
	if _, err := s.open(sealed, app, name); err != nil {
		return sealer{}, fmt.Errorf("%s is not the key that the ledger's config values were sealed with: put that one back from your backup", path)
	}
	return s, nil
}

// anySealed returns one sealed value, or nil when there is none.
func anySealed(ctx context.Context, db querier) (sealed []byte, app, name string, err error) {
	err = db.QueryRowContext(ctx, `SELECT sealed, app, name FROM vars LIMIT 1`).Scan(&sealed, &app, &name)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return sealed, app, name, err
}

// readKey refuses a key that others can read: it may be in wrong hands
// already, and silently closing the file would hide that.
func readKey(path string) ([]byte, error) {
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

// makeKey makes the key file. Its name is on disk before anything is sealed.
func makeKey(path string) ([]byte, error) {
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
