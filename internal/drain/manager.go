package drain

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/outbound"
)

// Logs is where the lines of apps are read.
type Logs interface {
	// Read returns the lines of app from a position on, n at most.
	Read(app string, from core.LogPosition, n int) (core.LogPage, error)
	// End is the position after the last line of app.
	End(app string) (core.LogPosition, error)
}

// The names of logs that drains know.
const (
	Output = "app"    // what apps say
	Builds = "builds" // what deployments print
)

// Ledger is where drains are stored.
type Ledger interface {
	Drains(ctx context.Context) ([]core.Drain, error)
	AddDrain(ctx context.Context, d core.Drain, e core.Entry) error
	// RemoveDrain returns core.ErrNotFound if there is no such drain.
	RemoveDrain(ctx context.Context, id string, e core.Entry) error
	Apps(ctx context.Context) ([]core.App, error)
}

// Config is what a Drains works with.
type Config struct {
	Ledger Ledger
	Logs   map[string]Logs // by name
	Dir    string          // for the positions; it is there
	Host   string          // the name of this server, for receivers
	Agent  string          // "gitd/1.2.3"
	Roots  *x509.CertPool  // nil: the system's
	Log    *slog.Logger

	// Rules are what a drain of app may reach beside the internet; app is empty for a drain of all apps.
	Rules func(ctx context.Context, app string) ([]core.EgressRule, error)
}

// named is what drains are called.
var named = outbound.Kind{Name: "drain", List: "drains", Remove: "drains:remove", Prefix: "d-"}

// Drains sends lines to receivers. Its methods are safe for concurrent use.
type Drains struct {
	cfg  Config
	work sync.WaitGroup

	ctx, last context.Context // of the sending: until the end begins, and until it is over
	stop, end context.CancelFunc

	change sync.Mutex // held while a drain is added or removed

	mu  sync.RWMutex
	all []*running
}

// running is a drain with the end of its sending.
type running struct {
	*drain
	stop context.CancelFunc
	over chan struct{}
	gone atomic.Bool // it was removed: what it remembers goes with it
}

// Row is a drain as people see it.
type Row struct {
	core.Drain // without its URL
	State
	Shown string // the URL without secrets
}

// New makes a Drains, which sends once it has started.
func New(cfg Config) *Drains {
	s := &Drains{cfg: cfg}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.last, s.end = context.WithCancel(context.Background())
	return s
}

// Start goes on where the drains were when gitd ended.
func (s *Drains) Start(ctx context.Context) error {
	list, err := s.cfg.Ledger.Drains(ctx)
	if err != nil {
		return err
	}
	apps, err := s.apps(ctx)
	if err != nil {
		return err
	}
	s.change.Lock()
	defer s.change.Unlock()
	s.sweep(list)
	for _, d := range list {
		k, ok, err := readKept(s.cfg.Dir, d.ID)
		if err == nil && !ok {
			k, err = s.fromNow(d, apps)
		}
		if err != nil {
			return fmt.Errorf("drain %s: %w", d.ID, err)
		}
		if err := s.run(d, k, apps); err != nil {
			s.cfg.Log.Error("a drain is not sent to: gitd does not understand its URL any more", "drain", d.ID, "error", err)
		}
	}
	return nil
}

// sweep removes the positions of drains that are not there any more.
func (s *Drains) sweep(list []core.Drain) {
	files, _ := filepath.Glob(keptPath(s.cfg.Dir, "d-*"))
	for _, f := range files {
		if !slices.ContainsFunc(list, func(d core.Drain) bool { return keptPath(s.cfg.Dir, d.ID) == f }) {
			os.Remove(f) //nolint:errcheck // it does no harm
		}
	}
}

func (s *Drains) apps(ctx context.Context) (names []string, err error) {
	list, err := s.cfg.Ledger.Apps(ctx)
	for _, a := range list {
		names = append(names, a.Name)
	}
	return names, err
}

// fromNow is the position of a drain that begins: what was said before is not sent.
func (s *Drains) fromNow(d core.Drain, apps []string) (kept, error) {
	k := kept{At: map[string]core.LogPosition{}}
	for _, app := range apps {
		if !d.Of(app) {
			continue
		}
		for source, logs := range s.cfg.Logs {
			at, err := logs.End(app)
			if err != nil {
				return k, err
			}
			k.At[place(source, app)] = at
		}
	}
	return k, nil
}

// run begins to send. What was said since the positions of k is sent too.
func (s *Drains) run(d core.Drain, k kept, apps []string) error {
	a, err := parse(d.URL)
	if err != nil {
		return err
	}
	r := &running{over: make(chan struct{})}
	reach := outbound.Reach{
		Roots: s.cfg.Roots,
		Rules: func(ctx context.Context) ([]core.EgressRule, error) { return s.cfg.Rules(ctx, r.app()) },
		Hint:  func(rule string) string { return outbound.Hint(r.app(), rule) },
	}
	r.drain = newDrain(d, k, a.open(reach, s.cfg.Host, s.cfg.Agent), s.cfg)
	var ctx, last context.Context
	ctx, r.stop = context.WithCancel(s.ctx)
	last, stopLast := context.WithCancel(s.last)
	s.mu.Lock()
	s.all = append(s.all, r)
	s.mu.Unlock()
	for _, app := range apps { // after it is in the list: a line that comes now is seen by one or the other
		for source := range s.cfg.Logs {
			r.note(source, app)
		}
	}
	s.work.Go(func() {
		defer close(r.over)
		defer stopLast()
		r.drain.run(ctx, last)
		if r.gone.Load() {
			os.Remove(keptPath(s.cfg.Dir, r.ID)) //nolint:errcheck // the next start removes it
		}
	})
	remove := r.stop
	r.stop = func() { remove(); stopLast() }
	return nil
}

func (d *drain) app() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.App
}

// End sends what waits, for limit at most, and keeps the positions. The logs must be readable until it returns.
func (s *Drains) End(limit time.Duration) {
	s.stop()
	defer time.AfterFunc(limit, s.end).Stop()
	s.work.Wait()
	s.end()
}

// Add adds a drain and returns it. What is said from now on is sent to it.
func (s *Drains) Add(ctx context.Context, by core.Actor, app, url string, builds bool) (Row, error) {
	if _, err := parse(url); err != nil {
		return Row{}, err
	}
	s.change.Lock()
	defer s.change.Unlock()
	if err := s.room(app); err != nil {
		return Row{}, err
	}
	apps, err := s.apps(ctx)
	if err != nil {
		return Row{}, err
	}
	d := core.Drain{ID: named.NewID(), App: app, URL: url, Builds: builds, By: by.Name, Added: time.Now().UTC()}
	k, err := s.fromNow(d, apps)
	if err == nil {
		err = k.write(s.cfg.Dir, d.ID)
	}
	if err != nil {
		return Row{}, err
	}
	e := core.Entry{Time: d.Added, App: app, Actor: by.Name, Action: "drain.add", Detail: d.ID + " " + outbound.Shown(url)}
	if err := s.cfg.Ledger.AddDrain(ctx, d, e); err != nil {
		os.Remove(keptPath(s.cfg.Dir, d.ID)) //nolint:errcheck // the next start removes it
		return Row{}, err
	}
	if err := s.run(d, k, apps); err != nil {
		return Row{}, err
	}
	return row(d, State{}), nil
}

// room refuses a drain that would be one too many.
func (s *Drains) room(app string) error {
	n := 0
	for _, d := range s.list() {
		if d.app() == app {
			n++
		}
	}
	return named.Room(app, n)
}

// Remove ends a drain of app, or of all apps. name is its id, or its URL as Shown if no other one has that.
func (s *Drains) Remove(ctx context.Context, by core.Actor, app, name string) (Row, error) {
	s.change.Lock()
	defer s.change.Unlock()
	var found []*running
	for _, d := range s.list() {
		if d.app() == app && (d.ID == name || outbound.Shown(d.URL) == name || d.URL == name) {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		return Row{}, named.NotOne(app, len(found))
	}
	d := found[0]
	shown := outbound.Shown(d.URL)
	e := core.Entry{Time: time.Now(), App: app, Actor: by.Name, Action: "drain.remove", Detail: d.ID + " " + shown}
	if err := s.cfg.Ledger.RemoveDrain(ctx, d.ID, e); core.IgnoreMissing(err) != nil {
		return Row{}, err
	}
	s.drop(d)
	<-d.over
	return row(d.Drain, State{}), nil
}

// drop ends the sending of a drain. It does not wait for that.
func (s *Drains) drop(d *running) {
	s.mu.Lock()
	s.all = slices.DeleteFunc(s.all, func(x *running) bool { return x == d })
	s.mu.Unlock()
	d.gone.Store(true)
	d.stop()
}

// List is the drains of app, or those of all apps if app is empty, or every drain.
func (s *Drains) List(of func(app string) bool) ([]Row, error) {
	var rows []Row
	for _, d := range s.list() {
		d.mu.Lock()
		is := d.Drain
		d.mu.Unlock()
		if !of(is.App) {
			continue
		}
		state, err := d.now()
		if err != nil {
			return nil, err
		}
		rows = append(rows, row(is, state))
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(a.App, b.App) })
	return rows, nil
}

func row(d core.Drain, state State) Row {
	shown := outbound.Shown(d.URL)
	d.URL = ""
	return Row{Drain: d, State: state, Shown: shown}
}

func (s *Drains) list() []*running {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.all)
}

// Wants reports whether somebody is sent what deployments of app print.
func (s *Drains) Wants(app string) bool {
	return slices.ContainsFunc(s.list(), func(d *running) bool { return d.Builds && d.app() == app || d.Builds && d.app() == "" })
}

// Reader is told of what happens to one of the logs.
func (s *Drains) Reader(source string) *Reader { return &Reader{s, source} }

// Reader passes on what happens to a log.
type Reader struct {
	s      *Drains
	source string
}

// Written says that there are new lines.
func (r *Reader) Written(app string) {
	r.s.mu.RLock()
	defer r.s.mu.RUnlock()
	for _, d := range r.s.all {
		d.note(r.source, app)
	}
}

// Renamed says that an app has another name.
func (r *Reader) Renamed(from, to string) {
	for _, d := range r.s.list() {
		d.renames(r.source, from, to)
	}
}

// Removed says that a log is gone: its app is being destroyed, and its drains with it.
func (r *Reader) Removed(app string) {
	for _, d := range r.s.list() {
		d.removes(r.source, app)
		if d.app() == app {
			r.s.drop(d)
		}
	}
}
