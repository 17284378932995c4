package drain

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nodeos-dev/gitd/internal/applog"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/ledger"
)

// rig is drains on a real ledger and real files.
type rig struct {
	t      *testing.T
	dir    string
	ledger *ledger.Ledger
	logs   *applog.Store
	drains *Drains
	rules  []core.EgressRule
	cfg    Config
}

var ada = core.Actor{Name: "ada", Admin: true}

// newRig has the apps shop and blog. What is inside may be reached where rules say so.
func newRig(t *testing.T, rules ...string) *rig {
	t.Helper()
	r := &rig{t: t, dir: t.TempDir()}
	for _, text := range rules {
		rule, err := core.ParseEgressRule(text)
		r.must(err)
		r.rules = append(r.rules, rule)
	}
	var err error
	r.ledger, err = ledger.Open(t.Context(), filepath.Join(r.dir, "gitd.db"))
	r.must(err)
	t.Cleanup(func() { r.ledger.Close() })
	for _, app := range []string{"shop", "blog"} {
		_, err := r.ledger.CreateApp(t.Context(), app)
		r.must(err)
	}
	r.begin()
	t.Cleanup(func() { r.drains.End(0); r.logs.Close() })
	return r
}

// begin is a start of gitd.
func (r *rig) begin() {
	r.t.Helper()
	r.logs = applog.Open(func(app string) string { return filepath.Join(r.dir, app+".log") })
	r.cfg.Ledger, r.cfg.Dir, r.cfg.Host, r.cfg.Agent = r.ledger, r.dir, "host.example", "gitd/test"
	r.cfg.Logs = map[string]Logs{Output: r.logs}
	r.cfg.Log = slog.New(slog.DiscardHandler)
	r.cfg.Rules = func(context.Context, string) ([]core.EgressRule, error) { return r.rules, nil }
	r.drains = New(r.cfg)
	r.logs.Reader = r.drains.Reader(Output)
	r.must(r.drains.Start(r.t.Context()))
}

// end is an end of gitd, and leaves limit to send what waits.
func (r *rig) end(limit time.Duration) {
	r.t.Helper()
	r.must(r.logs.Close())
	r.drains.End(limit)
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) add(app, url string) Row {
	r.t.Helper()
	row, err := r.drains.Add(r.t.Context(), ada, app, url, true)
	r.must(err)
	return row
}

// says has an app say lines from first to last, of some bytes each.
func (r *rig) says(app string, first, last int, size int) {
	for i := first; i <= last; i++ {
		text := fmt.Sprint("line ", i)
		text += strings.Repeat(".", max(0, size-len(text)))
		r.logs.Append(app, core.Line{Time: time.Unix(1_900_000_000, int64(i)).UTC(), Release: 3, Process: "worker.1", Stream: "stdout", Text: text})
	}
}

// state waits until the state of the only drain is as wanted.
func (r *rig) state(what string, want func(State) bool) State {
	r.t.Helper()
	var last State
	for deadline := time.Now().Add(2 * time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		rows, err := r.drains.List(func(string) bool { return true })
		r.must(err)
		if last = rows[0].State; want(last) {
			return last
		}
	}
	r.t.Fatalf("not %s: %+v", what, last)
	return last
}

// inbox is what a receiver has.
type inbox struct {
	mu   sync.Mutex
	more *sync.Cond
	got  []string
}

func newInbox() *inbox {
	b := &inbox{}
	b.more = sync.NewCond(&b.mu)
	return b
}

func (b *inbox) put(lines ...string) {
	b.mu.Lock()
	b.got = append(b.got, lines...)
	b.mu.Unlock()
	b.more.Broadcast()
}

// wait waits for n lines and returns all.
func (b *inbox) wait(t *testing.T, n int) []string {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	late := false
	defer time.AfterFunc(2*time.Minute, func() { b.mu.Lock(); late = true; b.mu.Unlock(); b.more.Broadcast() }).Stop()
	for len(b.got) < n && !late {
		b.more.Wait()
	}
	if len(b.got) < n {
		t.Fatalf("%d lines of %d: %.300q", len(b.got), n, b.got)
	}
	return slices.Clone(b.got)
}

// want is what worker.1 says of lines.
func want(first, last int) (all []string) {
	for i := first; i <= last; i++ {
		all = append(all, fmt.Sprintf("shop worker.1 v3 line %d", i))
	}
	return all
}

func TestKept(t *testing.T) {
	dir := t.TempDir()
	k := kept{At: map[string]core.LogPosition{"app/shop": {File: "ab", Offset: 7, Line: 3}}, Sent: 5, Dropped: 2}
	if err := k.write(dir, "d-1"); err != nil {
		t.Fatal(err)
	}
	got, ok, err := readKept(dir, "d-1")
	if err != nil || !ok || got.Sent != 5 || got.Dropped != 2 || got.At["app/shop"] != (core.LogPosition{File: "ab", Offset: 7}) {
		t.Errorf("%+v, %v, %v", got, ok, err)
	}
	if err := os.WriteFile(keptPath(dir, "d-1"), []byte(`{"at":`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"d-1", "d-2"} {
		if _, ok, err := readKept(dir, id); ok || err != nil {
			t.Errorf("%s: %v, %v", id, ok, err)
		}
	}
}
