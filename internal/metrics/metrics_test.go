package metrics

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/deploy"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/usage"
)

// host is what a gitd has.
type host struct {
	apps []fleet.AppStatus
	err  error
	used chan usage.Usage
}

func (h *host) sources() Sources {
	return Sources{
		Apps: func(context.Context) ([]fleet.AppStatus, error) { return h.apps, h.err },
		Counts: func(string) core.Counts {
			return core.Counts{Requests: 9, Active: 1, Answers: [6]int64{1, 0, 7, 0, 0, 1}}
		},
		Conns: func() core.Conns { return core.Conns{Active: 2, Idle: 3, Most: 100, TurnedAway: 1} },
		Work: func() deploy.Overview {
			return deploy.Overview{BuildLimit: 2, Queue: []deploy.QueueEntry{{App: "shop"}, {App: "shop", Position: 1}}}
		},
		Places: func() (promised, most core.Resources) {
			return core.Resources{MemoryMiB: 256, CPUs: 2}, core.Resources{MemoryMiB: 1024}
		},
		Ready:   func() (int, int) { return 1, 2 },
		Space:   func() (Space, error) { return Space{Size: 100, Free: 50, FilesFree: 10}, nil },
		Usage:   func(context.Context) (usage.Usage, error) { return <-h.used, nil },
		Libvirt: func() (string, time.Time) { return "", time.Time{} },
	}
}

func running(app string) fleet.AppStatus {
	p := fleet.ProcessStatus{
		Process: core.FirstWeb, State: fleet.Running, Release: 3, Machine: app + "-v3-abcdef", Since: time.Unix(1700000000, 0), Restarts: 2,
		Stats: &core.Stats{MemoryTotal: 128 << 20, MemoryUsed: 64 << 20, AppRSS: 32 << 20, CPU: 1500 * time.Millisecond, Dropped: 5},
	}
	return fleet.AppStatus{App: app, ProcessStatus: p, Processes: []fleet.ProcessStatus{p}}
}

func newTest(t testing.TB, apps ...string) (*Metrics, *host) {
	h := &host{used: make(chan usage.Usage, 1)}
	for _, a := range apps {
		h.apps = append(h.apps, running(a))
	}
	m := New("v1.2.3", slog.New(slog.DiscardHandler))
	m.Watch(h.sources())
	t.Cleanup(func() { close(h.used) })
	return m, h
}

// scrape returns the lines that Prometheus would read now.
func scrape(t testing.TB, m *Metrics) []string {
	t.Helper()
	m.made = time.Time{} // as if the last scrape had been long ago
	w := httptest.NewRecorder()
	promhttp.HandlerFor(m, promhttp.HandlerOpts{}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return strings.Split(w.Body.String(), "\n")
}

func with(lines []string, prefix string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return !strings.HasPrefix(l, prefix) })
}

// everything makes each metric have a value.
func everything(m *Metrics, app string) {
	w := &core.Work{Push: true, App: app, Release: 1, Trigger: core.ByPush, Began: time.Now()}
	for _, x := range []core.Transition{
		{Moment: core.AtPhase, Work: w, Phase: core.Phase{Name: "deps"}},
		{Moment: core.AtHealthy, Work: w}, {Moment: core.AtServed, Work: w},
		{Moment: core.AtLost, App: app}, {Moment: core.AtStarted, App: app},
		{Moment: core.AtUp, App: app, Boot: &core.Boot{Process: core.FirstWeb, Times: core.BootTimes{Kernel: time.Second}}},
		{Moment: core.AtOver, Work: w, Ended: core.Ended{Result: core.ResultOK}},
	} {
		m.Note(x)
	}
	m.Requests.Note(app, 200, 30*time.Millisecond, 10, 1000)
	m.Requests.Note("", 404, time.Millisecond, 0, 100)
	m.Door("login", "refused")
}

// walked waits until the disk has been looked at.
func walked(t *testing.T, m *Metrics, h *host, u usage.Usage) {
	t.Helper()
	scrape(t, m)
	h.used <- u
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		m.disk.mu.Lock()
		done := !m.disk.walked.IsZero()
		m.disk.mu.Unlock()
		if done {
			return
		}
	}
	t.Fatal("the disk was not looked at")
}

// TestNames: the names, units and help texts are as Prometheus wants them.
func TestNames(t *testing.T) {
	m, h := newTest(t, "shop")
	everything(m, "shop")
	walked(t, m, h, usage.Usage{Bases: 1, Apps: []usage.App{{App: "shop", Layers: 2, Images: 1}}})
	m.made = time.Time{}
	problems, err := testutil.GatherAndLint(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestValues: what is counted comes out.
func TestValues(t *testing.T) {
	m, h := newTest(t, "shop")
	everything(m, "shop")
	walked(t, m, h, usage.Usage{Bases: 7, Apps: []usage.App{{App: "shop", Layers: 5, Images: 2}}})
	lines := scrape(t, m)
	for _, want := range []string{
		`gitd_build_info{version="v1.2.3"} 1`,
		`gitd_pushes_total{app="shop",phase="",result="ok"} 1`,
		`gitd_releases_total{result="ok",trigger="push"} 1`,
		`gitd_deployment_phase_duration_seconds_count{phase="deps"} 1`,
		`gitd_boots_total{kind="web",result="ok"} 1`,
		`gitd_boots_total{kind="task",result="failed"} 0`,
		`gitd_boot_phase_duration_seconds_sum{phase="kernel"} 1`,
		`gitd_health_checks_total{result="ok"} 1`,
		`gitd_swaps_total 1`,
		`gitd_machines_lost_total{app="shop"} 1`,
		`gitd_machines_replaced_total{app="shop"} 1`,
		`gitd_door_events_total{event="login",result="refused"} 1`,
		`gitd_http_requests_total{app="shop",code="2xx"} 7`,
		`gitd_http_requests_total{app="shop",code="none"} 1`,
		`gitd_http_requests_total{app="",code="4xx"} 1`,
		`gitd_http_requests_active{app="shop"} 1`,
		`gitd_http_request_duration_seconds_bucket{app="shop",le="0.025"} 0`,
		`gitd_http_request_duration_seconds_bucket{app="shop",le="0.1"} 1`,
		`gitd_http_sent_bytes_total{app="shop"} 1000`,
		`gitd_app_state{app="shop",state="running"} 1`,
		`gitd_app_release{app="shop"} 3`,
		`gitd_process_up{app="shop",process="web.1"} 1`,
		`gitd_process_restarts_total{app="shop",process="web.1"} 2`,
		`gitd_machine_cpu_seconds_total{app="shop",process="web.1"} 1.5`,
		`gitd_machine_memory_limit_bytes{app="shop",process="web.1"} 1.34217728e+08`,
		`gitd_http_connections{state="idle"} 3`,
		`gitd_http_connections_refused_total 1`,
		`gitd_deployments{state="waiting"} 1`,
		`gitd_builds{state="running"} 0`,
		`gitd_machines_memory_promised_bytes 2.68435456e+08`,
		`gitd_machines_ready{kind="kept"} 2`,
		`gitd_libvirt_up 1`,
		`gitd_state_filesystem_free_bytes 50`,
		`gitd_disk_used_bytes{kind="bases"} 7`,
		`gitd_app_disk_used_bytes{app="shop",kind="layers"} 5`,
		`gitd_app_images{app="shop"} 2`,
	} {
		name, value := want[:strings.LastIndex(want, " ")], want[strings.LastIndex(want, " ")+1:]
		if !slices.Contains(lines, name+" "+value) {
			t.Errorf("there is no %s %s, but %q", name, value, with(lines, name))
		}
	}
}

// TestAppIsGone: the series of an app that was destroyed end, and the pushes of all apps together stay what they were.
func TestAppIsGone(t *testing.T) {
	m, h := newTest(t, "shop", "blog")
	everything(m, "shop")
	everything(m, "blog")
	walked(t, m, h, usage.Usage{Apps: []usage.App{{App: "shop", Layers: 5, Images: 2}, {App: "blog", Layers: 5}}})
	if n := len(with(scrape(t, m), `gitd_pushes_total{app="shop"`)); n != 1 {
		t.Fatalf("%d series of pushes to shop", n)
	}
	h.apps = h.apps[1:]
	lines := scrape(t, m)
	for _, l := range lines {
		if strings.Contains(l, `"shop"`) {
			t.Errorf("shop is no more, and has %s", l)
		}
	}
	for _, want := range []string{
		`gitd_pushes_total{app="",phase="",result="ok"} 1`, `gitd_pushes_total{app="blog",phase="",result="ok"} 1`,
		`gitd_machines_lost_total{app=""} 1`,
	} {
		if !slices.Contains(lines, want) {
			t.Errorf("there is no %s, but %q", want, with(lines, want[:12]))
		}
	}
}

// TestNewAppIsKept: what is counted for an app that was made while a scrape read the list of apps is not lost.
func TestNewAppIsKept(t *testing.T) {
	m, h := newTest(t, "shop")
	apps := h.sources().Apps
	m.from.Apps = func(ctx context.Context) ([]fleet.AppStatus, error) {
		m.Requests.Note("new", 200, time.Millisecond, 0, 0) // after the scrape has begun
		return apps(ctx)
	}
	if n := len(with(scrape(t, m), `gitd_http_request_duration_seconds_count{app="new"}`)); n != 1 {
		t.Errorf("%d series of the new app", n)
	}
}

// TestStrangersMakeNoSeries: whatever the hosts and paths of requests are, the number of series stays what it is. The
// front door tells of an app only if there is one.
func TestStrangersMakeNoSeries(t *testing.T) {
	m, _ := newTest(t, "shop")
	everything(m, "shop")
	before := len(scrape(t, m))
	for n := range 1000 {
		m.Requests.Note("", 100+n, time.Duration(n), int64(n), int64(-n))
		m.Requests.Note("shop", 1000*n, time.Duration(n), int64(n), int64(-n))
	}
	if after := len(scrape(t, m)); after != before {
		t.Errorf("%d lines after requests of strangers, and %d before", after, before)
	}
}

// TestLedgerAway: a scrape is answered while the ledger cannot be read, with the apps as they were.
func TestLedgerAway(t *testing.T) {
	m, h := newTest(t, "shop")
	scrape(t, m)
	h.err = errors.New("the disk is gone")
	if lines := with(scrape(t, m), "gitd_process_up"); len(lines) != 1 {
		t.Errorf("%q", lines)
	}
}

// TestScrapesAtOnce: of several scrapes at once, one looks at the apps.
func TestScrapesAtOnce(t *testing.T) {
	m, _ := newTest(t, "shop")
	n := 0
	apps := m.from.Apps
	m.from.Apps = func(ctx context.Context) ([]fleet.AppStatus, error) { n++; return apps(ctx) }
	for range 10 {
		if _, err := m.Gather(); err != nil {
			t.Fatal(err)
		}
	}
	if n != 1 {
		t.Errorf("the apps were read %d times", n)
	}
}

// TestMore: another part of gitd shows something.
func TestMore(t *testing.T) {
	m, _ := newTest(t)
	m.More(Counter, "gitd_test_dropped_total", "What was dropped.", []string{"drain"}, func(show func(float64, ...string)) {
		show(3, "one")
	})
	if lines := scrape(t, m); !slices.Contains(lines, `gitd_test_dropped_total{drain="one"} 3`) {
		t.Errorf("%q", with(lines, "gitd_test"))
	}
}

// TestDoor: the door answers at its address, waits for one that another program has, and ends with its context.
func TestDoor(t *testing.T) {
	m, _ := newTest(t, "shop")
	other := httptest.NewServer(http.NotFoundHandler())
	address := other.Listener.Addr().String()
	listen := func(address string) (net.Listener, error) { return net.Listen("tcp", address) }
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Serve(ctx, address, listen) }()
	other.Close()
	var body string
	for deadline := time.Now().Add(10 * time.Second); body == "" && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		res, err := http.Get("http://" + address + Path)
		if err != nil {
			continue
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		body = string(text)
	}
	if !strings.Contains(body, "gitd_libvirt_up 1") {
		t.Errorf("the door answers %.300q", body)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := m.Serve(t.Context(), "192.0.2.1:9180", listen); err == nil || !strings.Contains(err.Error(), "--metrics") {
		t.Errorf("an address of another host: %v", err)
	}
}

// BenchmarkScrape is one scrape of a gitd with many apps that all have had requests, as text. The processor time says
// more than the wall clock on a busy host.
func BenchmarkScrape(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		var apps []string
		for i := range n {
			apps = append(apps, fmt.Sprintf("app-%04d", i))
		}
		m, _ := newTest(b, apps...)
		for _, a := range apps {
			everything(m, a)
			for took := range 100 {
				m.Requests.Note(a, 200, time.Duration(took*took)*time.Microsecond, 0, 1)
			}
		}
		handler := promhttp.HandlerFor(m, promhttp.HandlerOpts{DisableCompression: true})
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			size, before := 0, processorTime()
			for b.Loop() {
				m.made = time.Time{}
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path, nil))
				size = w.Body.Len()
			}
			b.ReportMetric(float64(size), "body-bytes")
			b.ReportMetric(float64((processorTime()-before).Microseconds())/float64(b.N), "cpu-us/op")
		})
	}
}

func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRequest is what the metrics cost for each request.
func BenchmarkRequest(b *testing.B) {
	m, _ := newTest(b, "shop")
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Requests.Note("shop", 200, 3*time.Millisecond, 100, 1000)
		}
	})
}
