package disk

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestCopy: a copy has the bytes and the holes of the file.
func TestCopy(t *testing.T) {
	dir := t.TempDir()
	from, err := os.Create(filepath.Join(dir, "from"))
	check(t, err)
	to, err := os.Create(filepath.Join(dir, "to"))
	check(t, err)
	defer from.Close()
	defer to.Close()
	check(t, from.Truncate(100<<20))
	for _, at := range []int64{0, 1 << 20, 90 << 20} {
		_, err := from.WriteAt(bytes.Repeat([]byte("x"), 4096), at)
		check(t, err)
	}
	check(t, Copy(to, from, func() error { return nil }))
	a, err := os.ReadFile(from.Name())
	check(t, err)
	b, err := os.ReadFile(to.Name())
	check(t, err)
	info, err := to.Stat()
	check(t, err)
	if !bytes.Equal(a, b) || Allocated(info) > 1<<20 {
		t.Errorf("the copy has %d bytes and takes %d", len(b), Allocated(info))
	}
	for gap, want := range map[int64][]Extent{
		0:        {{0, 4096}, {1 << 20, 4096}, {90 << 20, 4096}},
		2 << 20:  {{0, 1<<20 + 4096}, {90 << 20, 4096}},
		99 << 20: {{0, 64 << 20}, {64 << 20, 26<<20 + 4096}},
	} {
		var got []Extent
		check(t, Extents(from, gap, func(e Extent) error {
			got = append(got, e)
			return nil
		}))
		if !slices.Equal(got, want) {
			t.Errorf("with gaps of %d: %v, want %v", gap, got, want)
		}
	}
	enough := errors.New("enough")
	if err := Copy(to, from, func() error { return enough }); !errors.Is(err, enough) {
		t.Errorf("a copy that was to end: %v", err)
	}
}
