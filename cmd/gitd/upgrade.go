package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/nodeos-dev/gitd/internal/audit"
	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/handover"
	"github.com/nodeos-dev/gitd/internal/libvirt"
	"github.com/nodeos-dev/gitd/internal/progress"
	"github.com/nodeos-dev/gitd/internal/systemd"
)

const (
	// prepareLimit is how long the next gitd may take until it can begin.
	prepareLimit = time.Minute
	// beginLimit is how long it may take to bring everything into line with the ledger. Meanwhile this gitd serves
	// requests, and nobody can log in.
	beginLimit = 5 * time.Minute
)

// errUpgraded is why sessions end that are left when another gitd takes this one's place.
var errUpgraded = errors.New("gitd is being upgraded: type it again")

// errSucceeded ends the doors of a gitd whose place another one has taken.
var errSucceeded = errors.New("another gitd has taken over")

// succession is how another gitd takes this one's place. It is made with the daemon.
type succession struct {
	turn    chan struct{}           // has a token while no upgrade runs
	held    context.Context         // of all that works with the state folder and the machines
	release context.CancelCauseFunc // ends held
	over    chan struct{}           // closed when all of that has ended
	result  chan error              // nil: another gitd serves
	d       *daemon

	patience time.Duration // for what runs
	drain    time.Duration // for requests, and for one-off machines
	ledger   string        // path
	calls    calls         // on the host
	once     sync.Once     // of close
	err      error         // of close
}

func newSuccession(ctx context.Context, d *daemon) *succession {
	s := &succession{d: d, turn: make(chan struct{}, 1), over: make(chan struct{}), result: make(chan error, 1)}
	s.held, s.release = context.WithCancelCause(ctx)
	s.turn <- struct{}{}
	return s
}

// while is ctx, which also ends when another gitd takes over.
func (s *succession) while(ctx context.Context) context.Context {
	ctx, end := context.WithCancelCause(ctx)
	context.AfterFunc(s.held, func() { end(context.Cause(s.held)) })
	return ctx
}

// why is why another gitd takes over; nil: none does.
func (s *succession) why() error {
	if cause := context.Cause(s.held); errors.Is(cause, errUpgraded) {
		return cause
	}
	return nil
}

// upgrade has the gitd that is on disk now take this one's place. It returns when that one serves, or why it does not;
// for a caller of the SSH door, whose connection ends with that, when it is about to.
func (s *succession) upgrade(ctx context.Context, by core.Actor, w io.Writer) error {
	d := s.d
	select {
	case <-d.next.turn:
	default:
		return core.Reject("gitd is being upgraded already", "`gitd version` says when the other one serves")
	}
	if d.onStop.place.last() {
		d.next.turn <- struct{}{}
		return core.Reject("gitd is the first process of its container, which would end with it",
			"start the container anew from the new image (`docker compose up -d`): see docs/upgrade.md")
	}
	u := &upgrade{d: d, by: by, r: progress.NewReport(w), log: d.log.With().Str("by", by.Name).Logger(), begun: make(chan struct{})}
	done := make(chan error, 1)
	go func() {
		err := u.run()
		if !u.final {
			d.next.turn <- struct{}{}
		}
		done <- err
	}()
	if by.Key != "" { // of the SSH door
		select {
		case <-u.begun:
			return nil
		case err := <-done:
			return err
		}
	}
	return <-done
}

// upgrade is one upgrade of d.
type upgrade struct {
	d       *daemon
	by      core.Actor
	r       *progress.Report
	log     zerolog.Logger
	version string        // of the next gitd
	doors   []*os.File    // those of this gitd, for the next one
	env     string        // that tells it of them
	begun   chan struct{} // closed when this gitd lets go
	final   bool          // this gitd has let go
}

func (u *upgrade) run() error {
	d := u.d
	var err error
	if u.doors, u.env, err = d.l.doors.Files(handover.FirstDoor); err != nil {
		return err
	}
	defer u.closeDoors()
	next, err := u.prepare()
	if err != nil {
		u.log.Error().Err(err).Msg("no upgrade: this gitd goes on")
		return err
	}
	defer context.AfterFunc(d.next.held, func() {
		if !u.final { // gitd was told to end
			next.End()
		}
	})()
	if err := u.quiet(); err != nil {
		next.End()
		u.log.Warn().Err(err).Msg("no upgrade: this gitd goes on")
		return err
	}
	err = u.takeOver(next)
	if err != nil {
		u.log.Error().Err(err).Msg("no upgrade")
	}
	return err
}

func (u *upgrade) closeDoors() {
	for _, f := range u.doors {
		f.Close()
	}
}

// prepare starts the gitd on disk, until it could begin.
func (u *upgrade) prepare() (*handover.Next, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(u.d.next.held, prepareLimit)
	defer cancel()
	if err := tryOut(ctx, program); err != nil {
		return nil, core.Reject("the gitd on disk cannot take over: "+err.Error(), "this one goes on; mend that, and type `gitd upgrade` again")
	}
	next, err := u.start(program)
	if err != nil {
		return nil, err
	}
	u.version, err = next.Prepared(ctx)
	if err != nil {
		next.End()
		return nil, core.Reject("the gitd on disk cannot take over: "+err.Error(), "this one goes on; mend that, and type `gitd upgrade` again")
	}
	u.r.Step("gitd %s takes the place of %s", u.version, buildVersion())
	return next, nil
}

// start starts a gitd with the doors of this one.
func (u *upgrade) start(program string) (*handover.Next, error) {
	return handover.Begin(handover.Start{
		Program: program, Args: os.Args[1:], Env: append(append(os.Environ(), u.d.vitals.manager.Environment()...), u.env),
		Lock: u.d.l.lock, Doors: u.doors,
	})
}

// takeOver lets go of the state folder and the machines, and has next take them. If it fails at that, this program
// does, in a new process: libvirt's driver can be had once in the life of each.
func (u *upgrade) takeOver(next *handover.Next) error {
	d := u.d
	u.final = true
	u.d.vitals.tell(systemd.Reloading(), systemd.Status("another gitd takes over"))
	audit.New(d.ledger, slog.New(zerolog.NewSlogHandler(d.log))).
		Note(context.Background(), "", u.by.Name, "gitd.upgraded", buildVersion()+" gives way to "+u.version)
	close(u.begun)
	began := time.Now()
	if err := d.next.letGo(); err != nil {
		u.log.Warn().Err(err).Msg("not everything was let go of")
	}
	u.log.Debug().Dur("took_ms", time.Since(began)).Msg("let go of the state folder and the machines")
	err := u.within(next.Serving)
	if err != nil {
		next.End()
		u.log.Error().Err(err).Str("version", u.version).Msg("the next gitd does not begin: this one does again")
		err = core.Reject("gitd "+u.version+" does not begin: "+err.Error(), "the gitd before serves again, in a new process")
		var again error
		if next, again = u.again(); again != nil {
			err = errors.Join(err, fmt.Errorf("nor does this one: %w", again))
			d.next.result <- err
			return err
		}
	}
	u.d.vitals.tell(systemd.Main(next.PID()))
	if told := next.Main(); told != nil {
		u.log.Error().Err(told).Msg("the next gitd does not answer")
	}
	u.log.Info().Str("version", u.version).Int("pid", next.PID()).Dur("gap_ms", time.Since(began)).Msg("another gitd serves")
	d.next.result <- nil
	if err == nil {
		u.r.Done("gitd %s serves, and has everything that this one had; nobody could log in for %d ms", u.version, time.Since(began).Milliseconds())
	}
	return err
}

// within waits for a step of the next gitd's beginning, and the watchdog waits too. Each gitd has its own beginLimit,
// also the one that takes the place of a next one which has used up its own.
func (u *upgrade) within(step func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), beginLimit)
	defer cancel()
	go u.d.vitals.manager.Watch(ctx, func(context.Context) error { return nil }, func(error) {})
	return step(ctx)
}

// again starts the program of this process once more, whatever is on disk now.
func (u *upgrade) again() (next *handover.Next, err error) {
	err = u.within(func(ctx context.Context) (err error) {
		if err = u.d.next.undoMigration(ctx); err != nil {
			return err
		}
		if next, err = u.start("/proc/self/exe"); err != nil {
			return err
		}
		if _, err = next.Prepared(ctx); err == nil {
			err = next.Serving(ctx)
		}
		if err != nil {
			next.End()
		}
		return err
	})
	return next, err
}

// letGo ends all that works with the state folder and the machines. The machines and the front door go on.
func (s *succession) letGo() error {
	s.d.l.doors.Own(false)
	s.release(errUpgraded)
	<-s.over
	return s.close(func() error { return libvirt.Release(s.d.driver) })
}

// leave waits until another gitd serves, and then until the front door has no requests any more.
func (s *succession) leave(ctx context.Context, closeFront func()) error {
	d := s.d
	select {
	case err := <-s.result:
		if err != nil {
			return err
		}
	case <-ctx.Done():
		return nil
	}
	d.l.doors.Stop()
	limit, cancel := context.WithTimeout(ctx, s.drain)
	defer cancel()
	began := time.Now()
	left := d.front.Leave(limit)
	for tick := time.NewTicker(lookEvery); d.tcp.Open() > 0 && limit.Err() == nil; {
		<-tick.C
	}
	d.log.Info().Dur("took_ms", time.Since(began)).Int("cut", left).Msg("requests of this gitd have ended")
	closeFront()
	s.calls.wait()
	return errSucceeded
}

// work is all that works with the state folder and the machines. It ends with ctx, or when another gitd takes this
// one's place, and the front door goes on then.
func (s *succession) work(ctx context.Context, o *options) error {
	d := s.d
	defer close(s.over)
	return all(s.while(ctx),
		d.answer,
		d.copies.run,
		func(ctx context.Context) error { return d.door.Serve(ctx, d.l.ssh) },
		func(ctx context.Context) error { return d.watching.serve(ctx, d, o) },
		func(ctx context.Context) error { return tend(d.ledger, ctx, slog.New(zerolog.NewSlogHandler(d.log))) },
		d.vitals.watch,
		func(context.Context) error { d.vitals.took(); return nil },
	)
}

// close ends the deployments, and then closes the driver, the logs and the ledger, in this order: the driver
// writes to the logs. Only the first call does anything.
func (s *succession) close(driver func() error) error {
	d := s.d
	s.once.Do(func() {
		if d.claimEnd != nil {
			d.claimEnd.Stop()
		}
		d.core.Close()
		d.warm.Leave()
		d.spares.Leave()
		if s.why() == nil { // else the next gitd ends them
			d.warm.Close()
			d.spares.Close()
		}
		d.sent.end()
		d.watching.traces.Close()
		s.err = errors.Join(driver(), closeLogs(d), d.ledger.Close())
	})
	return s.err
}
