// Package sleep puts apps to sleep that nobody asks anything, and wakes them.
//
// It owns which apps sleep, the files that their machines were saved to, and when an app falls asleep. It does not own
// how a machine is saved (Saver), what serves an app (package fleet), nor the requests that wait meanwhile (the front
// door).
//
// What was saved is used once, and only for the very machine that it was saved from: see print. Whatever is wrong with
// it, the app boots as ever.
package sleep

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/disk"
	"github.com/nodeos-dev/gitd/internal/fleet"
	"github.com/nodeos-dev/gitd/internal/sleep/vault"
)

// Saver saves machines, and restores them.
type Saver interface {
	// Save writes the state of a machine to a file, closes that, and returns the serials of the machine's disks. The
	// machine stands still then. If it fails, the machine goes on.
	Save(ctx context.Context, id string, to io.WriteCloser) (serials []string, err error)
	// Restore starts a machine that goes on where one was saved. What was saved was read to its end when the machine
	// goes on. w is told that it has booted and listens.
	Restore(ctx context.Context, spec core.MachineSpec, serials []string, from io.Reader, w core.Watch) (core.Machine, error)
	// Host says on what machines run, and how they are made: what was saved is of use only where it is the same.
	Host() string
}

// Ledger has what lasts.
type Ledger interface {
	Sleeps(ctx context.Context) ([]core.Sleep, error)
	SetSleepAfter(ctx context.Context, app string, after *time.Duration) error
	SetBed(ctx context.Context, app string, bed *core.Bed) error
}

// Config is what Beds work with.
type Config struct {
	State  core.StateDir
	Ledger Ledger
	Driver fleet.Driver // boots what does not sleep
	Saver  Saver
	Log    *slog.Logger

	Observe func(core.Transition) // called at each moment below, in the middle of it; nil: nothing is called
}

// The moments of a machine that falls asleep, or wakes.
const (
	AtSaving    core.Moment = "saving"    // it stands still, and some of it has been written
	AtSaved     core.Moment = "saved"     // its app sleeps in the ledger, and it has not ended yet
	AtRestoring core.Moment = "restoring" // some of what was saved has been read
)

// Beds is a driver that knows which apps sleep, and boots a machine of such an app from what was saved, if the app is
// being woken. It is fleet.Sleepers. Its methods are safe for concurrent use.
type Beds struct {
	fleet.Driver
	cfg  Config
	host [hostSize]byte

	mu    sync.Mutex
	beds  map[string]*bed // by app
	knock func(app string)
}

// bed is an app that sleeps, or is about to.
type bed struct {
	core.Bed

	waking bool   // the next machine of the app is this one
	used   bool   // what was saved is of no more use
	barred string // why requests do not wake it, for now
}

// New makes Beds. No app sleeps before Load.
func New(cfg Config) *Beds {
	host := sha256.Sum256([]byte(cfg.Saver.Host()))
	if cfg.Observe == nil {
		cfg.Observe = func(core.Transition) {}
	}
	return &Beds{Driver: cfg.Driver, cfg: cfg, host: host, beds: map[string]*bed{}, knock: func(string) {}}
}

// Load finds out which apps sleep, and removes what is of no use. Call it once, when no other gitd runs any more.
func (b *Beds) Load(ctx context.Context) error {
	all, err := b.cfg.Ledger.Sleeps(ctx)
	if err != nil {
		return err
	}
	keep := map[string]bool{}
	for _, s := range all {
		if s.Bed != nil {
			b.beds[s.App] = &bed{Bed: *s.Bed}
			keep[s.Bed.Machine] = true
		}
	}
	running, err := b.Driver.List(ctx)
	if err != nil {
		return err
	}
	for _, m := range running {
		keep[m.ID] = true
	}
	return b.sweep(keep)
}

// sweep removes the files of all machines but those to keep.
func (b *Beds) sweep(keep map[string]bool) error {
	files, err := os.ReadDir(core.Sleeping(b.cfg.State))
	for _, f := range files {
		if id, _, _ := strings.Cut(f.Name(), "."); !keep[id] || strings.HasSuffix(f.Name(), newSuffix) {
			err = errors.Join(err, os.Remove(filepath.Join(core.Sleeping(b.cfg.State), f.Name())))
		}
	}
	return err
}

// The files of a machine, in the folder of them all, are called by its id and these.
const (
	stateSuffix = ".state" // what was saved
	newSuffix   = ".new"   // what is being saved
	printSuffix = ".print"
)

func (b *Beds) file(id, suffix string) string {
	return filepath.Join(core.Sleeping(b.cfg.State), id+suffix)
}

func (b *Beds) remove(id string, suffixes ...string) {
	for _, s := range suffixes {
		if err := os.Remove(b.file(id, s)); err != nil && !errors.Is(err, os.ErrNotExist) {
			b.cfg.Log.Error("a file of a machine that slept stays", "file", b.file(id, s), "error", err)
		}
	}
}

// Asleep implements fleet.Sleepers.
func (b *Beds) Asleep(app string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.beds[app] != nil
}

// Barred implements fleet.Sleepers.
func (b *Beds) Barred(app string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bed := b.beds[app]; bed != nil {
		return bed.barred
	}
	return ""
}

// Knock implements fleet.Sleepers.
func (b *Beds) Knock(app string) { b.knock(app) }

// Rename implements fleet.Sleepers.
func (b *Beds) Rename(from, to string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bed := b.beds[from]; bed != nil {
		delete(b.beds, from)
		b.beds[to] = bed
	}
}

// Over implements fleet.Sleepers. A machine that was not saved in the end goes on, and may be saved another time.
func (b *Beds) Over(app string) {
	b.mu.Lock()
	bed := b.beds[app]
	delete(b.beds, app)
	b.mu.Unlock()
	if bed == nil {
		return
	}
	if err := b.cfg.Ledger.SetBed(context.Background(), app, nil); err != nil {
		b.cfg.Log.Error("an app stays asleep in the ledger", "app", app, "error", err)
	}
	b.remove(bed.Machine, stateSuffix, newSuffix) // without its row, the next gitd does
	if !bed.Since.IsZero() {
		b.remove(bed.Machine, printSuffix)
	}
}

// lie has the requests of an app wait from now on, and reports whether it was awake.
func (b *Beds) lie(app, id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.beds[app] != nil {
		return false
	}
	b.beds[app] = &bed{Bed: core.Bed{Machine: id}}
	return true
}

// save puts the machine of an app aside that lies already.
func (b *Beds) save(ctx context.Context, m core.Machine) error {
	to, err := b.create(m.ID)
	if err != nil {
		return err
	}
	to.first = func() {
		b.cfg.Observe(core.Transition{Moment: AtSaving, App: m.App, Release: m.Release, Machine: m.ID})
	}
	at := core.Bed{Machine: m.ID, Release: m.Release, Since: time.Now(), Key: to.key}
	at.Serials, err = b.cfg.Saver.Save(ctx, m.ID, to)
	to.file.Close() // if Save has not
	at.Size = to.size
	if err == nil {
		err = b.cfg.Ledger.SetBed(ctx, m.App, &at)
	}
	if err != nil {
		b.remove(m.ID, stateSuffix, newSuffix)
		return disk.Rejected(err)
	}
	b.mu.Lock()
	if lies := b.beds[m.App]; lies != nil {
		lies.Bed = at
	}
	b.mu.Unlock()
	b.cfg.Observe(core.Transition{Moment: AtSaved, App: m.App, Release: m.Release, Machine: m.ID})
	return nil
}

// saving is the file that a machine is being saved to.
type saving struct {
	*vault.Writer
	file *os.File
	key  []byte
	size int64
	name string

	first func() // called after the first Write
	once  sync.Once
}

func (s *saving) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	s.once.Do(s.first)
	return n, err
}

func (b *Beds) create(id string) (*saving, error) {
	f, err := os.OpenFile(b.file(id, newSuffix), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, disk.Rejected(err)
	}
	s := &saving{file: f, key: vault.NewKey(), name: b.file(id, stateSuffix)}
	s.Writer, err = vault.NewWriter(f, s.key)
	return s, err
}

// Close ends the file, which has its name only when it is whole. It is not waited for until it is on the disk: one that
// a power cut has cut off is found to be damaged, and the app boots.
func (s *saving) Close() error {
	if err := s.Writer.Close(); err != nil {
		return err
	}
	info, err := s.file.Stat()
	if err := errors.Join(err, s.file.Close()); err != nil {
		return err
	}
	s.size = info.Size()
	return os.Rename(s.file.Name(), s.name)
}

// Boot implements fleet.Driver.
func (b *Beds) Boot(ctx context.Context, spec core.MachineSpec, w core.Watch) (core.Machine, error) {
	if at, ok := b.bedOf(spec.App); ok {
		m, err := b.restore(ctx, at, spec, w)
		if err == nil {
			return m, nil
		}
		if ctx.Err() != nil {
			return m, err
		}
		b.cfg.Log.Warn("what an app slept as is of no use, and it boots", "app", spec.App, "machine", at.Machine, "reason", err)
		b.use(spec.App)
		b.remove(at.Machine, stateSuffix, printSuffix)
	}
	m, err := b.Driver.Boot(ctx, spec, w)
	if err == nil && spec.Task == nil {
		b.note(m.ID, spec)
	}
	return m, err
}

// bedOf is what an app that is being woken slept as. It is given once.
func (b *Beds) bedOf(app string) (at core.Bed, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	bed := b.beds[app]
	if bed == nil || !bed.waking {
		return at, false
	}
	bed.waking = false
	return bed.Bed, true
}

// use notes that what an app slept as is of no more use.
func (b *Beds) use(app string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if bed := b.beds[app]; bed != nil {
		bed.used = true
	}
}

// restore has a machine go on as spec that was saved.
func (b *Beds) restore(ctx context.Context, at core.Bed, spec core.MachineSpec, w core.Watch) (m core.Machine, err error) {
	if err := b.same(at.Machine, spec); err != nil {
		return m, err
	}
	file, err := os.Open(b.file(at.Machine, stateSuffix))
	if err != nil {
		return m, err
	}
	defer file.Close()
	plain, err := vault.NewReader(file, at.Key)
	if err != nil {
		return m, fmt.Errorf("the key of its file: %w", err)
	}
	over := func() error {
		b.use(spec.App)
		return b.cfg.Ledger.SetBed(ctx, spec.App, nil)
	}
	begun := sync.OnceFunc(func() {
		b.cfg.Observe(core.Transition{Moment: AtRestoring, App: spec.App, Release: spec.Release, Machine: spec.ID})
	})
	m, err = b.cfg.Saver.Restore(ctx, spec, at.Serials, &once{plain, begun, over}, w)
	if err != nil {
		return m, err
	}
	b.remove(at.Machine, stateSuffix, printSuffix)
	b.note(m.ID, spec)
	return m, nil
}

// once reads a file to its end, and then, before whoever reads knows of the end, makes it of no more use: no two
// machines go on from one file, with the same random numbers.
type once struct {
	from  io.Reader
	begun func()
	over  func() error
}

// Read implements io.Reader.
func (o *once) Read(p []byte) (int, error) {
	n, err := o.from.Read(p)
	o.begun()
	if errors.Is(err, io.EOF) {
		if e := o.over(); e != nil {
			return n, e
		}
	}
	return n, err
}

// Stop implements fleet.Driver.
func (b *Beds) Stop(ctx context.Context, id string, grace time.Duration) error {
	err := b.Driver.Stop(ctx, id, grace)
	if err == nil && !b.saved(id) {
		b.remove(id, printSuffix)
	}
	return err
}

// saved reports whether an app sleeps as the machine id.
func (b *Beds) saved(id string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, bed := range b.beds {
		if bed.Machine == id {
			return true
		}
	}
	return false
}
