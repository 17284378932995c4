package libvirt

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/fleet/drivertest"
	"github.com/nodeos-dev/gitd/templates"
)

// variant is a way to boot the same app.
type variant struct {
	name string
	tune func(*domain)
	root string // in place of the base's own; empty: that
}

// variants are what BenchmarkBoot compares; the first is what gitd does.
func variants() []variant {
	without := func(arg string) func(*domain) {
		return func(d *domain) { d.CommandLine = strings.ReplaceAll(d.CommandLine, arg, "") }
	}
	with := func(arg string) func(*domain) { return func(d *domain) { d.CommandLine += " " + arg } }
	all := []variant{
		{name: "as it is", tune: func(*domain) {}},
		{name: "mitigations=off", tune: with("mitigations=off")},
		{name: "libvirt asks", tune: func(d *domain) { d.Forgotten = nil }},
		{name: "SeaBIOS", tune: func(d *domain) { d.Firmware = "" }},
		{name: "with lapic timer", tune: without("nolapic_timer")},
		{name: "console=hvc0", tune: func(d *domain) { d.CommandLine = strings.ReplaceAll(d.CommandLine, "console=ttyS0", "") }},
	}
	if root := os.Getenv("GITD_BENCH_OTHER_ROOT"); root != "" {
		all = append(all, variant{name: "other root", tune: func(*domain) {}, root: root})
	}
	for _, mib := range []int{48, 56, 64, 80, 96, 192} {
		all = append(all, variant{name: fmt.Sprint(mib, " MiB"), tune: func(d *domain) { d.MemoryMiB = mib }})
	}
	return all
}

// figures are what is measured of one boot.
type figures struct {
	times  core.BootTimes
	first  time.Duration // from the call of Boot to the first answer
	rate   float64       // answers a second, after a warm-up
	stats  core.Stats
	qemuMB int
}

// BenchmarkBoot boots an app on Node in the variants that GITD_BENCH_VARIANTS
// names (separated by ','; all if it is empty), by turns, -benchtime Nx times
// each, and logs the medians of their phases. GITD_BENCH_BASE is a base's
// folder (STATE/bases/ID), GITD_BENCH_OTHER_ROOT a root to compare with its
// own, GITD_BENCH_APP and GITD_BENCH_DEPS the files of an
// app's layers; without them it is the starter app hello.
func BenchmarkBoot(b *testing.B) {
	base := os.Getenv("GITD_BENCH_BASE")
	if base == "" {
		b.Skip("GITD_BENCH_BASE is not set")
	}
	var chosen []variant
	names := strings.Split(os.Getenv("GITD_BENCH_VARIANTS"), ",")
	for _, v := range variants() {
		if names[0] == "" || slices.Contains(names, v.name) {
			chosen = append(chosen, v)
		}
	}
	d := openBenchDriver(b)
	spec := benchSpec(b, base)
	all := make([][]figures, len(chosen))
	failed := make([]int, len(chosen))
	for n := range b.N {
		for i, v := range chosen {
			spec.ID = fmt.Sprintf("bench-%d-%d", n, i)
			d.tune = v.tune
			spec.Disks[0].Path = cmp.Or(v.root, filepath.Join(base, "root.erofs"))
			if f, err := measure(b, d, spec); err != nil {
				failed[i]++
				b.Logf("%s: %v", v.name, err)
			} else {
				all[i] = append(all[i], f)
			}
		}
	}
	for i, v := range chosen {
		b.Logf("%-18s %s; failed %d", v.name, summary(all[i]), failed[i])
	}
}

func openBenchDriver(b *testing.B) *Driver {
	b.Helper()
	d, err := New(b.Context(), Config{State: state, Machine: program, Log: zerolog.Nop()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := d.Close(); err != nil {
			b.Error(err)
		}
	})
	return d
}

func benchSpec(b *testing.B, base string) core.MachineSpec {
	b.Helper()
	app := os.Getenv("GITD_BENCH_APP")
	if app == "" {
		app = packHello(b)
	}
	s := core.MachineSpec{
		App: "bench", Release: 1, Kernel: filepath.Join(base, "kernel"), Hostname: "bench", Port: 8080,
		Args: []string{"node", "server.js"}, Env: map[string]string{"PATH": "/usr/bin", "PORT": "8080", "NODE_ENV": "production"},
		Disks: []core.Disk{{Serial: "base", Path: filepath.Join(base, "root.erofs")}, {Serial: "app", Path: app}},
		Share: core.Share{Resources: core.Resources{MemoryMiB: 128, CPUs: 1}},
	}
	if exists(filepath.Join(base, "initrd")) {
		// The initrd is a new one, with the init of this tree.
		dir := b.TempDir()
		openToQEMU(b, dir)
		s.Initrd = filepath.Join(dir, "initrd")
		writeInitrd(b, s.Initrd, goBuild(b, dir, "init", "github.com/nodeos-dev/gitd/cmd/nodeos-init"))
	}
	if deps := os.Getenv("GITD_BENCH_DEPS"); deps != "" {
		s.Disks = append(s.Disks, core.Disk{Serial: "deps", Path: deps})
	}
	return s
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func packHello(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	hello, err := fs.Sub(templates.FS, "apps/hello")
	if err != nil {
		b.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(dir, "app"), hello); err != nil {
		b.Fatal(err)
	}
	openToQEMU(b, dir)
	pack(b, filepath.Join(dir, "app.erofs"), 1000, filepath.Join(dir, "app"))
	return filepath.Join(dir, "app.erofs")
}

func measure(b *testing.B, d *Driver, spec core.MachineSpec) (f figures, err error) {
	b.Helper()
	events := make(chan core.Event, 1000)
	began := time.Now()
	m, err := d.Boot(b.Context(), spec, func(e core.Event) { events <- e })
	if err != nil {
		return f, err
	}
	defer func() {
		if err := d.Stop(b.Context(), spec.ID, 0); err != nil {
			b.Error(err)
		}
	}()
	for listening := false; !listening; {
		select {
		case e := <-events:
			if e.Kind == core.EventGone || e.Kind == core.EventExited {
				return f, fmt.Errorf("%s: %s", e.Kind, e.Detail)
			}
			if e.Boot != nil {
				f.times = *e.Boot
			}
			listening = e.Kind == core.EventListening
		case <-time.After(guestLimit):
			return f, fmt.Errorf("it does not listen within %s", guestLimit)
		}
	}
	if err := ask(m); err != nil {
		return f, err
	}
	f.first = time.Since(began)
	load(m, time.Second) // until V8 has compiled what is hot
	f.rate = load(m, 3*time.Second)
	f.qemuMB = qemuRSS(b, spec.ID)
	for f.stats.MemoryTotal == 0 {
		select {
		case e := <-events:
			if e.Stats != nil {
				f.stats = *e.Stats
			}
			if e.Kind == core.EventExited {
				return f, fmt.Errorf("%s: %s", e.Kind, e.Detail)
			}
		case <-time.After(guestLimit):
			return f, fmt.Errorf("no stats within %s", guestLimit)
		}
	}
	return f, nil
}

func ask(m core.Machine) error {
	res, err := (&http.Client{Transport: drivertest.Transport(m)}).Get("http://machine/")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s, %w", res.Status, err)
	}
	return nil
}

// load asks from two connections for a while, and returns answers a second.
func load(m core.Machine, long time.Duration) float64 {
	var answers atomic.Int64
	var both sync.WaitGroup
	end := time.Now().Add(long)
	for range 2 {
		both.Go(func() {
			for time.Now().Before(end) && ask(m) == nil {
				answers.Add(1)
			}
		})
	}
	both.Wait()
	return float64(answers.Load()) / long.Seconds()
}

// qemuRSS returns the resident memory of a machine's QEMU, in MB.
func qemuRSS(b *testing.B, id string) int {
	b.Helper()
	pid, err := qemuPID(state, id)
	if err != nil {
		b.Fatal(err)
	}
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		b.Fatal(err)
	}
	pages, err := strconv.Atoi(strings.Fields(string(statm))[1])
	if err != nil {
		b.Fatal(err)
	}
	return pages * os.Getpagesize() / 1e6
}

// summary returns the medians, and the range of the time to the first answer.
func summary(all []figures) string {
	if len(all) == 0 {
		return "no boot succeeded"
	}
	slices.SortFunc(all, func(a, b figures) int { return int(a.first - b.first) })
	median := func(of func(figures) float64) float64 {
		var v []float64
		for _, f := range all {
			v = append(v, of(f))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	phase := func(of func(core.BootTimes) time.Duration) time.Duration {
		return time.Duration(median(func(f figures) float64 { return float64(of(f.times)) }))
	}
	t := core.BootTimes{
		Host:     phase(func(t core.BootTimes) time.Duration { return t.Host }),
		Firmware: phase(func(t core.BootTimes) time.Duration { return t.Firmware }),
		Kernel:   phase(func(t core.BootTimes) time.Duration { return t.Kernel }),
		Init:     phase(func(t core.BootTimes) time.Duration { return t.Init }),
		Node:     phase(func(t core.BootTimes) time.Duration { return t.Node }),
		App:      phase(func(t core.BootTimes) time.Duration { return t.App }),
	}
	mib := func(of func(core.Stats) int64) float64 {
		return median(func(f figures) float64 { return float64(of(f.stats)) / (1 << 20) })
	}
	return fmt.Sprintf("first answer %.2f s (%.2f–%.2f); %s; %.0f answers/s; guest %.1f of %.1f MiB, app %.1f, init %.1f; QEMU %.0f MB",
		median(func(f figures) float64 { return f.first.Seconds() }), all[0].first.Seconds(), all[len(all)-1].first.Seconds(), t,
		median(func(f figures) float64 { return f.rate }),
		mib(func(s core.Stats) int64 { return s.MemoryUsed }), mib(func(s core.Stats) int64 { return s.MemoryTotal }),
		mib(func(s core.Stats) int64 { return s.AppRSS }), mib(func(s core.Stats) int64 { return s.InitRSS }),
		median(func(f figures) float64 { return float64(f.qemuMB) }))
}

// qemuPID returns the id of the QEMU process of a machine of the embedded driver.
func qemuPID(state core.StateDir, id string) (int, error) {
	text, err := os.ReadFile(filepath.Join(state.Libvirt(), "run/qemu", id+".pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
