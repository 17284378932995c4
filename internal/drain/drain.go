package drain

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
	"github.com/nodeos-dev/gitd/internal/outbound"
)

const (
	maxLines = 1000                   // of one batch
	maxBytes = 512 << 10              // of one batch's texts, before the last log that is in it
	linger   = 200 * time.Millisecond // in which lines gather to be sent together
	longWait = time.Minute            // between attempts, at most
	keepPace = time.Second            // between two times that the positions are kept
)

// drain is one receiver, and how far each log has come on the way to it.
type drain struct {
	core.Drain // its App changes with the app's name
	to         sink
	logs       map[string]Logs
	dir        string
	log        *slog.Logger

	wake  chan struct{} // holds a token when a log has something new
	alone bool          // a batch has lines of one log only: the receiver refuses those of one
	saved time.Time     // when the positions were kept last

	mu     sync.Mutex
	kept   kept
	moved  bool             // since the positions were kept
	busy   []string         // the places of the batch that is being sent; their positions are those before it
	news   []string         // the places that have something new, in the order in which they are looked at
	untold map[string]int64 // lines that were dropped at a place, which the receiver does not know yet
	state  State
}

// State is how a drain is.
type State struct {
	Up      bool      // the receiver took what it was sent last
	Error   string    // of the last attempt that failed; empty: none did
	ErrorAt time.Time // zero: none failed
	Sent    int64     // lines, since the drain was added
	Dropped int64     // lines that were not sent, and never will be
	Behind  int64     // lines that wait
}

func newDrain(d core.Drain, k kept, to sink, cfg Config) *drain {
	return &drain{
		Drain: d, to: to, logs: cfg.Logs, dir: cfg.Dir, log: cfg.Log.With("drain", d.ID, "receiver", outbound.Shown(d.URL)),
		wake: make(chan struct{}, 1), kept: k, untold: map[string]int64{},
	}
}

// note says that a log has something new. It does not wait.
func (d *drain) note(source, app string) {
	d.mu.Lock()
	if p := place(source, app); d.Of(app) && (d.Builds || source != Builds) && !slices.Contains(d.news, p) {
		d.news = append(d.news, p)
	}
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// renames gives a log its new name.
func (d *drain) renames(source, from, to string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.App == from {
		d.App = to
	}
	old, is := place(source, from), place(source, to)
	if at, ok := d.kept.At[old]; ok {
		at.Line = 0 // it is another file, as package applog counts
		d.kept.At[is], d.moved = at, true
		if !slices.Contains(d.news, is) {
			d.news = append(d.news, is)
		}
	}
	d.forget(old)
}

// removes forgets a log.
func (d *drain) removes(source, app string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(place(source, app))
	d.moved = true
}

func (d *drain) forget(p string) {
	delete(d.kept.At, p)
	delete(d.untold, p)
	d.news = slices.DeleteFunc(d.news, func(x string) bool { return x == p })
}

// pop is the log whose turn it is, and the position from which to read it. One that is in the batch has to wait: its
// position is not known yet.
func (d *drain) pop(batch []piece) (p string, from core.LogPosition, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := slices.IndexFunc(d.news, func(p string) bool {
		return !slices.ContainsFunc(batch, func(x piece) bool { return x.place == p })
	})
	if i < 0 {
		return "", from, false
	}
	p = d.news[i]
	d.news = slices.Delete(d.news, i, i+1)
	d.busy = append(d.busy, p)
	from = d.kept.At[p]
	d.kept.At[p] = from
	return p, from, true
}

// run sends until ctx ends, and what waits then until last ends.
func (d *drain) run(ctx, last context.Context) {
	defer d.to.close()
	defer d.save()
	for d.await(ctx) {
		full := d.pass(ctx, last)
		if time.Since(d.saved) > keepPace {
			d.save()
		}
		if !full {
			outbound.Pause(ctx, linger)
		}
	}
	for d.waits() && last.Err() == nil {
		d.pass(last, last)
	}
}

// await waits for something new, and reports whether ctx is still on.
func (d *drain) await(ctx context.Context) bool {
	for ctx.Err() == nil && !d.waits() {
		d.save()
		select {
		case <-d.wake:
		case <-ctx.Done():
		}
	}
	return ctx.Err() == nil
}

func (d *drain) waits() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.news) > 0
}

// piece is what a batch has of one log.
type piece struct {
	place  string
	page   core.LogPage
	untold int64
}

// gather reads what is sent next: from one log after the other, so that an app that says much does not keep others
// waiting. It reports whether the batch is full, so that more may wait.
func (d *drain) gather(most int) (batch []piece, full bool, err error) {
	lines, size := 0, 0
	for lines < most && size < maxBytes && (len(batch) == 0 || !d.alone) {
		p, from, ok := d.pop(batch)
		if !ok {
			break
		}
		source, app := split(p)
		page, err := d.logs[source].Read(app, from, most-lines)
		if err != nil {
			d.back([]piece{{place: p}})
			return batch, false, err
		}
		if page.Behind > 0 {
			d.note(source, app)
		}
		d.mu.Lock()
		batch = append(batch, piece{p, page, d.untold[p]})
		d.mu.Unlock()
		lines += len(page.Lines)
		for _, l := range page.Lines {
			size += len(l.Text)
		}
	}
	return batch, lines >= most || size >= maxBytes || d.alone, nil
}

// records are the lines of a batch, with a line where some are missing.
func records(batch []piece) (all []record) {
	for _, x := range batch {
		_, app := split(x.place)
		missing := func(text string) {
			all = append(all, record{core.Line{Time: time.Now().UTC(), Stream: "nodeos", Text: text}, app})
		}
		if x.untold > 0 {
			missing(fmt.Sprintf("%d lines were dropped here: the receiver of this drain refused them", x.untold))
		}
		switch lost := x.page.Lost; {
		case lost == core.LostSome:
			missing("lines were dropped here, nobody knows how many: they are not kept any more")
		case lost > 0:
			missing(fmt.Sprintf("%d lines were dropped here: the receiver of this drain was away, and they are not kept any more", lost))
		}
		for _, l := range x.page.Lines {
			l.Text = strings.ToValidUTF8(l.Text, "\uFFFD")
			all = append(all, record{l, app})
		}
	}
	return all
}

// pass sends one batch, and reports whether it was full. It tries until ctx ends, and goes on
// with an attempt until last ends.
func (d *drain) pass(ctx, last context.Context) bool {
	backoff, most := outbound.Backoff{Longest: longWait}, maxLines
	for {
		batch, full, err := d.gather(most)
		all := records(batch)
		if err == nil && len(all) == 0 {
			d.settleAll(batch)
			return false
		}
		if err == nil {
			err = d.to.send(last, all)
		}
		r, _ := errors.AsType[*refusal](err)
		switch {
		case err == nil || r != nil && r.some > 0:
			d.took(batch, err)
			return full
		case r != nil && r.big && len(all) > 1:
			most = max(1, len(all)/2)
			d.back(batch)
			continue
		case r != nil && r.never && len(batch) > 1: // whose lines are they?
			d.alone = true
			d.back(batch)
			continue
		case r != nil && (r.never || r.big):
			d.drops(batch, err)
		default:
			d.back(batch)
			d.failed(last, err)
		}
		var after time.Duration
		if r != nil {
			after = r.after
		}
		if !outbound.Pause(ctx, backoff.Next(after)) || !d.waits() {
			return false
		}
	}
}
