package drain

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/nodeos-dev/gitd/internal/core"
)

// took notes that the receiver has a batch, or all of it but the lines that err says.
func (d *drain) took(batch []piece, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	refused := int64(0)
	if r, ok := errors.AsType[*refusal](err); ok {
		refused = int64(r.some)
	}
	for _, x := range batch {
		n := int64(len(x.page.Lines))
		some := min(n, refused)
		refused -= some
		d.settle(x, n-some, some)
	}
	d.answered(err)
}

// drops notes that the receiver will never take a batch.
func (d *drain) drops(batch []piece, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range batch {
		d.settle(x, 0, int64(len(x.page.Lines)))
	}
	d.answered(err)
}

// settle moves on behind a piece; the caller holds mu. A log that was renamed or removed meanwhile has no position here
// any more.
func (d *drain) settle(x piece, sent, dropped int64) {
	d.idle(x.place)
	d.kept.Sent += sent
	d.kept.Dropped += dropped + max(0, x.page.Lost)
	if _, ok := d.kept.At[x.place]; !ok {
		return
	}
	at := d.kept.At[x.place]
	d.moved = d.moved || at.File != x.page.Next.File || at.Offset != x.page.Next.Offset
	d.kept.At[x.place] = x.page.Next
	if dropped > 0 {
		d.untold[x.place] += dropped
	} else {
		delete(d.untold, x.place)
	}
	if sent == 0 && dropped > 0 && x.page.Lost > 0 { // nor was it told of these
		d.untold[x.place] += x.page.Lost
	}
}

// answered notes an answer of the receiver; the caller holds mu.
func (d *drain) answered(err error) {
	if err != nil {
		d.log.Warn("the receiver of a drain refuses lines, which are dropped", "error", err)
		d.state.Error, d.state.ErrorAt = err.Error(), time.Now()
	} else if !d.state.Up && !d.state.ErrorAt.IsZero() {
		d.log.Info("the receiver of a drain takes lines again")
	}
	d.alone = d.alone && err != nil
	d.state.Up = err == nil
}

// failed notes that a batch was not sent. That gitd ends is no failure.
func (d *drain) failed(last context.Context, err error) {
	if last.Err() != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state.Up || d.state.ErrorAt.IsZero() {
		d.log.Warn("a drain does not get through; its lines wait", "error", err)
	}
	d.state.Up, d.state.Error, d.state.ErrorAt = false, err.Error(), time.Now()
}

// back has a batch read again.
func (d *drain) back(batch []piece) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range slices.Backward(batch) {
		d.idle(x.place)
		if _, ok := d.kept.At[x.place]; !ok {
			continue
		}
		d.news = slices.DeleteFunc(d.news, func(p string) bool { return p == x.place })
		d.news = slices.Insert(d.news, 0, x.place)
	}
}

// settleAll moves on behind a batch without lines.
func (d *drain) settleAll(batch []piece) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range batch {
		d.settle(x, 0, 0)
	}
}

// idle says that a place is in no batch any more; the caller holds mu.
func (d *drain) idle(p string) {
	d.busy = slices.DeleteFunc(d.busy, func(x string) bool { return x == p })
}

// save keeps the positions if they have changed. Nobody waits for the disk but the drain itself.
func (d *drain) save() {
	d.mu.Lock()
	k, moved := kept{maps.Clone(d.kept.At), d.kept.Sent, d.kept.Dropped}, d.moved
	d.moved = false
	d.mu.Unlock()
	if !moved {
		return
	}
	d.saved = time.Now()
	if err := k.write(d.dir, d.ID); err != nil {
		d.log.Error("how far a drain has come is not kept: after a restart it sends lines again", "error", err)
	}
}

// now is the state, with what waits.
func (d *drain) now() (State, error) {
	d.mu.Lock()
	s, waits := d.state, slices.Concat(d.busy, d.news)
	s.Sent, s.Dropped = d.kept.Sent, d.kept.Dropped
	at := map[string]core.LogPosition{}
	for _, p := range waits {
		at[p] = d.kept.At[p]
	}
	d.mu.Unlock()
	for p := range at {
		source, app := split(p)
		page, err := d.logs[source].Read(app, at[p], 0)
		if err != nil {
			return s, err
		}
		s.Behind += page.Behind + max(0, page.Lost)
	}
	return s, nil
}
