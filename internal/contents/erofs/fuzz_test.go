package erofs_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/contents/erofs"
	"github.com/nodeos-dev/gitd/internal/image"
)

// read goes through all that a file system says, as far as a limit: a few bytes can name one file many times.
func read(b []byte) {
	f, err := erofs.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return
	}
	left := int64(4 << 20)
	for e, err := range f.All() {
		if left -= 1000 + int64(len(e.Path)); err != nil || left <= 0 {
			return
		}
		e.Link() //nolint:errcheck // only what it does to the test's process counts
		r, err := e.Reader()
		if err != nil {
			continue
		}
		n, _ := io.Copy(io.Discard, io.LimitReader(r, left))
		left -= n
	}
}

// FuzzRead: no bytes end the reader, nor keep it.
func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	for name, size := range map[string]int{"a/b": 50, "c": 9000, "d": 40_000} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			f.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.Repeat("hello, ", size/7)), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	for _, how := range []string{"", image.Quick, image.Dense} {
		packed := filepath.Join(f.TempDir(), "image")
		if err := image.Pack(f.Context(), dir, packed, image.Packing{Compression: how}); err != nil {
			f.Skipf("needs mkfs.erofs: %v", err)
		}
		b, err := os.ReadFile(packed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) { read(b) })
}

// TestDamaged: a file system of which any one byte has changed is read, or refused.
func TestDamaged(t *testing.T) {
	if testing.Short() {
		t.Skip("needs mkfs.erofs")
	}
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "f"), []byte(strings.Repeat("hello, ", 4000)), 0o644))
	check(t, os.Symlink("f", filepath.Join(dir, "l")))
	packed := filepath.Join(t.TempDir(), "image")
	check(t, image.Pack(t.Context(), dir, packed, image.Packing{Compression: image.Quick}))
	b, err := os.ReadFile(packed)
	check(t, err)
	for i := 1024; i < len(b); i++ {
		if i > 1200 && b[i] == 0 {
			continue // what is between
		}
		for _, x := range []byte{1, 0x80, 0xff} {
			b[i] ^= x
			read(b)
			b[i] ^= x
		}
	}
	for n := range len(b) {
		if n%61 == 0 {
			read(b[:n])
		}
	}
}
