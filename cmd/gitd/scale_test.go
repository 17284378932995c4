package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
)

// releasesEach is how many releases each app of the scale test has.
const releasesEach = 10

// TestScale compares a gitd that has 1,000 apps and 10,000 releases with one that has 10 apps and 100 releases: make
// measure RUN=TestScale. The figures depend on the machine. The test fails only if one of the two does not answer, or
// if the large one forgets anything.
func TestScale(t *testing.T) {
	onlyMeasured(t)
	program := scaledGitd(t)
	few, many := newScale(t, program, 10), newScale(t, program, 1000)
	t.Logf("\n| | 10 apps | 1,000 apps | ratio |\n|---|---|---|---|")
	for _, m := range []struct {
		name string
		n    int // how often each of the two is measured, in turn
		do   func(s *scale) time.Duration
	}{
		{"start, until ready", 5, (*scale).restart},
		{"`apps`", 9, func(s *scale) time.Duration { return s.command("apps", "--json") }},
		{"`releases APP`", 9, func(s *scale) time.Duration { return s.command("releases", s.app(s.apps/2), "--json") }},
		{"a request, median of 500", 5, (*scale).requests},
		{"a push without boot and health check", 5, (*scale).pushOne},
	} {
		var a, b []time.Duration
		for range m.n {
			a, b = append(a, m.do(few)), append(b, m.do(many))
		}
		ma, mb := median(a), median(b)
		t.Logf("\n| %s | %s | %s | %.2f |", m.name, spread(a), spread(b), float64(mb)/float64(ma))
	}
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// spread returns the median with the least and the most, as text.
func spread(d []time.Duration) string {
	m := median(d)
	digits := time.Duration(1)
	for digits*1000 < m {
		digits *= 10
	}
	return fmt.Sprintf("%s (%s–%s)", m.Round(digits), d[0].Round(digits), d[len(d)-1].Round(digits))
}

// scaledGitd builds a gitd that also finds the machines of libvirt's test driver.
func scaledGitd(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	wiring, err := os.ReadFile("daemon.go")
	if err != nil {
		t.Fatal(err)
	}
	const driver = "Driver: d.driver,"
	if n := strings.Count(string(wiring), driver); n != 1 {
		t.Fatalf("daemon.go has %q %d times", driver, n)
	}
	changed := filepath.Join(dir, "daemon.go")
	text := strings.Replace(string(wiring), driver, "Driver: scaledDriver(d.driver),", 1)
	if err := os.WriteFile(changed, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return overlaid(t, "gitd", "gitd-scale", map[string]string{
		"daemon.go": changed, "machines.go": filepath.Join("testdata", "scale", "machines.go"),
	})
}

// overlaid builds a program with files that replace its own or are added to them, and returns the path of the program.
func overlaid(t *testing.T, program, name string, files map[string]string) string {
	t.Helper()
	replace := map[string]string{}
	for in, with := range files {
		abs, err := filepath.Abs(filepath.Join("..", program, in))
		if err != nil {
			t.Fatal(err)
		}
		if replace[abs], err = filepath.Abs(with); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	overlay, out := filepath.Join(t.TempDir(), "overlay.json"), filepath.Join(bin, name)
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", overlay, "-o", out, "github.com/nodeos-dev/gitd/cmd/"+program)
	build.Env = os.Environ()
	if program == "nodeos-init" {
		build.Env = append(build.Env, "CGO_ENABLED=0")
	}
	if msg, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, msg)
	}
	return out
}

// scale is a gitd with many apps, one of which can be pushed to.
type scale struct {
	*rig
	apps   int
	client *http.Client
	pushes int
}

func newScale(t *testing.T, program string, apps int) *scale {
	t.Helper()
	r := newRig(t, program, "")
	r.serve()
	r.admit()
	r.repo("hello", filepath.Join("..", "..", "templates", "apps", "hello"))
	pushed(t, r, "hello")
	r.halt()
	s := &scale{rig: r, apps: apps, client: r.client(true)}
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }))
	t.Cleanup(app.Close)
	s.write(app.Listener.Addr().String())
	r.daemon = []string{"GITD_TEST_MACHINES=" + filepath.Join(r.state, "machines.xml")}
	r.serve()
	if n := strings.Count(r.gitd("apps", "--json"), `"url"`); n != apps+1 {
		t.Fatalf("%d apps, want %d", n, apps+1)
	}
	return s
}

func (s *scale) app(n int) string { return fmt.Sprintf("app-%04d", n) }

// write fills the ledger as gitd itself would have done, copies the repository of the app that was pushed to all
// others, and describes their machines.
func (s *scale) write(addr string) {
	ctx := s.t.Context()
	state := core.StateDir(s.state)
	l, err := ledger.Open(ctx, state.Ledger())
	s.check(err)
	defer func() { s.check(l.Close()) }()
	hello, err := l.Release(ctx, "hello", 1)
	s.check(err)
	var domains strings.Builder
	for n := range s.apps {
		m := s.writeApp(l, s.app(n), hello, addr)
		fmt.Fprintf(&domains, "<domain type='test'><name>%s</name><description>%s</description><memory>131072</memory><os><type>hvm</type></os></domain>\n", m.ID, addr)
		s.check(os.CopyFS(state.Repo(m.App), os.DirFS(state.Repo("hello"))))
	}
	s.check(os.WriteFile(filepath.Join(s.state, "machines.xml"), []byte("<node>\n"+domains.String()+"</node>\n"), 0o600))
}

func (s *scale) writeApp(l *ledger.Ledger, app string, like core.Release, addr string) core.Machine {
	ctx := s.t.Context()
	_, err := l.CreateApp(ctx, app)
	s.check(err)
	s.check(l.ChangeApp(ctx, app, func(a *core.App) error { a.Branch = "main"; return nil }))
	for v := 1; v <= releasesEach; v++ {
		r := like
		r.App, r.Version, r.State, r.Created = app, 0, core.Building, time.Now()
		r, err = l.AddRelease(ctx, r)
		s.check(err)
		for _, r.State = range []core.State{core.Built, core.Booting, core.Healthy} {
			s.check(l.SaveRelease(ctx, r))
		}
		r.Finished = time.Now()
		s.check(l.Promote(ctx, r))
		if v > 1 {
			old, err := l.Release(ctx, app, v-1)
			s.check(err)
			old.State = core.Retired
			s.check(l.SaveRelease(ctx, old))
		}
	}
	m := core.Machine{ID: fmt.Sprintf("%s-v%d-abcdef", app, releasesEach), App: app, Release: releasesEach, Addr: addr, Started: time.Now()}
	s.check(l.SaveMachine(ctx, m))
	return m
}

func (s *scale) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// restart kills gitd and returns how long the next one takes to be ready.
func (s *scale) restart() time.Duration {
	s.kill()
	start := time.Now()
	s.serve()
	return time.Since(start)
}

func (s *scale) command(args ...string) time.Duration {
	start := time.Now()
	s.gitd(args...)
	return time.Since(start)
}

// requests returns the median time of 500 requests to one app.
func (s *scale) requests() time.Duration {
	var all []time.Duration
	for range 500 {
		start := time.Now()
		status, body, err := s.get(s.client, s.app(s.apps/2), "/")
		s.check(err)
		if status != http.StatusOK {
			s.t.Fatalf("status %d: %s", status, body)
		}
		all = append(all, time.Since(start))
	}
	return median(all)
}

// pushOne pushes a change of code and returns how long that took, without the boot of the machine and the health check:
// they take the same in both and vary the most.
func (s *scale) pushOne() time.Duration {
	s.pushes++
	s.edit("hello", fmt.Sprint("change ", s.pushes), map[string]string{"change.txt": fmt.Sprint(s.pushes)})
	version, took := pushed(s.t, s.rig, "hello")
	var list []struct {
		Version int
		Steps   []core.Step
	}
	s.check(json.Unmarshal([]byte(s.gitd("releases", "hello", "--json")), &list))
	if list[0].Version != version {
		s.t.Fatalf("v%d is not the newest release", version)
	}
	for _, step := range list[0].Steps {
		if step.Name == "boot" || step.Name == "health" {
			took -= step.Took
		}
	}
	return took
}
