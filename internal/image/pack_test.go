package image

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/walls"
)

// plant makes the same tree in dir, its files created in the given order.
func plant(t *testing.T, dir string, names []string, modified time.Time) {
	t.Helper()
	for _, name := range names {
		p := filepath.Join(dir, name)
		check(t, os.MkdirAll(filepath.Dir(p), 0o755))
		check(t, os.WriteFile(p, bytes.Repeat([]byte("content of "+name+"\n"), 400), 0o644))
		check(t, os.Chtimes(p, modified, modified))
	}
	check(t, os.Symlink("a/1.js", filepath.Join(dir, "link")))
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func manyNames() []string {
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprintf("%c/%d.js", 'a'+i%5, i/5), fmt.Sprintf("top%d", i))
	}
	return names
}

func TestPackIsDeterministic(t *testing.T) {
	if testing.Short() {
		t.Skip("needs mkfs.erofs")
	}
	names := manyNames()
	first, second := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	plant(t, first, names, time.Unix(1e9, 0))
	slices.Reverse(names)
	check(t, os.Mkdir(second, 0o755))
	plant(t, second, names, time.Now())
	if os.Geteuid() == 0 {
		check(t, os.Chown(filepath.Join(second, "a/1.js"), 12345, 12345))
	}
	for name, opts := range map[string]Packing{
		"plain": {}, "dense": {Compression: Dense}, "quick, owned": {Compression: Quick, Owner: guest.AppUID},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pack(t, first, opts), pack(t, second, opts)
			if !bytes.Equal(a, b) {
				t.Error("the same tree gave other bytes")
			}
		})
	}
}

func pack(t *testing.T, dir string, opts Packing) []byte {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	check(t, Pack(t.Context(), dir, image, opts))
	b, err := os.ReadFile(image)
	check(t, err)
	return b
}

func TestPackErrors(t *testing.T) {
	if testing.Short() {
		t.Skip("needs mkfs.erofs")
	}
	dir := t.TempDir()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tc := range map[string]struct {
		ctx      context.Context
		src, dst string
		want     string
	}{
		"no folder":   {t.Context(), filepath.Join(dir, "none"), filepath.Join(dir, "i"), "mkfs.erofs"},
		"option-like": {t.Context(), "--help", filepath.Join(dir, "i"), "absolute"},
		"cancelled":   {cancelled, dir, filepath.Join(t.TempDir(), "i"), "context canceled"},
	} {
		err := Pack(tc.ctx, tc.src, tc.dst, Packing{})
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", name, err, tc.want)
		}
	}
}

// TestPackerIsBehindWalls: a file of a build takes the packer over. It has the folder that it packs and the one that it
// packs into, and nothing else of gitd's. Without walls it reads the ledger, so the attack itself works.
func TestPackerIsBehindWalls(t *testing.T) {
	w, err := walls.New(t.Context())
	if err != nil {
		t.Skipf("no walls here: %v", err)
	}
	dir := t.TempDir()
	plant(t, dir, []string{"a"}, time.Now())
	if plain, walled := pack(t, dir, Packing{}), pack(t, dir, Packing{Walls: w}); !bytes.Equal(plain, walled) {
		t.Error("the image differs behind walls")
	}
	bin, secret := t.TempDir(), filepath.Join(t.TempDir(), "gitd.db")
	check(t, os.WriteFile(secret, []byte("secret"), 0o600))
	taken := "#!/bin/sh\nfor last; do dst=$src; src=$last; done\ncat " + secret + " >$dst 2>/dev/null\nls -A \"$src\" >>$dst\n"
	check(t, os.WriteFile(filepath.Join(bin, "mkfs.erofs"), []byte(taken), 0o700))
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	if got := string(pack(t, dir, Packing{})); got != "secreta\nlink\n" {
		t.Errorf("without walls: %q", got)
	}
	if got := string(pack(t, dir, Packing{Walls: w})); got != "a\nlink\n" {
		t.Errorf("behind walls: %q", got)
	}
}
