package libvirt

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
	"github.com/nodeos-dev/gitd/internal/libvirt/throttle"
)

// TestCrashes: the host is told of each way in which an app fails, and the app serves again in the same machine. How
// long that takes is logged.
func TestCrashes(t *testing.T) {
	if testing.Short() {
		t.Skip("boots virtual machines")
	}
	img, d := newImage(t), openDriver(t)
	defer func() { closeDriver(t, d) }()
	for _, tt := range []struct {
		name, path, want string
	}{
		{"ends with 0", "/exit?code=0", "exit code 0: it ended by itself"},
		{"ends with 1", "/exit?code=1", "exit code 1"},
		{"ended by a signal", "/signal?number=11", "ended by SIGSEGV"},
		{"aborts", "/signal?number=6", "ended by SIGABRT: it aborted"},
		{"out of memory", "/eat", "ended by SIGKILL: the machine ran out of memory; it had "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := boot(t, d, img.spec("crash-"+strings.ReplaceAll(tt.name, " ", "-")))
			p.kind(core.EventListening, 1)
			began := time.Now()
			p.end(tt.path)
			e := p.kind(core.EventExited, 1)
			if !strings.Contains(e.Detail, tt.want) {
				t.Errorf("the host hears %q, want %q", e.Detail, tt.want)
			}
			ended := time.Now()
			p.kind(core.EventListening, 2)
			if got := p.get("/", ""); !strings.Contains(got, "hello") {
				t.Errorf("it answers %q", got)
			}
			t.Logf("the host hears %q after %s; served again %s after the end", e.Detail,
				ended.Sub(began).Round(time.Millisecond), time.Since(ended).Round(time.Millisecond))
			if err := d.Stop(t.Context(), p.m.ID, 0); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestForkBomb: the end of the app is reported, and the app serves again. If the machine has no time for that, its
// silence is reported, and the core replaces it. In both cases it can be stopped.
func TestForkBomb(t *testing.T) {
	if os.Getenv("LIMITS") == "" {
		t.Skip("a bomb leaves the host silent for a minute: make test-limits runs it")
	}
	img, d := newImage(t), openDriver(t)
	defer func() { closeDriver(t, d) }()
	p := boot(t, d, img.spec("bomb"))
	p.kind(core.EventListening, 1)
	began := time.Now()
	go p.end("/bomb")
	e := p.await("end or silence", 1, func(e core.Event) bool { return e.Kind == core.EventExited || e.Kind == core.EventHung })
	t.Logf("the host hears %s %q after %s", e.Kind, e.Detail, time.Since(began).Round(time.Millisecond))
	if e.Kind == core.EventExited {
		then := p.await("service or silence", 1, func(e core.Event) bool {
			return e.Kind == core.EventListening && e.Time.After(began) || e.Kind == core.EventHung
		})
		t.Logf("then %s, %s after the bomb", then.Kind, time.Since(began).Round(time.Millisecond))
	}
	if err := d.Stop(t.Context(), p.m.ID, 0); err != nil {
		t.Fatal(err)
	}
	p.kind(core.EventGone, 1)
}

// TestEndlessOutput: an app that writes without end goes on answering, its
// newest lines arrive, and those that were lost are counted.
func TestEndlessOutput(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine")
	}
	img, d := newImage(t), openDriver(t)
	defer func() { closeDriver(t, d) }()
	p := boot(t, d, img.spec("endless"))
	p.kind(core.EventListening, 1)
	p.get("/endless", "")
	p.line("init", "lines of output were lost")
	began := time.Now()
	if got := p.get("/", ""); !strings.Contains(got, "hello") {
		t.Errorf("it answers %q", got)
	}
	t.Logf("an answer meanwhile took %s", time.Since(began).Round(time.Millisecond))
	if e := p.await("stats", 1, func(e core.Event) bool { return e.Kind == core.EventStats && e.Stats.Dropped > 0 }); e.Stats.AppRSS <= 0 {
		t.Errorf("stats %+v", e.Stats)
	}
}

// TestIgnoresSIGTERM: an app that ignores SIGTERM is killed when its grace is over.
func TestIgnoresSIGTERM(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine")
	}
	img, d := newImage(t), openDriver(t)
	defer func() { closeDriver(t, d) }()
	spec := img.spec("deaf")
	spec.Env["DEAF"] = "1"
	p := boot(t, d, spec)
	p.kind(core.EventListening, 1)
	began := time.Now()
	if err := d.Stop(t.Context(), p.m.ID, time.Second); err != nil {
		t.Fatal(err)
	}
	t.Logf("gone %s after the stop with a grace of 1s", time.Since(began).Round(time.Millisecond))
	if e := p.kind(core.EventExited, 1); !strings.Contains(e.Detail, "stopped on request, by SIGKILL") {
		t.Errorf("exited: %q", e.Detail)
	}
	p.kind(core.EventGone, 1)
}

// evil returns i with an attacker's program as its first process.
func (i image) evil(t *testing.T, mode string) image {
	t.Helper()
	dir := t.TempDir()
	openToQEMU(t, dir)
	i.initrd = filepath.Join(dir, "initrd")
	writeInitrd(t, i.initrd, goBuild(t, dir, "evil", "./testdata/evil", "-ldflags=-s -w -X main.mode="+mode))
	return i
}

// TestKernelPanic: a panic ends the machine, and the host knows why.
func TestKernelPanic(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine")
	}
	img, d := newImage(t).evil(t, "panic"), openDriver(t)
	defer func() { closeDriver(t, d) }()
	p := boot(t, d, img.spec("panic"))
	began := p.kind(core.EventBooted, 1).Time
	e := p.kind(core.EventGone, 1)
	t.Logf("the host hears %q after %s; another machine follows", e.Detail, time.Since(began).Round(time.Millisecond))
	if !strings.Contains(e.Detail, "the guest's kernel panicked: sysrq triggered crash") {
		t.Errorf("gone: %q", e.Detail)
	}
}

// TestFlood: a machine that is in an attacker's hands writes to the channel without end. The host's memory does not
// grow, its processor is not kept busy, and the machine can be stopped.
func TestFlood(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine")
	}
	img, d := newImage(t).evil(t, "flood"), openDriver(t)
	defer func() { closeDriver(t, d) }()
	lines := make(chan struct{}, 1<<20)
	// This is not a probe, because a probe keeps all events.
	m, err := d.Boot(t.Context(), img.spec("flood"), func(e core.Event) {
		if e.Line == "flood" {
			lines <- struct{}{}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for range throttle.Burst / 1000 { // until the burst is over
		select {
		case <-lines:
		case <-time.After(guestLimit):
			t.Fatal("no flood")
		}
	}
	heap, cpu, began, before := heapBytes(), cpuTime(t), time.Now(), len(lines)
	time.Sleep(10 * time.Second) // the length of the measurement, not a wait for something
	took, used, more := time.Since(began), cpuTime(t)-cpu, int64(heapBytes())-int64(heap)
	t.Logf("in %s: %d lines told, %s of processor time, heap %+d KiB", took.Round(time.Millisecond), len(lines)-before, used, more>>10)
	if more > 16<<20 {
		t.Errorf("the heap grew by %d bytes", more)
	}
	if used > took/2 {
		t.Errorf("it costs the host %s of processor time in %s", used, took)
	}
	if err := d.Stop(t.Context(), m.ID, 0); err != nil {
		t.Fatal(err)
	}
}

func heapBytes() uint64 {
	var s runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&s)
	return s.HeapInuse
}

func cpuTime(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// TestHungMachine: a machine that says nothing any more is reported, and can be stopped. The clock of a machine that
// was only paused is set when the machine goes on.
func TestHungMachine(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a virtual machine")
	}
	img, d := newImage(t), openDriver(t)
	defer func() { closeDriver(t, d) }()
	p := boot(t, d, img.spec("hung"))
	p.kind(core.EventListening, 1)
	m := d.watched(p.m.ID)
	t.Run("Paused", func(t *testing.T) { pausedMachine(t, d, p, m) })
	signalQEMU(t, p.m.ID, syscall.SIGSTOP)
	m.pulse.Start(2*guest.BeatPeriod, m.hung)
	if e := p.kind(core.EventHung, 1); e.Detail != "the guest has said nothing for 10s" {
		t.Errorf("hung: %q", e.Detail)
	}
	if err := d.Stop(t.Context(), p.m.ID, 0); err != nil {
		t.Fatal(err)
	}
	p.kind(core.EventGone, 1)
}

func pausedMachine(t *testing.T, d *Driver, p *probe, m *machine) {
	if err := d.Pause(t.Context(), p.m.ID); err != nil {
		t.Fatal(err)
	}
	if m.paused() != true {
		t.Error("it is not known as paused")
	}
	const pause = 5 * time.Second
	time.Sleep(pause) // the length of the pause, not a wait for something
	if err := d.Resume(t.Context(), p.m.ID); err != nil {
		t.Fatal(err)
	}
	p.kind(core.EventBooted, 2)
	p.kind(core.EventListening, 2)
	p.line("init", "the clock was off by ")
	before := time.Now()
	nano, err := strconv.ParseInt(strings.TrimSpace(p.get("/time", "")), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if off := time.Unix(0, nano).Sub(before); off < -time.Second || off > time.Since(before)+time.Second {
		t.Errorf("after a pause of %s the guest's clock is off by %s", pause, off)
	}
}

func signalQEMU(t *testing.T, id string, sig syscall.Signal) {
	t.Helper()
	qemu, _ := processesOf(t, id)
	if err := syscall.Kill(qemu, sig); err != nil {
		t.Fatal(err)
	}
}
