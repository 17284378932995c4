package libvirt

import (
	"bytes"
	"debug/elf"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"

	"github.com/nodeos-dev/gitd/internal/core"
)

// stockKernel is where scripts/setup leaves Debian's kernel.
const stockKernel = "/usr/lib/gitd/kernel"

// image is a bootable machine whose app is testdata/app in place of Node.
type image struct{ kernel, initrd, root, app, deps string }

// newImage is an image of the test's own. It is made once, and copied: to compile it takes longer than some tests.
func newImage(t *testing.T) image {
	t.Helper()
	if _, err := os.Stat(stockKernel); err != nil {
		t.Skipf("%v: run scripts/setup", err)
	}
	from, to := imageIn(filepath.Join(string(state), "image")), imageIn(t.TempDir())
	if _, err := os.Stat(from.deps); err != nil { // the last that is made
		makeImage(t, from)
	}
	openToQEMU(t, filepath.Dir(to.root))
	for a, b := range map[string]string{from.initrd: to.initrd, from.root: to.root, from.app: to.app, from.deps: to.deps} {
		text, err := os.ReadFile(a)
		if err == nil {
			err = os.WriteFile(b, text, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return to
}

func imageIn(dir string) image {
	return image{
		kernel: filepath.Join(stockKernel, "vmlinuz"), initrd: filepath.Join(dir, "initrd"),
		root: filepath.Join(dir, "root.erofs"), app: filepath.Join(dir, "app.erofs"), deps: filepath.Join(dir, "deps.erofs"),
	}
}

func makeImage(t *testing.T, img image) {
	t.Helper()
	dir := filepath.Dir(img.root)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	init := goBuild(t, dir, "init", "github.com/nodeos-dev/gitd/cmd/nodeos-init")
	app := goBuild(t, dir, "server", "./testdata/app")
	writeInitrd(t, img.initrd, init)
	const root, user = 0, 1000
	pack(t, img.root, root, rootTree(t, init, app))
	pack(t, img.app, user, tree(t, map[string]string{"package.json": "{}", "node_modules/own/index.js": "the app's"}))
	pack(t, img.deps, user, tree(t, map[string]string{"node_modules/dep/index.js": "a dependency's"}))
}

// openToQEMU lets QEMU's user reach dir, which is below a private folder.
func openToQEMU(t testing.TB, dir string) {
	t.Helper()
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func goBuild(t testing.TB, dir, name, pkg string, flags ...string) string {
	t.Helper()
	out := filepath.Join(dir, name)
	args := append([]string{"build", "-ldflags=-s -w", "-o", out}, flags...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, pkg)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v\n%s", pkg, err, b)
	}
	return out
}

func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func rootTree(t *testing.T, init, app string) string {
	t.Helper()
	dir := tree(t, map[string]string{"etc/passwd": "root:x:0:0::/:\napp:x:1000:1000::/app:\n"})
	for _, d := range []string{"app", "data", "dev", "layers", "proc", "run", "sys", "tmp", "usr/bin", "sbin"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{init: "sbin/init", app: "usr/bin/server"} {
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, to), b, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"hosts", "resolv.conf"} {
		if err := os.Symlink("/run/"+name, filepath.Join(dir, "etc", name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func pack(t testing.TB, dst string, owner int, dir string) {
	t.Helper()
	if b, err := exec.CommandContext(t.Context(), "mkfs.erofs",
		fmt.Sprint("--force-uid=", owner), fmt.Sprint("--force-gid=", owner), dst, dir).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.erofs: %v\n%s", err, b)
	}
	if err := os.Chmod(dst, 0o644); err != nil {
		t.Fatal(err)
	}
}

func writeInitrd(t testing.TB, dst, init string) {
	t.Helper()
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	add := func(name string, mode cpio.FileMode, data []byte) {
		if err := w.WriteHeader(&cpio.Header{Name: name, Mode: mode, Size: int64(len(data))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	add("init", cpio.TypeReg|0o755, read(init))
	add("modules", cpio.TypeDir|0o755, nil)
	var order strings.Builder
	for _, m := range modules(t) {
		add("modules/"+filepath.Base(m), cpio.TypeReg|0o644, read(m))
		fmt.Fprintln(&order, filepath.Base(m))
	}
	add("modules/order", cpio.TypeReg|0o644, []byte(order.String()))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dst, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// modules returns the files of the modules that a machine needs, in the order of loading.
func modules(t testing.TB) []string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(filepath.Join(stockKernel, "modules"), func(p string, _ fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(filepath.Base(p), ".ko"); ok {
			files[strings.ReplaceAll(name, "-", "_")] = p
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	var add func(name string)
	add = func(name string) {
		file := files[name]
		delete(files, name)
		if file == "" {
			return // built into the kernel, or in order already
		}
		for _, dep := range depends(t, file) {
			add(dep)
		}
		order = append(order, file)
	}
	for _, name := range []string{"virtio_pci", "virtio_blk", "erofs", "overlay", "virtio_console", "virtio_net", "virtio_rng", "button", "evdev"} {
		add(name)
	}
	return order
}

func depends(t testing.TB, file string) []string {
	t.Helper()
	f, err := elf.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Section(".modinfo").Data()
	if err != nil {
		t.Fatal(err)
	}
	for field := range strings.SplitSeq(string(info), "\x00") {
		if list, ok := strings.CutPrefix(field, "depends="); ok {
			return strings.Split(strings.ReplaceAll(list, "-", "_"), ",")
		}
	}
	return nil
}

// state is where all machines of these tests are: a process can have one
// embedded driver only.
var state core.StateDir

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := withState(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func withState(m *testing.M) (code int, err error) {
	// The path is short enough for sockets.
	dir, err := os.MkdirTemp("/tmp", "gl")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	state = core.StateDir(dir)
	if err := errors.Join(state.Create(), os.Chmod(dir, 0o711)); err != nil {
		return 1, err
	}
	if program, err = buildMachine(dir); err != nil {
		return 1, err
	}
	code = m.Run()
	return code, closeSpare()
}
