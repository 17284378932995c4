package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/nodeos-dev/gitd/internal/core"
)

// Seal makes a finished file of an image readable for QEMU's user, brings it to disk, and says what it is.
func Seal(path string) (core.Layer, error) {
	f, err := os.Open(path)
	if err != nil {
		return core.Layer{}, err
	}
	defer f.Close()
	l, err := digest(context.Background(), f)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync()); err != nil {
		return core.Layer{}, err
	}
	return l, nil
}

// digest reads r to its end, or to that of ctx.
func digest(ctx context.Context, r io.Reader) (core.Layer, error) {
	h := sha256.New()
	buf := make([]byte, 256<<10)
	for n := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return core.Layer{}, err
		}
		got, err := r.Read(buf)
		h.Write(buf[:got])
		n += int64(got)
		if errors.Is(err, io.EOF) {
			return core.Layer{Digest: hex.EncodeToString(h.Sum(nil)), Size: n}, nil
		}
		if err != nil {
			return core.Layer{}, err
		}
	}
}

// CheckDigest reads the file at path and says how it differs from what Seal said of it, or nil.
func CheckDigest(ctx context.Context, path string, want core.Layer) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	got, err := digest(ctx, f)
	if err == nil && got != want {
		err = fmt.Errorf("%s: %d bytes with digest %.12s instead of %d with %.12s",
			path, got.Size, got.Digest, want.Size, want.Digest)
	}
	return err
}

// Damaged calls remove for a damaged part of an image, and returns the *core.Rejection that says so. If ctx has ended
// it removes nothing, because then the cause may be no more than that.
func Damaged(ctx context.Context, what string, cause error, remove func() error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := remove(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s of the image is damaged and cannot be removed: %w", what, errors.Join(cause, err))
	}
	return &core.Rejection{
		Reason: what + " of the image was damaged on the server's disk",
		Hint:   "it is removed; push again, and it is made anew",
		Err:    cause,
	}
}
