package debian

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/progress"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestParseURIs(t *testing.T) {
	sum := strings.Repeat("0a", 32)
	good := "'http://deb.debian.org/debian/pool/main/z/zlib/zlib1g_1.2.13.dfsg-1_amd64.deb' zlib1g_1%3a1.2.13.dfsg-1_amd64.deb 86684 SHA256:" + sum + "\n" +
		"'http://deb.debian.org/debian/pool/main/g/gcc/g++_12-1_all.deb' g++_12-1_all.deb 1 SHA256:" + sum + "\n"
	debs, err := parseURIs(good)
	check(t, err)
	if len(debs) != 2 || debs[0].Name != "g++" || debs[1].Name != "zlib1g" || debs[1].Version != "1:1.2.13.dfsg-1" || debs[1].Size != 86684 ||
		debs[1].SHA256 != sum {
		t.Errorf("%+v", debs)
	}
	for name, line := range map[string]string{
		"another hash":    "'http://u' a1_1_all.deb 1 MD5Sum:" + sum[:32],
		"no hash":         "'http://u' a1_1_all.deb 1 ",
		"a short hash":    "'http://u' a1_1_all.deb 1 SHA256:" + sum[1:],
		"a folder":        "'http://u' ../a1_1_all.deb 1 SHA256:" + sum,
		"no package":      "'http://u' a1_1_all.txt 1 SHA256:" + sum,
		"an option":       "'http://u' -o_1_all.deb 1 SHA256:" + sum,
		"a negative size": "'http://u' a1_1_all.deb -1 SHA256:" + sum,
		"no address":      "'u' a1_1_all.deb 1 SHA256:" + sum,
	} {
		if debs, err := parseURIs(line); err == nil {
			t.Errorf("%s: %+v", name, debs)
		}
	}
}

func FuzzParseURIs(f *testing.F) {
	f.Add("'u' zlib1g_1%3a1.2_amd64.deb 86684 SHA256:" + strings.Repeat("0a", 32))
	f.Fuzz(func(t *testing.T, out string) {
		debs, err := parseURIs(out)
		for _, d := range debs {
			if err != nil || CheckName(d.Name) != nil || filepath.Base(d.File) != d.File || d.Size < 0 || len(d.SHA256) != 64 {
				t.Errorf("%+v", d)
			}
		}
	})
}

// apt reads more into an argument than a name.
func TestNames(t *testing.T) {
	for _, good := range []string{"libcairo2", "libstdc++6", "g++", "libglib2.0-0", "0ad"} {
		check(t, CheckName(good))
	}
	for _, bad := range []string{"", "a", "-o", "--", "Zlib", "zlib1g=1", "zlib1g/sid", "zlib1g:i386", "zlib*", "~nzlib", "?all", "a b", "zlib\n", "../x"} {
		if CheckName(bad) == nil {
			t.Errorf("%q is taken for a name", bad)
		}
	}
}

func TestNear(t *testing.T) {
	known := map[string]bool{"zlib1g": true, "zlib1g-dev": true, "libcairo2": true, "libcairo2-dev": true, "chromium": true, "bash": true}
	for name, want := range map[string][]string{
		"zlib1":    {"zlib1g"},
		"libcairo": {"libcairo2"},
		"chromim":  {"chromium"},
		"ffmpeg":   nil,
	} {
		if got := near(name, known); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// The packages are those of Debian 12, and two of 13.
func TestPackageOf(t *testing.T) {
	known := map[string]bool{}
	want := map[string]string{
		"libcairo.so.2": "libcairo2", "libz.so.1": "zlib1g", "libpango-1.0.so.0": "libpango-1.0-0", "libatk-1.0.so.0": "libatk1.0-0",
		"libglib-2.0.so.0": "libglib2.0-0", "libgobject-2.0.so.0": "libglib2.0-0", "libX11.so.6": "libx11-6", "libnss3.so": "libnss3",
		"libssl.so.3": "libssl3", "libcrypto.so.3": "libssl3", "libjpeg.so.62": "libjpeg62-turbo", "libgif.so.7": "libgif7",
		"librsvg-2.so.2": "librsvg2-2", "libudev.so.1": "libudev1", "libgssapi_krb5.so.2": "libgssapi-krb5-2", "libvips.so.42": "libvips42",
		"libgbm.so.1": "libgbm1", "libasound.so.2": "libasound2", "libpq.so.5": "libpq5", "libatspi.so.0": "libatspi2.0-0",
		"libusb-1.0.so.0": "libusb-1.0-0", "libpixman-1.so.0": "libpixman-1-0", "libexpat.so.1": "libexpat1", "libcuda.so.1": "",
		"libgtk-3.so.0": "libgtk-3-0", "libcups.so.2": "libcups2t64", "../evil.so.1": "", "libx.so.1;rm -rf": "", "lib.so": "",
	}
	for _, p := range want {
		known[p] = p != ""
	}
	for library, p := range want {
		if got := PackageOf(library, known); got != p {
			t.Errorf("%s: %q, want %q of %q", library, got, p, Candidates(library))
		}
	}
}

// packed is a tar of one entry after the other.
func packed(t testing.TB, entries ...tar.Header) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		content := ""
		if h.Typeflag == tar.TypeReg {
			content = "content"
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// unpacked is what becomes of entries in an empty folder.
func unpacked(t *testing.T, entries ...tar.Header) (dir string, err error) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "root")
	check(t, os.Mkdir(dir, 0o755))
	u, err := OpenUnpacked(dir)
	check(t, err)
	defer u.Close()
	return dir, u.Add(bytes.NewReader(packed(t, entries...)))
}

func TestUnpack(t *testing.T) {
	dir, err := unpacked(t,
		tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "./bin/", Typeflag: tar.TypeDir, Mode: 0o755},
		tar.Header{Name: "./bin/dash", Typeflag: tar.TypeReg, Mode: 0o4755},
		tar.Header{Name: "./bin/sh", Typeflag: tar.TypeSymlink, Linkname: "dash"},
		tar.Header{Name: "./lib", Typeflag: tar.TypeSymlink, Linkname: "usr/lib"},
		tar.Header{Name: "./sbin", Typeflag: tar.TypeSymlink, Linkname: "usr/sbin"},
		tar.Header{Name: "./usr/lib/x/liba.so.1.0", Typeflag: tar.TypeReg, Mode: 0o666},
		tar.Header{Name: "./usr/lib/x/liba.so.1", Typeflag: tar.TypeSymlink, Linkname: "liba.so.1.0"},
		tar.Header{Name: "./usr/lib/x/libb.so.1", Typeflag: tar.TypeLink, Linkname: "./usr/lib/x/liba.so.1.0"},
		tar.Header{Name: "./usr/share/man/man1/dash.1.gz", Typeflag: tar.TypeReg, Mode: 0o644},
		tar.Header{Name: "./usr/share/doc/dash/changelog.gz", Typeflag: tar.TypeReg, Mode: 0o644},
		tar.Header{Name: "./usr/share/doc/dash/copyright", Typeflag: tar.TypeReg, Mode: 0o644},
	)
	check(t, err)
	for name, mode := range map[string]string{
		"usr/bin/dash": "-rwxr-xr-x", "usr/bin/sh": "Lrwxrwxrwx", "usr/lib/x/liba.so.1.0": "-rw-r--r--", "usr/lib/x/liba.so.1": "Lrwxrwxrwx",
		"usr/lib/x/libb.so.1": "-rw-r--r--", "usr/share/doc/dash/copyright": "-rw-r--r--",
	} {
		if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || info.Mode().String() != mode {
			t.Errorf("%s: %v, %v; want %s", name, info, err, mode)
		}
	}
	for _, name := range []string{"bin", "lib", "sbin", "usr/sbin", "usr/share/man", "usr/share/doc/dash/changelog.gz"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is there", name)
		}
	}
}

// What hostile packages would do to the host. The folder beside the one that is unpacked into stays empty.
func TestUnpackRefuses(t *testing.T) {
	file := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644} }
	link := func(name, to string) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: to}
	}
	for name, entries := range map[string][]tar.Header{
		"a parent":                {file("../evil")},
		"a parent below":          {file("usr/../../evil")},
		"an absolute path":        {file("/evil")},
		"through a link":          {link("a/b", "../.."), file("a/b/evil")},
		"through an absolute one": {link("a/b", "/tmp"), file("a/b/gitd-evil")},
		"by a hard link":          {link("a/etc", "/etc"), {Name: "evil", Typeflag: tar.TypeLink, Linkname: "a/etc/passwd"}},
		"a hard link to a link":   {link("a/evil", "/etc/passwd"), {Name: "other", Typeflag: tar.TypeLink, Linkname: "a/evil"}},
		"a device":                {{Name: "dev/vda", Typeflag: tar.TypeBlock, Mode: 0o666}},
		"a pipe":                  {{Name: "pipe", Typeflag: tar.TypeFifo, Mode: 0o666}},
		"a link without a target": {link("a/b", strings.Repeat("x", maxLink+1))},
		"a name too long":         {file(strings.Repeat("x", 255))},
	} {
		dir, err := unpacked(t, entries...)
		if err == nil {
			t.Errorf("%s: it is taken", name)
		}
		if all, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(all) != 1 {
			t.Errorf("%s: %v, %v are outside", name, all, err)
		}
	}
}

// A link that is there is replaced, and what it leads to stays as it is.
func TestUnpackReplacesLinks(t *testing.T) {
	dir, err := unpacked(t,
		tar.Header{Name: "x/a", Typeflag: tar.TypeReg, Mode: 0o644},
		tar.Header{Name: "x/b", Typeflag: tar.TypeSymlink, Linkname: "a"},
		tar.Header{Name: "x/b", Typeflag: tar.TypeReg, Mode: 0o755})
	check(t, err)
	for name, mode := range map[string]string{"x/a": "-rw-r--r--", "x/b": "-rwxr-xr-x"} {
		if info, err := os.Lstat(filepath.Join(dir, name)); err != nil || info.Mode().String() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(packed(f, tar.Header{Name: "./usr/bin/x", Typeflag: tar.TypeReg, Mode: 0o755}))
	f.Add(packed(f, tar.Header{Name: "a/b", Typeflag: tar.TypeSymlink, Linkname: "../.."}, tar.Header{Name: "a/b/x", Typeflag: tar.TypeReg}))
	f.Add(packed(f, tar.Header{Name: "a", Typeflag: tar.TypeReg}, tar.Header{Name: "b", Typeflag: tar.TypeLink, Linkname: "a"}))
	f.Fuzz(func(t *testing.T, data []byte) {
		outer := t.TempDir()
		dir := filepath.Join(outer, "root")
		check(t, os.Mkdir(dir, 0o755))
		u, err := OpenUnpacked(dir)
		check(t, err)
		defer u.Close()
		u.Add(bytes.NewReader(data)) //nolint:errcheck // it may fail, and must not write elsewhere
		if all, err := os.ReadDir(outer); err != nil || len(all) != 1 {
			t.Errorf("%v, %v", all, err)
		}
	})
}

// A package that others need not have is fetched if somebody asks for it: tzdata was dropped without a word.
func TestAssumed(t *testing.T) {
	if _, err := exec.LookPath("dpkg-query"); err != nil {
		t.Skip("this host has no dpkg")
	}
	for _, asked := range [][]string{nil, {"tzdata", "zlib1g"}} {
		status, err := assumed(t.Context(), asked)
		check(t, err)
		for name, want := range map[string]bool{"libc6": true, "systemd": true, "tzdata": asked == nil, "zlib1g": false} {
			if got := strings.Contains(status, "Package: "+name+"\n"); got != want {
				t.Errorf("asked for %q: %s is assumed to be there: %t", asked, name, got)
			}
		}
		if strings.Contains(status, "Package: libc6\nStatus: install ok installed\nVersion: "+notInstalled) {
			t.Error("the version of libc6 is not the host's")
		}
	}
}

// Without a way to the archive, apt-get update succeeds, and knows no package: a push said "there is no Debian package
// zlib1g", and so did all pushes of the next hour.
func TestNoWayToTheArchive(t *testing.T) {
	if _, err := exec.LookPath("apt-get"); err != nil {
		t.Skip("this host has no apt")
	}
	t.Setenv("http_proxy", "http://127.0.0.1:9") // discard: nobody listens there
	t.Setenv("https_proxy", "http://127.0.0.1:9")
	a := Archive{Dir: t.TempDir()}
	for range 2 {
		var said bytes.Buffer
		_, err := a.Resolve(t.Context(), []string{"zlib1g"}, progress.NewReport(&said))
		if err == nil || !strings.Contains(err.Error(), "cannot be reached") || !strings.Contains(said.String(), "apt-get update") {
			t.Errorf("%v\n%s", err, said.String())
		}
	}
}
