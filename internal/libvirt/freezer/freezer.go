// Package freezer has a guest hold its app's writes for a moment.
//
// It owns the questions and the answers. It does not own the channel, nor what is done in that moment.
package freezer

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/guest"
)

const (
	// limit is for how long a guest holds writes if nobody ends that, because gitd was killed. It takes milliseconds.
	limit = 10 * time.Second
	// wait is how long a guest has to write out what its app has written, and to answer.
	wait = 20 * time.Second
)

// Freezer asks one guest.
type Freezer struct {
	able    atomic.Bool
	answers chan guest.Freeze
}

// New makes a Freezer of a guest that has not booted yet.
func New() *Freezer { return &Freezer{answers: make(chan guest.Freeze, 1)} }

// Booted notes whether the guest can do it: an older one cannot.
func (f *Freezer) Booted(b guest.Booted) { f.able.Store(b.Freezes) }

// Answer takes what the guest says. It never waits: an answer that nobody has waited for makes room for the next one.
func (f *Freezer) Answer(a guest.Freeze) {
	select {
	case <-f.answers:
	default:
	}
	f.answers <- a
}

// Line is the way to a guest.
type Line struct {
	Send func(guest.Message) // does not wait
	Gone <-chan struct{}     // closed when the machine has ended
}

// Hold calls do while the guest holds its app's writes. It is an error if it did not hold them until the end of do. A
// guest that cannot hold them does not keep do from being called.
func (f *Freezer) Hold(ctx context.Context, l Line, do func() error) (c core.Captured, err error) {
	if !f.able.Load() {
		return c, do()
	}
	since := time.Now()
	err = f.ask(ctx, l, limit)
	if err == nil {
		err = do()
	}
	thawed := f.ask(context.WithoutCancel(ctx), l, 0)
	return core.Captured{Frozen: true, Held: time.Since(since)}, errors.Join(err, thawed)
}

// ask has the guest hold writes for so long at most, or let them go on.
func (f *Freezer) ask(ctx context.Context, l Line, limit time.Duration) error {
	q := guest.Freeze{ID: int(time.Now().UnixNano()), Millis: int(limit.Milliseconds())}
	l.Send(guest.Message{Kind: guest.KindFreeze, Freeze: &q})
	late := time.After(wait)
	for {
		select {
		case a := <-f.answers:
			if a.ID != q.ID {
				continue
			}
			if a.Error != "" {
				return fmt.Errorf("the guest did not hold the writes of its app: %.200q", a.Error)
			}
			return nil
		case <-l.Gone:
			return errors.New("the machine ended meanwhile")
		case <-late:
			return fmt.Errorf("the guest has said nothing for %s", wait)
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
