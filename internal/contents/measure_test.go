package contents_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/contents/sbom"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
)

// BenchmarkRead times what is asked of an image whose node_modules is in the folder MODULES, and fsck.erofs beside it:
//
//	MODULES=/path/to/node_modules go test -run - -bench Read -benchtime 3x ./internal/contents
func BenchmarkRead(b *testing.B) {
	modules := os.Getenv("MODULES")
	if modules == "" {
		b.Skip("MODULES names a folder to read")
	}
	state := core.StateDir(b.TempDir())
	must(b, state.Create())
	dir := b.TempDir()
	must(b, exec.Command("cp", "-a", modules, filepath.Join(dir, "node_modules")).Run())
	layers := image.OpenLayers(state)
	deps, err := layers.Store(b.Context(), dir, nil)
	must(b, err)
	empty, err := layers.Store(b.Context(), b.TempDir(), nil)
	must(b, err)
	m := core.Manifest{Base: "b1", Deps: deps, App: empty}
	r := contents.New(state, func(string) (contents.BaseInfo, error) { return contents.BaseInfo{}, nil })
	b.Logf("a layer of %d MiB", deps.Size>>20)
	list := func(digests bool) (n int) {
		for _, err := range r.Files(b.Context(), m, contents.Deps, digests) {
			must(b, err)
			n++
		}
		return n
	}
	for name, f := range map[string]func(){
		"files":   func() { list(false) },
		"digests": func() { list(true) },
		"sbom": func() {
			p, err := r.Packages(b.Context(), m)
			must(b, err)
			must(b, sbom.Write(io.Discard, sbom.Input{Packages: p, Release: core.Release{Created: time.Unix(0, 0), Manifest: m}}))
		},
		"fsck": func() {
			out := filepath.Join(b.TempDir(), "out")
			must(b, exec.Command("fsck.erofs", "--extract="+out, state.Layer(deps.Digest)).Run())
			must(b, os.RemoveAll(out))
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
