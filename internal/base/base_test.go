package base

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/base/kernel"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/progress"
)

// setupKernel is where scripts/setup leaves the stock kernel.
const setupKernel = "/usr/lib/gitd/kernel"

// newStore returns a store whose init is testdata/bootinit, and a
// toolchain in which a program with libraries stands for Node: the end-to-end
// tests boot the real one.
func newStore(t *testing.T) (*Store, Node) {
	t.Helper()
	if testing.Short() {
		t.Skip("makes a base")
	}
	if _, err := openStockKernel(setupKernel); err != nil {
		t.Skip(err)
	}
	state := core.StateDir(t.TempDir())
	check(t, state.Create())
	s := New(Config{State: state, Kernel: StockKernel, StockKernel: setupKernel})
	s.cfg.GuestInit = filepath.Join(t.TempDir(), "init")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", s.cfg.GuestInit, "./testdata/bootinit")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build bootinit: %v: %s", err, out)
	}
	exe, err := exec.LookPath("mkfs.erofs")
	check(t, err)
	program, err := os.ReadFile(exe)
	check(t, err)
	node := Node{Version: "0.0.0", Dir: t.TempDir()}
	check(t, os.Mkdir(filepath.Join(node.Dir, "bin"), 0o755))
	check(t, os.WriteFile(filepath.Join(node.Dir, "bin/node"), program, 0o755))
	return s, node
}

// onKernels runs test with both kernels, the minimal one only where it is
// compiled: make test sees to that.
func onKernels(t *testing.T, test func(t *testing.T, s *Store, node Node)) {
	s, node := newStore(t)
	for _, choice := range []KernelChoice{StockKernel, MinimalKernel} {
		t.Run(string(choice), func(t *testing.T) {
			s.cfg.Kernel = choice
			if choice == MinimalKernel {
				if _, err := s.cfg.MinimalSource.Find(); err != nil {
					t.Skipf("%v: make base compiles it", err)
				}
			}
			test(t, s, node)
		})
	}
}

func TestBaseBoots(t *testing.T) {
	onKernels(t, func(t *testing.T, s *Store, node Node) {
		var said bytes.Buffer
		id, err := s.Ensure(t.Context(), node, progress.NewReport(&said))
		check(t, err)
		if want := "-----> Preparing the NodeOS base (Node 0.0.0, " + string(s.cfg.Kernel) + " kernel 6."; !strings.Contains(said.String(), want) {
			t.Errorf("progress lacks %q:\n%s", want, said.String())
		}
		state := s.cfg.State
		for _, name := range []string{state.Kernel(id), state.Root(id)} {
			if info, err := os.Stat(name); err != nil || info.Mode() != 0o644 {
				t.Errorf("%s: QEMU's user cannot read it: %v %v", name, info.Mode(), err)
			}
		}
		if info, err := os.Stat(state.Base(id)); err != nil || info.Mode().Perm() != 0o711 {
			t.Errorf("mode of the base's folder: %v (%v), want 0711", info.Mode(), err)
		}
		if _, err := os.Stat(state.Initrd(id)); (err == nil) != (s.cfg.Kernel == StockKernel) {
			t.Errorf("initramfs of a %s kernel: %v", s.cfg.Kernel, err)
		}
		boot(t, state, id)
	})
}

// boot starts the base in QEMU and waits for bootinit's verdict.
func boot(t *testing.T, state core.StateDir, id string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	args := []string{"-M", "q35,accel=tcg", "-cpu", "max", "-m", "256",
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio", "-bios", "qboot.rom",
		"-kernel", state.Kernel(id), "-append", "console=ttyS0 quiet panic=-1 root=/dev/vda rootfstype=erofs ro",
		"-drive", "if=none,id=base,format=raw,readonly=on,file=" + state.Root(id), "-device", "virtio-blk-pci,drive=base,serial=base"}
	if _, err := os.Stat(state.Initrd(id)); err == nil {
		args = append(args, "-initrd", state.Initrd(id))
	}
	qemu := exec.CommandContext(ctx, "qemu-system-x86_64", args...)
	console, err := qemu.StdoutPipe()
	check(t, err)
	qemu.Stderr = qemu.Stdout
	start := time.Now()
	check(t, qemu.Start())
	var lines []string
	ok := false
	for s := bufio.NewScanner(console); s.Scan(); {
		lines = append(lines, s.Text())
		if strings.Contains(s.Text(), "bootinit: ok") {
			ok = true
			t.Logf("booted in %v", time.Since(start).Round(10*time.Millisecond))
		}
	}
	if err := qemu.Wait(); err != nil || !ok {
		t.Errorf("boot: %v; console:\n%s", err, strings.Join(lines, "\n"))
	}
}

func TestBaseIsMadeOnce(t *testing.T) {
	s, node := newStore(t)
	ids, said := make([]string, 4), make([]bytes.Buffer, 4)
	var all sync.WaitGroup
	for i := range ids {
		all.Go(func() {
			var err error
			if ids[i], err = s.Ensure(t.Context(), node, progress.NewReport(&said[i])); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	made := 0
	for i := range said {
		made += strings.Count(said[i].String(), "Preparing")
	}
	if made != 1 || len(slices.Compact(ids)) != 1 {
		t.Errorf("made %d times; ids %q", made, ids)
	}
	quiet := progress.NewReport(failingWriter{t})
	start := time.Now()
	if _, err := s.Ensure(t.Context(), node, quiet); err != nil {
		t.Error(err)
	}
	t.Logf("found again in %v", time.Since(start).Round(100*time.Microsecond))
	if left, err := os.ReadDir(s.cfg.State.Builds()); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// failingWriter is for a report that must stay silent.
type failingWriter struct{ t *testing.T }

func (w failingWriter) Write(p []byte) (int, error) {
	w.t.Errorf("unexpected progress: %q", p)
	return len(p), nil
}

func TestBaseFollowsItsIngredients(t *testing.T) {
	s, node := newStore(t)
	silent := progress.NewReport(io.Discard)
	first, err := s.Ensure(t.Context(), node, silent)
	check(t, err)
	base, err := Read(s.cfg.State, first)
	check(t, err)
	have := map[string]File{}
	for _, f := range base.Root {
		have[f.Path] = f
		if f.Origin == "" || strings.ContainsAny(f.Mode, "ug") && !strings.HasPrefix(f.Mode, "d") {
			t.Errorf("no origin, or setuid: %+v", f)
		}
	}
	for _, want := range []string{"/usr/bin/node", "/sbin/init", "/init", "/etc/ssl/certs/ca-certificates.crt", "/app", "/layers", "/etc/resolv.conf"} {
		if _, ok := have[want]; !ok {
			t.Errorf("the base has no %s", want)
		}
	}

	// Same size, same modification time: the content alone tells.
	program := filepath.Join(node.Dir, "bin/node")
	info, err := os.Stat(program)
	check(t, err)
	content, err := os.ReadFile(program)
	check(t, err)
	content[len(content)-1] ^= 1
	check(t, os.WriteFile(program, content, 0o755))
	check(t, os.Chtimes(program, info.ModTime(), info.ModTime()))
	second, err := s.Ensure(t.Context(), node, silent)
	check(t, err)
	if first == second {
		t.Error("another Node gave the same base")
	}
}

// TestAutoKernel: without a minimal kernel the stock one is taken, and the
// reason is told; nothing that is wrong with the minimal one stops a push.
func TestAutoKernel(t *testing.T) {
	s, _ := newStore(t)
	s.cfg.Kernel = AutoKernel
	source := filepath.Join(t.TempDir(), "linux.tar")
	check(t, os.WriteFile(source, []byte("another source"), 0o644))
	for name, tt := range map[string]struct {
		from kernel.Config
		why  string
	}{
		"no source":    {kernel.Config{Source: "/nonexistent", Cache: t.TempDir()}, "there is no /nonexistent; run scripts/setup kernel"},
		"not compiled": {kernel.Config{Source: source, Cache: t.TempDir()}, "not compiled yet; \"gitd base:build --kernel minimal\""},
		"no cache":     {kernel.Config{Source: source, Cache: "/proc/none"}, "not the minimal kernel: mkdir /proc/none"},
	} {
		t.Run(name, func(t *testing.T) {
			s.cfg.MinimalSource = tt.from
			k, err := s.chooseKernel(t.Context(), progress.NewReport(failingWriter{t}))
			check(t, err)
			if !strings.HasPrefix(k.name, "stock kernel ") || !strings.Contains(k.why, tt.why) {
				t.Errorf("got %s, because %q; want a stock kernel, because %q", k.name, k.why, tt.why)
			}
		})
	}
}

func TestBaseErrors(t *testing.T) {
	s, node := newStore(t)
	silent := progress.NewReport(io.Discard)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Ensure(cancelled, node, silent); err == nil {
		t.Error("a cancelled build made a base")
	}
	if bases, err := filepath.Glob(filepath.Join(s.cfg.State.Bases(), "[0-9a-f]*")); err != nil || len(bases) != 0 {
		t.Errorf("a cancelled build left %v (%v)", bases, err)
	}
	for _, id := range []string{"", "../../etc", "0123456789ABCDEF", strings.Repeat("0", 16)} {
		if _, err := Read(s.cfg.State, id); err == nil {
			t.Errorf("Read(%q) gave no error", id)
		}
	}
	s.cfg.StockKernel = t.TempDir()
	if _, err := s.Ensure(t.Context(), node, silent); err == nil || !strings.Contains(err.Error(), "run scripts/setup") {
		t.Errorf("missing kernel: %v", err)
	}
}

// TestBaseIsReproducible makes a base a second time, in another folder, from
// ingredients of another age, in another time zone: every byte is the same.
// The kernel's own second compile is TestKernelReproducible.
func TestBaseIsReproducible(t *testing.T) {
	onKernels(t, func(t *testing.T, s *Store, node Node) {
		silent := progress.NewReport(io.Discard)
		id, err := s.Ensure(t.Context(), node, silent)
		check(t, err)

		again := *s
		again.cfg.State = core.StateDir(filepath.Join(t.TempDir(), "a", "longer", "path"))
		check(t, again.cfg.State.Create())
		again.cfg.GuestInit = copyAged(t, s.cfg.GuestInit)
		other := Node{Version: node.Version, Dir: t.TempDir()}
		check(t, os.Mkdir(filepath.Join(other.Dir, "bin"), 0o700))
		check(t, os.Rename(copyAged(t, filepath.Join(node.Dir, "bin/node")), filepath.Join(other.Dir, "bin/node")))
		t.Setenv("TZ", "Pacific/Chatham")
		t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
		second, err := again.Ensure(t.Context(), other, silent)
		check(t, err)

		if id != second {
			t.Fatalf("base %s became %s", id, second)
		}
		want, got := folderContent(t, s.cfg.State.Base(id)), folderContent(t, again.cfg.State.Base(id))
		if len(want) < 3 || len(want) != len(got) {
			t.Errorf("%d files and %d", len(want), len(got))
		}
		for name, content := range want {
			if !bytes.Equal(content, got[name]) {
				t.Errorf("%s: %d bytes and %d other ones", name, len(content), len(got[name]))
			}
		}
	})
}

// copyAged copies a program, and makes the copy look ten years old.
func copyAged(t *testing.T, program string) string {
	t.Helper()
	content, err := os.ReadFile(program)
	check(t, err)
	name := filepath.Join(t.TempDir(), "aged")
	check(t, os.WriteFile(name, content, 0o755))
	then := time.Now().AddDate(-10, 0, 0)
	check(t, os.Chtimes(name, then, then))
	return name
}

func folderContent(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	check(t, err)
	files := map[string][]byte{}
	for _, e := range entries {
		files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name()))
		check(t, err)
	}
	return files
}
