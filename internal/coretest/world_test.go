package coretest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/applog"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/core/offer"
	"github.com/nodeos-dev/gitd/internal/core/rules"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/engine"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/image"
	"github.com/nodeos-dev/gitd/internal/label"
	"github.com/nodeos-dev/gitd/internal/ledger"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/schedule"
	"github.com/nodeos-dev/gitd/internal/volume"
)

const none = "0000000000000000000000000000000000000000"

// commit makes an object name from a digit.
func commit(n int) string { return fmt.Sprintf("%040d", n) }

// world is an Engine with the real ledger and with trades whose behaviour a test chooses. Machines are HTTP servers on
// loopback.
type world struct {
	t      *testing.T
	state  core.StateDir
	ledger *ledger.Ledger
	builds applog.Builds
	driver *fakeDriver
	router *fakeRouter
	build  func(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error)
	mu     sync.Mutex
	points map[string]string // branch → commit, as the repository has it
	tags   map[string]string // full name → object, as the repository has it
	noMove error             // why no branch can move
	keep   int               // images of an app
	damage error             // what Verify says
	swept  chan struct{}     // gets a token when a collection has looked at the layers
	core   *engine.Engine
	limit  int // how many builds run side by side; 0: the default
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, state: core.StateDir(memoryDir(t)), points: map[string]string{}, tags: map[string]string{}}
	if err := w.state.Create(); err != nil {
		t.Fatal(err)
	}
	w.builds = applog.OpenBuilds(w.state.BuildLog)
	w.driver = &fakeDriver{machines: map[string]*fakeMachine{}, app: healthy}
	w.driver.task = w.driver.runs
	w.build, w.keep, w.swept = w.goodBuild, 5, make(chan struct{}, 1000)
	w.open()
	return w
}

// memoryDir returns a folder in memory, if the host has one: these tests write hundreds of transactions, and none of
// them is about what a disk keeps.
func memoryDir(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "gitd-test")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// open starts gitd: a new core on what is on disk and what runs.
func (w *world) open() {
	w.t.Helper()
	w.openWith(func(*engine.Config) {})
}

// openWith does what open does, after a test has changed the core's configuration.
func (w *world) openWith(change func(c *engine.Config)) {
	w.t.Helper()
	l, err := ledger.Open(w.t.Context(), w.state.Ledger())
	if err != nil {
		w.t.Fatal(err)
	}
	w.ledger, w.router = l, &fakeRouter{onSwitch: func() {}, to: map[string]string{}, all: map[string][]string{}, down: map[string]string{}, knocks: map[string]func(){}, names: map[string][]string{}, rules: map[string]rules.Set{}}
	cfg := engine.Config{
		State: w.state, Ledger: l, Volumes: volume.Open(w.state),
		Labels:  label.New(w.state, l, slog.New(slog.DiscardHandler)),
		Builder: w, Images: w, Contents: w, Keep: w.keep, Driver: w.driver,
		Router: w.router, Ports: noPorts{}, Repos: w, Output: discard{}, BuildLogs: w.builds, Access: discard{},
		Hash:     func(password string) (string, error) { return "hash of " + password, nil },
		Log:      slog.New(slog.DiscardHandler),
		Domain:   "localhost",
		URL:      func(app string) string { return "http://" + app + ".localhost/" },
		Defaults: core.Resources{MemoryMiB: 128, CPUs: 1},
		Limits:   fleet.Limits{Boot: 5 * time.Second, Steady: 20 * time.Millisecond, Drain: time.Second, Hold: 3 * time.Second, Grace: time.Second},
		OneOff:   engine.OneOff{Run: time.Minute, Release: 2 * time.Second, Follow: follow, Next: schedule.Next},
		Builds:   w.limit,
	}
	change(&cfg)
	w.core = engine.New(cfg)
	if err := w.core.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(w.close)
}

func (w *world) close() {
	w.core.Close()
	w.ledger.Close()
}

// noPorts opens no port of the host.
type noPorts struct{}

func (noPorts) Reserve(offer.HostPort) error { return nil }
func (noPorts) Reload(string)                {}

// push pushes a commit to main and returns the reject reason and the output.
func (w *world) push(old, commit string) (reject, out string) {
	w.t.Helper()
	return w.pushRef(core.Command{Ref: "refs/heads/main", Old: old, New: commit})
}

func (w *world) pushRef(c core.Command) (reject, out string) {
	w.t.Helper()
	p := w.begin("shop", c)
	return p.end()
}

// pushed is a push under way. What it has printed so far can be read at any time.
type pushed struct {
	w       *world
	out     syncBuffer
	done    chan struct{}
	outcome deploy.Outcome
}

// begin makes app and starts a push to it.
func (w *world) begin(app string, c core.Command) *pushed {
	w.t.Helper()
	if _, err := w.ledger.CreateApp(w.t.Context(), app); err != nil {
		w.t.Fatal(err)
	}
	p := &pushed{w: w, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		p.outcome = w.core.Receive(core.Push{
			App: app, By: core.Actor{Name: "ada", Key: "SHA256:ada"}, Started: time.Now(), Commands: []core.Command{c},
		}, &p.out)
		p.outcome.Settle()
	}()
	return p
}

// beginMain starts a push of a commit to shop's main.
func (w *world) beginMain(old, commit string) *pushed {
	return w.begin("shop", core.Command{Ref: "refs/heads/main", Old: old, New: commit})
}

func (p *pushed) end() (reject, out string) {
	p.w.t.Helper()
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		p.w.t.Fatalf("the push does not end:\n%s", p.out.String())
	}
	if len(p.outcome.Verdicts) != 1 {
		p.w.t.Fatalf("verdicts %+v", p.outcome.Verdicts)
	}
	return p.outcome.Verdicts[0].Reject, p.out.String() + p.outcome.Summary
}

// says waits until the push has printed text.
func (p *pushed) says(text string) {
	p.w.t.Helper()
	p.w.eventually("the push says "+text, func() bool { return strings.Contains(p.out.String(), text) })
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (w *world) live() (version int, answer string) {
	w.t.Helper()
	app, err := w.ledger.App(w.t.Context(), "shop")
	if err != nil {
		w.t.Fatal(err)
	}
	return app.Live, w.router.get(w.t, "shop")
}

func (w *world) Build(ctx context.Context, src image.Source, r *progress.Report) (core.Manifest, error) {
	return w.build(ctx, src, r)
}

// goodBuild makes the files of an image, so that the image counts as kept.
func (w *world) goodBuild(_ context.Context, src image.Source, _ *progress.Report) (core.Manifest, error) {
	src.Hold.Take("b1", src.Commit)
	m := core.Manifest{Base: "b1", App: core.Layer{Digest: src.Commit}, Start: []string{"/usr/bin/node", "$WHICH"}, Env: map[string]string{"WHICH": "server.js"}}
	for _, p := range []string{w.state.Kernel("b1"), w.state.Root("b1"), w.state.Layer(src.Commit)} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o700), os.WriteFile(p, nil, 0o600)); err != nil {
			return m, err
		}
	}
	return m, nil
}

// Sweep removes layers only.
func (w *world) Sweep(_ context.Context, sweep *image.Sweep) (freed int64, err error) {
	files, err := os.ReadDir(w.state.Layers())
	for _, f := range files {
		digest := strings.TrimSuffix(f.Name(), ".erofs")
		if _, dropErr := sweep.Drop(digest, func() error { return os.Remove(w.state.Layer(digest)) }); dropErr != nil {
			err = dropErr
		}
	}
	w.swept <- struct{}{}
	return 0, err
}

func (w *world) Verify(context.Context, core.Manifest) error { return w.damage }

func (w *world) Tidy(context.Context, string, []string) error { return nil }

func (w *world) Commit(_ context.Context, _ core.Push, object string) (core.Commit, error) {
	return core.Commit{ID: object, Subject: "a commit"}, nil
}

func (w *world) Point(_ context.Context, _, branch, commit string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.points[branch] = commit
	return nil
}

func (w *world) Tags(context.Context, string) (map[string]string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.tags), nil
}

func (w *world) Prepare(_ context.Context, _ string, c core.RefChange) (core.RefMove, error) {
	return fakeMove{w, c}, w.noMove
}

type fakeMove struct {
	w *world
	core.RefChange
}

func (m fakeMove) Commit() error {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if m.Branch != "" {
		m.w.points[m.Branch] = m.RefChange.Commit
	}
	for _, c := range m.Tags {
		m.w.tags[c.Ref] = c.New
		if core.Zero(c.New) {
			delete(m.w.tags, c.Ref)
		}
	}
	return nil
}

func (fakeMove) Abort() {}

func (w *world) Remove(context.Context, string) error { return nil }

func (w *world) Rename(context.Context, string, string) error { return nil }

type discard struct{}

func (discard) Append(string, core.Line)                     {}
func (discard) Remove(context.Context, string) error         { return nil }
func (discard) Rename(context.Context, string, string) error { return nil }

// fakeRouter keeps in maps where requests would go.
type fakeRouter struct {
	mu       sync.Mutex
	to, down map[string]string
	all      map[string][]string // each machine that gets requests
	names    map[string][]string
	rules    map[string]rules.Set
	held     []string
	knocks   map[string]func()
	onSwitch func()                // runs before each Switch
	drain    func(context.Context) // waits for the requests of a replaced machine; nil: there are none
}

// Hold has no requests to keep. It notes for which apps it was called.
func (r *fakeRouter) Hold(app string, _ time.Duration, knock func()) func(context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.to, app)
	delete(r.down, app)
	r.knocks[app] = knock
	r.held = append(r.held, app)
	return func(context.Context) {}
}

func (r *fakeRouter) target(app string) (addr, down string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.to[app], r.down[app]
}

func (r *fakeRouter) Switch(app string, addrs []string) func(context.Context) {
	r.onSwitch()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.to[app], r.all[app] = addrs[0], addrs
	delete(r.down, app)
	if r.drain != nil {
		return r.drain
	}
	return func(context.Context) {}
}

func (r *fakeRouter) Names(app string, hosts []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.names[app] = hosts
}

func (r *fakeRouter) Rules(app string, s rules.Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rules[app] = s
}

func (r *fakeRouter) rulesOf(app string) rules.Set {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rules[app]
}

func (r *fakeRouter) Down(app, reason string) func(context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.to, app)
	delete(r.all, app)
	r.down[app] = reason
	if r.drain != nil {
		return r.drain
	}
	return func(context.Context) {}
}

func (r *fakeRouter) Remove(app string) {
	r.Down(app, "removed")
	r.Names(app, nil)
	r.Rules(app, rules.Set{})
}

func (r *fakeRouter) get(t *testing.T, app string) string {
	t.Helper()
	r.mu.Lock()
	addr, down := r.to[app], r.down[app]
	r.mu.Unlock()
	if addr == "" {
		return "503 " + down
	}
	res, err := http.Get("http://" + addr + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// fakeDriver "boots" HTTP servers.
type fakeDriver struct {
	mu       sync.Mutex
	machines map[string]*fakeMachine
	app      func(m *fakeMachine) // what a machine does after its boot
	task     func(m *fakeMachine) // the same of a machine with a task
	adopted  func(m *fakeMachine) // what a machine does when it is adopted; nil: nothing
	specs    []core.MachineSpec
	bootErr  error
	stopErr  error // of the next Stop
	ports    []int // at which machines listen, beside their own
}

type fakeMachine struct {
	core.Machine
	spec   core.MachineSpec
	watch  core.Watch
	server *httptest.Server
	others []net.Listener // at the fakeDriver's ports
	memory string         // what it has kept, and answers with
	status int
	told   chan core.Tell // to a task
}

// healthy makes a machine listen at once. It answers with its release.
func healthy(m *fakeMachine) { m.watch(core.Event{Kind: core.EventListening}) }

func (d *fakeDriver) Boot(_ context.Context, s core.MachineSpec, w core.Watch) (core.Machine, error) {
	return d.begin(s, w, "")
}

// begin is Boot of a machine that has something in its memory.
func (d *fakeDriver) begin(s core.MachineSpec, w core.Watch, memory string) (core.Machine, error) {
	if d.bootErr != nil {
		return core.Machine{}, d.bootErr
	}
	m := &fakeMachine{spec: s, watch: w, status: 200, told: make(chan core.Tell, 1000), memory: memory}
	if err := m.listen(d.ports); err != nil {
		return core.Machine{}, err
	}
	m.Machine = core.Machine{ID: s.ID, App: s.App, Release: s.Release, Addr: m.server.Listener.Addr().String(), Started: time.Now(), Resources: s.Resources}
	d.mu.Lock()
	d.machines[s.ID] = m
	d.specs = append(d.specs, s)
	app := d.app
	if s.Task != nil {
		app = d.task
	}
	d.mu.Unlock()
	go app(m)
	return m.Machine, nil
}

// listen has a machine answer at an address of its own, of which this host has sixteen million.
func (m *fakeMachine) listen(ports []int) error {
	n := addresses.Add(1)
	ip := net.IPv4(127, byte(64+os.Getpid()%128), byte(n>>8), byte(n)).String()
	for _, port := range ports {
		l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(port)))
		if err != nil {
			return err
		}
		m.others = append(m.others, l)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(ip, strconv.Itoa(m.spec.Port)))
	if err != nil {
		return err
	}
	m.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.WriteHeader(m.status)
		fmt.Fprintf(rw, "v%d%s%s", m.spec.Release, m.spec.Env["SAYS"], m.memory)
	}))
	m.server.Listener.Close()
	m.server.Listener = l
	m.server.Start()
	return nil
}

// addresses counts those of fake machines.
var addresses atomic.Uint32

func (m *fakeMachine) close() {
	m.server.Close()
	for _, l := range m.others {
		l.Close()
	}
}

func (d *fakeDriver) Tell(_ context.Context, id string, t core.Tell) error {
	d.mu.Lock()
	m, ok := d.machines[id]
	d.mu.Unlock()
	if !ok {
		return core.ErrNotFound
	}
	t.Input = bytes.Clone(t.Input)
	m.told <- t
	return nil
}

func (d *fakeDriver) Restrict(_ context.Context, id string, e core.Egress) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, ok := d.machines[id]
	if !ok {
		return core.ErrNotFound
	}
	m.spec.Egress = e
	return nil
}

func (d *fakeDriver) Adopt(_ context.Context, id string, w core.Watch) (core.Machine, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	m, ok := d.machines[id]
	if !ok {
		return core.Machine{}, core.ErrNotFound
	}
	m.watch = w
	if d.adopted != nil {
		d.adopted(m)
	}
	return m.Machine, nil
}

func (d *fakeDriver) Stop(_ context.Context, id string, _ time.Duration) error {
	d.mu.Lock()
	if err := d.stopErr; err != nil {
		d.stopErr = nil
		d.mu.Unlock()
		return err
	}
	m := d.machines[id]
	delete(d.machines, id)
	d.mu.Unlock()
	if m != nil {
		m.close()
		m.watch(core.Event{Kind: core.EventGone, Detail: "stopped"})
	}
	return nil
}

func (d *fakeDriver) List(context.Context) ([]core.Machine, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []core.Machine
	for _, m := range d.machines {
		list = append(list, m.Machine)
	}
	return list, nil
}

// behave sets what machines do after their boot.
func (d *fakeDriver) behave(app func(m *fakeMachine)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.app = app
}

// all returns the machines that run.
func (d *fakeDriver) all() []*fakeMachine {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Collect(maps.Values(d.machines))
}

func (d *fakeDriver) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.machines)
}

func TestPushBecomesLive(t *testing.T) {
	w := newWorld(t)
	reject, out := w.push(none, commit(1))
	if reject != "" || !strings.Contains(out, "=====> v1 is live at http://shop.localhost/") {
		t.Fatalf("rejected %q:\n%s", reject, out)
	}
	if v, answer := w.live(); v != 1 || answer != "v1" {
		t.Errorf("v%d answers %q", v, answer)
	}
	if reject, out := w.push(commit(1), commit(2)); reject != "" {
		t.Fatalf("rejected %q:\n%s", reject, out)
	}
	if v, answer := w.live(); v != 2 || !strings.HasPrefix(answer, "v2") {
		t.Errorf("v%d answers %q", v, answer)
	}
	w.core.Close() // waits until the old machine is retired
	if n := w.driver.count(); n != 1 {
		t.Errorf("%d machines run, want 1", n)
	}
	spec := w.driver.specs[0]
	if spec.Args[1] != "server.js" || spec.Env["PORT"] != "8080" || spec.Env["NODEOS_RELEASE"] != "v1" {
		t.Errorf("the machine was given %q and %v", spec.Args, spec.Env)
	}
}

// TestFailureChangesNothing: whatever goes wrong, the live release goes on serving, no machine is left, the reason is
// told, and the next push works.
func TestFailureChangesNothing(t *testing.T) {
	tests := []struct {
		name   string
		breaks func(w *world)
		reason string
	}{
		{"build", func(w *world) {
			w.build = func(context.Context, image.Source, *progress.Report) (core.Manifest, error) {
				return core.Manifest{}, core.Reject("build failed: npm ci exited 1", "look at it")
			}
		}, "build failed: npm ci exited 1"},
		{"image", func(w *world) {
			w.build = func(context.Context, image.Source, *progress.Report) (core.Manifest, error) {
				return core.Manifest{Base: "gone", App: core.Layer{Digest: "gone"}}, nil
			}
		}, "not complete"},
		{"boot", func(w *world) { w.driver.bootErr = errors.New("no memory") }, "boot v2: no memory"},
		{"exit", func(w *world) {
			w.driver.app = func(m *fakeMachine) {
				m.watch(core.Event{Kind: core.EventLog, Stream: "stderr", Line: "Error: no \x1b[31mdatabase"})
				m.watch(core.Event{Kind: core.EventExited, Detail: "exit code 1"})
			}
		}, "the app did not start: Error: no database (exit code 1)"},
		{"exit of the machine in the app's time", func(w *world) {
			w.driver.app = func(m *fakeMachine) {
				m.watch(core.Event{Kind: core.EventBooted})
				m.watch(core.Event{Kind: core.EventGone, Detail: "out of memory"})
			}
		}, "the app did not start: out of memory"},
		{"listens for itself only", func(w *world) {
			w.driver.app = func(m *fakeMachine) {
				m.watch(core.Event{Kind: core.EventBooted})
				m.watch(core.Event{Kind: core.EventMisplaced, Detail: "127.0.0.1:3000"})
			}
		}, "the app listens on 127.0.0.1:3000, where it cannot be reached, and not on port 8080"},
		{"panic", func(w *world) {
			w.driver.app = func(m *fakeMachine) { m.watch(core.Event{Kind: core.EventGone, Detail: "kernel panic"}) }
		}, "the app did not start: kernel panic"},
		{"end between listening and health", func(w *world) {
			w.driver.app = func(m *fakeMachine) {
				m.status = 500
				m.watch(core.Event{Kind: core.EventListening})
				m.watch(core.Event{Kind: core.EventGone, Detail: "power off"})
			}
		}, "the app did not start: power off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			if reject, out := w.push(none, commit(1)); reject != "" {
				t.Fatalf("rejected %q:\n%s", reject, out)
			}
			tt.breaks(w)
			reject, out := w.push(commit(1), commit(2))
			if !strings.Contains(reject, tt.reason) {
				t.Errorf("rejected %q, want %q:\n%s", reject, tt.reason, out)
			}
			if strings.Contains(out, "\x1b") {
				t.Errorf("an escape sequence reaches the pusher: %q", out)
			}
			if v, answer := w.live(); v != 1 || !strings.HasPrefix(answer, "v1") {
				t.Errorf("v%d answers %q", v, answer)
			}
			if n := w.driver.count(); n != 1 {
				t.Errorf("%d machines run, want 1", n)
			}
			w.build, w.driver.app, w.driver.bootErr = w.goodBuild, healthy, nil
			if reject, out := w.push(commit(1), commit(2)); reject != "" {
				t.Errorf("the same push again: rejected %q:\n%s", reject, out)
			}
			if v, _ := w.live(); v != 3 {
				t.Errorf("v%d is live, want v3", v)
			}
		})
	}
}

func TestStalePush(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.push(commit(1), commit(2))
	reject, out := w.push(commit(1), commit(3))
	if !strings.Contains(reject, "main moved to 0000000 (v2, pushed by ada) meanwhile") || !strings.Contains(out, "git pull") {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
}

func TestTagBootsTheKeptImage(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.push(commit(1), commit(2))
	w.build = func(context.Context, image.Source, *progress.Report) (core.Manifest, error) {
		return core.Manifest{}, errors.New("a rollback builds nothing")
	}
	tag := core.Command{Ref: "refs/tags/v1", Old: none, New: commit(1)}
	if reject, out := w.pushRef(tag); reject != "" || !strings.Contains(out, "Rolling back to v1") {
		t.Fatalf("rejected %q:\n%s", reject, out)
	}
	if v, answer := w.live(); v != 3 || !strings.HasPrefix(answer, "v3") || w.points["main"] != commit(1) {
		t.Errorf("v%d answers %q, main is at %s", v, answer, w.points["main"])
	}
	if reject, out := w.pushRef(tag); reject != "" || !strings.Contains(out, "v3 already runs this commit") {
		t.Errorf("again: rejected %q:\n%s", reject, out)
	}
}

// TestListensAfterAll: a guest that gave its app up, and sees it listen on its port after all, is believed.
func TestListensAfterAll(t *testing.T) {
	w := newWorld(t)
	w.driver.app = func(m *fakeMachine) {
		m.watch(core.Event{Kind: core.EventBooted})
		m.watch(core.Event{Kind: core.EventListening})
		m.watch(core.Event{Kind: core.EventMisplaced, Detail: "127.0.0.1:3000"})
	}
	if reject, out := w.push(none, commit(1)); reject != "" {
		t.Errorf("rejected %q:\n%s", reject, out)
	}
}

// TestServedElsewhere: a push says where its app listens, if that is not its port.
func TestServedElsewhere(t *testing.T) {
	for address, want := range map[string]string{
		"127.0.0.1:3000": "the app listens on 127.0.0.1:3000 and not on port 8080: requests are led there",
		"127.0.0.1:8080": "the app listens on 127.0.0.1:8080, for itself only: requests are led there",
		"":               "is live",
	} {
		w := newWorld(t)
		w.driver.app = func(m *fakeMachine) {
			m.watch(core.Event{Kind: core.EventBooted})
			m.watch(core.Event{Kind: core.EventListening, Detail: address})
		}
		reject, out := w.push(none, commit(1))
		if reject != "" || !strings.Contains(out, want) || address == "" && strings.Contains(out, "the app listens on") {
			t.Errorf("%q: rejected %q:\n%s", address, reject, out)
		}
	}
}

// TestRestart: a machine outlives gitd and is adopted; one that is gone is
// started; one that the ledger does not want is stopped; an interrupted
// release is failed.
func TestRestart(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	ctx := t.Context()
	if _, err := w.ledger.AddRelease(ctx, core.Release{App: "shop", Commit: commit(2), Trigger: core.ByPush, State: core.Building, Created: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.driver.Boot(ctx, core.MachineSpec{ID: "shop-v2-stray", App: "shop", Release: 2}, func(core.Event) {}); err != nil {
		t.Fatal(err)
	}
	w.close()

	w.open()
	if v, answer := w.live(); v != 1 || !strings.HasPrefix(answer, "v1") || w.driver.count() != 1 || len(w.driver.specs) != 2 {
		t.Errorf("v%d answers %q from one of %d machines; %d were booted", v, answer, w.driver.count(), len(w.driver.specs))
	}
	r, err := w.ledger.Release(ctx, "shop", 2)
	if err != nil || r.State != core.Failed || !strings.Contains(r.Reason, "gitd ended") {
		t.Errorf("v2 is %s (%s), %v", r.State, r.Reason, err)
	}

	w.close()
	for id := range w.driver.machines {
		w.driver.Stop(ctx, id, 0) //nolint:errcheck // it is the fake
	}
	w.open()
	w.eventually("the app serves again", func() bool { return w.router.get(t, "shop") == "v1" })
}

// TestRefFollowsTheLedger: the connection to git was cut off between the swap of a first push and the move of its ref.
// The branch was once recorded after the release, and such an app refused every later push as stale.
func TestRefFollowsTheLedger(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	w.close()
	w.mu.Lock()
	delete(w.points, "main") // as if the move of the branch had been lost
	w.mu.Unlock()
	w.open()
	if w.points["main"] != commit(1) {
		t.Errorf("main is at %q, want %s", w.points["main"], commit(1))
	}
}

// TestLostMachineIsReplaced: when a machine ends by itself, another one is started.
func TestLostMachineIsReplaced(t *testing.T) {
	w := newWorld(t)
	w.push(none, commit(1))
	list, _ := w.driver.List(t.Context())
	m := w.driver.machines[list[0].ID]
	w.driver.Stop(t.Context(), m.ID, 0) //nolint:errcheck // it is the fake
	w.eventually("another machine serves", func() bool {
		now, _ := w.driver.List(t.Context())
		return len(now) == 1 && now[0].ID != m.ID && w.router.get(t, "shop") == "v1"
	})
}

// eventually waits for a state that another goroutine brings about.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	limit := time.After(20 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-limit:
			w.t.Fatalf("not in time: %s", what)
		}
	}
}
