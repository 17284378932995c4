package erofs_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/contents/erofs"
	"github.com/nodeos-dev/gitd/internal/image"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// samples are contents that mkfs.erofs stores in different ways.
func samples() map[string][]byte {
	random := func(n int) []byte {
		b := make([]byte, n)
		rand.NewChaCha8([32]byte{1}).Read(b) //nolint:errcheck // it never fails
		return b
	}
	text := func(n int) []byte {
		var b bytes.Buffer
		for i := 0; b.Len() < n; i++ {
			fmt.Fprintf(&b, "line %d of a file, %x\n", i, i*7919%1000)
		}
		return b.Bytes()[:n]
	}
	return map[string][]byte{
		"empty": nil, "one": {1}, "zeros": make([]byte, 3_000_000), "block": text(4096), "more": text(4097),
		"inline": text(100), "short": text(20_000), "long": text(2_000_000), "random": random(300_001),
		"random-block": random(4096), "mixed": slices.Concat(text(70_000), random(70_000), make([]byte, 70_000), text(9)),
		"sha\xff": text(5000), strings.Repeat("n", 254): text(300),
		"a/deep/folder/with/a/file": text(12_345), "script.js": text(64 << 10),
	}
}

// TestAsFsck: what is read of a file system is what erofs-utils extract from it, for each way in which gitd packs.
func TestAsFsck(t *testing.T) {
	if testing.Short() {
		t.Skip("needs mkfs.erofs")
	}
	dir := t.TempDir()
	for name, content := range samples() {
		check(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		check(t, os.WriteFile(filepath.Join(dir, name), content, 0o644))
	}
	check(t, os.Chmod(filepath.Join(dir, "script.js"), 0o755))
	check(t, os.Symlink("a/deep/../deep", filepath.Join(dir, "link")))
	for i := range 1000 { // a folder of several blocks
		name := filepath.Join(dir, "many", fmt.Sprintf("%d-%s", i, strings.Repeat("x", i%100)))
		check(t, os.MkdirAll(filepath.Dir(name), 0o755))
		check(t, os.WriteFile(name, fmt.Append(nil, i), 0o644))
	}
	for how, packing := range map[string]image.Packing{
		"layer": {Compression: image.Quick, Owner: 1000}, "base": {Compression: image.Dense}, "plain": {},
	} {
		packed := filepath.Join(t.TempDir(), "image")
		check(t, image.Pack(t.Context(), dir, packed, packing))
		out := filepath.Join(t.TempDir(), "out")
		if said, err := exec.Command("fsck.erofs", "--extract="+out, packed).CombinedOutput(); err != nil {
			t.Fatalf("fsck.erofs: %v: %s", err, said)
		}
		got, want := list(t, packed), onDisk(t, out)
		if !slices.Equal(got, want) {
			for i := range min(len(got), len(want)) {
				if got[i] != want[i] {
					t.Errorf("%s: read %.200q, fsck.erofs %.200q", how, got[i], want[i])
				}
			}
			t.Errorf("%s: %d entries, want %d", how, len(got), len(want))
		}
	}
}

// list is each entry of a packed file system in one line.
func list(t *testing.T, packed string) (lines []string) {
	t.Helper()
	f, err := os.Open(packed)
	check(t, err)
	defer f.Close()
	info, err := f.Stat()
	check(t, err)
	image, err := erofs.Open(f, info.Size())
	check(t, err)
	last := ""
	for e, err := range image.All() {
		check(t, err)
		if last != "" && erofs.Compare(last, e.Path) >= 0 {
			t.Errorf("%q comes after %q", e.Path, last)
		}
		last = e.Path
		var sum string
		switch e.Mode.Type() {
		case 0:
			r, err := e.Reader()
			check(t, err)
			h := sha256.New()
			n, err := io.Copy(h, r)
			if err != nil || n != e.Size {
				t.Errorf("%q: read %d of %d bytes: %v", e.Path, n, e.Size, err)
			}
			sum = fmt.Sprintf("%x", h.Sum(nil))
		case fs.ModeSymlink:
			sum, err = e.Link()
			check(t, err)
		}
		lines = append(lines, fmt.Sprintf("%s %v %s", e.Path, e.Mode, sum))
	}
	slices.Sort(lines)
	return lines
}

// onDisk is the same of a folder.
func onDisk(t *testing.T, dir string) (lines []string) {
	t.Helper()
	check(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		info, err := e.Info()
		check(t, err)
		var sum string
		switch e.Type() {
		case 0:
			b, err := os.ReadFile(path)
			check(t, err)
			sum = fmt.Sprintf("%x", sha256.Sum256(b))
		case fs.ModeSymlink:
			sum, err = os.Readlink(path)
			check(t, err)
		}
		lines = append(lines, fmt.Sprintf("%s %v %s", name, info.Mode(), sum))
		return nil
	}))
	slices.Sort(lines)
	return lines
}
