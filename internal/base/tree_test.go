package base

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
)

func testTree(t *testing.T) tree {
	t.Helper()
	host := filepath.Join(t.TempDir(), "host")
	check(t, os.WriteFile(host, []byte("from the host"), 0o600))
	var tr tree
	tr.file("/usr/bin/prog", 0o755, host, "test")
	tr.text("etc/hosts", "127.0.0.1 localhost\n")
	tr.link("init", "usr/bin/prog")
	tr.folder("tmp", fs.ModeSticky|0o777)
	return tr
}

func TestTreeOnDisk(t *testing.T) {
	dir := t.TempDir()
	check(t, testTree(t).writeTo(dir))
	for name, want := range map[string]string{
		"etc": "drwxr-xr-x", "etc/hosts": "-rw-r--r--", "usr/bin/prog": "-rwxr-xr-x", "tmp": "dtrwxrwxrwx", "init": "Lrwxrwxrwx",
	} {
		info, err := os.Lstat(filepath.Join(dir, name))
		if err != nil || info.Mode().String() != want {
			t.Errorf("%s: %v (%v), want %s", name, info.Mode(), err, want)
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "init")); string(b) != "from the host" {
		t.Errorf("init reads %q (%v)", b, err)
	}
}

func TestTreeAsCPIO(t *testing.T) {
	tr := testTree(t)
	var first, second bytes.Buffer
	check(t, tr.writeCPIO(&first))
	slices.Reverse(tr)
	check(t, tr.writeCPIO(&second))
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the order of the entries changes the bytes")
	}
	want := []string{"etc 40755", "etc/hosts 100644", "init 120777", "tmp 40777", "usr 40755", "usr/bin 40755", "usr/bin/prog 100755"}
	if got := cpioNames(t, &first); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func cpioNames(t *testing.T, r io.Reader) []string {
	t.Helper()
	var names []string
	for c := cpio.NewReader(r); ; {
		h, err := c.Next()
		if errors.Is(err, io.EOF) {
			return names
		}
		check(t, err)
		names = append(names, h.Name+" "+octal(h.Mode))
	}
}

func octal(m cpio.FileMode) string {
	var b []byte
	for ; m > 0; m >>= 3 {
		b = append(b, '0'+byte(m&7))
	}
	slices.Reverse(b)
	return string(b)
}

func TestTreeRefusesBadPaths(t *testing.T) {
	for name, tr := range map[string]tree{
		"outside":      {{path: "../etc/passwd"}},
		"absolute":     {{path: "/etc/passwd"}},
		"twice":        {{path: "a"}, {path: "a"}},
		"below a file": {{path: "a"}, {path: "a/b"}},
		"itself":       {{path: "."}},
	} {
		if _, err := tr.complete(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestModuleOrder(t *testing.T) {
	files, err := moduleOrder(filepath.Join(setupKernel, "modules"), wantedModules())
	if err != nil {
		t.Skipf("no stock kernel here: %v", err)
	}
	var order []string
	for _, f := range files {
		order = append(order, moduleName(f))
	}
	for _, pair := range []string{"virtio_ring virtio", "virtio virtio_pci", "virtio_pci virtio_blk", "libcrc32c erofs", "failover net_failover", "net_failover virtio_net"} {
		first, second, _ := strings.Cut(pair, " ")
		if i, j := slices.Index(order, first), slices.Index(order, second); i < 0 || j < i {
			t.Errorf("%s must come before %s: %v", first, second, order)
		}
	}
}

func TestModuleOrderErrors(t *testing.T) {
	dir := t.TempDir()
	if _, err := moduleOrder(dir, []string{"virtio"}); err == nil || !strings.Contains(err.Error(), "no module virtio") {
		t.Errorf("missing module: %v", err)
	}
	check(t, os.WriteFile(filepath.Join(dir, "modules.builtin"), []byte("kernel/drivers/virtio/virtio.ko\n"), 0o644))
	if files, err := moduleOrder(dir, []string{"virtio"}); err != nil || len(files) != 0 {
		t.Errorf("a built-in module: %v, %v; want nothing to load", files, err)
	}
}
