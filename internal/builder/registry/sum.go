package registry

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // corepack's older hashes; SHA-512 is checked beside it
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// newHash is a hash by the name that corepack has for it.
func newHash(name string) (hash.Hash, error) {
	switch name {
	case "sha1":
		return sha1.New(), nil //nolint:gosec // see above
	case "sha224":
		return sha256.New224(), nil
	case "sha256":
		return sha256.New(), nil
	case "sha384":
		return sha512.New384(), nil
	case "sha512":
		return sha512.New(), nil
	}
	return nil, fmt.Errorf("the hash %q is unknown", name)
}

// Sum is the hash of v's tarball, in hex. Every tarball's SHA-512 is known from the registry; for another hash it is
// downloaded once more, and the answer is kept.
func (c *Client) Sum(ctx context.Context, v Version, name string) (string, error) {
	dir, want, err := c.place(v)
	if err != nil {
		return "", err
	}
	if name == "sha512" {
		return hex.EncodeToString(want), nil
	}
	h, err := newHash(name)
	if err != nil {
		return "", err
	}
	kept := filepath.Join(c.dir, filepath.Base(filepath.Dir(dir))+"@"+filepath.Base(dir)+"."+name)
	if b, err := os.ReadFile(kept); err == nil && len(b) == 2*h.Size() {
		return string(b), nil
	}
	from, err := c.tarball(v)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, tarballTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return "", err
	}
	body, err := c.get(req)
	if err != nil {
		return "", err
	}
	defer body.Close()
	verified := sha512.New()
	if _, err := io.Copy(io.MultiWriter(h, verified), io.LimitReader(body, tarballLimit)); err != nil {
		return "", err
	}
	if !bytes.Equal(verified.Sum(nil), want) {
		return "", fmt.Errorf("%s@%s: the download does not have the checksum that the registry states", v.Name, v.Number)
	}
	sum := hex.EncodeToString(h.Sum(nil))
	return sum, renameio.WriteFile(kept, []byte(sum), 0o644)
}

// FileSum is the hash of a file, in hex.
func FileSum(path, name string) (string, error) {
	h, err := newHash(name)
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
