package registry

import (
	"context"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const tarballLimit = 256 << 20 // bytes, compressed

// Has reports whether v's files are here already.
func (c *Client) Has(v Version) bool {
	dir, _, err := c.place(v)
	if err != nil {
		return false
	}
	_, err = os.Stat(dir)
	return err == nil
}

// place is where v's files are or will be, and the SHA-512 of its tarball.
func (c *Client) place(v Version) (dir string, sum []byte, err error) {
	sum, err = sha512Of(v.Integrity)
	if err != nil {
		return "", nil, fmt.Errorf("%s@%s: %w", v.Name, v.Number, err)
	}
	dir, err = c.path(v.Name, v.Number.String()+"-"+hex.EncodeToString(sum[:8]))
	return dir, sum, err
}

// Fetch returns the folder with v's files, and downloads them first if they
// are not there. The bytes are checked against v.Integrity before the folder
// gets its name.
func (c *Client) Fetch(ctx context.Context, v Version) (dir string, err error) {
	dir, want, err := c.place(v)
	if err != nil || c.Has(v) {
		return dir, err
	}
	tmp, err := os.MkdirTemp(c.scratch, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(tmp)
	if err := c.download(ctx, v, want, tmp); err != nil {
		return "", fmt.Errorf("fetch %s@%s: %w", v.Name, v.Number, err)
	}
	return dir, publish(tmp, dir)
}

func (c *Client) download(ctx context.Context, v Version, want []byte, into string) error {
	from, err := c.tarball(v)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tarballTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	body, err := c.get(req)
	if err != nil {
		return err
	}
	defer body.Close()
	h := sha512.New()
	verified := io.TeeReader(io.LimitReader(body, tarballLimit), h)
	unpackErr := unpack(ctx, verified, into)
	if _, err := io.Copy(io.Discard, verified); err != nil {
		return err
	}
	if subtle.ConstantTimeCompare(h.Sum(nil), want) != 1 {
		return errors.Join(errors.New("the download does not have the checksum that the registry states"), unpackErr)
	}
	return unpackErr
}

// publish syncs tmp and gives it its final name. Somebody else may have been
// quicker with the same bytes.
func publish(tmp, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := makeReadable(tmp); err != nil {
		return err
	}
	f, err := os.Open(tmp)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil {
		return err
	}
	err = os.Rename(tmp, dir)
	if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
		return nil
	}
	return err
}

// makeReadable lets everybody read, whatever the umask is: builds run as another user.
func makeReadable(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if e.IsDir() || info.Mode()&0o100 != 0 {
			mode = 0o755
		}
		if info.Mode().Perm() == mode {
			return nil
		}
		return os.Chmod(path, mode)
	})
}

// sha512Of returns the SHA-512 in a subresource-integrity string. Weaker
// hashes beside it are left aside, weaker ones alone are refused.
func sha512Of(integrity string) ([]byte, error) {
	for word := range strings.FieldsSeq(integrity) {
		b64, ok := strings.CutPrefix(word, "sha512-")
		if !ok {
			continue
		}
		b64, _, _ = strings.Cut(b64, "?")
		sum, err := base64.StdEncoding.DecodeString(b64)
		if err != nil || len(sum) != sha512.Size {
			return nil, fmt.Errorf("the registry's checksum %q is broken", word)
		}
		return sum, nil
	}
	return nil, errors.New("the registry states no SHA-512 for it")
}
