package libvirt

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nodeos-dev/gitd/internal/base/kernel"
	"github.com/nodeos-dev/gitd/internal/core"
)

// onKernels runs test on the stock kernel, and on the minimal one if it is compiled, as make test has it. A guest must
// behave the same on both.
func onKernels(t *testing.T, test func(t *testing.T, img image)) {
	if testing.Short() {
		t.Skip("boots a virtual machine")
	}
	img := newImage(t)
	t.Run("stock", func(t *testing.T) { test(t, img) })
	t.Run("minimal", func(t *testing.T) {
		minimal, err := kernel.Config{}.Find()
		if err != nil {
			t.Skipf("%v: make base compiles it", err)
		}
		b, err := os.ReadFile(minimal.Image())
		if err != nil {
			t.Fatal(err)
		}
		// This is a copy that QEMU's user can reach.
		img := img
		img.kernel, img.initrd = filepath.Join(filepath.Dir(img.root), "vmlinux"), ""
		if err := os.WriteFile(img.kernel, b, 0o644); err != nil {
			t.Fatal(err)
		}
		test(t, img)
	})
}

// TestSurface tries from inside a machine what an attacker who has taken over
// the app would try.
func TestSurface(t *testing.T) {
	onKernels(t, func(t *testing.T, img image) {
		d := openDriver(t)
		defer func() { closeDriver(t, d) }()
		p := boot(t, d, img.spec("surface-"+filepath.Base(t.Name())))
		p.kind(core.EventListening, 1)
		for name, look := range map[string]func(*testing.T, *probe){
			"Attempts": attempts, "Devices": devices, "Mounts": mounts, "Settings": settings,
			"Processes": processes, "Init": smallInit, "Network": networkStays,
		} {
			t.Run(name, func(t *testing.T) { look(t, p) })
		}
		if p.has(core.EventExited) || p.has(core.EventGone) {
			t.Errorf("the machine did not survive: %+v", p.events)
		}
	})
}

// denied matches the errors with which a kernel says no. "Invalid argument" is not one of them: it says that the
// attempt was made wrongly.
var denied = regexp.MustCompile(`operation not permitted|permission denied|no such (file or directory|process|device)|` +
	`not supported by protocol|function not implemented|read-only file system`)

// attempts: none of what the app tries succeeds, and each attempt fails because the kernel denies it.
func attempts(t *testing.T, p *probe) {
	lines := strings.Split(strings.TrimSpace(p.get("/try", "")), "\n")
	if len(lines) < 50 {
		t.Errorf("%d attempts only: %q", len(lines), lines)
	}
	for _, l := range lines {
		if what, result, _ := strings.Cut(l, ": "); !denied.MatchString(result) {
			t.Errorf("%s: %s", what, result)
		}
	}
}

// devices: /dev holds only what every program may expect, and there is no sysfs.
func devices(t *testing.T, p *probe) {
	got := strings.Fields(p.get("/list", "dir=/dev"))
	if want := strings.Fields("fd full null ptmx pts random shm stderr stdin stdout urandom zero"); !slices.Equal(got, want) {
		t.Errorf("/dev holds %q, want %q", got, want)
	}
	if got := p.get("/list", "dir=/sys"); got != "" {
		t.Errorf("/sys holds %q", got)
	}
	if got := p.get("/list", "dir=/layers"); !strings.Contains(got, "permission denied") {
		t.Errorf("/layers can be read: %q", got)
	}
}

// mounts: the root cannot be written. No other mount but /dev and its terminals has devices, and none has set-user-ID
// programs. What the app can write holds no programs, except /app, where the native modules of the app's own packages
// are.
func mounts(t *testing.T, p *probe) {
	writableProgram := []string{"/app"}
	for l := range strings.Lines(p.file("/proc/self/mounts")) {
		f := strings.Fields(l)
		at, options := f[1], strings.Split(f[3], ",")
		readOnly := slices.Contains(options, "ro")
		for _, want := range []struct {
			option string
			except bool
		}{
			{"ro", at != "/" && at != "/dev" && at != "/proc/sys"},
			{"nosuid", at == "/"}, // which has no such file, and no_new_privs is set
			{"nodev", at == "/" || at == "/dev" || at == "/dev/pts"},
			{"noexec", readOnly || slices.Contains(writableProgram, at) || strings.HasPrefix(at, "/layers")},
		} {
			if !want.except && !slices.Contains(options, want.option) {
				t.Errorf("%s is not %s: %s", at, want.option, l)
			}
		}
	}
}

// settings: these settings of the kernel have their safe values, or do not exist.
func settings(t *testing.T, p *probe) {
	for name, want := range map[string]string{
		"kernel/kptr_restrict": "2", "kernel/dmesg_restrict": "1", "kernel/unprivileged_bpf_disabled": "1", "kernel/modules_disabled": "1",
		"kernel/sysrq": "0", "user/max_user_namespaces": "0", "vm/unprivileged_userfaultfd": "0",
	} {
		got := strings.TrimSpace(p.file("/proc/sys/" + name))
		if got != want && !strings.Contains(got, "no such file") && !strings.Contains(got, "permission denied") {
			t.Errorf("%s is %q, want %s", name, got, want)
		}
	}
	if symbols := p.file("/proc/kallsyms"); regexp.MustCompile(`(?m)^0*[1-9a-f][0-9a-f]* `).MatchString(symbols) {
		t.Errorf("the kernel's addresses can be read: %.200s", symbols)
	}
}

// processes: the app sees its own process only, and init counts no other.
func processes(t *testing.T, p *probe) {
	var ids []string
	for name := range strings.FieldsSeq(p.get("/list", "dir=/proc")) {
		if strings.Trim(name, "0123456789") == "" {
			ids = append(ids, name)
		}
	}
	if len(ids) != 1 || ids[0] == "1" {
		t.Errorf("the app sees the processes %q", ids)
	}
	if s := p.kind(core.EventStats, 1).Stats; s.Processes != 1 {
		t.Errorf("init counts %d processes of the app", s.Processes)
	}
}

// smallInit: the machine's first process takes little memory.
func smallInit(t *testing.T, p *probe) {
	s := p.kind(core.EventStats, 2).Stats
	t.Logf("init: %d KiB resident; app: %d KiB; machine: %d of %d KiB used", s.InitRSS>>10, s.AppRSS>>10, s.MemoryUsed>>10, s.MemoryTotal>>10)
	if s.InitRSS <= 0 || s.InitRSS >= 8<<20 {
		t.Errorf("init has %d bytes resident, and 8 MiB are too many", s.InitRSS)
	}
}

// networkStays: after all attempts the machine has the address it was given.
func networkStays(t *testing.T, p *probe) {
	if got := p.file("/proc/net/fib_trie"); !strings.Contains(got, "10.0.2.15") {
		t.Errorf("the address is gone: %q", got)
	}
	hostIsClosed(t, p)
}
